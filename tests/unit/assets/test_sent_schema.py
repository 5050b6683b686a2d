"""An answer beside the JSON Schema that was sent. What would take days with regular expressions that go back, or with
each item beside each other one, takes no time here: a test that did not hold would never end."""

from typing import Any

import pytest

from assets.sent_schema import first_problem, left_out


def broken(schema: dict[str, Any], value: Any) -> str | None:
    """The keyword that ``value`` breaks, or None."""
    problem = first_problem(schema, value)
    return None if problem is None else str(problem.validator)


@pytest.mark.parametrize("pattern", [r"^(\w+\s?)*$", r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"(.*a){20}$"])
def test_no_text_takes_long_beside_a_pattern_that_goes_back(pattern: str) -> None:
    hostile = "a" * 100_000 + "!"
    assert broken({"pattern": pattern}, hostile) == "pattern"
    assert broken({"patternProperties": {pattern: False}, "additionalProperties": False}, {hostile: 1}) == (
        "additionalProperties"
    )
    assert broken({"propertyNames": {"pattern": pattern}}, {hostile: 1}) == "pattern"


def test_no_list_takes_long_because_its_items_must_differ() -> None:
    # Of several types, so that they cannot be sorted, and numbers of which all hashes are the same.
    items = [*range(100_000), *map(str, range(100_000)), *((2**61 - 1) * step for step in range(1, 50_000)), None]
    schema = {"uniqueItems": True}
    assert broken(schema, items) is None
    assert broken(schema, [*items, "99"]) == "uniqueItems"


@pytest.mark.parametrize(
    ("items", "are_unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([0, False, -0.0], False),
        ([2**53 + 1, float(2**53)], True),
        ([10**400, 10**400 + 1], True),
        ([10**400, 10**400], False),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([[1, 2], [2, 1]], True),
        (["1", 1], True),
        (["", None], True),
    ],
)
def test_items_are_equal_as_json_schema_says(items: list[Any], *, are_unique: bool) -> None:
    assert broken({"uniqueItems": True}, items) == (None if are_unique else "uniqueItems")
    assert broken({"uniqueItems": False}, items) is None


def test_a_pattern_is_looked_for_anywhere_and_means_what_it_means_to_pydantic() -> None:
    assert broken({"pattern": "b+"}, "abc") is None
    assert broken({"pattern": "^b"}, "abc") == "pattern"
    assert broken({"pattern": r"^\d{4}$"}, "1849\n") == "pattern", "Python's $ would let the line's end pass"
    assert broken({"pattern": "^b"}, 5) is None


def test_names_are_judged_by_their_patterns() -> None:
    schema = {
        "properties": {"id": {}},
        "patternProperties": {"^n_": {"type": "integer"}},
        "additionalProperties": {"type": "string"},
    }
    assert broken(schema, {"id": None, "n_a": 1, "else": "x"}) is None
    assert broken(schema, {"n_a": "1"}) == "type"
    problem = first_problem(schema, {"else": 1})
    assert problem is not None
    assert (problem.validator, list(problem.absolute_path)) == ("type", ["else"])
    closed = {"properties": {"id": {}}, "additionalProperties": False}
    assert broken(closed, {"id": 1}) is None
    assert broken(closed, {"other": 1}) == "additionalProperties"


def test_what_cannot_be_judged_in_linear_time_is_passed_over_and_told() -> None:
    schema = {
        "$defs": {"Name": {"pattern": r"(?<=a)b"}},
        "properties": {"x": {"anyOf": [{"pattern": r"(.)\1"}, {"patternProperties": {"(?=a)": False}}]}},
        "additionalProperties": False,
        "unevaluatedProperties": False,
        "items": {"pattern": "^good$"},
    }
    assert left_out(schema) == [
        r"the pattern (.)\1",
        "the pattern (?<=a)b",
        "the pattern (?=a)",
        "unevaluatedProperties",
    ]
    assert broken({"pattern": "(?<=a)b"}, "c") is None
    assert broken({"patternProperties": {"(?=a)": False}, "additionalProperties": False}, {"a": 1}) is None
    assert broken({"unevaluatedProperties": False}, {"a": 1}) is None
    assert broken(schema, {"y": 1}) == "additionalProperties", "all else is judged"
    assert left_out({"properties": {"pattern": {"type": "string"}}}) == []
