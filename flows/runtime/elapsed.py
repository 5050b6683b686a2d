"""The clock of a collection: `manifests/clock.json` and the machine's own clocks. What it is for, and how it goes on,
stands in `assets.domain.moments`.

A pass keeps its state once, when it polls: what is read later in it goes on from there.
"""

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from assets.domain.errors import ManifestError
from assets.domain.moments import Moment, Reading, gap_seconds
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.prefect.locks import boot_clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class _State:
    """``released``: the seconds at the last release of a submission that may have a job."""

    moment: Moment
    reading: Reading
    released: float | None = None


class CollectionClock:
    """``read``: the machine's clocks; ``most_across_boots_seconds``: what is granted between two readings of which the
    machine has been started anew meanwhile. Every method raises OSError, and ManifestError for a damaged file."""

    def __init__(self, manifests: Path, *, read: Callable[[], Reading], most_across_boots_seconds: float) -> None:
        self.path = manifests / "clock.json"
        self._read = read
        self._most = most_across_boots_seconds

    def keep(self, *, is_release: bool = False) -> None:
        """Note what the clock says now. ``is_release``: a submission is let go of that may have a job."""
        state = self._now()
        self._write(replace(state, released=state.moment.seconds) if is_release else state)

    def moment(self) -> Moment:
        """Now. Makes the clock, where there is none."""
        state = self._now()
        if self._kept() is None:
            self._write(state)
        return state.moment

    def seconds_since(self, moment: Moment | None) -> float | None:
        """None: there is no such moment, or it is one of another clock."""
        now = self.moment()
        return max(0.0, now.seconds - moment.seconds) if moment is not None and moment.clock == now.clock else None

    def seconds_since_release(self) -> float | None:
        """Since a submission was let go of that may have a job; None: none was."""
        state = self._now()
        return None if state.released is None else max(0.0, state.moment.seconds - state.released)

    def _now(self) -> _State:
        reading, before = self._read(), self._kept()
        if before is None:
            return _State(Moment(secrets.token_hex(4), 0.0), reading)
        gap = gap_seconds(before.reading, reading, most_across_boots_seconds=self._most)
        return _State(replace(before.moment, seconds=before.moment.seconds + gap), reading, before.released)

    def _kept(self) -> _State | None:
        try:
            document = read_json(self.path)
            reading = document["reading"]
            return _State(
                Moment(**document["moment"]),
                Reading(datetime.fromisoformat(reading["at"]), reading["boot"], float(reading["boot_seconds"])),
                document.get("released"),
            )
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(
                self.path, f"cannot be read ({error}); restore it, or delete it: what is waited for then begins anew"
            ) from None

    def _write(self, state: _State) -> None:
        document = asdict(state)
        document["reading"]["at"] = state.reading.at.isoformat()
        replace_text(self.path, json.dumps(document, indent=1) + "\n")


@cache
def boot_id() -> str:
    """Which start of which machine this is. Where the system does not tell, each process is one of its own."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return f"process {uuid.uuid4()}"


def machine_reading(now: datetime) -> Reading:
    """What this machine's clocks say; ``now``: UTC."""
    return Reading(now, boot_id(), boot_clock())
