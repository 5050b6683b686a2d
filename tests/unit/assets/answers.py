"""Lines of a result file, as Gemini writes them."""

import json
from typing import Any

from assets.results import judge_line
from assets.validation import ResultValidator


def line(text: str | None, *, key: str = "A:b:c:1", finish: str | None = "STOP", **more: Any) -> bytes:
    """A line with one candidate whose only part is ``text``; ``more`` goes beside key and response."""
    parts = [] if text is None else [{"text": text}]
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}}
    if finish is not None:
        candidate["finishReason"] = finish
    return response_line({"candidates": [candidate]}, key=key, **more)


def response_line(response: object, *, key: object = "A:b:c:1", **more: Any) -> bytes:
    return json.dumps({"key": key, "response": response, **more}).encode()


def result_of(good: bytes, validator: ResultValidator) -> bytes:
    """The output result of a line that is good."""
    result = judge_line(good, validator).result
    assert result is not None
    return result
