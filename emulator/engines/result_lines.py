"""The lines of a result file, built part by part. Which line a key gets is the engines' matter."""

import json
from collections.abc import Sequence
from typing import Any

from emulator.tokens import text_tokens

JsonObject = dict[str, Any]


def usage(*, prompt_tokens: int, output_tokens: int, thoughts_tokens: int = 0) -> JsonObject:
    """A usageMetadata whose total is the sum of its parts; zero counts are left out, as the service does."""
    counts = {
        "promptTokenCount": prompt_tokens,
        "candidatesTokenCount": output_tokens,
        "thoughtsTokenCount": thoughts_tokens,
        "totalTokenCount": prompt_tokens + output_tokens + thoughts_tokens,
    }
    return {name: count for name, count in counts.items() if count or name == "totalTokenCount"}


def about_model(model: str, retirement_time: str = "") -> JsonObject:
    """What a response says of the model that gave it: its version, and the stage it is in, with its end if one is
    set."""
    status = {"modelStage": "LEGACY" if retirement_time else "STABLE"}
    return {
        "modelVersion": model,
        "modelStatus": status | ({"retirementTime": retirement_time} if retirement_time else {}),
    }


def text_response(
    texts: Sequence[str],
    *,
    prompt_tokens: int,
    finish_reason: str = "STOP",
    thoughts: Sequence[str] = (),
    thoughts_tokens: int = 0,
) -> JsonObject:
    """A GenerateContentResponse with one candidate.

    ``texts``: the answer's parts. ``thoughts``: parts with ``thought: true`` before them; their tokens are counted in
    addition to ``thoughts_tokens``.
    """
    parts: list[JsonObject] = [{"text": thought, "thought": True} for thought in thoughts]
    parts += [{"text": text} for text in texts]
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    return {
        "candidates": [{"content": content, "finishReason": finish_reason, "index": 0}],
        "usageMetadata": usage(
            prompt_tokens=prompt_tokens,
            output_tokens=text_tokens("".join(texts)),
            thoughts_tokens=thoughts_tokens + text_tokens("".join(thoughts)),
        ),
    }


def line(key: str, **content: Any) -> bytes:
    """One line without its end: the key, then ``response``, ``error`` or ``status``."""
    return json.dumps({"key": key, **content}, ensure_ascii=False, separators=(",", ":")).encode()


def error_line(key: str, code: int, message: str, field: str = "error") -> bytes:
    """A line with a google.rpc.Status under ``field``: ``error`` or ``status``."""
    return line(key, **{field: {"code": code, "message": message}})
