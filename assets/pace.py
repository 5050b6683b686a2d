"""How fast a collection is read, and when it will be done if that goes on: a guess, by what was closed of late. What
was closed stands in `spending`, how often a record failed in `history`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WINDOW = timedelta(days=7)
LAST_BATCHES = 50


@dataclass(frozen=True, slots=True)
class Pace:
    """``pages_per_hour``: of the last WINDOW, waiting between batches included; ``batch_seconds``: how long a batch
    took from its making to its end, the median of the last LAST_BATCHES. Both None where nothing was answered."""

    pages_per_hour: float | None
    batch_seconds: float | None

    def end(self, at: datetime, *, pages: int, waves: int) -> datetime | None:
        """When, from ``at`` on, so many pages are read, which need so many rounds of batches one after the other;
        None: not known."""
        if not pages:
            return at
        if not self.pages_per_hour or self.batch_seconds is None:
            return None
        hours = max(pages / self.pages_per_hour, waves * self.batch_seconds / 3600)
        try:
            return at + timedelta(hours=hours)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Forecast:
    """``batch_seconds``: the turnaround so far, as in `Pace`, None: not known; ``done_by``: context mode -> when the
    collection would be done in it (UTC), None: not known."""

    batch_seconds: float | None
    done_by: Mapping[str, datetime | None]

    def as_json(self) -> dict[str, Any]:
        """With times as texts."""
        done_by = {mode: end.isoformat() if end else None for mode, end in self.done_by.items()}
        return {"batch_seconds": self.batch_seconds, "done_by": done_by}


def forecast(waves: Mapping[str, int], pace: Pace, at: datetime, *, pages: int, pages_a_round: int) -> Forecast:
    """For each context mode, by the turnaround so far. ``waves``: of each mode; ``pages``: how many are left;
    ``pages_a_round``: how many can be in flight at once."""
    rounds = {mode: max(count, -(-pages // pages_a_round) if count else 0) for mode, count in waves.items()}
    return Forecast(pace.batch_seconds, {mode: _after(at, pace, count) for mode, count in rounds.items()})


def _after(at: datetime, pace: Pace, rounds: int) -> datetime | None:
    if pace.batch_seconds is None:
        return None
    try:
        return at + timedelta(seconds=rounds * pace.batch_seconds)
    except OverflowError:
        return None


def pace_of(submissions: pa.Table, at: datetime) -> Pace:
    """``submissions``: columns of SUBMISSIONS_SCHEMA; ``at``: when that is asked (UTC)."""
    sent = submissions.filter(pc.and_(submissions["was_sent"], pc.greater(submissions["succeeded"], 0)))
    moment = submissions.schema.field("closed_at").type
    recent = sent.filter(pc.greater(sent["closed_at"], pa.scalar(at - WINDOW, moment)))
    if not len(recent):
        return Pace(None, None)
    begin: datetime = pc.min(recent["created_at"]).as_py()
    hours = max((at - begin).total_seconds(), 1.0) / 3600
    took = pc.subtract(recent["closed_at"].cast(pa.int64()), recent["created_at"].cast(pa.int64()))
    seconds = took.to_numpy()[-LAST_BATCHES:] / 1e6
    return Pace(pc.sum(recent["succeeded"]).as_py() / hours, max(0.0, float(np.median(seconds))))


def read_by_time(submissions: pa.Table) -> list[tuple[datetime, int]]:
    """How many pages were read by when: a point for each submission that brought some, in the order of their ends, and
    one where the first of them was made."""
    good = submissions.filter(pc.greater(submissions["succeeded"], 0)).sort_by("closed_at")
    if not len(good):
        return []
    sums = np.cumsum(good["succeeded"].to_numpy()).tolist()
    begin: datetime = pc.min(good["created_at"]).as_py()
    return [(begin, 0), *zip(good["closed_at"].to_pylist(), sums, strict=True)]
