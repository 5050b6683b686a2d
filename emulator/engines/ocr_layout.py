"""From printed lines to a page: blocks in reading order with their kind, columns one after the other.

Typography only: no images, no models, no schemas; boxes become lines in `ocr_lines`. The rules are for
printed books in a Latin script; whatever they do not know becomes a paragraph, so that no text is lost.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from emulator.engines.ocr_lines import (
    LEADERS,
    Box,
    Frame,
    Line,
    TextBox,
    around,
    frame_of,
    is_capitals,
    lines_of,
    pitch_of,
)

_FOLIO = re.compile(r"^[\[(—–\-\s.]*(\d{1,4}|[ivxlc]{1,7}|[IVXLC]{1,7})[\])—–\-\s.]*$")
_SENTENCE_ENDS = (".", "!", "?", ":", ";", '"', "”", "’", "]", ")")


@dataclass(frozen=True, slots=True)
class Block:
    """``kind``: paragraph, heading, list, table, running_head or page_number. ``level``: of a heading, otherwise 0.
    ``text``: items and rows one a line, cells divided by a tab. ``box``: where it stands, in pixels; None where nobody
    knows. ``items``: of a list or table, each by itself."""

    kind: str
    text: str
    level: int = 0
    box: Box | None = None
    items: tuple["Block", ...] = ()


@dataclass(frozen=True, slots=True)
class PageLayout:
    """What stands on a page. ``score``: the mean of the reader's certainty, 0 to 1; ``size``: of the image, width and
    height in pixels, (0, 0) where nobody knows."""

    blocks: tuple[Block, ...]
    page_number: str | None
    continues_previous: bool
    continues_next: bool
    score: float
    size: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """All text in reading order, a block a line or more."""
        return "\n".join(block.text for block in self.blocks)


@dataclass(slots=True)
class _Body:
    """Blocks under construction."""

    blocks: list[Block] = field(default_factory=list)
    starts_indented: bool = True
    ends_open: bool = False


def lay_out(boxes: Sequence[TextBox], size: tuple[int, int] = (0, 0)) -> PageLayout:
    """Arrange what was read. An empty page gives an empty layout. ``size``: see `PageLayout`."""
    lines = lines_of(boxes)
    if not lines:
        return PageLayout((), None, continues_previous=False, continues_next=False, score=0.0)
    head, lines, foot, page_number = _take_margins(lines)
    body = _body(lines) if lines else _Body()
    prose = [block for block in body.blocks if block.kind == "paragraph"]
    first, last = (body.blocks[0], body.blocks[-1]) if body.blocks else (None, None)
    return PageLayout(
        blocks=(*head, *body.blocks, *foot),
        page_number=page_number,
        continues_previous=bool(prose)
        and first is prose[0]
        and (prose[0].text[:1].islower() or not body.starts_indented),
        continues_next=bool(prose)
        and last is prose[-1]
        and (body.ends_open or not prose[-1].text.endswith(_SENTENCE_ENDS)),
        score=statistics.fmean(box.score for box in boxes),
        size=size,
    )


def _take_margins(lines: list[Line]) -> tuple[list[Block], list[Line], list[Block], str | None]:
    """Take the running head and the page number off: head blocks, the lines of the body, foot blocks, number."""
    lines = list(lines)
    pitch = pitch_of(lines)
    page_number: str | None = None
    head: list[Block] = []
    foot: list[Block] = []
    if len(lines) > 1:
        top = lines[0]
        stands_off = lines[1].middle - top.middle > 1.3 * pitch
        folios = [_FOLIO.match(cell) for cell in top.cells]
        if any(folios) or (stands_off and is_capitals(top.text) and len(lines) > 2):
            lines.pop(0)
            for cell, folio, box in zip(top.cells, folios, top.cell_boxes, strict=True):
                if folio and page_number is None:
                    page_number = folio.group(1)
                    head.append(Block("page_number", cell, box=box))
                else:
                    head.append(Block("running_head", cell, box=box))
    if lines and (folio := _FOLIO.match(lines[-1].text)) and page_number is None:
        page_number = folio.group(1)
        last = lines.pop()
        foot.append(Block("page_number", last.text, box=last.box))
    return head, lines, foot, page_number


def _body(lines: list[Line]) -> _Body:
    frame = frame_of(lines)
    body = _Body()
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and len(lines[end].cells) > 1:
            end += 1
        end += _is_last_of_column(lines, at, end)
        if end - at >= 2 or (end > at and LEADERS.search(lines[at].segments[0].text)):
            _add_rows(body, lines[at:end])
            at = end
        elif level := _heading_level(lines[at], frame):
            body.blocks.append(Block("heading", " ".join(lines[at].cells), level, lines[at].box))
            at += 1
        else:
            end = at + 1
            while end < len(lines) and not _breaks_off(lines, end, frame):
                end += 1
            _add_prose(body, lines[at:end], frame)
            at = end
    return body


def _is_last_of_column(lines: list[Line], at: int, end: int) -> bool:
    """Whether the line after the rows ``at`` to ``end`` is the odd item of the left one of two columns."""
    rows = lines[at:end]
    if len(rows) < 2 or end == len(lines) or any(len(row.segments) != 2 for row in rows):
        return False
    line = lines[end]
    near = line.middle - rows[-1].middle < 1.25 * pitch_of(rows)
    under = abs(line.left - rows[-1].left) < 0.5 * line.height
    return near and under and line.right < min(row.segments[1].left for row in rows)


def _breaks_off(lines: list[Line], at: int, frame: Frame) -> bool:
    """Whether a run of running text ends before this line."""
    if _heading_level(lines[at], frame):
        return True
    several = len(lines[at].cells) > 1
    return several and (at + 1 == len(lines) or len(lines[at + 1].cells) > 1)


def _add_rows(body: _Body, lines: list[Line]) -> None:
    """Lines of several cells: columns of a list, read one after the other, or the rows of a table."""
    if all(len(line.segments) <= 2 for line in lines) and len(lines) >= 3:
        wide = [line for line in lines if len(line.segments) == 2]
        lefts = [line.segments[1].left for line in wide]
        widths = [
            statistics.fmean(line.segments[n].right - line.segments[n].left for line in wide) if wide else 0
            for n in (0, 1)
        ]
        is_prose_like = wide and min(widths) > 0.5 * max(widths)
        numbers = sum(any(char.isdigit() for char in line.segments[-1].text) for line in wide)
        aligned = lefts and max(lefts) - min(lefts) < 1.5 * lines[0].height
        leaders = any(LEADERS.search(line.segments[0].text) for line in lines)
        if is_prose_like and aligned and numbers < 0.5 * len(wide) and not leaders:
            for n in (0, 1):
                column = [line.segments[n] for line in lines if len(line.segments) > n]
                body.blocks.append(_of_items("list", [Block("list", each.text, box=each.box) for each in column]))
            return
    body.blocks.append(_of_items("table", [Block("table", line.text, box=line.box) for line in lines]))


def _of_items(kind: str, items: list[Block]) -> Block:
    boxes = [item.box for item in items if item.box is not None]
    return Block(kind, "\n".join(item.text for item in items), box=around(boxes), items=tuple(items))


def _add_prose(body: _Body, lines: list[Line], frame: Frame) -> None:
    """Running text: paragraphs begin with an indent or after a gap; three or more short lines in a row are a list."""
    paragraphs: list[list[Line]] = []
    for n, line in enumerate(lines):
        indented = line.left - frame.left > 0.8 * frame.height
        before = lines[n - 1] if n else None
        starts = before is None or line.middle - before.middle > 1.5 * frame.pitch
        if before is not None and not starts:
            was_indented = before.left - frame.left > 0.8 * frame.height
            missing = (frame.right - before.right) / frame.width
            ends = before.text.endswith(_SENTENCE_ENDS) and not line.text[:1].islower()
            was_short = missing > 0.08 or (missing > 0.025 and ends)
            starts = (indented and not was_indented) or (was_short and not indented)
        if starts:
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
    if not body.blocks:
        body.starts_indented = lines[0].left - frame.left > 0.8 * frame.height
    last = lines[-1]
    body.ends_open = last.text.endswith("-")
    shorts: list[Block] = []
    for paragraph in [*paragraphs, None]:
        box = around([line.box for line in paragraph]) if paragraph is not None else None
        if paragraph is not None and _is_item(paragraph, frame):
            shorts.append(Block("list", _join(paragraph), box=box))
            continue
        if len(shorts) >= 3:
            body.blocks.append(_of_items("list", shorts))
        else:
            body.blocks += [replace(each, kind="paragraph") for each in shorts]
        shorts = []
        if paragraph is not None:
            body.blocks.append(Block("paragraph", _join(paragraph), box=box))


def _is_item(paragraph: list[Line], frame: Frame) -> bool:
    first = paragraph[0]
    return len(paragraph) == 1 and first.left - frame.left < 0.8 * frame.height


def _join(lines: list[Line]) -> str:
    """The lines of a paragraph as one; a word that is divided between two of them is joined again."""
    text = ""
    for line in lines:
        piece = " ".join(line.cells)
        if text.endswith("-") and text[-2:-1].isalpha() and piece[:1].islower():
            text = text[:-1] + piece
        else:
            text = f"{text} {piece}" if text else piece
    return text


def _heading_level(line: Line, frame: Frame) -> int:
    """1 or 2 for a heading, 0 for anything else: a single short line in the middle, in capitals or large."""
    if len(line.cells) != 1 or line.right - line.left > 0.85 * frame.width:
        return 0
    off_centre = abs((line.left + line.right) / 2 - (frame.left + frame.right) / 2)
    if off_centre > 0.08 * frame.width or line.left - frame.left < 0.06 * frame.width:
        return 0
    capitals = is_capitals(line.text)
    large = line.glyph_width > (1.55 if capitals else 1.2) * frame.glyph_width > 0
    if not large and not capitals and len(line.text) > 40:
        return 0
    return 1 if large else 2
