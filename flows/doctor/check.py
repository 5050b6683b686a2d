"""What a check has found. The checks themselves stand in `machine`, `services` and `report`."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """``LOOK``: a pass goes on, and a person should know; ``STOP``: no pass can do its work."""

    OK = "ok"
    LOOK = "look"
    STOP = "STOP"


@dataclass(frozen=True, slots=True)
class Check:
    """``what``: was looked at; ``found``: in a few words; ``mend``: what to do, "" where nothing is to be done."""

    what: str
    verdict: Verdict
    found: str
    mend: str = ""

    def line(self, width: int) -> str:
        return f"{self.verdict:<5} {self.what:<{width}} {self.found}" + (f"; {self.mend}" if self.mend else "")
