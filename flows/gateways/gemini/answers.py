"""An answer of Gemini's that is an error, whoever made the call, and answers of ours that are read. What an error means
stands in `gemini.errors`."""

import json
from typing import Any

import httpx2

OFFSET_HEADER = "X-Goog-Upload-Offset"
"""Of each chunk of an upload, and of nothing else."""


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


def check_answer(response: httpx2.Response) -> None:
    """Raise AnsweredError unless the status is 200. The answer must have been read."""
    if response.status_code == 200:
        return
    try:
        body: object = response.json()
    except json.JSONDecodeError:
        body = {"message": response.text, "status": response.reason_phrase}
    raise AnsweredError(response.status_code, body, is_of_chunk=OFFSET_HEADER in response.request.headers)


def object_of(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer that is read. Raises AnsweredError, and TypeError for what is no object."""
    check_answer(response)
    answer = response.json()
    if not isinstance(answer, dict):
        raise TypeError("no JSON object")
    return answer
