"""How jobs answer in the state machine of the protocol: a line for each kind of outcome, and lines of nobody's."""

import json

from assets.domain.outcome import OutcomeKind
from tests.properties.protocol_world import PageText
from tests.unit.assets.answers import line, response_line

ANSWERS = (
    OutcomeKind.SUCCESS,
    OutcomeKind.SUCCESS,
    OutcomeKind.SUCCESS,
    OutcomeKind.API_ERROR,
    OutcomeKind.SERVICE_ERROR,
    OutcomeKind.BLOCKED,
    OutcomeKind.CUT_SHORT,
    OutcomeKind.EMPTY,
    OutcomeKind.NOT_JSON,
    OutcomeKind.SCHEMA_MISMATCH,
    OutcomeKind.MISSING,
)
"""What the line of a record can come to, as often as it should. MISSING: it has none."""
NOBODYS_LINES = (b"not json", b"[1]", json.dumps({"response": {}}).encode(), line("{}", key="nobody:x:1:1"))


def result_line(key: str, job: str, answer: OutcomeKind, *, shade: int, is_mended: bool) -> bytes | None:
    """The line of ``key`` in the result of ``job``, which saw ``shade``; None for one that is missing. ``is_mended``:
    it was sent with the corrected schema; an answer that fails the other one is good by this."""
    text = PageText(page=key, job=job, shade=shade)
    good = text.model_dump_json()
    match answer:
        case OutcomeKind.SUCCESS:
            return line(good, key=key)
        case OutcomeKind.API_ERROR:
            return json.dumps({"key": key, "error": {"code": 499, "message": "Cancelled"}}).encode()
        case OutcomeKind.SERVICE_ERROR:
            return json.dumps({"key": key, "error": {"code": 503, "message": "Overloaded"}}).encode()
        case OutcomeKind.BLOCKED:
            return response_line({"promptFeedback": {"blockReason": "SAFETY"}}, key=key)
        case OutcomeKind.CUT_SHORT:
            return line(good[:-5], key=key, finish="MAX_TOKENS")
        case OutcomeKind.EMPTY:
            return response_line({"candidates": [None]}, key=key)
        case OutcomeKind.NOT_JSON:
            return line("The page says:", key=key)
        case OutcomeKind.SCHEMA_MISMATCH:
            noted = {**text.model_dump(), "note": "in pencil"}
            return line('{"page": 1}' if is_mended else json.dumps(noted), key=key)
        case OutcomeKind.MISSING:
            return None
    raise ValueError(f"no line comes to {answer}")
