"""What the error in a line of a result file speaks of: the service, an upload that is gone, the request, or none of
these. How a line is judged stands in `results`.

The codes are those of HTTP and of google.rpc; both are seen in result files. Everything in them is untrusted.
"""

import re
from collections.abc import Mapping
from typing import Any

from assets.domain.outcome import OutcomeKind

SERVICE_CODES = frozenset({4, 8, 13, 14, 429, 500, 502, 503, 504})
"""DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, and what HTTP has for them: they pass by themselves and
say nothing of the page."""
GONE_CODES = frozenset({5, 7, 403, 404})
"""NOT_FOUND, PERMISSION_DENIED: of an upload, that its 48 hours are over."""
REFUSED_CODES = frozenset({3, 400})
"""INVALID_ARGUMENT: the same request is answered the same again."""
_SERVICE_WORDS = re.compile(r"please (?:try again|retry)|\bUNAVAILABLE\b|\boverloaded\b", re.IGNORECASE)
_ABOUT_A_FILE = re.compile(r"\bfiles?\b", re.IGNORECASE)
_LEADING_CODE = re.compile(r"\s*(\d{1,3})\b")


def kind_of_error(code: Any, message: str) -> OutcomeKind:
    """The kind of a line's error. ``code``: whatever stands there; None: nothing does, and a message such as ``503
    UNAVAILABLE`` may begin with one."""
    number = _number(message if code is None else code)
    if number in SERVICE_CODES or (number not in REFUSED_CODES and _SERVICE_WORDS.search(message)):
        return OutcomeKind.SERVICE_ERROR
    if number in GONE_CODES and _ABOUT_A_FILE.search(message):
        return OutcomeKind.UPLOAD_GONE
    return OutcomeKind.REFUSED if number in REFUSED_CODES else OutcomeKind.API_ERROR


def error_of(document: Mapping[str, Any]) -> tuple[OutcomeKind, str] | None:
    """The kind and the text of the error in a line, or None if it has none."""
    for name in ("error", "status"):
        error = document.get(name)
        # A google.rpc.Status with the code 0 is OK, and JSON leaves out what is 0.
        if isinstance(error, dict) and error and error.get("code", -1) != 0:
            code, message = error.get("code"), said(error.get("message"))
            return kind_of_error(code, message), f"{said(code)}: {message}"
        if error is not None and not isinstance(error, dict):
            message = said(error).strip()
            return kind_of_error(None, message), message or f"the line has an empty {name}"
    return None


def said(value: Any) -> str:
    """What should be a text or a number, and may be anything."""
    try:
        return str(value)
    except (RecursionError, ValueError):
        return "an error that cannot be shown"


def _number(code: Any) -> int | None:
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    match = _LEADING_CODE.match(code) if isinstance(code, str) else None
    return int(match[1]) if match else None
