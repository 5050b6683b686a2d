"""How fast a collection is read, and when it will be done if that goes on: a guess, by what was closed of late. What
was closed stands in `spending`, how often a record failed in `history`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
