"""Made-up answers are valid instances of any schema that the service takes."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.engines.instances import instance
from emulator.schemas import check_form

JsonObject = dict[str, Any]

KEY = "TX:Peñón High:1901:3"


def valid(value: Any, schema: JsonObject) -> bool:
    """Whether ``value`` is an instance, by the words of OpenAPI 3.0; written apart from what makes instances."""
    if "anyOf" in schema:
        return any(valid(value, option) for option in schema["anyOf"])
    if value is None:
        return bool(schema.get("nullable")) or schema.get("type") == "NULL"
    match schema["type"]:
        case "OBJECT":
            properties = schema["properties"]
            return (
                isinstance(value, dict)
                and set(schema.get("required", ())) <= set(value) <= set(properties)
                and all(valid(inner, properties[name]) for name, inner in value.items())
            )
        case "ARRAY":
            if not isinstance(value, list):
                return False
            counted = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            return counted and all(valid(inner, schema["items"]) for inner in value)
        case "STRING":
            if not isinstance(value, str):
                return False
            fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            return fits and value in schema.get("enum", [value])
        case "BOOLEAN":
            return isinstance(value, bool)
        case "INTEGER" | "NUMBER":
            kinds: Any = int if schema["type"] == "INTEGER" else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool):
                return False
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return False


def _bounded(kind: str, least: str, most: str, low: int, high: int) -> st.SearchStrategy[JsonObject]:
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    nothing: JsonObject = {}
    bounds: st.SearchStrategy[JsonObject] = st.one_of(
        st.just(nothing),
        pair.map(lambda ends: {least: ends[0], most: ends[1]}),
        st.integers(low, high).map(lambda end: {least: end}),
        st.integers(low, high).map(lambda end: {most: end}),
    )
    return bounds.map(lambda ends: {"type": kind, **ends})


LEAVES = st.one_of(
    _bounded("STRING", "minLength", "maxLength", 0, 60),
    _bounded("INTEGER", "minimum", "maximum", -1000, 3000),
    _bounded("NUMBER", "minimum", "maximum", -5, 5),
    st.just({"type": "BOOLEAN"}),
    st.lists(st.text("abcd", min_size=1, max_size=4), min_size=1, max_size=4, unique=True).map(
        lambda values: {"type": "STRING", "enum": values}
    ),
    st.just({"type": "STRING", "format": "date-time"}),
    st.sampled_from(["date", "time"]).map(lambda form: {"type": "STRING", "description": f"A day. Format: {form}."}),
)


def _deeper(inner: st.SearchStrategy[JsonObject]) -> st.SearchStrategy[JsonObject]:
    nullable = inner.map(lambda schema: schema if "anyOf" in schema else {**schema, "nullable": True})
    arrays = st.tuples(_bounded("ARRAY", "minItems", "maxItems", 0, 4), inner).map(
        lambda pair: {**pair[0], "items": pair[1]}
    )
    options = st.lists(inner, min_size=1, max_size=3).map(lambda schemas: {"anyOf": [*schemas, {"type": "NULL"}]})
    objects = st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner, min_size=1, max_size=4).flatmap(
        lambda properties: st.fixed_dictionaries(
            {
                "type": st.just("OBJECT"),
                "properties": st.just(properties),
                "required": st.lists(st.sampled_from(sorted(properties)), unique=True),
                "propertyOrdering": st.permutations(sorted(properties)),
            }
        )
    )
    return st.one_of(nullable, arrays, options, objects)


SCHEMAS = st.recursive(LEAVES, _deeper, max_leaves=12)


@settings(max_examples=100, deadline=None)
@given(SCHEMAS, st.integers())
def test_any_schema_gets_a_valid_instance(schema: JsonObject, seed: int) -> None:
    check_form(schema)
    value = instance(schema, KEY, str(seed))
    assert valid(value, schema)
    assert instance(schema, KEY, str(seed)) == value


def test_the_key_is_found_even_where_it_could_be_left_out() -> None:
    title = {"type": "STRING", "nullable": True}
    page = {"type": "OBJECT", "properties": {"number": {"type": "INTEGER"}, "title": title}, "required": ["number"]}
    schema = {"type": "ARRAY", "items": page}
    assert all(KEY in str(instance(schema, KEY, str(seed))) for seed in range(100))


def test_properties_come_in_the_order_that_is_asked_for() -> None:
    fields = {name: {"type": "STRING"} for name in "abc"}
    schema = {"type": "OBJECT", "properties": fields, "required": ["a", "b", "c"], "propertyOrdering": ["c", "a", "b"]}
    assert list(instance(schema, KEY, "1")) == ["c", "a", "b"]


@pytest.mark.parametrize("pattern", [r"^\d{4}$", r"^[a-z]{2}$", r"^\d{4}-\d{2}-\d{2}$"])
def test_simple_patterns_are_met(pattern: str) -> None:
    assert re.search(pattern, instance({"type": "STRING", "pattern": pattern}, KEY, "1"))
