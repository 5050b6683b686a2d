"""From text boxes to printed lines: the skew taken out, what stands at one height put together, gaps kept as gaps.

Also the measures by which `ocr_layout` judges them. Lengths are in pixels of the image that was read.
"""

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEADERS = re.compile(r"\s*(?:[.·…•]\s?){4,}\s*")
_LOOSE_DOTS = re.compile(r"^[.\s]{2,}|\s*[.\s]{2,}$")


Box = tuple[float, float, float, float]
"""Top, left, bottom, right."""


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them, of which there is one at least."""
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


@dataclass(frozen=True, slots=True)
class TextBox:
    """A run of text that the reader found: its corners, clockwise from the top left, its text and how sure it is."""

    corners: tuple[tuple[float, float], ...]
    text: str
    score: float


@dataclass(slots=True)
class Segment:
    """Text without a wide gap in it, in coordinates turned so that lines run level."""

    left: float
    right: float
    middle: float
    height: float
    text: str
    score: float

    @property
    def box(self) -> Box:
        return (self.middle - self.height / 2, self.left, self.middle + self.height / 2, self.right)


@dataclass(slots=True)
class Line:
    segments: list[Segment]

    @property
    def left(self) -> float:
        return self.segments[0].left

    @property
    def right(self) -> float:
        return self.segments[-1].right

    @property
    def middle(self) -> float:
        return statistics.fmean(segment.middle for segment in self.segments)

    @property
    def height(self) -> float:
        return max(segment.height for segment in self.segments)

    @property
    def box(self) -> Box:
        return around([segment.box for segment in self.segments])

    @property
    def glyph_width(self) -> float:
        """Pixels per character: it tells sizes of type apart better than the height of a box does."""
        return sum(segment.right - segment.left for segment in self.segments) / sum(
            len(segment.text) for segment in self.segments
        )

    @property
    def cells(self) -> list[str]:
        cells = [cell for segment in self.segments for cell in LEADERS.split(segment.text) if cell.strip("." + " ")]
        if len(cells) > 1:
            cells = [_LOOSE_DOTS.sub("", cell) for cell in cells]
        return cells

    @property
    def cell_boxes(self) -> list[Box]:
        """Where each of the cells stands: that of the line, where one segment holds several."""
        cells = self.cells
        if len(cells) != len(self.segments):
            return [self.box] * len(cells)
        return [segment.box for segment in self.segments]

    @property
    def text(self) -> str:
        return "\t".join(self.cells)


@dataclass(frozen=True, slots=True)
class Frame:
    """The measures of a page's body: its edges, the height of its lines, the distance from one to the next, and the
    width of a character."""

    left: float
    right: float
    height: float
    pitch: float
    glyph_width: float

    @property
    def width(self) -> float:
        return self.right - self.left


def lines_of(boxes: Sequence[TextBox]) -> list[Line]:
    """The printed lines from top to bottom."""
    return _rows(_segments(boxes))


def frame_of(lines: Sequence[Line]) -> Frame:
    """The measures of a body of at least one line."""
    return Frame(
        left=_percentile([line.left for line in lines], 0.15),
        right=_percentile([line.right for line in lines], 0.9),
        height=statistics.median(line.height for line in lines),
        pitch=pitch_of(lines),
        glyph_width=_percentile([line.glyph_width for line in lines if not is_capitals(line.text)] or [0.0], 0.75),
    )


def _segments(boxes: Sequence[TextBox]) -> list[Segment]:
    """The boxes in coordinates turned back by the skew of the page: the mean slope of the boxes, long ones most."""
    rise = run = 0.0
    for box in boxes:
        (x0, y0), (x1, y1) = box.corners[0], box.corners[1]
        if x1 - x0 > 0:
            rise += y1 - y0
            run += x1 - x0
    angle = math.atan2(rise, run) if run else 0.0
    cos, sin = math.cos(-angle), math.sin(-angle)
    segments = []
    for box in boxes:
        turned = [(x * cos - y * sin, x * sin + y * cos) for x, y in box.corners]
        xs, ys = [x for x, _ in turned], [y for _, y in turned]
        text = " ".join(box.text.split())
        if text:
            segments.append(
                Segment(min(xs), max(xs), statistics.fmean(ys), max(1.0, max(ys) - min(ys)), text, box.score)
            )
    return segments


def _rows(segments: list[Segment]) -> list[Line]:
    """Segments at the same height form a line, from left to right; those that nearly touch become one."""
    rows: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda each: each.middle):
        row = rows[-1] if rows else None
        if row and abs(segment.middle - statistics.fmean(each.middle for each in row)) < 0.45 * min(
            segment.height, row[-1].height
        ):
            row.append(segment)
        else:
            rows.append([segment])
    lines = []
    for row in rows:
        row.sort(key=lambda each: each.left)
        merged = [row[0]]
        for segment in row[1:]:
            last = merged[-1]
            if segment.left - last.right < 0.9 * min(segment.height, last.height):
                last.text += " " + segment.text
                last.right = max(last.right, segment.right)
                last.height = max(last.height, segment.height)
            else:
                merged.append(segment)
        lines.append(Line(merged))
    return lines


def is_capitals(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return bool(letters) and sum(char.isupper() for char in letters) > 0.8 * len(letters)


def pitch_of(lines: Sequence[Line]) -> float:
    gaps = [below.middle - above.middle for above, below in pairwise(lines)]
    return statistics.median(gaps) if gaps else lines[0].height * 1.5


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
