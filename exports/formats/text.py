"""Plain text: a file a document, with a line where a page begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.reading import FURNITURE
from exports.escaping import plain
from exports.flow import PageBreak, Piece, flowing
from exports.pages import Document
from exports.registry import DocumentFormat, Job, Need


@dataclass(frozen=True)
class Text(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for at, paragraph in enumerate(_paragraphs(document)):
                file.write(f"\n{paragraph}\n" if at else f"{paragraph}\n")


def _paragraphs(document: Document) -> Iterator[str]:
    for item in flowing(document.texts()):
        if isinstance(item, PageBreak):
            yield _mark(item)
        elif item.kind not in FURNITURE:
            yield _text(item)


def _text(piece: Piece) -> str:
    if piece.kind in ("list", "table"):
        return "\n".join(f"{_mark(each)}\n{plain(line)}" if each else plain(line) for each, line in piece.lines())
    return "".join(f"{_mark(part)} " if isinstance(part, PageBreak) else plain(part) for part in piece.words()).strip()


def _mark(page_break: PageBreak) -> str:
    page = page_break.page
    return f"[page {plain(page.label)}]" if page.is_read else f"[page {plain(page.label)}: not read]"


FORMAT = Text("plain text, a file a document", ".txt", need=Need.TEXT)
