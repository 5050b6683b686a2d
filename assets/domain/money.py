"""What tokens cost. Prices are the user's settings; how many tokens there are stands in `tokens`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens: of a request, of an answer (thinking included), and of what a request has from
    a cache; ``batch_factor``: what a batch pays of it."""

    input_usd: float
    output_usd: float
    cached_usd: float
    batch_factor: float

    def usd(self, *, input_tokens: float, output_tokens: float, cached_tokens: float = 0) -> float:
        """``input_tokens``: cached ones included, as Gemini counts; ``output_tokens``: thinking included."""
        fresh = max(0, input_tokens - cached_tokens)
        full = fresh * self.input_usd + cached_tokens * self.cached_usd + output_tokens * self.output_usd
        return full * self.batch_factor / MILLION

    def as_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> "Price | None":
        """Raises KeyError or ValueError for what is none."""
        if document is None:
            return None
        return cls(*(float(document[name]) for name in ("input_usd", "output_usd", "cached_usd", "batch_factor")))


def dollars(usd: float) -> str:
    """For people: cents, and finer where cents would say nothing."""
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}"
