"""The emulator's only source of time: real, or standing still until somebody turns it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Starts at the real time in both modes, so that a client's own clock and the emulator's agree at first.

    ``manual``: it moves by `advance` alone. A real clock can be advanced too, and goes on from there.
    """

    def __init__(self, *, manual: bool) -> None:
        self.manual = manual
        self._start = datetime.now(UTC)
        self._started_monotonic = time.monotonic()
        self._advanced_seconds = 0.0

    def now(self) -> datetime:
        """The time in UTC."""
        passed_seconds = self._advanced_seconds
        if not self.manual:
            passed_seconds += time.monotonic() - self._started_monotonic
        return self._start + timedelta(seconds=passed_seconds)

    def advance(self, seconds: float) -> None:
        """Turn the clock forward. Raises ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._advanced_seconds += seconds


def wire_time(moment: datetime) -> str:
    """A moment as the service writes it: RFC 3339, UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
