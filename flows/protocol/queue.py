"""The records that can be sent, in the order in which they go. Their rows are read a stretch at a time: however many
there are, a pass holds no more of them than it can send soon.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from assets.numbering import IntArray

STRETCH = 50_000
"""So many rows are read together: what all batches of a pass usually hold."""


@dataclass(slots=True)
class _Stretch:
    """Rows that were read. ``numbers``: theirs, sorted; ``places``: where in ``rows`` each is."""

    numbers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    places: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rows: pa.Table = None

    def take(self, wanted: IntArray) -> pa.Table | None:
        """The rows of these records; None: not all of them were read."""
        if not len(self.numbers):
            return None
        at = np.minimum(np.searchsorted(self.numbers, wanted), len(self.numbers) - 1)
        return self.rows.take(pa.array(self.places[at])) if np.array_equal(self.numbers[at], wanted) else None


@dataclass(frozen=True, slots=True)
class Queue:
    """``numbers``: of the records, in their order; ``failed_jobs``: for each how often its job FAILED since it was last
    answered, never less than for the one before it; ``read``: gives the rows of records by their numbers, as
    `States.rows` of `assets.candidates` has them, and what they are weighed by (see `flows.tables.weighing`)."""

    numbers: IntArray
    failed_jobs: npt.NDArray[np.int32]
    read: Callable[[IntArray], pa.Table]
    _stretch: _Stretch = field(default_factory=_Stretch, repr=False)

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, count: int) -> pa.Table:
        """The rows of the first ``count`` records. Raises ManifestError, OSError."""
        wanted, stretch = self.numbers[:count], self._stretch
        found = stretch.take(wanted)
        if found is None:
            ahead = self.numbers[: max(count, STRETCH)]
            stretch.places = np.argsort(ahead, kind="stable")
            stretch.numbers, stretch.rows = ahead[stretch.places], self.read(ahead)
            found = stretch.rows.slice(0, len(wanted))
        return found

    def slice(self, begin: int, count: int | None = None) -> "Queue":
        """Those from the place ``begin`` on, ``count`` at most."""
        end = None if count is None else begin + count
        return replace(self, numbers=self.numbers[begin:end], failed_jobs=self.failed_jobs[begin:end])

    def take(self, at: IntArray) -> "Queue":
        """Those at these places, in their order."""
        return replace(self, numbers=self.numbers[at], failed_jobs=self.failed_jobs[at])

    def without(self, at: IntArray) -> "Queue":
        """All but those at these places."""
        return replace(self, numbers=np.delete(self.numbers, at), failed_jobs=np.delete(self.failed_jobs, at))
