"""Which schemas the service takes: what is not documented is read in the stricter way."""

from typing import Any

import pytest

from emulator.input_lines import parse_request
from emulator.refusals import RequestRefused

TEXT: dict[str, Any] = {"type": "STRING"}


def ask(schema: dict[str, Any], model: str = "gemini-3.5-flash") -> None:
    parse_request(
        {
            "contents": [{"parts": [{"text": "Read."}]}],
            "generation_config": {"response_mime_type": "application/json", "response_schema": schema},
        },
        model,
    )


def page(**fields: Any) -> dict[str, Any]:
    return {"type": "OBJECT", "properties": fields, "required": list(fields), "propertyOrdering": list(fields)}


def deep(levels: int) -> dict[str, Any]:
    return {"type": "ARRAY", "items": deep(levels - 1)} if levels else TEXT


def enum(count: int, chars: int = 3) -> dict[str, Any]:
    return {"type": "STRING", "format": "enum", "enum": [f"{n:0{chars}}" for n in range(count)]}


@pytest.mark.parametrize(
    "schema",
    [
        page(x={"anyOf": [{"type": "INTEGER", "nullable": True}, TEXT]}),
        deep(6),
        {"anyOf": [deep(6), page(x=TEXT)]},
        page(x={**deep(1), "maxItems": 52}, y={**deep(1), "maxItems": 900}),
        page(x={"type": "ARRAY", "maxItems": 30, "items": {**deep(1), "maxItems": 30}}),
        page(x=enum(50), y=enum(49)),
        page(x={"type": "STRING", "format": "date-time"}),
        page(x={**TEXT, "description": "a" * 31_000}),
    ],
)
def test_what_is_taken(schema: dict[str, Any]) -> None:
    ask(schema)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (page(x={"anyOf": [TEXT], "nullable": True}), "it must be the only field set"),
        (page(x={"any_of": [TEXT], "description": "A text."}), "it must be the only field set"),
        (page(x={"anyOf": []}), "a list is wanted"),
        (deep(7), "exceeds the maximum allowed nesting depth"),
        (page(x={**deep(1), "maxItems": 53}, y={**deep(1), "maxItems": 900}), "contains an invalid argument"),
        (page(x={"type": "ARRAY", "maxItems": 31, "items": {**deep(1), "maxItems": 30}}), "an invalid argument"),
        (page(x=enum(50), y=enum(50)), "too many states for serving"),
        (page(x=enum(50, chars=51)), "too many states for serving"),
        (page(x={"type": "STRING", "format": "date"}), "only 'enum' and 'date-time' are supported"),
        (page(x={**TEXT, "description": "a" * 33_000}), "too many states for serving"),
    ],
)
def test_what_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestRefused, match=message) as refused:
        ask(schema)
    assert refused.value.code == 400


def test_one_model_takes_no_bounds_of_lists() -> None:
    bounded = page(x={**deep(1), "maxItems": 1})
    ask(bounded, "gemini-3.7-flash")
    with pytest.raises(RequestRefused, match="contains an invalid argument"):
        ask(bounded, "gemini-3.8-flash")
    ask(page(x={**deep(1), "minItems": 1}), "gemini-3.8-flash")
