"""How long is waited after a fault of the service: longer after each further one, a day at most. Computed from when the
last one was noted, so that nothing of it is stored, and nothing is lost with a pass.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

LONGEST = timedelta(days=1)


def wait_after(errors: int, backoff_seconds: float) -> timedelta:
    """After so many in a row, from 1: ``backoff_seconds``, then twice as long each time, up to LONGEST."""
    doubled = backoff_seconds * 2.0 ** min(errors - 1, 64)
    return min(timedelta(seconds=min(doubled, LONGEST.total_seconds())), LONGEST)


def over_at(noted_at: datetime, errors: int, *, backoff_seconds: float, at: datetime) -> datetime | None:
    """When the wait is over, or None if it is by ``at``. What was noted further ahead than the wait is long is of a
    clock that was wrong: it would be waited for until that day."""
    wait = wait_after(errors, backoff_seconds)
    return noted_at + wait if at - noted_at < wait and noted_at - at < wait else None


def postponed(met: Mapping[str, tuple[int, datetime]], *, backoff_seconds: float, at: datetime) -> dict[str, datetime]:
    """Record key -> when it can be sent again, of those that must not go yet. ``met``: `history.service_errors_since`;
    ``at``: UTC."""
    over = (
        (key, over_at(noted_at, errors, backoff_seconds=backoff_seconds, at=at))
        for key, (errors, noted_at) in met.items()
    )
    return {key: moment for key, moment in over if moment is not None}
