"""docs/own-schema.md says how each type is asked for and what its result is. To renew its table after a change:

python -m tests.unit.assets.domain.test_schema_docs
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

import emulator.schemas
from assets.domain.errors import SchemaError
from assets.domain.schema import translated
from assets.domain.schema_limits import DEFAULT_LIMITS
from assets.validation import ModelValidator
from emulator.schemas import check_schema

PAGE = Path(__file__).parents[4] / "docs/own-schema.md"
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"


class Role(StrEnum):
    BUYER = "buyer"
    SELLER = "seller"


class Grade(IntEnum):
    FIRST = 1
    SECOND = 2


class Person(BaseModel):
    name: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Section(BaseModel):
    title: str
    sections: list["Section"] = []


class Endless(BaseModel):
    parts: list["Endless"]


class Empty(BaseModel):
    pass


TYPES: list[tuple[str, Any, Any]] = [
    ("str", str, "Webb"),
    ("int", int, 12),
    ("float", float, 12.5),
    ("bool", bool, True),
    ("str | None", str | None, None),
    ("Role, a StrEnum", Role, "buyer"),
    ('Literal["a", "b"]', Literal["a", "b"], "a"),
    ("Grade, an IntEnum", Grade, "2"),
    ("Literal[1, 2]", Literal[1, 2], "2"),
    ("Decimal", Decimal, "12.50"),
    ("date", date, "1851-05-04"),
    ("datetime", datetime, "1851-05-04T08:30:00Z"),
    ("time", time, "08:30:00"),
    ("timedelta", timedelta, "P3D"),
    ("Person, a model", Person, {"name": "Webb"}),
    ("list[str]", list[str], ["Kent"]),
    ("set[str]", set[str], ["Kent"]),
    ("tuple[int, int]", tuple[int, int], [1, 2]),
    ("dict[str, int]", dict[str, int], [{"key": "rye", "value": 12}]),
    ("int | list[int]", int | list[int], [3]),
    ("int | str | None", int | str | None, None),
    ("Cat | Dog, told by kind", Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "dog", "name": "Rex"}),
    ("Section, which holds list[Section] = []", Section, {"title": "I", "sections": [{"title": "1", "sections": []}]}),
]
REFUSED: list[tuple[str, Any]] = [
    ("Endless, which holds list[Endless]", Endless),
    ("dict[str, Any]", dict[str, Any]),
    ("dict[str, int] | list[str]", dict[str, int] | list[str]),
    ("Literal[1, 2] | str", Literal[1, 2] | str),
    ("tuple[int, str]", tuple[int, str]),
    ("Any", Any),
    ("list", list),
    ("Empty, a model without fields", Empty),
    ('Literal["", "a"]', Literal["", "a"]),
]


def table() -> str:
    """As Markdown."""
    head = ["| type | asked for as | an answer | in the result |", "|---|---|---|---|"]
    return "\n".join([*head, *_rows(), "", "| type | refused: |", "|---|---|", *_refused()])


def _rows() -> Iterator[str]:
    for name, annotation, answer in TYPES:
        model = create_model("M", x=(annotation, ...))
        schema = translated(model).schema
        check_schema(schema, "gemini-3.5-flash")
        result = json.loads(ModelValidator(model).to_result(json.dumps({"x": answer})))["x"]
        yield f"| `{_cell(name)}` | {_code(schema['properties']['x'])} | {_code(answer)} | {_code(result)} |"


def _refused() -> Iterator[str]:
    for name, annotation in REFUSED:
        with pytest.raises(SchemaError) as refused:
            translated(create_model("M", x=(annotation, ...)))
        yield f"| `{_cell(name)}` | {str(refused.value).partition('cannot say this: ')[2]} |"


def _code(value: Any) -> str:
    return f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def test_the_table_of_types_is_what_is_done() -> None:
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert written.strip() == table(), "python -m tests.unit.assets.domain.test_schema_docs"


def test_the_rules_have_the_figures_of_product_and_emulator() -> None:
    rules = PAGE.read_text(encoding="utf-8").partition("## How much of a schema")[2]
    figures = {
        setting: int(figure.replace(",", ""))
        for figure, setting in re.findall(r"\| ([\d,]+) \| `limits\.schema_(\w+)`", rules)
    }
    limits = {name.removeprefix("text_"): value for name, value in asdict(DEFAULT_LIMITS).items()}
    assert figures == limits
    names = {"depth": "DEPTH", "bytes": "BYTES", "max_items": "ITEMS", "enum_values": "ENUM_VALUES"}
    names |= {"enum_chars": "ENUM_CHARS"}
    assert figures == {name: getattr(emulator.schemas, f"MOST_{word}") for name, word in names.items()}


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
