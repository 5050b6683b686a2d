"""The breaker: when so much fails that sending more would only burn money, nothing is sent until a person says so.
Where it were faults of the service alone, which pass, it tries again by itself, with one small batch. Derived from the
closed submissions and from what became of their records last; what a person has let go of stands in a file of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.settlements import by_settlement
from assets.service_waits import over_at

RESET = "quire reset-breaker lets go"
LEAST_WINDOW = 20
"""Records. Of fewer no share is taken: two bad pages of three say nothing."""
TRY_RECORDS = 5
"""How many records go in the batch by which an open breaker tries whether the service answers again."""

_COLUMNS = ["submission_id", "created_at", "closed_at", "records", "succeeded", "service_errors", "cause"]
CLOSED_COLUMNS = (*_COLUMNS, "was_sent", "settlement")
AT_ONCE = 16
"""So many submissions are looked at together, the newest first, as long as they do not say enough."""

AnswersOf = Callable[[Sequence[str]], Mapping[str, tuple[int, int]]]
"""Submission ids -> of how many records the last answer is of each, and how many of these have failed. Faults of the
service are no answers."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The settings: batches in a row without a success, and the share of the last ``window_records`` records that may
    have failed. ``records``: of the collection; in one that is smaller than the window, so many are enough."""

    max_failed_batches_in_a_row: int
    max_failure_rate: float
    window_records: int
    records: int

    @property
    def window(self) -> int:
        return min(self.window_records, max(LEAST_WINDOW, self.records))


@dataclass(frozen=True, slots=True)
class Open:
    """``reason``: why nothing is to be sent, in a line. ``passes``: it were faults of the service alone, so that it
    tries again by itself; ``noted_at``: when the last of them was noted (UTC), ``newest``: the submission that was made
    last of them, ``rounds``: how many batches there were one after the other that met them."""

    reason: str
    passes: bool
    noted_at: datetime
    newest: str
    rounds: int = 1

    def tries_at(self, *, backoff_seconds: float, at: datetime) -> datetime | None:
        """When it tries again by itself, seen from ``at`` (UTC); None: it can."""
        return over_at(self.noted_at, self.rounds, backoff_seconds=backoff_seconds, at=at)


@dataclass(frozen=True, slots=True)
class Reset:
    """A person lets go of it. ``at``: UTC; ``settlement``: the number of the last settlement by then, which the clock
    has no part in; None in a file from before there were numbers."""

    at: datetime
    settlement: int | None


def open_breaker(closed: pa.Table, answers_of: AnswersOf, rules: BreakerRules, *, reset: Reset | None) -> Open | None:
    """Whether nothing is to be sent.

    ``closed``: CLOSED_COLUMNS of SUBMISSIONS_SCHEMA in `assets.spending`. ``reset``: the last one; what was closed by
    then does not count. A submission that was never at Gemini counts neither as a success nor as a failure. A record
    counts once in the share, by what became of it last: a few pages that nobody can read are tried again at the end of
    a collection, when nothing else is left, and would be most of the last tries.
    """
    sent = closed.filter(closed["was_sent"])
    if reset is not None:
        sent = sent.filter(_later(sent, reset))
    in_order = sent.sort_by(by_settlement("closed_at"))
    rows = _Rows(in_order.select(_COLUMNS))
    lasting = _lasting(rows, answers_of, rules)
    if lasting is not None:
        return Open(
            f"{lasting}{_cause(rows)}; {RESET}",
            passes=False,
            noted_at=next(iter(rows))["closed_at"],
            newest=next(iter(rows))["submission_id"],
        )
    return _passing(rows, rules)


class _Rows:
    """The rows of a table, the last one first, a few at a time: of 20,000 submissions the newest say enough."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._made: list[Mapping[str, Any]] = []

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for at in range(len(self._table)):
            if at == len(self._made):
                end = len(self._table) - at
                self._made += self._table.slice(max(0, end - AT_ONCE), min(end, AT_ONCE)).to_pylist()[::-1]
            yield self._made[at]


def _lasting(rows: Iterable[Mapping[str, Any]], answers_of: AnswersOf, rules: BreakerRules) -> str | None:
    """What a person has to look at: all failures but the faults of the service, which say nothing of pages, prompt and
    settings. ``rows``: newest first."""
    judged = (row for row in rows if row["records"] > row["service_errors"])
    in_a_row, newest = 0, ""
    for row in judged:
        if row["succeeded"]:
            break
        in_a_row, newest = in_a_row + 1, newest or row["submission_id"]
    if in_a_row >= rules.max_failed_batches_in_a_row:
        return (
            f"safety.max_failed_batches_in_a_row: the last {in_a_row} batches had not one success, the newest is "
            f"{newest}"
        )
    records = failed = 0
    judged = (row for row in rows if row["records"] > row["service_errors"])
    while records < rules.window and (some := list(islice(judged, AT_ONCE))):
        answers = answers_of([row["submission_id"] for row in some])
        for row in some:
            of_it, failed_of_it = answers.get(row["submission_id"], (0, 0))
            records, failed = records + of_it, failed + failed_of_it
            if records >= rules.window:
                break
    if records >= rules.window and failed > rules.max_failure_rate * records:
        return f"safety.max_failure_rate: {failed} of the last {records} records failed"
    return None


def _passing(rows: Iterable[Mapping[str, Any]], rules: BreakerRules) -> Open | None:
    """Whether the service answers with faults. The first batch that it answers again is the end of that."""
    run: list[Mapping[str, Any]] = []
    for row in rows:
        if row["service_errors"] <= rules.max_failure_rate * row["records"]:
            break
        run.append(row)
    records, errors = (sum(row[name] for row in run) for name in ("records", "service_errors"))
    if len(run) < rules.max_failed_batches_in_a_row and records < rules.window:
        return None
    reason = f"the service answers with faults that pass: {errors} of the last {records} records{_cause(run)}"
    newest = max(row["submission_id"] for row in run)
    return Open(reason, passes=True, noted_at=run[0]["closed_at"], newest=newest, rounds=_rounds(run))


def _rounds(run: Sequence[Mapping[str, Any]]) -> int:
    """Batches that were there at the same time are one round. ``run``: newest first."""
    rounds, ended = 0, None
    for row in reversed(run):
        if ended is None or row["created_at"] > ended:
            rounds += 1
        # Of the last one: what a clock that was set back since had said before would make all later ones one round.
        ended = row["closed_at"]
    return rounds


def _later(sent: pa.Table, reset: Reset) -> pa.ChunkedArray:
    if reset.settlement is not None:
        return pc.fill_null(pc.greater(sent["settlement"], reset.settlement), False)
    # Of a Quire before there were numbers: what has one was settled by a later one.
    moment = pa.scalar(reset.at, sent.schema.field("closed_at").type)
    return pc.or_(sent["settlement"].is_valid(), pc.greater(sent["closed_at"], moment))


def _cause(rows: Iterable[Mapping[str, Any]]) -> str:
    """What went wrong most in the newest batch in which something did."""
    cause = next((row["cause"] for row in rows if row["cause"]), None)
    return f", most often {cause}" if cause else ""
