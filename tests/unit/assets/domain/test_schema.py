"""What Gemini is told about a pydantic model, and which models it cannot be told about."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, RootModel, conlist

from assets.domain.errors import SchemaError
from assets.domain.schema import Schema, response_schema, schema_hash
from config.schemas.page_transcript import PageTranscript


class Colour(StrEnum):
    """A colour of ink."""

    BLACK = "black"
    RED = "red"


class Address(BaseModel):
    """Where somebody lives."""

    street: str
    town: str | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Node(BaseModel):
    value: str
    children: list["Node"] = []


def field(annotation: Any, **extra: Any) -> Schema:
    """The schema of a model's only field."""
    model = type("M", (BaseModel,), {"__annotations__": {"x": annotation}, "x": Field(**extra)})
    schema: Schema = response_schema(model)["properties"]["x"]
    return schema


class TestWhatIsSent:
    def test_a_nested_model_is_inlined_in_the_order_of_its_fields(self) -> None:
        class Person(BaseModel):
            name: str = Field(description="Given name first.")
            home: Address
            others: list[Address] = []

        address = {
            "type": "OBJECT",
            "description": "Where somebody lives.",
            "properties": {"street": {"type": "STRING"}, "town": {"type": "STRING", "nullable": True}},
            "required": ["street"],
            "propertyOrdering": ["street", "town"],
        }
        assert response_schema(Person) == {
            "type": "OBJECT",
            "properties": {
                "name": {"type": "STRING", "description": "Given name first."},
                "home": address,
                "others": {"type": "ARRAY", "items": address},
            },
            "required": ["name", "home"],
            "propertyOrdering": ["name", "home", "others"],
        }

    def test_the_transcript_of_a_page(self) -> None:
        schema = response_schema(PageTranscript)
        assert schema["propertyOrdering"] == list(PageTranscript.model_fields)
        kind = schema["properties"]["blocks"]["items"]["properties"]["kind"]
        assert kind["type"] == "STRING"
        assert "running_head" in kind["enum"]
        assert schema["properties"]["headings"]["items"]["properties"]["level"]["maximum"] == 6
        assert schema["properties"]["printed_page_number"]["nullable"] is True
        assert "printed_page_number" in schema["required"]

    @pytest.mark.parametrize(
        ("annotation", "expected"),
        [
            (str, {"type": "STRING"}),
            (bool, {"type": "BOOLEAN"}),
            (int | None, {"type": "INTEGER", "nullable": True}),
            (Colour | None, {"type": "STRING", "format": "enum", "description": "A colour of ink.",
                                "enum": ["black", "red"], "nullable": True}),
            (Literal["a"], {"type": "STRING", "format": "enum", "enum": ["a"]}),
            (Literal["a", None], {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True}),
            (int | str, {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]}),
            (int | list[str] | None, {"anyOf": [{"type": "INTEGER"}, {"type": "ARRAY", "items": {"type": "STRING"}}],
                                      "nullable": True}),
            (list[int | None], {"type": "ARRAY", "items": {"type": "INTEGER", "nullable": True}}),
            (conlist(str, min_length=1, max_length=3), {"type": "ARRAY", "minItems": 1, "maxItems": 3,
                                                        "items": {"type": "STRING"}}),
            (Annotated[str, Field(min_length=1, max_length=9, pattern="^[a-z]+$")],
             {"type": "STRING", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]+$"}),
            (Annotated[int, Field(gt=0, lt=10)], {"type": "INTEGER", "minimum": 1, "maximum": 9}),
            (Annotated[float, Field(gt=0, le=1)],
             {"type": "NUMBER", "minimum": 0, "maximum": 1, "description": "Greater than 0."}),
            (Annotated[int, Field(multiple_of=5)], {"type": "INTEGER", "description": "A multiple of 5."}),
            (datetime, {"type": "STRING", "format": "date-time"}),
            (date, {"type": "STRING", "description": "Format: date."}),
            (UUID, {"type": "STRING", "description": "Format: uuid."}),
            (set[str], {"type": "ARRAY", "items": {"type": "STRING"}, "description": "No item twice."}),
            (tuple[int, ...], {"type": "ARRAY", "items": {"type": "INTEGER"}}),
        ],
    )  # fmt: skip
    def test_a_field(self, annotation: Any, expected: Schema) -> None:
        assert field(annotation) == expected

    def test_the_description_of_a_field_wins_over_that_of_its_type(self) -> None:
        assert field(Colour | None, description="The ink.")["description"] == "The ink."
        assert field(Address, description="Home.")["description"] == "Home."

    def test_a_decimal_may_be_a_number_or_a_text(self) -> None:
        assert [branch["type"] for branch in field(Decimal)["anyOf"]] == ["NUMBER", "STRING"]

    def test_a_tagged_union_is_a_union_with_an_enum_of_one_in_each_branch(self) -> None:
        union = field(Cat | Dog, discriminator="kind")["anyOf"]
        assert [branch["properties"]["kind"]["enum"] for branch in union] == [["cat"], ["dog"]]

    def test_an_answer_is_an_input_so_aliases_and_inputs_count(self) -> None:
        class Aliased(BaseModel):
            number: int = Field(alias="Number printed")

        assert response_schema(Aliased)["propertyOrdering"] == ["Number printed"]

    def test_what_an_answer_does_not_need_is_left_out(self) -> None:
        class Decorated(BaseModel):
            model_config = ConfigDict(extra="forbid", title="T", json_schema_extra={"examples": [{"a": "b"}]})
            a: str = Field(default="b", title="A", examples=["c"], deprecated=True)

        schema = response_schema(Decorated)
        assert schema == {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "propertyOrdering": ["a"]}

    def test_a_list_at_the_top(self) -> None:
        class Names(RootModel[list[str]]):
            pass

        assert response_schema(Names) == {"type": "ARRAY", "items": {"type": "STRING"}}

    def test_the_sdk_knows_every_keyword(self) -> None:
        types.Schema.model_validate(response_schema(PageTranscript))


class TestWhatCannotBeSaid:
    @pytest.mark.parametrize(
        ("annotation", "words"),
        [
            (dict[str, int], ["field x:", "free keys", "list of models"]),
            (list[dict[str, str]], ["field x[]:", "free keys"]),
            (tuple[int, str], ["field x:", "tuple"]),
            (IntEnum("Level", ["ONE"]), ["field x:", "strings"]),
            (Literal[1], ["field x:", "strings"]),
            (Literal[True], ["field x:", "strings"]),
            (Enum("Blank", {"NONE": ""}), ["field x:", "empty"]),
            (Any, ["field x:", "any value"]),
            (list[Any], ["field x[]:", "any value"]),
            (list, ["field x[]:", "any value"]),
            (None, ["field x:"]),
            (complex, ["pydantic cannot describe"]),
        ],
    )
    def test_a_field(self, annotation: Any, words: list[str]) -> None:
        model = type("M", (BaseModel,), {"__annotations__": {"x": annotation}, "__module__": "my.schemas"})
        if annotation is complex:
            model = type("M", (BaseModel,), {"__annotations__": {"x": type}, "__module__": "my.schemas",
                                             "x": Field(default_factory=lambda: int)})  # fmt: skip
        with pytest.raises(SchemaError) as error:
            response_schema(model)
        message = str(error.value)
        assert message.startswith("my.schemas.M: ")
        assert "\n" not in message
        for word in words:
            assert word in message

    def test_a_model_that_contains_itself(self) -> None:
        with pytest.raises(SchemaError, match=r"field children\[\]: .*Node contains itself; bound the depth"):
            response_schema(Node)

    def test_a_model_without_fields(self) -> None:
        class Empty(BaseModel):
            model_config = ConfigDict(extra="forbid")

        class Outer(BaseModel):
            inner: Empty

        with pytest.raises(SchemaError, match=r"field inner: .* without fields"):
            response_schema(Outer)

    def test_a_keyword_that_somebody_put_in_by_hand(self) -> None:
        with pytest.raises(SchemaError, match=r"field x: .* 'if' is not in the subset"):
            field(str, json_schema_extra={"if": {}})


class TestHash:
    def test_it_is_the_same_for_the_same_model_and_moves_with_the_order_of_fields(self) -> None:
        class OneWay(BaseModel):
            a: str
            b: str

        class OtherWay(BaseModel):
            b: str
            a: str

        assert schema_hash(response_schema(OneWay)) == schema_hash(response_schema(OneWay))
        assert len(schema_hash(response_schema(OneWay))) == 64
        assert schema_hash(response_schema(OneWay)) != schema_hash(response_schema(OtherWay))

    def test_the_order_of_keywords_does_not_count(self) -> None:
        assert schema_hash({"a": 1, "b": 2}) == schema_hash({"b": 2, "a": 1})
