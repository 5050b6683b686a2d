"""Failure counts by record, as runs of neighbouring pages with one count: a range that a person types over a million
pages takes no more room, and no more time, than one page. A label that can be in no run is a run of its own. How they
are written, and what may be changed in them, stands in `assets.domain.ledger_codec` and `assets.domain.ledger`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from assets.domain.labels import NUMBERS, series_key
from assets.domain.record import SEPARATOR, Pages, Span, span_of


@dataclass(frozen=True, slots=True)
class Run:
    """The pages ``first`` to ``last`` of a document and a series of labels, both of them in it, which all have
    ``count`` failures."""

    document: str
    first: int
    last: int
    count: int
    series: str = NUMBERS

    @classmethod
    def of(cls, span: Span, count: int) -> Self:
        return cls(span.document, span.first, span.last, count, span.series)

    @property
    def span(self) -> Span:
        return Span(self.document, self.first, self.last, self.series)

    @property
    def entry(self) -> str:
        """As a Variable names it: a record key, or a range of them."""
        return self.span.entry

    @property
    def keys(self) -> Iterator[str]:
        return self.span.keys

    def __len__(self) -> int:
        return self.last - self.first + 1


class Counts(Mapping[str, int]):
    """Record key -> failures, by document, in each its numbers, its leaves and its other labels. A Mapping that unfolds
    its runs only for whoever iterates; ``runs``, ``within`` and the methods that change it do not."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: dict[tuple[str, str], list[Run]] = {}
        for run in runs:
            self.put(run)

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """Those of a plain mapping of record keys."""
        return cls(Run.of(span_of(key), count) for key, count in counts.items())

    def __getitem__(self, key: str) -> int:
        for run in self.within(span_of(key)):
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
        return list(dict.fromkeys(document for document, _ in self._runs))

    def runs(self) -> Iterator[Run]:
        """All runs in their order, as few as there can be."""
        for of in sorted(self._runs, key=lambda of: (of[0].split(SEPARATOR), series_key(of[1]))):
            yield from self._runs[of]

    def within(self, pages: Pages) -> list[Run]:
        """What there is of these pages, cut off at both ends."""
        if isinstance(pages, str):
            return [run for of, runs in self._runs.items() if of[0] == pages for run in runs]
        span = pages
        runs = self._runs.get((span.document, span.series), [])
        low, high = _between(runs, span.first, span.last)
        return [replace(run, first=max(run.first, span.first), last=min(run.last, span.last)) for run in runs[low:high]]

    def put(self, run: Run) -> None:
        """Let its pages have its count, whatever they had before."""
        self.cut(run.span)
        runs = self._runs.setdefault((run.document, run.series), [])
        at = bisect_left(runs, run.first, key=_first_of)
        first, last, replaced_from, replaced_to = run.first, run.last, at, at
        if at and runs[at - 1].last + 1 == first and runs[at - 1].count == run.count:
            first, replaced_from = runs[at - 1].first, at - 1
        if at < len(runs) and runs[at].first == last + 1 and runs[at].count == run.count:
            last, replaced_to = runs[at].last, at + 1
        runs[replaced_from:replaced_to] = [replace(run, first=first, last=last)]

    def put_all(self, counts: "Counts") -> None:
        for run in counts.runs():
            self.put(run)

    def cut(self, span: Span) -> None:
        """Take these pages out."""
        of = (span.document, span.series)
        runs = self._runs.get(of)
        if runs is None:
            return
        low, high = _between(runs, span.first, span.last)
        if low < high:
            begin, end = runs[low], runs[high - 1]
            before = [replace(begin, last=span.first - 1)] if begin.first < span.first else []
            after = [replace(end, first=span.last + 1)] if end.last > span.last else []
            runs[low:high] = before + after
        if not runs:
            del self._runs[of]

    def cut_all(self, counts: "Counts") -> None:
        """Take the pages of ``counts`` out, whatever their counts are there."""
        for of in self._runs.keys() & counts._runs.keys():
            for run in counts._runs[of]:
                self.cut(run.span)

    def copy(self) -> "Counts":
        copied = Counts()
        copied._runs = {of: list(runs) for of, runs in self._runs.items()}
        return copied

    def without_zeros(self) -> "Counts":
        return Counts(run for run in self.runs() if run.count)

    def restricted_to(self, other: "Counts") -> "Counts":
        """What there is of the pages of ``other``, with the counts from here."""
        return Counts(part for run in other.runs() for part in self.within(run.span))

    def split(self, keys: int) -> tuple["Counts", "Counts"]:
        """The first ``keys`` records in their order, and the others."""
        head = Counts(self.first_runs(keys))
        tail = self.copy()
        tail.cut_all(head)
        return head, tail

    def first_runs(self, keys: int) -> Iterator[Run]:
        """The runs of the first ``keys`` records in their order, the last one cut off."""
        left = keys
        for run in self.runs():
            if left <= 0:
                return
            yield run if len(run) <= left else replace(run, last=run.first + left - 1)
            left -= len(run)


def _between(runs: list[Run], first: int, last: int) -> tuple[int, int]:
    """Which of ``runs`` (from, to) have pages from ``first`` to ``last``."""
    return bisect_left(runs, first, key=_last_of), bisect_right(runs, last, key=_first_of)


def _first_of(run: Run) -> int:
    return run.first


def _last_of(run: Run) -> int:
    return run.last
