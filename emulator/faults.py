"""The fault table: which calls go wrong, how, and how often. Takes a call's description, gives the fault that strikes
it; carrying it out is the matter of `emulator.wire`."""

import itertools
import random
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CALLS = (
    "upload_start", "upload_chunk", "get_file", "list_files", "delete_file", "download",
    "create_batch", "get_batch", "list_batches", "cancel_batch", "delete_batch", "generate",
)  # fmt: skip


REFUSALS = {
    "spending_window": (
        429,
        "You have exceeded the spend limit of your usage tier over a rolling 10-minute window. Please retry later.",
    ),
    "monthly_cap": (
        429,
        "Your billing account has reached its monthly spend cap. All of its projects are paused until the 1st of next "
        "month.",
    ),
    "prepaid_empty": (
        429,
        "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
    ),
}
"""Google's own spending limits: HTTP status and message. What it really says is not documented."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about, for matching. ``keys``: those of the job."""

    name: str = ""
    display_name: str = ""
    model: str = ""
    keys: tuple[str, ...] = ()


class Fault(BaseModel):
    """One row of the table.

    ``call``: a name of CALLS or a glob. ``display_name``, ``model``, ``name``, ``key``: globs that must match too.
    ``when``: before or after the call took effect. What happens: ``refusal`` (a name of REFUSALS, for a status and a
    message), ``status`` (an error with that HTTP status and ``message``, or ``body`` as it stands, and ``headers``),
    ``cut`` (``connection``: no answer at all; ``body``: the answer ends early, after ``after_bytes`` or half of it, so
    that the effect is there in any case), and ``delay_seconds`` before either, or alone. How often: after ``skip``
    matching calls, ``times`` times (None: always), each with ``probability``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    call: str
    display_name: str | None = None
    model: str | None = None
    name: str | None = None
    key: str | None = None
    when: Literal["before", "after"] = "before"
    refusal: Literal["spending_window", "monthly_cap", "prepaid_empty"] | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    message: str = "injected fault"
    body: str | None = None
    headers: dict[str, str] = {}
    cut: Literal["connection", "body"] | None = None
    after_bytes: int | None = Field(default=None, ge=0)
    delay_seconds: float = Field(default=0, ge=0)
    skip: int = Field(default=0, ge=0)
    times: int | None = Field(default=1, ge=1)
    probability: float = Field(default=1, gt=0, le=1)
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        named = REFUSALS.get(str(value.get("refusal"))) if isinstance(value, dict) else None
        return value if named is None else {"status": named[0], "message": named[1], **value}

    @model_validator(mode="after")
    def _says_what_happens(self) -> "Fault":
        if not any(fnmatchcase(call, self.call) for call in CALLS):
            raise ValueError(f"no call is named {self.call!r}; the calls are {', '.join(CALLS)}")
        if self.status is None and self.cut is None and not self.delay_seconds:
            raise ValueError("a fault needs a status, a cut or delay_seconds")
        if self.status is not None and self.cut is not None:
            raise ValueError("a fault has a status or a cut, not both")
        return self

    def matches(self, call: str, subject: Subject) -> bool:
        texts = ((self.display_name, subject.display_name), (self.model, subject.model), (self.name, subject.name))
        if not fnmatchcase(call, self.call) or any(
            want is not None and not fnmatchcase(got, want) for want, got in texts
        ):
            return False
        return self.key is None or any(key == self.key or fnmatchcase(key, self.key) for key in subject.keys)


class _Row:
    def __init__(self, fault: Fault, number: int) -> None:
        self.fault, self.id = fault, f"fault-{number}"
        self.seen = self.struck = 0
        self.chance = random.Random(f"{fault.seed}:{fault.call}")  # noqa: S311 - repeatable by intent

    def strikes(self) -> bool:
        """Whether this matching call is struck; counts it."""
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.times is not None and self.struck >= self.fault.times):
            return False
        if self.fault.probability < 1 and self.chance.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, **self.fault.model_dump(exclude_defaults=True), "seen": self.seen, "struck": self.struck}


class FaultTable:
    """The first row that strikes counts."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> str:
        """Returns the id of the new row."""
        row = _Row(fault, next(self._numbers))
        self._rows.append(row)
        return row.id

    def clear(self) -> None:
        self._rows.clear()

    def shown(self) -> list[dict[str, Any]]:
        return [row.shown() for row in self._rows]

    def strike(self, call: str, subject: Subject) -> Fault | None:
        for row in self._rows:
            if row.fault.matches(call, subject) and row.strikes():
                return row.fault
        return None


def parse_fault(value: object) -> Fault:
    """Raises ValueError with one line that says what is wrong where."""
    try:
        return Fault.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
