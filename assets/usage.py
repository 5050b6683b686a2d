"""What an answer says of its own cost: `usageMetadata`. What tokens cost stands in `domain.money`, what becomes of an
answer in `results`.

Output is billed as the larger of two numbers: the answer with its thoughts, and what the total holds beyond the
request. A model that thinks does not always count its thoughts where they belong, and what is not counted is billed all
the same.
"""

import re
from collections.abc import Mapping
from typing import Any

MAX_TOKENS = 10_000_000
"""No model takes or gives so many in one request: a larger count is garbage."""

USAGE_COLUMNS = {
    "prompt_tokens": "promptTokenCount",
    "output_tokens": "candidatesTokenCount",
    "thoughts_tokens": "thoughtsTokenCount",
    "cached_tokens": "cachedContentTokenCount",
    "total_tokens": "totalTokenCount",
}


def read_usage(metadata: Any) -> dict[str, int] | None:
    """The counts by the names of USAGE_COLUMNS, or None if they cannot be believed: what the answer has cost is not
    known then, and caps take it for the most that it can have cost.

    ``thoughts_tokens`` holds whatever of the total is neither request nor answer, so that output and thoughts together
    are what is billed as output. ``cached_tokens`` is left out where nothing is said of it. The service leaves out what
    is 0, but a request is never empty, so request and total must be there. They do not add up where the total is less
    than its parts; a total that leaves out just the thoughts is one that was seen.
    """
    if not isinstance(metadata, Mapping):
        return None
    found = {column: metadata.get(name, metadata.get(other)) for column, (name, other) in _NAMES.items()}
    there = {column: value for column, value in found.items() if value is not None}
    if not all(type(value) is int and 0 <= value <= MAX_TOKENS for value in there.values()):
        return None
    request, total = there.get("prompt_tokens", 0), there.get("total_tokens", 0)
    answer, thoughts = there.get("output_tokens", 0), there.get("thoughts_tokens", 0)
    adds_up = total >= request + answer + thoughts or total == request + answer
    if request == 0 or not adds_up or there.get("cached_tokens", 0) > request:
        return None
    billed = max(answer + thoughts, total - request)
    return there | {"output_tokens": answer, "thoughts_tokens": billed - answer}


def _snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


_NAMES = {column: (name, _snake_case(name)) for column, name in USAGE_COLUMNS.items()}
"""Both ``promptTokenCount`` and ``prompt_token_count`` are seen in result files."""
