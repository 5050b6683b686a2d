"""Which model answers when another is asked for, and when models end, as Google has announced it (November 2026)."""

from datetime import UTC, datetime

RETIREMENTS = {
    "gemini-2.5-flash": datetime(2026, 12, 1, tzinfo=UTC),
    "gemini-2.5-pro": datetime(2026, 12, 1, tzinfo=UTC),
    "gemini-3.1-flash-lite": datetime(2027, 5, 7, tzinfo=UTC),
}
SUCCESSORS = {"gemini-2.5-flash": "gemini-3.5-flash-lite", "gemini-2.5-pro": "gemini-3.8-flash"}
"""After its end a model's requests go to its successor, and are billed as that one's."""


def answering_model(asked: str, moment: datetime) -> str:
    """The model that answers a request for ``asked`` at ``moment`` (UTC)."""
    end = RETIREMENTS.get(asked)
    return SUCCESSORS.get(asked, asked) if end is not None and moment >= end else asked


def retirement_time(model: str) -> str:
    """As `modelStatus` says it; "" where no end is set."""
    end = RETIREMENTS.get(model)
    return "" if end is None else f"{end:%Y-%m-%dT%H:%M:%SZ}"
