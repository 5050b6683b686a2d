"""Failure counts by record, as runs of neighbouring pages with one count: a range that a person types over a million
pages takes no more room, and no more time, than one page. How they are written, and what may be changed in them, stands
in `assets.domain.ledger_codec` and `assets.domain.ledger`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from assets.domain.record import SEPARATOR, document_of, page_of


@dataclass(frozen=True, slots=True)
class Run:
    """The pages ``first`` to ``last`` of a document, both of them in it, which all have ``count`` failures."""

    document: str
    first: int
    last: int
    count: int

    @property
    def entry(self) -> str:
        """As a Variable names it: a record key, or a range of them."""
        pages = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.document}{SEPARATOR}{pages}"

    @property
    def keys(self) -> Iterator[str]:
        return (f"{self.document}{SEPARATOR}{page}" for page in range(self.first, self.last + 1))

    def __len__(self) -> int:
        return self.last - self.first + 1


class Counts(Mapping[str, int]):
    """Record key -> failures, in natural order. A Mapping that unfolds its runs only for whoever iterates; ``runs``,
    ``within`` and the methods that change it do not."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: dict[str, list[Run]] = {}
        for run in runs:
            self.put(run)

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """Those of a plain mapping of record keys."""
        return cls(Run(document_of(key), page_of(key), page_of(key), count) for key, count in counts.items())

    def __getitem__(self, key: str) -> int:
        for run in self.within(document_of(key), page_of(key), page_of(key)):
            return run.count
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for run in self.runs() for key in run.keys)

    def __len__(self) -> int:
        return sum(len(run) for runs in self._runs.values() for run in runs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Counts):
            return self._runs == other._runs
        if isinstance(other, Mapping):
            return len(self) == len(other) and dict(self) == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Counts({[(run.entry, run.count) for run in self.runs()]})"

    @property
    def documents(self) -> list[str]:
        return list(self._runs)

    def runs(self) -> Iterator[Run]:
        """All runs in natural order, as few as there can be."""
        for document in sorted(self._runs, key=lambda name: name.split(SEPARATOR)):
            yield from self._runs[document]

    def within(self, document: str, first: int, last: int) -> list[Run]:
        """What there is of these pages, cut off at both ends."""
        runs = self._runs.get(document, [])
        low, high = _between(runs, first, last)
        return [Run(document, max(run.first, first), min(run.last, last), run.count) for run in runs[low:high]]

    def put(self, run: Run) -> None:
        """Let its pages have its count, whatever they had before."""
        self.cut(run.document, run.first, run.last)
        runs = self._runs.setdefault(run.document, [])
        at = bisect_left(runs, run.first, key=_first_of)
        first, last, replaced_from, replaced_to = run.first, run.last, at, at
        if at and runs[at - 1].last + 1 == first and runs[at - 1].count == run.count:
            first, replaced_from = runs[at - 1].first, at - 1
        if at < len(runs) and runs[at].first == last + 1 and runs[at].count == run.count:
            last, replaced_to = runs[at].last, at + 1
        runs[replaced_from:replaced_to] = [Run(run.document, first, last, run.count)]

    def put_all(self, counts: "Counts") -> None:
        for run in counts.runs():
            self.put(run)

    def cut(self, document: str, first: int, last: int) -> None:
        """Take these pages out."""
        runs = self._runs.get(document)
        if runs is None:
            return
        low, high = _between(runs, first, last)
        if low < high:
            before = [Run(document, runs[low].first, first - 1, runs[low].count)] if runs[low].first < first else []
            end = runs[high - 1]
            after = [Run(document, last + 1, end.last, end.count)] if end.last > last else []
            runs[low:high] = before + after
        if not runs:
            del self._runs[document]

    def cut_all(self, counts: "Counts") -> None:
        """Take the pages of ``counts`` out, whatever their counts are there."""
        for document in self._runs.keys() & counts._runs.keys():
            for run in counts._runs[document]:
                self.cut(document, run.first, run.last)

    def copy(self) -> "Counts":
        copied = Counts()
        copied._runs = {document: list(runs) for document, runs in self._runs.items()}
        return copied

    def without_zeros(self) -> "Counts":
        return Counts(run for run in self.runs() if run.count)

    def restricted_to(self, other: "Counts") -> "Counts":
        """What there is of the pages of ``other``, with the counts from here."""
        return Counts(part for run in other.runs() for part in self.within(run.document, run.first, run.last))

    def split(self, keys: int) -> tuple["Counts", "Counts"]:
        """The first ``keys`` records in natural order, and the others."""
        head = Counts(self.first_runs(keys))
        tail = self.copy()
        tail.cut_all(head)
        return head, tail

    def first_runs(self, keys: int) -> Iterator[Run]:
        """The runs of the first ``keys`` records in natural order, the last one cut off."""
        left = keys
        for run in self.runs():
            if left <= 0:
                return
            yield run if len(run) <= left else Run(run.document, run.first, run.first + left - 1, run.count)
            left -= len(run)


def _between(runs: list[Run], first: int, last: int) -> tuple[int, int]:
    """Which of ``runs`` (from, to) have pages from ``first`` to ``last``."""
    return bisect_left(runs, first, key=_last_of), bisect_right(runs, last, key=_first_of)


def _first_of(run: Run) -> int:
    return run.first


def _last_of(run: Run) -> int:
    return run.last
