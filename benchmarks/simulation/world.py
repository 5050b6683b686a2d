"""A collection that is read in no time: the real planner, Gemini as numbers, and a clock that jumps.

Real are who can run and in which order (`assets.candidates`), what a batch may hold (`assets.planning.Room`), which
outcomes count as failures and when a record is a dead letter (`assets.domain.outcome`), and the failure counts
(`assets.domain.counts`). Drawn from a seeded distribution are how long a job takes, which expire or fail as a whole,
and which answers are no good. Left out is what costs no places: files, Prefect, dollars.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from assets.candidates import RunRules, in_running_order, record_states, waves_left
from assets.domain.counts import Counts, Run
from assets.domain.ledger import Ledger
from assets.domain.outcome import FREED, OutcomeKind
from assets.domain.record import Span
from assets.numbering import IntArray, Pages, Records
from assets.planning import Room, Weights

EXPIRY_HOURS = 48.0
"""After so long Gemini lets a job go (docs/failures.md)."""

INPUT_FILE_BYTES, LINE_BYTES = 2 * 10**9, 10_000


@dataclass(frozen=True, slots=True)
class Service:
    """``median_hours``: of a job; ``sigma``: of the logarithm, 0: each takes the same; ``expiring``, ``failing``: the
    share of jobs that expire, or fail as a whole; ``bad_answers``: the share of answers that are no results."""

    median_hours: float = 2.0
    sigma: float = 0.0
    expiring: float = 0.0
    failing: float = 0.0
    bad_answers: float = 0.0


@dataclass(frozen=True, slots=True)
class Quotas:
    """As in the settings: the most jobs at once, records of one batch, bytes of images and input tokens at Gemini.
    ``image_bytes``, ``tokens``: of a page."""

    jobs: int = 100
    batch_records: int = 500
    storage_bytes: int = 20 * 10**9
    enqueued_tokens: int = 10**9
    image_bytes: int = 400_000
    tokens: int = 2_000


@dataclass(slots=True)
class Course:
    """What became of it. ``hours``: until nothing was left to do; ``waves``: rounds of batches that the plan says it
    takes; ``busy``: the share of places that had a job, over all of that time; ``read``: (hours, pages that have a
    result) after each pass; ``kinds``: outcomes by their kind."""

    hours: float = 0.0
    waves: int = 0
    passes: int = 0
    batches: int = 0
    done: int = 0
    busy: float = 0.0
    read: list[tuple[float, int]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)


def collection(documents: int, pages: int) -> Records:
    """So many documents of so many pages each."""
    names = pa.array([f"shelf{number // 1000:04d}:book{number:06d}" for number in range(documents)])
    codes = np.repeat(np.arange(documents, dtype=np.int32), pages)
    numbers = np.tile(np.arange(1, pages + 1, dtype=np.int32), documents)
    return Records(Pages(names, codes, numbers, pa.array([], pa.string())), numbers > 1, _unread)


def _unread(numbers: IntArray) -> pa.Table:
    raise AssertionError("the simulation looks at no row")


class World:
    def __init__(
        self, records: Records, rules: RunRules, service: Service, quotas: Quotas, *, pass_hours: float, seed: int = 1
    ) -> None:
        """``pass_hours``: a pass begins at each multiple of it at which a job has ended."""
        self._records, self._rules, self._service, self._quotas = records, rules, service, quotas
        self._pass_hours, self._chance = pass_hours, np.random.default_rng(seed)
        self._done = np.zeros(len(records), dtype=bool)
        self._counts = Counts()
        self._open: list[tuple[float, int, IntArray, OutcomeKind]] = []
        self._numbers: Iterator[int] = count()
        self._taken_hours = 0.0
        self.course = Course()

    def run(self) -> Course:
        """Pass after pass, until nothing is in flight and nothing can be sent."""
        course, now = self.course, 0.0
        while True:
            self._settle(now)
            self._send(now)
            course.passes += 1
            course.done = int(self._done.sum())
            course.read.append((now, course.done))
            if not self._open:
                break
            now = max(now + self._pass_hours, np.ceil(self._open[0][0] / self._pass_hours) * self._pass_hours)
        course.hours = float(now)
        course.busy = self._taken_hours / (self._quotas.jobs * course.hours)
        return course

    def _settle(self, now: float) -> None:
        while self._open and self._open[0][0] <= now:
            _, _, numbers, kind = heapq.heappop(self._open)
            is_good = np.zeros(len(numbers), dtype=bool)
            if kind not in FREED:
                is_good = self._chance.random(len(numbers)) >= self._service.bad_answers
                for key in self._records.keys(numbers[~is_good]).to_pylist():
                    self._fail(key)
                self._add(OutcomeKind.SCHEMA_MISMATCH, int((~is_good).sum()))
            self._add(kind, int(is_good.sum()) if kind is OutcomeKind.SUCCESS else len(numbers))
            self._done[numbers[is_good]] = True

    def _fail(self, key: str) -> None:
        document, _, page = key.rpartition(":")
        span = Span(document, int(page), int(page))
        self._counts.put(Run.of(span, self._counts.get(key, 0) + 1))

    def _add(self, kind: OutcomeKind, records: int) -> None:
        if records:
            self.course.kinds[kind.value] = self.course.kinds.get(kind.value, 0) + records

    def _send(self, now: float) -> None:
        """As many batches as there are places for, each as large as it may be."""
        quotas, in_flight = self._quotas, np.concatenate([np.zeros(0, np.int64), *(each[2] for each in self._open)])
        states = record_states(
            self._records,
            self._records.pages.take(self._done),
            Ledger("", (), {1: self._counts}, {}),
            inflight=self._records.keys(np.sort(in_flight)),
            rules=self._rules,
        )
        if not self.course.passes:
            self.course.waves = waves_left(states, context_mode=self._rules.context_mode)
        left = in_running_order(states, context_mode=self._rules.context_mode).numbers
        held = len(in_flight)
        while len(left) and len(self._open) < quotas.jobs:
            size, _ = self._room(held).first_of(_weights(min(len(left), quotas.batch_records), quotas))
            if not size:
                break
            self._post(now, left[:size])
            left, held = left[size:], held + size

    def _room(self, held: int) -> Room:
        quotas = self._quotas
        return Room(
            records=quotas.batch_records,
            input_bytes=INPUT_FILE_BYTES,
            upload_bytes=quotas.storage_bytes - held * quotas.image_bytes,
            tokens=quotas.enqueued_tokens - held * quotas.tokens,
            usd=float("inf"),
            is_empty=not self._open,
        )

    def _post(self, now: float, numbers: IntArray) -> None:
        service, chance = self._service, self._chance.random()
        hours = service.median_hours * float(np.exp(service.sigma * self._chance.standard_normal()))
        kind = OutcomeKind.SUCCESS
        if chance < service.expiring or hours > EXPIRY_HOURS:
            hours, kind = EXPIRY_HOURS, OutcomeKind.BATCH_EXPIRED
        elif chance < service.expiring + service.failing:
            kind = OutcomeKind.BATCH_FAILED
        heapq.heappush(self._open, (now + hours, next(self._numbers), numbers, kind))
        self.course.batches += 1
        self._taken_hours += hours


def _weights(rows: int, quotas: Quotas) -> Weights:
    dollars: npt.NDArray[np.float64] = np.zeros(rows)
    return Weights(
        upload_bytes=np.full(rows, quotas.image_bytes, dtype=np.int64),
        input_bytes=np.full(rows, LINE_BYTES, dtype=np.int64),
        input_tokens=np.full(rows, quotas.tokens, dtype=np.int64),
        max_usd=dollars,
        estimated_usd=dollars,
    )
