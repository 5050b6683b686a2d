"""Result files from hell: what stands in the file, and what becomes of the record. docs/result-files.md shows the same
as a table; tests/unit/assets/test_result_files.py runs each and holds the two against each other.
"""

import json
from dataclasses import dataclass

from tests.unit.assets.answers import line, response_line

VICTIM = "A:b:c:1"
"""The record that each case is about. Two more are in its batch, and their good lines stand before and after."""
BEFORE, AFTER = "A:b:c:2", "A:b:c:3"
STRANGER = "X:y:z:9"
MAX_LINE_BYTES = 1_000_000
"""Smaller than the product's, so that a line can be over it; still more than any other case has."""

GOOD = '{"text": "Peñón"}'
BROKEN = "Here is the page:"
_ANSWER = {"candidates": json.loads(line(GOOD))["response"]["candidates"]}
_NOT_JSON = "a line is not JSON"
_NO_LINE = "no line in the result"


@dataclass(frozen=True, slots=True)
class Case:
    """One way to be wrong.

    ``name``: the test's id. ``content``: the lines between two good ones. ``kind``
    and ``message``: the victim's outcome, the message's beginning. ``told``: beginnings of what is told of lines that
    belong to nobody. ``is_whole``: ``content`` is the whole file; ``is_last``: nothing comes after it. ``usage``: the
    victim's token counts, in the order of USAGE_COLUMNS; None: what it cost is not known.
    """

    name: str
    content: bytes
    kind: str
    message: str = ""
    told: tuple[str, ...] = ()
    is_whole: bool = False
    is_last: bool = False
    usage: tuple[int, ...] | None = None


def _parts(*parts: object) -> bytes:
    return response_line({"candidates": [{"content": {"parts": list(parts)}, "finishReason": "STOP"}]})


def _usage(usage: object, **more: object) -> bytes:
    return response_line(_ANSWER | {"usageMetadata": usage}, **more)


def _counts(prompt: int, answer: int, thoughts: int, total: int, cached: int = 0) -> dict[str, int]:
    return {**dict(zip(_COUNTS, (prompt, answer, thoughts, total), strict=True)), "cachedContentTokenCount": cached}


def _error(code: int, message: str) -> bytes:
    return response_line(None, error={"code": code, "message": message})


def _with_id(identity: object) -> bytes:
    return response_line(_ANSWER | {"responseId": identity, "modelVersion": identity})


def _feedback(feedback: object, *, with_answer: bool = False) -> bytes:
    return response_line({"promptFeedback": feedback, **(_ANSWER if with_answer else {})})


def _lines(*lines: bytes) -> bytes:
    return b"\n".join(lines)


def _nested(levels: int) -> str:
    return "[" * levels + "]" * levels


_COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")

CASES = (
    Case("huge-line", line(json.dumps({"text": "x" * MAX_LINE_BYTES})), "missing", _NO_LINE, (_NOT_JSON,)),
    Case("broken-utf8", line(GOOD).replace(b"Pe", b"\xff\xfe"), "missing", _NO_LINE, (_NOT_JSON,)),
    Case("no-object", b'["A:b:c:1"]', "missing", _NO_LINE, ("a line is no JSON object",)),
    Case("line-separator", line(GOOD).replace(b"Pe", "\u2028\u2029\u0085".encode()), "success"),
    Case("candidates-empty", response_line({"candidates": []}), "empty", "the response has no candidate"),
    Case("candidates-null", response_line({"candidates": None}), "empty", "the response has no candidate"),
    Case("candidates-hold-null", response_line({"candidates": [None]}), "empty", "the response has no candidate"),
    Case("error-null", line(GOOD, error=None), "success"),
    Case(
        "error", response_line(None, error={"code": 503, "message": "overloaded"}), "service_error", "503: overloaded"
    ),
    Case("error-beside-answer", line(GOOD, error={"code": 503, "message": "late"}), "service_error", "503: late"),
    Case("error-empty", response_line(None, error=""), "api_error", "the line has an empty error"),
    Case("status", response_line(None, status={"code": 13, "message": "internal"}), "service_error", "13: internal"),
    Case("status-ok", line(GOOD, status={"code": 0}), "success"),
    Case("no-key", b'{"response": {}}', "missing", _NO_LINE, ("a line has no key",)),
    Case("other-batch", line(GOOD, key=STRANGER), "missing", _NO_LINE, (f"the key '{STRANGER}' is not in this batch",)),
    Case("twice-good-bad", _lines(line(GOOD), line(BROKEN)), "success", "", (f"the key '{VICTIM}' came before",)),
    Case("twice-bad-good", _lines(line(BROKEN), line(GOOD)), "success", "", (f"the key '{VICTIM}' came before",)),
    Case("split-parts", _parts({"text": GOOD[:9]}, {"text": GOOD[9:]}), "success"),
    Case("thought-parts", _parts({"text": "hm", "thought": True}, {"text": GOOD, "thought": False}), "success"),
    Case("thoughts-alone", _parts({"text": GOOD, "thought": True}), "empty", "the answer has no text"),
    Case("fenced", line(f"```json\n{GOOD}\n```"), "not_json", "the answer is not JSON"),
    Case("answer-nan", line('{"text": "a", "value": NaN}'), "not_json", "the answer is not JSON: NaN is not JSON"),
    Case("answer-infinity", line('{"text": "a", "value": -Infinity}'), "not_json", "the answer is not JSON: -Infinity"),
    Case("line-nan", line(GOOD, score=float("nan")), "missing", _NO_LINE, (_NOT_JSON,)),
    Case("answer-100-levels", line(f'{{"text": "a", "value": {_nested(100)}}}'), "success"),
    Case("answer-100000-levels", line(_nested(100_000)), "not_json", "the answer is nested too deeply"),
    Case("line-100-levels", line(GOOD, more=json.loads(_nested(100))), "success"),
    Case("line-100000-levels", _nested(100_000).encode(), "missing", _NO_LINE, (_NOT_JSON,)),
    Case("answer-surrogate", line('{"text": "\\ud800"}'), "not_json", "the answer holds half a Unicode character"),
    Case(
        "key-surrogate",
        line(GOOD, key=f"{VICTIM}\ud800"),
        "missing",
        _NO_LINE,
        ("a line's key holds half a Unicode character",),
    ),
    Case("answer-member-twice", line('{"text": 4, "text": "a"}'), "success"),
    Case("key-member-twice", b'{"key": "' + STRANGER.encode() + b'", ' + line(GOOD)[1:], "success"),
    Case("answer-5000-digits", line(f'{{"text": "a", "value": {"9" * 5000}}}'), "not_json", "the answer is not JSON"),
    Case("line-5000-digits", line(GOOD)[:-1] + b', "more": ' + b"9" * 5000 + b"}", "missing", _NO_LINE, (_NOT_JSON,)),
    Case("cut-file", line(GOOD)[:60], "missing", _NO_LINE, (_NOT_JSON,), is_last=True),
    Case("no-last-newline", line(GOOD), "success", is_last=True),
    Case("empty-file", b"", "missing", _NO_LINE, is_whole=True),
    Case("response-id-garbage", _with_id([{"a": -1}]), "success"),
    Case("usage-no-object", _usage(["many"]), "success"),
    Case("usage-no-numbers", _usage(dict(zip(_COUNTS, ("7", None, True, [1.5]), strict=True))), "success"),
    Case("usage-negative", _usage(dict.fromkeys(_COUNTS, -1)), "success"),
    Case("usage-huge", _usage(dict.fromkeys(_COUNTS, 2**62)), "success"),
    Case("usage-adds-up", _usage(_counts(1200, 40, 10, 1250)), "success", usage=(1200, 40, 10, 0, 1250)),
    Case("usage-total-holds-more", _usage(_counts(1200, 40, 10, 1900)), "success", usage=(1200, 40, 660, 0, 1900)),
    Case("usage-thoughts-not-in-total", _usage(_counts(1200, 40, 10, 1240)), "success", usage=(1200, 40, 10, 0, 1240)),
    Case("usage-less-than-its-parts", _usage(_counts(1200, 40, 10, 1245)), "success"),
    Case("usage-total-below-request", _usage(_counts(1200, 0, 0, 1199)), "success"),
    Case("usage-no-total", _usage({"promptTokenCount": 1200, "candidatesTokenCount": 40}), "success"),
    Case("usage-no-request", _usage({"candidatesTokenCount": 40, "totalTokenCount": 40}), "success"),
    Case("usage-more-cached-than-sent", _usage(_counts(1200, 40, 10, 1250, cached=1201)), "success"),
    Case("usage-absent", response_line(_ANSWER), "success"),
    Case(
        "usage-odd-in-an-error",
        _usage(_counts(0, 0, 0, 0), error={"code": 500, "message": "x"}),
        "service_error",
        "500",
    ),
    Case("prompt-blocked", _feedback({"blockReason": "SAFETY"}), "blocked", "the prompt was blocked: SAFETY"),
    Case("feedback-garbage", _feedback([{"blockReason": 4}]), "empty", "the response has no candidate"),
    Case("block-reason-garbage", _feedback({"blockReason": {"a": 1}}), "empty", "the response has no candidate"),
    Case("feedback-beside-answer", _feedback({"blockReason": "SAFETY"}, with_answer=True), "success"),
)
