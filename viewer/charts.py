"""The pictures of a page as numbers: how far a collection is, and how it came there. Colours stand in the style sheet.
Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

MAX_POINTS = 160
WIDTH, HEIGHT = 640, 120
"""Of the line, in units of its own."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar from 0 to 1000. ``name``: of the style sheet."""

    name: str
    x: float
    width: float
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """``points``, ``area``: as SVG has them; ``begin``, ``end``: when the first and the last is."""

    points: str
    area: str
    begin: datetime
    end: datetime
    most: int


def bar(counts: Mapping[str, int]) -> list[Part]:
    """``counts``: name -> how many, in the order in which they stand. What is there at all can be seen."""
    total = sum(counts.values())
    if not total:
        return []
    there = {name: max(count / total, 0.006) for name, count in counts.items() if count}
    scale, x, parts = 1000 / sum(there.values()), 0.0, []
    for name, share in there.items():
        parts.append(Part(name, round(x, 2), round(share * scale, 2), counts[name]))
        x += share * scale
    return parts


def line(points: Sequence[tuple[datetime, int]], total: int) -> Line | None:
    """How many pages were read by when. ``points``: in order of time. None: there is no line yet."""
    if len(points) < 2 or points[0][0] == points[-1][0] or not total:
        return None
    thinned = [*points[: -1 : max(1, len(points) // MAX_POINTS)], points[-1]]
    begin, end = thinned[0][0], thinned[-1][0]
    most = max(total, thinned[-1][1])
    places = [(WIDTH * ((at - begin) / (end - begin)), HEIGHT * (1 - count / most)) for at, count in thinned]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Line(text, f"0,{HEIGHT} {text} {WIDTH},{HEIGHT}", begin, end, most)
