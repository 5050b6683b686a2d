"""How one line of a result file is judged, and what is written for a good one. What becomes of the whole batch stands
in `outcomes`.

Everything in a result file is untrusted: a line of any bytes gets a verdict, never an exception.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jsonschema
import pyarrow as pa
from pydantic import BaseModel, ValidationError

from assets.domain.errors import SchemaError
from assets.domain.outcome import OutcomeKind
from assets.graph import asset

MAX_RAW_CHARS = 10_000
"""How much of a failed answer's text is kept in the outcomes."""
MAX_MESSAGE_CHARS = 500
MAX_TOKENS = 10**9
"""No answer has more; a count above is no count. Sums over a batch would not fit into 64 bits, and turn negative."""

_GOOD_FINISH = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED"})


class AnswerError(Exception):
    """An answer that cannot become a result. Attribute: ``kind``; the text says why. Never leaves this module."""

    def __init__(self, kind: OutcomeKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ResultValidator(Protocol):
    """Judges the text of an answer against the schema that was sent."""

    def to_result(self, text: str) -> bytes:
        """The bytes of the output result. Raises AnswerError; SchemaError if the schema's own code fails."""
        ...


class ModelValidator:
    """Judges with the pydantic model itself: the output is exactly the validated model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def to_result(self, text: str) -> bytes:
        _loads(text)
        try:
            value = self._model.model_validate_json(text)
            content = value.model_dump_json(by_alias=True, indent=2)
            is_finite = "null" not in content or _is_finite(value.model_dump(mode="json"))
        except ValidationError as error:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, _first_problem(error)) from None
        except Exception as error:
            # Code of the user's own, in a validator or a serializer of the model. It says nothing of the answer, which
            # is paid for: no failure is counted, the batch waits until the code is mended.
            problem = f"{type(error).__name__}: {error}"[:MAX_MESSAGE_CHARS]
            raise SchemaError(f"a validator of {self._model.__name__} failed itself ({problem}); mend it") from error
        if not is_finite:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "a number of the answer is infinite or none")
        return (content + "\n").encode()


class SentSchemaValidator:
    """Judges with the JSON Schema kept in the batch manifest, when the model in the code is another by now."""

    def __init__(self, result_schema: Mapping[str, Any]) -> None:
        self._validator = jsonschema.Draft202012Validator(dict(result_schema))

    def to_result(self, text: str) -> bytes:
        value = _loads(text)
        try:
            problem = next(self._validator.iter_errors(value), None)
            if problem is None:
                return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
        except RecursionError:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "the answer is nested too deeply") from None
        except OverflowError:
            # jsonschema divides by multipleOf as a float (seen in 4.26).
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "a number of the answer is too large") from None
        except re.error as error:
            # pydantic's patterns are Rust's, jsonschema's are Python's: \p{L} is one of the first alone.
            raise SchemaError(f"a pattern of the schema that was sent cannot be tried ({error}); mend it") from error
        place = ".".join(str(step) for step in problem.absolute_path) or "the answer"
        raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, f"{place}: breaks {problem.validator} of the schema")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one line of a result file says. ``record_key``: None where the line names none; tokens: as billed."""

    record_key: str | None
    kind: OutcomeKind | None
    message: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    raw_text: str | None = None


USAGE_COLUMNS = {
    "prompt_tokens": "promptTokenCount",
    "output_tokens": "candidatesTokenCount",
    "thoughts_tokens": "thoughtsTokenCount",
    "cached_tokens": "cachedContentTokenCount",
    "total_tokens": "totalTokenCount",
}

VERDICT_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("message", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string()),
        *(pa.field(name, pa.int64()) for name in USAGE_COLUMNS),
        pa.field("raw_text", pa.string()),
        pa.field("line_offset", pa.int64(), nullable=False),
        pa.field("line_bytes", pa.int64(), nullable=False),
    ]
)


@asset()
def batch_results(batch_requests: None, *, lines: Iterable[tuple[int, bytes]], validator: ResultValidator) -> pa.Table:
    """What Gemini answered: one row for each line of the result file.

    ``lines``: offset in bytes and content. Columns: VERDICT_SCHEMA; record_key and kind are null for a line that is
    no object with a key.
    """
    rows = []
    for offset, line in lines:
        verdict = judge_line(line, validator)
        rows.append(
            {
                "record_key": verdict.record_key,
                "kind": verdict.kind.value if verdict.kind else None,
                "message": verdict.message,
                "finish_reason": verdict.finish_reason,
                **{name: verdict.usage.get(name) for name in USAGE_COLUMNS},
                "raw_text": verdict.raw_text,
                "line_offset": offset,
                "line_bytes": len(line),
            }
        )
    return pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA)


def judge_line(line: bytes, validator: ResultValidator) -> Verdict:
    """The verdict on one line. Never raises for anything that the line holds."""
    try:
        document = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return Verdict(None, None, "a line is not JSON")
    if not isinstance(document, dict):
        return Verdict(None, None, "a line is no JSON object")
    key = document.get("key")
    if not isinstance(key, str):
        return Verdict(None, None, "a line has no key")
    response = document.get("response")
    response = response if isinstance(response, dict) else {}
    usage = _usage(response.get("usageMetadata", response.get("usage_metadata")))
    finish_reason: str | None = None
    text = ""
    try:
        _raise_api_error(document)
        candidate = _first_candidate(response)
        finish_reason = _text_of(candidate, "finishReason", "finish_reason")
        text = _answer_text(candidate)
        _raise_unfinished(finish_reason)
        _raise_empty(text)
        validator.to_result(text)
    except AnswerError as error:
        message = str(error)[:MAX_MESSAGE_CHARS]
        return Verdict(
            _safe_key(key), error.kind, _safe(message), finish_reason, usage, _safe(text[:MAX_RAW_CHARS]) or None
        )
    return Verdict(_safe_key(key), OutcomeKind.SUCCESS, "", finish_reason, usage)


def result_of_line(line: bytes, validator: ResultValidator) -> bytes:
    """The output result of a line whose verdict was success. Raises AnswerError if it was not."""
    document = json.loads(line, parse_constant=_refuse_constant)
    return validator.to_result(_answer_text(_first_candidate(document["response"])))


def _loads(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        # A lone surrogate can be written as an escape but is no Unicode text: no file could hold it. Nor could it hold
        # 1e400, which Python reads as infinite.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise AnswerError(OutcomeKind.NOT_JSON, "the answer holds half a Unicode character") from None
    except RecursionError:
        raise AnswerError(OutcomeKind.NOT_JSON, "the answer is nested too deeply") from None
    except ValueError as error:
        raise AnswerError(OutcomeKind.NOT_JSON, f"the answer is not JSON: {error}") from None
    return value


def _is_finite(value: Any) -> bool:
    """Whether no number is infinite or NaN. pydantic reads "inf" and 400 digits as such floats and writes null: the
    result would have lost them, and not be what the schema says."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _raise_api_error(document: Mapping[str, Any]) -> None:
    for name in ("error", "status"):
        error = document.get(name)
        # A google.rpc.Status with the code 0 is OK, and JSON leaves out what is 0.
        if isinstance(error, dict) and error and error.get("code", -1) != 0:
            code, said = error.get("code"), error.get("message")
            raise AnswerError(OutcomeKind.API_ERROR, f"{code}: {said}")
        if error is not None and not isinstance(error, dict):
            raise AnswerError(OutcomeKind.API_ERROR, str(error).strip() or f"the line has an empty {name}")


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
        raise AnswerError(OutcomeKind.CUT_SHORT, "the answer was cut short: MAX_TOKENS; raise max_output_tokens")
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


def _usage(metadata: Any) -> dict[str, int]:
    if not isinstance(metadata, dict):
        return {}
    found = {column: metadata.get(name, metadata.get(_snake_case(name))) for column, name in USAGE_COLUMNS.items()}
    return {column: value for column, value in found.items() if type(value) is int and 0 <= value <= MAX_TOKENS}


def _snake_case(name: str) -> str:
    """Both ``promptTokenCount`` and ``prompt_token_count`` are seen in result files."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def _text_of(mapping: Mapping[str, Any], *names: str) -> str | None:
    return next((_safe(value)[:100] for name in names if isinstance(value := mapping.get(name), str)), None)


def _safe(text: str) -> str:
    """Text that Parquet can hold: half a Unicode character becomes a question mark."""
    return text.encode(errors="replace").decode()


def _safe_key(key: str) -> str:
    """Half a Unicode character as an escape: with a question mark the key could be that of another record, while no
    record key holds a backslash."""
    return key.encode(errors="backslashreplace").decode()


def _first_problem(error: ValidationError) -> str:
    """Where and what, without the value: that is untrusted and stands in raw_text."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "the answer"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}"
