"""Whatever model can be said: the schema holds only what Gemini knows, and no valid answer breaks it."""

import json
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from assets.domain.errors import SchemaError
from assets.domain.schema import Schema, schema_hash, translated
from assets.domain.schema_limits import SchemaLimits
from assets.validation import ModelValidator, SentSchemaValidator
from emulator.schemas import check_schema

KEYWORDS = {
    "type", "format", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required", "minLength",
    "maxLength", "pattern", "anyOf", "propertyOrdering", "items", "minimum", "maximum",
}  # fmt: skip


ANY_SIZE = SchemaLimits(depth=99, text_bytes=10**9, max_items=10**9, enum_values=10**9, enum_chars=10**9)


class Ink(StrEnum):
    BLACK = "black"
    RED = "red"


# Pairs of a type and a strategy for values of it, as JSON.
Typed = tuple[Any, st.SearchStrategy[Any]]
PLAIN: list[Typed] = [
    (str, st.text(max_size=5)),
    (int, st.integers(-9, 9)),
    (bool, st.booleans()),
    (float, st.floats(-9, 9)),
    (Ink, st.sampled_from(["black", "red"])),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Annotated[int, Field(gt=0, lt=5)], st.integers(1, 4)),
    (Annotated[str, Field(min_length=1, max_length=3)], st.text(min_size=1, max_size=3)),
]


def pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def lists(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return inner.map(lambda typed: (list[typed[0]], st.lists(typed[1], max_size=3)))  # type: ignore[valid-type]  # a type made at run time


def optionals(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return inner.map(lambda typed: (typed[0] | None, st.none() | typed[1]))


def unions(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.tuples(inner, inner).map(lambda pair: (pair[0][0] | pair[1][0], pair[0][1] | pair[1][1]))


def models(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    fields = st.dictionaries(st.from_regex(r"[a-z]{1,6}_x", fullmatch=True), inner, min_size=1, max_size=4)

    def build(chosen: dict[str, Typed]) -> Typed:
        definitions: dict[str, Any] = {name: (typed[0], ...) for name, typed in chosen.items()}
        values = st.fixed_dictionaries({name: typed[1] for name, typed in chosen.items()})
        return create_model("Generated", **definitions), values

    return fields.map(build)


TYPES = st.recursive(
    st.sampled_from(PLAIN), lambda inner: lists(inner) | optionals(inner) | unions(inner) | models(inner), max_leaves=8
)


@st.composite
def models_with_answers(draw: st.DrawFn) -> tuple[type[BaseModel], Any]:
    model, answers = draw(models(TYPES))
    return model, draw(answers)


@settings(max_examples=150, deadline=None)
@given(models_with_answers())
def test_no_valid_answer_breaks_the_schema(model_and_answer: tuple[type[BaseModel], Any]) -> None:
    model, answer = model_and_answer
    model.model_validate(answer)
    schema = translated(model, ANY_SIZE).schema
    assert problems(schema, answer) == []


@settings(max_examples=100, deadline=None)
@given(models_with_answers())
def test_the_schema_is_the_same_each_time_and_holds_only_known_keywords(case: tuple[type[BaseModel], Any]) -> None:
    schema = translated(case[0], ANY_SIZE).schema
    assert schema_hash(schema) == schema_hash(translated(case[0], ANY_SIZE).schema)
    for node in nodes(schema):
        assert set(node) <= KEYWORDS
        assert ("type" in node) != ("anyOf" in node)
        assert str(node.get("type", "")).isupper() or "anyOf" in node
        assert node.get("propertyOrdering", []) == list(node.get("properties", {}))


# Pairs of a type and a strategy for values of it, in the form that is asked for.
OTHERWISE: list[Typed] = [
    (dict[str, int], st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=3).map(pairs)),
    (Literal[1, 2, None], st.sampled_from(["1", "2", None])),
    (Decimal, st.decimals(-9, 9, places=2).map(str)),
    (date, st.dates().map(str)),
]


@st.composite
def models_asked_for_otherwise(draw: st.DrawFn) -> tuple[type[BaseModel], Any]:
    types = st.recursive(
        st.sampled_from(OTHERWISE + PLAIN), lambda inner: lists(inner) | optionals(inner) | models(inner), max_leaves=6
    )
    model, answers = draw(models(types))
    return model, draw(answers)


@settings(max_examples=60, deadline=None)
@given(models_asked_for_otherwise())
def test_what_is_asked_for_in_another_form_becomes_a_result_and_stays_one(case: tuple[type[BaseModel], Any]) -> None:
    model, answer = case
    assert problems(translated(model, ANY_SIZE).schema, answer) == []
    for validator in (ModelValidator(model), SentSchemaValidator(model.model_json_schema())):
        result = validator.to_result(json.dumps(answer))
        model.model_validate_json(result)
        assert validator.to_result(result.decode()) == result


@settings(max_examples=60, deadline=None)
@given(models_asked_for_otherwise() | models_with_answers(), st.booleans())
def test_the_service_takes_what_is_not_refused(case: tuple[type[BaseModel], Any], takes_max_items: bool) -> None:
    try:
        schema = translated(case[0], takes_max_items=takes_max_items).schema
    except SchemaError:
        reject()
    check_schema(schema, "gemini-3.5-flash" if takes_max_items else "gemini-3.8-flash")


def nodes(schema: Schema) -> list[Schema]:
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below += [schema["items"]] if "items" in schema else []
    return [schema, *(node for child in below for node in nodes(child))]


def problems(schema: Schema, value: Any) -> list[str]:
    """Where ``value`` breaks ``schema``: a reader of the subset that shares nothing with the product."""
    if "anyOf" in schema:
        assert set(schema) == {"anyOf"}, "it stands alone"
        return [] if any(not problems(branch, value) for branch in schema["anyOf"]) else ["no branch"]
    if value is None:
        return [] if schema.get("nullable") else ["null"]
    python = {"STRING": str, "INTEGER": int, "NUMBER": (int, float), "BOOLEAN": bool, "ARRAY": list, "OBJECT": dict}
    if not isinstance(value, python[schema["type"]]):  # type: ignore[arg-type]  # a table of types
        return [f"{value!r} is no {schema['type']}"]
    found = [f"{value!r} is not in the enum"] if value not in schema.get("enum", [value]) else []
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 99):
        found.append("length")
    if isinstance(value, int | float) and not schema.get("minimum", -99) <= value <= schema.get("maximum", 99):
        found.append("bounds")
    if isinstance(value, list):
        found += [problem for item in value for problem in problems(schema["items"], item)]
    if isinstance(value, dict):
        found += [f"{name} is missing" for name in schema.get("required", []) if name not in value]
        found += [p for name, inner in value.items() for p in problems(schema["properties"][name], inner)]
    return found
