"""How much time has passed for sure. What frees records or gives up looking goes by this and not by the time of day,
which a person, a time server or a machine that wakes up can turn: an hour that never was would be a page paid twice.

The collection has a clock of its own, which counts seconds. Between two readings it goes on by what both clocks of the
machine grant, the time of day and the time since its start; across another start, or on another machine, by little. It
may be slow, so that Quire waits for too long. It is never fast. Who reads the clocks stands in `flows.runtime.elapsed`.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by the clock of the collection. ``clock``: its id, since a clock that was lost begins anew."""

    clock: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a machine's clocks say. ``at``: UTC; ``boot``: which start of which machine this is; ``boot_seconds``:
    since then."""

    at: datetime
    boot: str
    boot_seconds: float


def gap_seconds(before: Reading, after: Reading, *, most_across_boots_seconds: float) -> float:
    """How many seconds lie between two readings for sure."""
    by_day = (after.at - before.at).total_seconds()
    same = before.boot == after.boot
    by_boot = after.boot_seconds - before.boot_seconds if same else most_across_boots_seconds
    return max(0.0, min(by_day, by_boot))
