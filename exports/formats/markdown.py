"""Markdown: a file a document, with headings, lists and tables set as such, and a mark where a page begins.

All words are escaped: what looks like Markdown or HTML in a result shows as it is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assets.reading import FURNITURE
from exports.escaping import markdown
from exports.flow import PageBreak, Piece, flowing
from exports.pages import Document
from exports.registry import DocumentFormat, Job, Need


@dataclass(frozen=True)
class Markdown(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for at, text in enumerate(_blocks(document)):
                file.write(f"\n{text}\n" if at else f"{text}\n")


def _blocks(document: Document) -> Iterator[str]:
    was_list = False
    for item in flowing(document.texts()):
        if isinstance(item, PageBreak):
            was_list = False
            yield _mark(item)
        elif item.kind not in FURNITURE:
            is_list = item.kind == "list"
            # Two lists in a row would be read as one.
            yield f"<!-- -->\n\n{_block(item)}" if is_list and was_list else _block(item)
            was_list = is_list


def _block(piece: Piece) -> str:
    if piece.kind == "heading":
        return f"{'#' * (piece.block.level or 1)} {_inline(piece)}"
    if piece.kind == "list":
        return "\n".join(f"- {_with_mark(each, markdown(line))}" for each, line in piece.lines() if line.strip())
    if piece.kind == "table":
        return _table(piece)
    if piece.kind in ("footnote", "marginalia"):
        return "\n".join(f"> {line}" for line in _lines(piece).split("\n"))
    return _lines(piece)


def _table(piece: Piece) -> str:
    """Its first row as the head, as Markdown has no tables without one."""
    rows = [
        [_with_mark(each if at == 0 else None, markdown(cell)) for at, cell in enumerate(line.split("\t"))]
        for each, line in piece.lines()
    ]
    width = max(len(row) for row in rows)
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:]])


def _inline(piece: Piece) -> str:
    return " ".join(_mark(part) if isinstance(part, PageBreak) else markdown(part) for part in piece.words()).strip()


def _lines(piece: Piece) -> str:
    """A paragraph whose line breaks stay."""
    parts = []
    for part in piece.words():
        if isinstance(part, PageBreak):
            parts.append(_mark(part))
        else:
            lines = [markdown(line) for line in part.split("\n")]
            parts.append("\n\n".join("\\\n".join(lines).split("\\\n\\\n")))
    return " ".join(part for part in parts if part).strip()


def _with_mark(page_break: PageBreak | None, text: str) -> str:
    return f"{_mark(page_break)} {text}" if page_break is not None else text


def _mark(page_break: PageBreak) -> str:
    page = page_break.page
    return f"*\\[p. {markdown(page.label)}{'' if page.is_read else ', not read'}\\]*"


FORMAT = Markdown("headings, lists and tables set as such, a file a document", ".md", need=Need.TEXT)
