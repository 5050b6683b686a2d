"""What Gemini is told about a pydantic model, and which models it cannot be told about."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import pytest
from google.genai import types
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    conlist,
    field_validator,
    model_validator,
)

from assets.domain.errors import SchemaError
from assets.domain.schema import Schema, response_schema, schema_hash, translated
from assets.domain.schema_limits import SchemaLimits, schema_depth
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


class Level(IntEnum):
    ONE = 1
    TWO = 2


class Node(BaseModel):
    value: str
    children: list["Node"] = []


PAIRS = {
    "type": "ARRAY",
    "description": "No key twice.",
    "items": {
        "type": "OBJECT",
        "properties": {"key": {"type": "STRING"}, "value": {"type": "INTEGER"}},
        "required": ["key", "value"],
        "propertyOrdering": ["key", "value"],
    },
}


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
            (int | list[str] | None, {"anyOf": [{"type": "INTEGER", "nullable": True},
                                                {"type": "ARRAY", "items": {"type": "STRING"}, "nullable": True}]}),
            (Level, {"type": "STRING", "format": "enum", "enum": ["1", "2"]}),
            (Literal[1, "a", None], {"type": "STRING", "format": "enum", "enum": ["1", "a"], "nullable": True}),
            (Literal[True], {"type": "STRING", "format": "enum", "enum": ["true"]}),
            (dict[str, int], PAIRS),
            (dict[str, int] | None, {**PAIRS, "nullable": True}),
            (tuple[int, int], {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 2, "maxItems": 2}),
            (Decimal, {"type": "STRING", "description": "A decimal number, such as 12.50.",
                       "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
            (Annotated[Decimal, Field(ge=0, decimal_places=2)],
             {"type": "STRING", "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
              "description": "A decimal number, such as 12.50. At least 0. At most 2 digits behind the point."}),
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

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            (int, {"type": "STRING", "pattern": "^-?[0-9]+$"}),
            (date, {"type": "STRING", "description": "Format: date."}),
            (Level, {"type": "STRING", "format": "enum", "enum": ["1", "2"]}),
            (Colour, {"type": "STRING", "format": "enum", "enum": ["black", "red"], "description": "A colour of ink."}),
            (bool, {"type": "STRING", "format": "enum", "enum": ["true", "false"]}),
            (Annotated[str, Field(pattern="^[a-z]+$")], {"type": "STRING", "pattern": "^[a-z]+$"}),
        ],
    )
    def test_the_keys_of_a_map_are_texts(self, key: Any, expected: Schema) -> None:
        assert field(dict[key, int])["items"]["properties"]["key"] == expected

    def test_the_description_of_a_field_wins_over_that_of_its_type(self) -> None:
        assert field(Colour | None, description="The ink.")["description"] == "The ink."
        assert field(Address, description="Home.")["description"] == "Home."

    def test_a_union_stands_alone_and_says_in_each_branch_what_stood_beside_it(self) -> None:
        assert field(int | Colour | None, description="How it is marked.") == {
            "anyOf": [
                {"type": "INTEGER", "description": "How it is marked.", "nullable": True},
                {"type": "STRING", "format": "enum", "enum": ["black", "red"], "nullable": True,
                 "description": "How it is marked. A colour of ink."},
            ]
        }  # fmt: skip

    def test_a_union_within_a_union_is_one(self) -> None:
        class Inner(RootModel[int | list[str]]):
            pass

        found = field(Inner | bool)
        assert [set(found), [branch["type"] for branch in found["anyOf"]]] == [
            {"anyOf"},
            ["INTEGER", "ARRAY", "BOOLEAN"],
        ]

    def test_the_schema_of_the_transcript_is_that_of_the_collections_that_run(self) -> None:
        """Another hash would call each of their results outdated."""
        shipped = "c868051ecfae6491f6d10f7a1688e2221b50f714094a0e5388cfd0f23538b0ee"
        assert schema_hash(response_schema(PageTranscript)) == shipped

    def test_a_model_that_contains_itself_is_written_out_as_deep_as_is_taken(self) -> None:
        found = translated(Node)
        assert schema_depth(found.schema) == 5
        deepest = found.schema["properties"]["children"]["items"]["properties"]["children"]["items"]
        assert list(deepest["properties"]) == ["value"]
        assert found.left == (("children[].children[].children", "3 levels of Node and no more"),)
        deeper = translated(Node, SchemaLimits(depth=9)).left
        assert deeper == (("children[].children[].children[].children[].children", "5 levels of Node and no more"),)

    def test_one_that_contains_itself_by_way_of_another_keeps_what_else_it_has_in_its_last_level(self) -> None:
        class Child(BaseModel):
            of: "Parent | None" = None
            names: list[str]

        class Parent(BaseModel):
            children: list[Child]

        Child.model_rebuild(_types_namespace={"Parent": Parent})
        (left,) = translated(Parent).left
        assert left == ("children[].of", "1 level of Child and no more")
        child = response_schema(Parent)["properties"]["children"]["items"]
        assert list(child["properties"]) == ["names"]

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
            (dict, ["field x[].value:", "any value"]),
            (dict[str, Any], ["field x[].value:", "any value"]),
            (dict[str, int] | list[str], ["field x:", "a map with free keys or else a list"]),
            (Literal[1] | str, ["field x:", "an enum of numbers or else a text"]),
            (Literal[1, "1"], ["field x:", "read alike", "strings"]),
            (tuple[int, str], ["field x:", "tuple"]),
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

    def test_a_model_that_cannot_end(self) -> None:
        class Endless(BaseModel):
            children: list["Endless"]

        with pytest.raises(SchemaError, match=r"field (children\[\]\.)+children: .*Endless contains itself.* default"):
            response_schema(Endless)

    def test_what_lies_too_deep(self) -> None:
        deep = list[list[list[list[list[list[str]]]]]]
        with pytest.raises(SchemaError, match=r"field x(\[\]){5}: .* more than 6 objects and lists deep; "):
            field(deep)
        assert field(list[list[list[list[list[str]]]]])["type"] == "ARRAY"

    def test_what_is_too_long_is_named_by_its_field(self) -> None:
        class Inner(BaseModel):
            note: str = Field(description="a " * 20_000)
            other: str

        class Outer(BaseModel):
            inner: list[Inner]

        with pytest.raises(SchemaError, match=r"field inner\[\].note: .* 40,2\d\d bytes.*32,000.*limits.schema_bytes"):
            response_schema(Outer)

    @pytest.mark.parametrize("root", [str, int | None, list[str] | None, list[str] | int, Literal["a"]])
    def test_a_root_that_is_no_result(self, root: Any) -> None:
        with pytest.raises(SchemaError, match="a result is an object or a list; make it a field of a model"):
            response_schema(RootModel[root])

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


class TestWhatIsLeftToPydantic:
    def test_what_words_say_and_what_code_checks(self) -> None:
        class Line(BaseModel):
            amount: Annotated[float, Field(gt=0)]
            day: date
            tags: set[str]
            code: Annotated[str, Field(pattern=r"^(?!0)\d+$")]
            model_config = ConfigDict(regex_engine="python-re")

            @field_validator("code")
            @classmethod
            def known_code(cls, value: str) -> str:
                return value

        class Sheet(BaseModel):
            lines: list[Line]
            total: Annotated[int, AfterValidator(abs)]

            @model_validator(mode="after")
            def adds_up(self) -> Self:
                return self

        assert list(map(tuple, translated(Sheet).left)) == [
            ("lines[].amount", "greater than 0"),
            ("lines[].day", "format: date"),
            ("lines[].tags", "no item twice"),
            ("lines[].code", r"the pattern ^(?!0)\d+$"),
            ("Sheet", "the validator adds_up"),
            ("Sheet.total", "the validator abs"),
            ("Line.code", "the validator known_code"),
        ]
        assert "pattern" not in response_schema(Sheet)["properties"]["lines"]["items"]["properties"]["code"]

    def test_bounds_of_lists_past_their_sum_the_largest_first(self) -> None:
        class Row(BaseModel):
            cells: conlist(str, max_length=10)  # type: ignore[valid-type]

        class Table(BaseModel):
            rows: conlist(Row, max_length=50)  # type: ignore[valid-type]
            notes: conlist(str, max_length=900)  # type: ignore[valid-type]

        found = translated(Table)
        # 50, 50 times 10, and 900: the notes go, and 550 are left.
        assert found.left == (("notes", "at most 900 items"),)
        assert found.schema["properties"]["notes"] == {
            "type": "ARRAY",
            "items": {"type": "STRING"},
            "description": "At most 900 items.",
        }
        none = translated(Table, takes_max_items=False)
        assert [left.path for left in none.left] == ["notes", "rows[].cells", "rows"]
        assert "maxItems" not in str(none.schema)

    def test_enums_past_their_number_or_length_the_longest_first(self) -> None:
        many = Literal[tuple(f"county {n}" for n in range(95))]  # type: ignore[valid-type]
        few = Literal["a", "b", "c", "d", "e"]

        class Deed(BaseModel):
            county: many  # type: ignore[valid-type]
            kind: few

        found = translated(Deed)
        assert found.left == (("county", "one of 95 values"),)
        county = found.schema["properties"]["county"]
        assert county["type"] == "STRING"
        assert county["description"].startswith("One of: county 0, county 1, ")
        assert found.schema["properties"]["kind"]["enum"] == list("abcde")
        assert translated(Deed, SchemaLimits(enum_values=100)).left == ()


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
