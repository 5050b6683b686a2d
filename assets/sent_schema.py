"""JSON Schema, judged in a time that grows with the length of the answer alone: with jsonschema, but for the keywords
of which its own way can take days. What an answer says comes from a model and may be hostile.

Regular expressions are pydantic's own (Rust's), which never go back over a text; what they cannot say, and the keywords
in UNJUDGED, is passed over, since the answer is paid for. Whether an answer fits is said in `validation`.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema
from jsonschema import ValidationError as Problem
from pydantic_core import SchemaError as RegexError
from pydantic_core import SchemaValidator, core_schema

UNJUDGED = frozenset({"unevaluatedItems", "unevaluatedProperties"})
"""Keywords that pydantic never writes, and that look at each entry once for each other one."""


def first_problem(schema: Mapping[str, Any], value: Any) -> Problem | None:
    """What ``value`` breaks first, or None. Raises RecursionError, OverflowError (a number of thousands of digits)."""
    return next(_LinearValidator(schema).iter_errors(value), None)


def left_out(schema: Any) -> list[str]:
    """What of ``schema`` is not judged, in words, sorted: patterns that cannot be judged in linear time, keywords."""
    return sorted(set(_left_out(schema)))


def _left_out(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _left_out(each)
    if not isinstance(schema, dict):
        return
    patterns = [schema.get("pattern"), *(found if isinstance(found := schema.get("patternProperties"), dict) else ())]
    yield from (f"the pattern {each}" for each in patterns if isinstance(each, str) and _compiled(each) is None)
    yield from UNJUDGED & schema.keys()
    for each in schema.values():
        yield from _left_out(each)


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> SchemaValidator | None:
    """None: it is none of Rust's (it looks around, refers back, or is too large)."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except RegexError:
        return None


def _fits(pattern: str, text: str) -> bool | None:
    """Whether ``pattern`` is found in ``text``; None: that cannot be said."""
    compiled = _compiled(pattern)
    return None if compiled is None else compiled.isinstance_python(text)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Problem]:
    if isinstance(instance, str) and _fits(pattern, instance) is False:
        yield Problem("does not match")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[Problem]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for name, value in instance.items():
                if _fits(pattern, name):
                    yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, others: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        # A pattern of which nothing can be said may be meant for this name.
        if name in known or any(_fits(pattern, name) is not False for pattern in patterns):
            continue
        if others is False:
            yield Problem("is not expected")
        elif isinstance(others, dict):
            yield from validator.descend(value, others, path=name)


def _unique_items(_validator: Any, is_asked: bool, instance: Any, _schema: Any) -> Iterator[Problem]:
    if is_asked and isinstance(instance, list) and len({_canonical(each) for each in instance}) < len(instance):
        yield Problem("are not unique")


def _canonical(value: Any) -> str:
    """The same text for values that JSON Schema calls equal (1 and 1.0, but not true), and for no others. As text,
    since Python's hashes of numbers can be made to meet."""
    return json.dumps(_with_one_kind_of_number(value), sort_keys=True)


def _with_one_kind_of_number(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_one_kind_of_number(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_one_kind_of_number(each) for name, each in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            as_float = float(value)
        except OverflowError:
            return value
        return as_float + 0.0 if as_float == value else value
    # Without the sign of a zero.
    return value + 0.0 if isinstance(value, float) and math.isfinite(value) else value


def _passed_over(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> Iterable[Problem]:
    return ()


_LinearValidator = jsonschema.validators.extend(  # type: ignore[no-untyped-call]  # its stubs lack the types
    jsonschema.Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        **dict.fromkeys(UNJUDGED, _passed_over),
    },
)
