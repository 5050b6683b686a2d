"""Whatever model can be said: the schema holds only what Gemini knows, and no valid answer breaks it."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from assets.domain.schema import Schema, response_schema, schema_hash

KEYWORDS = {
    "type", "format", "description", "nullable", "enum", "maxItems", "minItems", "properties", "required", "minLength",
    "maxLength", "pattern", "anyOf", "propertyOrdering", "items", "minimum", "maximum",
}  # fmt: skip


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
    schema = response_schema(model)
    assert problems(schema, answer) == []


@settings(max_examples=100, deadline=None)
@given(models_with_answers())
def test_the_schema_is_the_same_each_time_and_holds_only_known_keywords(case: tuple[type[BaseModel], Any]) -> None:
    schema = response_schema(case[0])
    assert schema_hash(schema) == schema_hash(response_schema(case[0]))
    for node in nodes(schema):
        assert set(node) <= KEYWORDS
        assert ("type" in node) != ("anyOf" in node)
        assert str(node.get("type", "")).isupper() or "anyOf" in node
        assert node.get("propertyOrdering", []) == list(node.get("properties", {}))


def nodes(schema: Schema) -> list[Schema]:
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below += [schema["items"]] if "items" in schema else []
    return [schema, *(node for child in below for node in nodes(child))]


def problems(schema: Schema, value: Any) -> list[str]:
    """Where ``value`` breaks ``schema``: a reader of the subset that shares nothing with the product."""
    if value is None:
        return [] if schema.get("nullable") else ["null"]
    if "anyOf" in schema:
        return [] if any(not problems(branch, value) for branch in schema["anyOf"]) else ["no branch"]
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
