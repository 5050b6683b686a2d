"""How one line of a result file is judged, and what is written for a good one. Whether the text of an answer fits the
schema is the matter of `validation`, what it says of its cost that of `usage`; what becomes of the whole batch stands
in `outcomes`.

Everything in a result file is untrusted: a line of any bytes gets a verdict, never an exception.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from assets.answered_by import read_retirement
from assets.domain.outcome import OutcomeKind
from assets.graph import asset
from assets.line_errors import error_of
from assets.usage import USAGE_COLUMNS, read_usage
from assets.validation import MAX_MESSAGE_CHARS, AnswerError, ResultValidator, refuse_constant

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line of a result file is not read: no answer to one page comes near it (65,536 tokens are the most that a
model answers with), and a hostile one takes twenty times its length when it is parsed."""
MAX_RAW_CHARS = 10_000
"""How much of a failed answer's text is kept in the outcomes."""
MAX_UNMATCHED_LINES = 1000
"""How many lines that belong to no record are kept, to be told: a file of nothing else must not fill the memory."""
MAX_UNMATCHED_KEY_CHARS = 200

PART_ROWS = 2_000
"""So many verdicts are held as objects before they become columns."""

RECITATION = "RECITATION"
"""The answer resembles a text that is published. Another wording of the prompt may have another answer."""
_GOOD_FINISH = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one line of a result file says. ``record_key``: None where the line names none; ``usage``: tokens as billed,
    see `assets.usage`; ``unsure``: there is a response, and what it has cost cannot be known from it;
    ``model_version``: what has answered, in its own words; ``retires_at``: when that one ends (UTC), if it says so;
    ``result``: of a success the bytes of its output result."""

    record_key: str | None
    kind: OutcomeKind | None
    message: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    unsure: bool = False
    raw_text: str | None = None
    model_version: str | None = None
    retires_at: datetime | None = None
    result: bytes | None = None


VERDICT_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("message", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string()),
        *(pa.field(name, pa.int64()) for name in USAGE_COLUMNS),
        pa.field("unsure", pa.bool_()),
        pa.field("model_version", pa.string()),
        pa.field("retires_at", pa.timestamp("us", tz="UTC")),
        pa.field("raw_text", pa.string()),
        pa.field("text_at", pa.int64()),
        pa.field("text_bytes", pa.int64()),
        pa.field("line_offset", pa.int64(), nullable=False),
        pa.field("line_bytes", pa.int64(), nullable=False),
    ]
)
"""``raw_text``: of a failed answer, or ``text_at`` and ``text_bytes``: where it was set aside."""


Redact = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


@asset()
def batch_results(
    batch_requests: None,
    *,
    lines: Iterable[tuple[int, bytes]],
    keys: Collection[str],
    validator: ResultValidator,
    redact: Redact = _as_it_is,
    keep: Callable[[str, bytes], None] | None = None,
    set_aside: Callable[[str], tuple[int, int]] | None = None,
) -> pa.Table:
    """What Gemini answered: one row for each line of the result file.

    ``lines``: offset in bytes and content. ``keys``: the batch's records. ``redact``: takes out of what is kept of a
    failure what nobody may see. ``keep``: gets the record key and the output result of each record's first good answer,
    which is the one that counts. ``set_aside``: takes the text of a failed answer, as all of them may be too many for
    the memory, and tells where it stands, and its length. Columns: VERDICT_SCHEMA; record_key and kind are null for a
    line that is no object with a key. Of lines that no record needs (no key, a key of another batch, a second line that
    is no better) the first MAX_UNMATCHED_LINES are there, so that memory is bounded by the number of records and not by
    that of lines.
    """
    rows = _Rows()
    has_good_line: dict[str, bool] = {}
    expected, unmatched = keys if isinstance(keys, Mapping | Set) else set(keys), 0
    for offset, line in lines:
        verdict = judge_line(line, validator, redact)
        key, is_good = verdict.record_key, verdict.kind is OutcomeKind.SUCCESS
        if key is not None and key in expected and (key not in has_good_line or (is_good and not has_good_line[key])):
            has_good_line[key] = is_good
            if is_good and keep is not None and verdict.result is not None:
                keep(key, verdict.result)
        elif unmatched == MAX_UNMATCHED_LINES:
            continue
        else:
            unmatched += 1
            verdict = _as_unmatched(verdict, redact, is_known=key in expected)
        rows.add(verdict, offset, len(line), set_aside)
    return rows.table()


class _Rows:
    """Rows of VERDICT_SCHEMA, kept as columns: an object for each line of a large batch would fill the memory."""

    def __init__(self) -> None:
        self._rows: list[tuple[object, ...]] = []
        self._parts: list[pa.RecordBatch] = []

    def add(self, verdict: Verdict, offset: int, size: int, set_aside: Callable[[str], tuple[int, int]] | None) -> None:
        text = verdict.raw_text
        place: tuple[int, int] | tuple[None, None] = (None, None)
        if text is not None and set_aside is not None:
            place, text = set_aside(text), None
        self._rows.append(
            (
                verdict.record_key,
                verdict.kind,
                verdict.message,
                verdict.finish_reason,
                *map(verdict.usage.get, USAGE_COLUMNS),
                verdict.unsure,
                verdict.model_version,
                verdict.retires_at,
                text,
                *place,
                offset,
                size,
            )
        )
        if len(self._rows) == PART_ROWS:
            self._close_part()

    def table(self) -> pa.Table:
        self._close_part()
        return pa.Table.from_batches(self._parts, schema=VERDICT_SCHEMA)

    def _close_part(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(values, each.type) for values, each in zip(columns, VERDICT_SCHEMA, strict=True)]
            self._parts.append(pa.record_batch(arrays, schema=VERDICT_SCHEMA))
            self._rows = []


def _as_unmatched(verdict: Verdict, redact: Redact, *, is_known: bool) -> Verdict:
    """As little as tells whose line it was. A key that is cut ends so that it can be nobody's."""
    key = verdict.record_key
    if key is not None and not is_known:
        key = redact(key)
        key = key if len(key) <= MAX_UNMATCHED_KEY_CHARS else f"{key[:MAX_UNMATCHED_KEY_CHARS]}…"
    return replace(verdict, record_key=key, raw_text=None)


def judge_line(line: bytes, validator: ResultValidator, redact: Redact = _as_it_is) -> Verdict:
    """The verdict on one line. Never raises for anything that the line holds. ``redact``: as for `batch_results`."""
    if len(line) >= MAX_LINE_BYTES:
        return Verdict(None, None, f"a line is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        document = _read(line)
    except (ValueError, RecursionError):
        return Verdict(None, None, "a line is not JSON")
    return _judge(document, validator, redact)


def _read(line: bytes) -> Any:
    """What stands in a line, as Python's own reader has it, whose words count. It takes what orjson refuses (half a
    Unicode character, a number of 400 digits), and keeps all digits of a number in an error, which are told. Raises
    ValueError, RecursionError."""
    with suppress(ValueError):
        document = orjson.loads(line)
        if not isinstance(document, dict) or ("error" not in document and "status" not in document):
            return document
    return json.loads(line, parse_constant=refuse_constant)


def _judge(document: Any, validator: ResultValidator, redact: Redact) -> Verdict:
    if not isinstance(document, dict):
        return Verdict(None, None, "a line is no JSON object")
    key = document.get("key")
    if not isinstance(key, str):
        return Verdict(None, None, "a line has no key")
    if _safe(key) != key:
        # No record key holds one, and made safe it could become that of another record.
        return Verdict(None, None, "a line's key holds half a Unicode character")
    response = document.get("response")
    response = response if isinstance(response, dict) else {}
    found = read_usage(response.get("usageMetadata", response.get("usage_metadata")))
    usage, unsure = found or {}, bool(response) and found is None
    version = _text_of(response, "modelVersion", "model_version")
    finish_reason: str | None = None
    text = ""
    failed: AnswerError | None = None
    result: bytes | None = None
    try:
        _raise_error(document)
        candidate = _first_candidate(response)
        finish_reason = _text_of(candidate, "finishReason", "finish_reason")
        finish_reason = finish_reason and redact(finish_reason)
        text = _answer_text(candidate)
        _raise_unfinished(finish_reason)
        _raise_empty(text)
        result = validator.to_result(text)
    except AnswerError as error:
        failed = error
    return Verdict(
        key,
        OutcomeKind.SUCCESS if failed is None else failed.kind,
        # Redacted first: a secret that is cut in two would not be found any more.
        message="" if failed is None else _safe(redact(str(failed))[:MAX_MESSAGE_CHARS]),
        finish_reason=finish_reason,
        usage=usage,
        unsure=unsure,
        raw_text=None if failed is None else _safe(redact(text)[:MAX_RAW_CHARS]) or None,
        model_version=redact(version) if version else None,
        retires_at=read_retirement(response),
        result=result,
    )


def _raise_error(document: Mapping[str, Any]) -> None:
    if (found := error_of(document)) is not None:
        raise AnswerError(*found)


def _first_candidate(response: Mapping[str, Any]) -> Mapping[str, Any]:
    candidates = response.get("candidates")
    candidates = candidates if isinstance(candidates, list) else []
    for candidate in candidates:
        if isinstance(candidate, dict):
            return candidate
    feedback = response.get("promptFeedback", response.get("prompt_feedback"))
    reason = _text_of(feedback if isinstance(feedback, dict) else {}, "blockReason", "block_reason")
    if reason:
        raise AnswerError(OutcomeKind.BLOCKED, f"the prompt was blocked: {reason}")
    raise AnswerError(OutcomeKind.EMPTY, "the response has no candidate")


def _raise_unfinished(finish_reason: str | None) -> None:
    if finish_reason == "MAX_TOKENS":
        raise AnswerError(
            OutcomeKind.CUT_SHORT, "the answer was cut short: MAX_TOKENS, it needs more max_output_tokens"
        )
    if finish_reason == RECITATION:
        raise AnswerError(OutcomeKind.RECITATION, f"the answer was blocked: {finish_reason}")
    if (finish_reason or "") not in _GOOD_FINISH:
        raise AnswerError(OutcomeKind.BLOCKED, f"the answer was blocked: {finish_reason}")


def _raise_empty(text: str) -> None:
    if not text.strip():
        raise AnswerError(OutcomeKind.EMPTY, "the answer has no text")


def _answer_text(candidate: Mapping[str, Any]) -> str:
    """The text of all parts but thoughts: an answer may be split over parts (facts of the Batch API)."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    texts = [
        part["text"]
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("thought") is not True
    ]
    return "".join(texts)


def _text_of(mapping: Mapping[str, Any], *names: str) -> str | None:
    return next((_safe(value[:100]) for name in names if isinstance(value := mapping.get(name), str)), None)


def _safe(text: str) -> str:
    """Text that Parquet can hold: half a Unicode character becomes a question mark."""
    return text.encode(errors="replace").decode()
