"""An answer of Gemini's, whoever asked for it, and what of it is an error. What an error means stands in
`gemini.errors`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OFFSET_HEADER = "X-Goog-Upload-Offset"
"""Of each chunk of an upload, and of nothing else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``code``: the HTTP status, ``reason`` its words; ``body``: all of it; ``headers``: found in any case of letters;
    ``is_of_chunk``: it answers a chunk of an upload."""

    code: int
    reason: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_of_chunk: bool = False


class AnsweredError(Exception):
    """Gemini answered with another status than 200. ``code``: the status; ``status``, ``message``: as the body has
    them, or None; ``is_of_chunk``: it answered a chunk of an upload. As text it is all that the body says."""

    def __init__(self, code: int, body: object, *, is_of_chunk: bool = False) -> None:
        # A list of one stands around the errors of some calls.
        told: Any = body[0] if isinstance(body, list) and len(body) == 1 else body
        within: Any = told.get("error", {}) if isinstance(told, dict) else {}
        places = [each for each in (told, within) if isinstance(each, dict)]
        self.code = code
        self.status = next((each["status"] for each in places if "status" in each), None)
        self.message = next((each["message"] for each in places if "message" in each), None)
        self.is_of_chunk = is_of_chunk
        super().__init__(f"{code} {self.status}. {told}")


def check_answer(answer: Answer) -> None:
    """Raise AnsweredError unless the status is 200."""
    if answer.code == 200:
        return
    text = answer.body.decode(errors="replace")
    try:
        body: object = json.loads(text)
    except json.JSONDecodeError:
        body = {"message": text, "status": answer.reason}
    raise AnsweredError(answer.code, body, is_of_chunk=answer.is_of_chunk)


def object_of(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer. Raises AnsweredError, and TypeError or ValueError for what is no object."""
    check_answer(answer)
    said = json.loads(answer.body)
    if not isinstance(said, dict):
        raise TypeError("no JSON object")
    return said
