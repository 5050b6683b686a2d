"""What a benchmark is: work of ours, held against the same work of a plain script. How rows are run stands in `run`,
how one process is measured in `measuring`.

A module of rows has ``ROWS``, stands in ``run.MODULES`` and tells in its docstring what was tried, and what stands in
the way of a bar that is not met. It imports little at its top: the runner imports them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Sense(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"


class Taken(StrEnum):
    """How a figure is made of what both sides measured, in pairs that ran one after the other."""

    TIMES = "ours / theirs"
    SPEED = "theirs / ours"
    ALONE = "ours"


WALL = "wall_seconds"
CPU = "cpu_seconds"
PEAK = "peak_bytes"
"""Of each side these three are measured; any other name is a figure that a side prints."""


@dataclass(frozen=True, slots=True)
class Bar:
    """``value`` and ``sense``: what must hold of the median. ``of``: WALL, CPU, PEAK or the name of a figure that the
    side (both sides, unless it is ``Taken.ALONE``) prints. ``unit``: what a person reads behind the number; a peak
    that is taken alone is said in MB."""

    value: float
    sense: Sense = Sense.AT_MOST
    of: str = WALL
    taken: Taken = Taken.TIMES
    unit: str = "times"

    def is_met(self, median: float) -> bool:
        return median <= self.value if self.sense is Sense.AT_MOST else median >= self.value

    def is_much_worse(self, median: float, before: float, *, allowed: float) -> bool:
        """``allowed``: 0.25 is a quarter worse than before."""
        if self.sense is Sense.AT_MOST:
            return median > before * (1 + allowed)
        return median < before / (1 + allowed)

    @property
    def name(self) -> str:
        """Under which the figure stands in results.json."""
        return f"{self.of}: {self.taken.value}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``name``: short, in letters and hyphens (``scan-full``); ``work``, ``against``: what a
    person reads of both sides, names of ``size`` in braces.

    ``ours``, ``theirs``: what Python is called with, each time in a process of its own, from the root of the
    repository: ``("-m", "benchmarks.scan", "full", "{data}")``, ``("benchmarks/baselines/walk.py", "{data}")``; None:
    there is nothing to hold it against. ``{data}`` is the folder of the data, every other name in braces one of
    ``size``. A side that does not want all of its process measured, or has figures of its own, prints them as its
    last line (`measuring.measured`). Where both sides print ``n``, how much they have done, it must be the same.

    ``prepare``: makes the data in the folder ``{data}``, which is there and empty, once for all rows with the same
    ``prepare`` and size. Sides leave the data as they found it.

    ``repeats``: how many pairs; their order alternates.
    """

    name: str
    work: str
    against: str
    bars: tuple[Bar, ...]
    ours: tuple[str, ...]
    theirs: tuple[str, ...] | None = None
    prepare: tuple[str, ...] | None = None
    size: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    quick: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    repeats: int = 5
    quick_repeats: int = 3

    def size_of(self, *, is_quick: bool) -> Mapping[str, int]:
        """``quick`` may name a part of ``size``: what else there is stays as it is."""
        return {**self.size, **self.quick} if is_quick else self.size
