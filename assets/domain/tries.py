"""A try: one page that a person had read at once (``quire try``), to see what comes of it. It writes no result and says
nothing of the record; what it cost counts like all else that was sent.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TryAnswer:
    """``kind``, ``message``: as of an outcome; ``usd``: what it cost, None where nobody knows; tokens: None where the
    service did not say; ``answered_by``: the model, in its own words."""

    kind: str
    message: str
    usd: float | None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    thoughts_tokens: int | None = None
    answered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """``at``: UTC; ``prompt``: name and version; ``max_usd``: the most that it can cost, at the standard price, None
    where no price is known; ``answer``: None while none is known, as its process may have died after it was sent."""

    try_id: str
    record_key: str
    at: datetime
    model: str
    prompt: str
    prompt_hash: str
    response_schema_hash: str
    max_usd: float | None
    answer: TryAnswer | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Try":
        """Raises KeyError, TypeError, ValueError for what is none."""
        names = ("try_id", "record_key", "model", "prompt", "prompt_hash", "response_schema_hash")
        texts = {name: str(document[name]) for name in names}
        answer = document["answer"]
        return cls(
            **texts,
            at=datetime.fromisoformat(document["at"]),
            max_usd=_usd(document["max_usd"]),
            answer=TryAnswer(**{**answer, "usd": _usd(answer["usd"])}) if answer is not None else None,
        )


def _usd(value: Any) -> float | None:
    return None if value is None else float(value)
