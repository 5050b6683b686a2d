"""Whether the text of an answer fits the schema that was sent: by the pydantic model, or by the JSON Schema that a
batch manifest keeps. The line around it is the matter of `results`.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
import pydantic_core
from pydantic import BaseModel, ValidationError

from assets.domain.outcome import OutcomeKind
from assets.domain.result_form import IS_NONE, KeyTwiceError, ResultForm, is_result, json_schema_of
from assets.sent_schema import first_problem, left_out

MAX_MESSAGE_CHARS = 500


class AnswerError(Exception):
    """An answer that cannot become a result. Attribute: ``kind``; the text says why. It ends in `results`."""

    def __init__(self, kind: OutcomeKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ResultValidator(Protocol):
    """Judges the text of an answer against the schema that was sent."""

    def to_result(self, text: str) -> bytes:
        """The bytes of the output result. Raises AnswerError; its kind is ``validator_error`` where the schema's own
        code has failed and nothing can be said of the answer."""
        ...


class ModelValidator:
    """Judges with the pydantic model itself: the output is exactly the validated model.

    What is plainly good is told in one reading of the text; of all else `_carefully` has the word, so that there is one
    place that says what is wrong.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self._form = ResultForm(json_schema_of(model))

    def to_result(self, text: str) -> bytes:
        content = None if self._form.changes else self._at_once(text)
        return self._carefully(text) if content is None else content

    def _at_once(self, text: str) -> bytes | None:
        """The result of what is plainly good, the same as `_carefully` makes it; None: that one has to say."""
        try:
            # It refuses what JSON cannot hold and pydantic takes: NaN, 1e400, and in members that the model passes
            # over, too.
            orjson.loads(text)
            value = self._model.model_validate_json(text)
            content = value.model_dump_json(by_alias=True, indent=2)
            if not content.startswith(("{", "[")) or ("null" in content and _may_be_infinite(value)):
                return None
            return (content + "\n").encode()
        except MemoryError:
            raise
        except Exception:  # whatever the user's code raises: it is said carefully
            return None

    def _carefully(self, text: str) -> bytes:
        answer = _loads(text)
        result = _turned_back(self._form, answer)
        if result is not answer:
            text = json.dumps(result, ensure_ascii=False)
        try:
            value = self._model.model_validate_json(text)
        except ValidationError as error:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, _first_problem(error)) from None
        except MemoryError:
            raise
        except Exception as error:  # a validator is a program of the user's: it can raise anything
            raise self._own_failure("validator", error) from None
        try:
            content = value.model_dump_json(by_alias=True, indent=2)
            is_finite = "null" not in content or _is_finite(value.model_dump(mode="json"))
        except MemoryError:
            raise
        except Exception as error:  # likewise
            raise self._own_failure("serializer", error) from None
        if not is_finite:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "a number of the answer is infinite or none")
        if not content.startswith(("{", "[")):
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, f"the answer {IS_NONE}")
        return (content + "\n").encode()

    def _own_failure(self, what: str, error: Exception) -> AnswerError:
        """Of code of the user's own in the model. It says nothing of the answer, which is paid for. Without the words
        of ``error``: they may hold the answer's."""
        return AnswerError(
            OutcomeKind.VALIDATOR_ERROR, f"a {what} of {self._model.__name__} failed itself: {type(error).__name__}"
        )


class SentSchemaValidator:
    """Judges with the JSON Schema kept in the batch manifest, when the model in the code is another by now."""

    def __init__(self, result_schema: Mapping[str, Any]) -> None:
        self._schema = dict(result_schema)
        self._form = ResultForm(result_schema)

    def left_out(self) -> list[str]:
        """What of the schema is not judged, in words."""
        return left_out(self._schema)

    def to_result(self, text: str) -> bytes:
        value = _turned_back(self._form, _loads(text))
        if not is_result(value):
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, f"the answer {IS_NONE}")
        try:
            problem = first_problem(self._schema, value)
            if problem is None:
                return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
        except RecursionError:
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "the answer is nested too deeply") from None
        except OverflowError:
            # An integer of thousands of digits, where the schema compares with a fraction.
            raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "the answer holds a number that is too large") from None
        place = ".".join(str(step) for step in problem.absolute_path) or "the answer"
        raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, f"{place}: breaks {problem.validator} of the schema")


def _turned_back(form: ResultForm, answer: Any) -> Any:
    try:
        return form.turned_back(answer)
    except KeyTwiceError as error:
        raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, str(error)) from None
    except RecursionError:
        raise AnswerError(OutcomeKind.SCHEMA_MISMATCH, "the answer is nested too deeply") from None


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _loads(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=refuse_constant)
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


def _may_be_infinite(value: BaseModel) -> bool:
    """True also where a text says so."""
    written = pydantic_core.to_json(value.model_dump(mode="json"), inf_nan_mode="constants")
    return b"NaN" in written or b"Infinity" in written


def _is_finite(value: Any) -> bool:
    """Whether no number is infinite or NaN. pydantic reads "inf" and 400 digits as such floats and writes null: the
    result would have lost them, and not be what the schema says."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _first_problem(error: ValidationError) -> str:
    """Where and what, without the value: that is untrusted and stands in raw_text."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "the answer"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}"
