"""What an export says at its end."""

from dataclasses import asdict, dataclass, field

from flows.runtime.printable import printable, printable_json

MAX_FAULTS = 20


@dataclass
class Exported:
    """``pages``: with a result, in ``documents``; ``unread``: pages of the selection that have none yet; ``files``:
    written now, of ``bytes`` in all; ``whole``: files that were there already, of the same input; ``unknown``: results
    of no page in the record manifest, which are left out; ``textless``: pages of whose result nothing is text;
    ``unplaced``: pages without a single box where boxes were asked for; ``faults``: a line for each result or document
    that could not be exported; ``models``: model and prompt -> results; ``usd``: what the answers cost that are known;
    ``rights``: what IIIF manifests said of them -> documents, "" where nothing is said."""

    format: str
    to: str
    documents: int = 0
    pages: int = 0
    unread: int = 0
    unknown: int = 0
    files: int = 0
    whole: int = 0
    bytes: int = 0
    textless: int = 0
    unplaced: int = 0
    usd: float = 0.0
    models: dict[str, int] = field(default_factory=dict)
    rights: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    dry_run: bool = False

    def text(self) -> str:
        verb = "would be exported" if self.dry_run else "exported"
        lines = [
            f"{_count(self.pages, 'page')} of {_count(self.documents, 'document')} {verb} as {self.format} to {self.to}"
        ]
        if self.dry_run:
            lines.append(
                f"{_count(self.whole, 'file')} whole already, {self.files:,} to be written; nothing is done: no result "
                "was read, and nothing is written"
            )
        else:
            already = f", {self.whole:,} whole already" if self.whole else ""
            lines.append(f"{_count(self.files, 'file')} written, {self.bytes:,} bytes{already}")
        if self.unread:
            lines.append(f"{_count(self.unread, 'page')} without a result: quire status tells where they stand")
        if self.unknown:
            lines.append(
                f"{_count(self.unknown, 'result')} left out, as the record manifest has no such page: images that are "
                "gone or filtered out"
            )
        if self.textless:
            lines.append(f"{_count(self.textless, 'page')} whose result has no field of text: nothing of it is there")
        if self.unplaced:
            lines.append(f"{_count(self.unplaced, 'page')} of whose result nothing has a box")
        lines += self.faults[:MAX_FAULTS]
        if (more := len(self.faults) - MAX_FAULTS) > 0:
            lines.append(f"and {more:,} more")
        return "\n".join(printable(line) for line in lines)

    def as_json(self) -> str:
        return printable_json(asdict(self))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
