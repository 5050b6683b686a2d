"""Any responseSchema is filled validly, with what was read where its names say what they want."""

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from assets.domain.schema import response_schema
from config.schemas.page_transcript import BlockKind, PageTranscript
from emulator.engines.ocr_answers import fill, guess_language
from emulator.engines.ocr_layout import Block, PageLayout

PAGE = PageLayout(
    blocks=(
        Block("running_head", "CATALOGUE OF"),
        Block("page_number", "12"),
        Block("heading", "EXPENSES.", 1),
        Block("table", "Tuition\t$12.50\nFuel\t$3.00"),
        Block("paragraph", "Bills are paid to the Treasurer in advance, and the"),
    ),
    page_number="12",
    continues_previous=False,
    continues_next=True,
    score=0.97,
)
BLANK = PageLayout((), None, continues_previous=False, continues_next=False, score=0.0)


class Role(StrEnum):
    TITLE = "Title"
    BODY = "Body"
    TABULAR = "Tabular"
    UNKNOWN = "Unknown"


class Region(BaseModel):
    role: Role
    content: str
    confidence: float = Field(ge=0, le=1)
    lines: list[str]


class Person(BaseModel):
    name: str
    born: int | None = None


class Foreign(BaseModel):
    page_no: int | None
    full_text: str = Field(max_length=20)
    regions: list[Region]
    people: list[Person]
    tags: list[str] = Field(min_length=1, max_length=3)
    digest: str = Field(pattern=r"^[a-z]+$")
    word_count: int
    is_blank: bool
    editor: Person | None = None
    title: str | None = None
    scanned_on: str | None = None


def test_the_products_own_schema_gets_all_that_was_read() -> None:
    page = PageTranscript.model_validate(fill(response_schema(PageTranscript), PAGE))
    assert page.printed_page_number == "12"
    assert page.language == "en"
    assert (page.continues_previous_page, page.continues_on_next_page) == (False, True)
    assert [(heading.text, heading.level) for heading in page.headings] == [("EXPENSES.", 1)]
    assert [block.text for block in page.blocks] == [block.text for block in PAGE.blocks]
    assert page.blocks[0].kind is BlockKind.RUNNING_HEAD
    assert page.blocks[3].kind is BlockKind.TABLE


def test_a_foreign_schema_is_filled_where_its_names_are_understood() -> None:
    value = Foreign.model_validate(fill(response_schema(Foreign), PAGE))
    assert value.page_no == 12
    assert value.full_text == PAGE.text[:20]
    assert [region.role for region in value.regions][2:] == [Role.TITLE, Role.TABULAR, Role.BODY]
    assert value.regions[3].lines == ["Tuition\t$12.50", "Fuel\t$3.00"]
    assert value.word_count == len(PAGE.text.split())
    assert value.title == "EXPENSES."
    assert value.people == []
    assert value.editor is None
    assert not value.is_blank


@pytest.mark.parametrize("model", [PageTranscript, Foreign])
def test_a_blank_page_gives_the_least_that_is_valid(model: type[BaseModel]) -> None:
    model.model_validate(fill(response_schema(model), BLANK))


def test_snake_case_lower_case_types_and_unions_are_understood() -> None:
    schema = {
        "type": "object",
        "properties": {
            "page_number": {"any_of": [{"type": "null"}, {"type": "string"}]},
            "blocks": {"type": "array", "max_items": 2, "items": {"type": "string"}},
        },
        "required": ["page_number", "blocks"],
        "property_ordering": ["blocks", "page_number"],
    }
    value = fill(schema, PAGE)
    assert list(value) == ["blocks", "page_number"]
    assert value == {"blocks": ["CATALOGUE OF", "12"], "page_number": "12"}


NAMES = st.sampled_from(["text", "kind", "blocks", "page_number", "level", "is_blank", "items", "people", "x", "title"])
LEAVES = st.one_of(
    st.builds(lambda n: {"type": "STRING", "nullable": n}, st.booleans()),
    st.builds(lambda low, more: {"type": "STRING", "minLength": str(low), "maxLength": str(low + more)},
              st.integers(0, 5), st.integers(0, 5)),
    st.builds(lambda values: {"type": "STRING", "enum": values},
              st.lists(st.sampled_from(["heading", "Other", "zz"]), min_size=1, max_size=3, unique=True)),
    st.builds(lambda low, more: {"type": "INTEGER", "minimum": low, "maximum": low + more},
              st.integers(-9, 9), st.integers(0, 9)),
    st.builds(lambda n: {"type": "NUMBER", "nullable": n}, st.booleans()),
    st.just({"type": "BOOLEAN"}),
)  # fmt: skip


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(NAMES, inner, min_size=1, max_size=4).flatmap(
        lambda properties: st.lists(st.sampled_from(sorted(properties)), unique=True).map(
            lambda required: {"type": "OBJECT", "properties": properties, "required": required}
        )
    )
    arrays = st.builds(
        lambda item, low, more: {"type": "ARRAY", "items": item, "minItems": low, "maxItems": low + more},
        inner, st.integers(0, 2), st.integers(0, 3),
    )  # fmt: skip
    unions = st.builds(lambda item: {"anyOf": [{"type": "NULL"}, item]}, inner)
    return st.one_of(objects, arrays, unions)


@given(st.recursive(LEAVES, _containers, max_leaves=8), st.sampled_from([PAGE, BLANK]))
@settings(deadline=None, max_examples=150)
def test_every_schema_is_filled_within_its_bounds(schema: dict[str, Any], page: PageLayout) -> None:
    _check(schema, fill(schema, page))


def _check(schema: dict[str, Any], value: Any) -> None:
    if "anyOf" in schema:
        if value is not None:
            _check(schema["anyOf"][1], value)
        return
    if value is None:
        assert schema.get("nullable")
        return
    match schema["type"]:
        case "OBJECT":
            assert set(schema["required"]) <= set(value) <= set(schema["properties"])
            for name, inner in value.items():
                _check(schema["properties"][name], inner)
        case "ARRAY":
            assert schema["minItems"] <= len(value) <= schema["maxItems"]
            for inner in value:
                _check(schema["items"], inner)
        case "STRING":
            assert isinstance(value, str)
            assert int(schema.get("minLength", 0)) <= len(value) <= int(schema.get("maxLength", 10**6))
            assert value in schema.get("enum", [value])
        case "INTEGER":
            assert isinstance(value, int)
            assert schema["minimum"] <= value <= schema["maximum"]
        case "NUMBER":
            assert isinstance(value, int | float)
        case _:
            assert isinstance(value, bool)


def test_a_language_is_guessed_from_common_words_or_not_at_all() -> None:
    assert guess_language("the laws of the Institution and the Faculty") == "en"
    assert guess_language("der Rektor und die Lehrer") == "de"
    assert guess_language("1846. 1847.") == "und"
