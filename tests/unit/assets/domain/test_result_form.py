"""How an answer in the form that was asked for becomes one in the form of the model."""

import json
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from assets.domain.outcome import OutcomeKind
from assets.domain.result_form import KeyTwiceError, ResultForm
from assets.validation import AnswerError, ModelValidator, SentSchemaValidator


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Literal[7, 9]


class Dog(BaseModel):
    kind: Literal["dog"]
    names: dict[str, str]


class Part(BaseModel):
    title: str
    counts: dict[str, int] = {}
    parts: list["Part"] = []


class Whole(BaseModel):
    level: Level
    mixed: Literal[1, "one", None] = None
    prices: dict[str, Decimal] = {}
    by_year: dict[int, list[Level]] | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    part: Part | None = None


def pairs(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


ANSWER = {
    "level": "2",
    "mixed": "1",
    "prices": pairs(a="1.50", b="2"),
    "by_year": [{"key": "1893", "value": ["1", "2"]}],
    "pet": {"kind": "dog", "names": pairs(first="Rex")},
    "part": {"title": "1", "counts": pairs(x=3), "parts": [{"title": "2", "counts": pairs(y=4), "parts": []}]},
}
RESULT = {
    "level": 2,
    "mixed": 1,
    "prices": {"a": "1.50", "b": "2"},
    "by_year": {"1893": [1, 2]},
    "pet": {"kind": "dog", "names": {"first": "Rex"}},
    "part": {"title": "1", "counts": {"x": 3}, "parts": [{"title": "2", "counts": {"y": 4}, "parts": []}]},
}


def test_maps_and_numbers_of_enums_are_turned_back_wherever_they_stand() -> None:
    assert ResultForm(Whole.model_json_schema()).turned_back(ANSWER) == RESULT


@pytest.mark.parametrize("validator", [ModelValidator(Whole), SentSchemaValidator(Whole.model_json_schema())])
def test_both_validators_take_the_answer_and_the_result_that_it_became(validator: Any) -> None:
    result = validator.to_result(json.dumps(ANSWER))
    assert json.loads(result) == RESULT
    assert validator.to_result(result.decode()) == result


def test_a_tag_tells_which_branch_an_object_is() -> None:
    class M(BaseModel):
        pets: list[Cat | Dog]

    form = ResultForm(M.model_json_schema())
    cat, dog = {"kind": "cat", "lives": "9"}, {"kind": "dog", "names": pairs(a="b")}
    assert form.turned_back({"pets": [cat, dog]}) == {
        "pets": [{"kind": "cat", "lives": 9}, {"kind": "dog", "names": {"a": "b"}}]
    }


def test_a_list_of_pairs_that_is_no_map_stays_one() -> None:
    class Pair(BaseModel):
        key: str
        value: str

    class M(BaseModel):
        pairs: list[Pair]
        counts: dict[str, str]

    form = ResultForm(M.model_json_schema())
    assert form.turned_back({"pairs": pairs(a="b"), "counts": pairs(a="b")}) == {
        "pairs": pairs(a="b"),
        "counts": {"a": "b"},
    }


def test_a_key_that_comes_twice_loses_nothing_in_silence() -> None:
    class M(BaseModel):
        counts: dict[str, int]

    twice = [*pairs(a=1), *pairs(a=2)]
    with pytest.raises(KeyTwiceError, match="counts: a key comes twice"):
        ResultForm(M.model_json_schema()).turned_back({"counts": twice})
    with pytest.raises(AnswerError, match="counts: a key comes twice") as refused:
        ModelValidator(M).to_result(json.dumps({"counts": twice}))
    assert refused.value.kind is OutcomeKind.SCHEMA_MISMATCH


def test_a_model_of_plain_types_is_left_as_it_is() -> None:
    class M(BaseModel):
        counts: list[int]

    answer = {"counts": [1]}
    assert ResultForm(M.model_json_schema()).turned_back(answer) is answer


@pytest.mark.parametrize(
    ("root", "answer", "result"),
    [
        (list[str], ["a", "b"], ["a", "b"]),
        (list[Level], ["1"], [1]),
        (dict[str, int], [{"key": "a", "value": 1}], {"a": 1}),
        (Cat | Dog, {"kind": "cat", "lives": "7"}, {"kind": "cat", "lives": 7}),
    ],
)
def test_a_root_that_is_no_model_of_fields(root: Any, answer: Any, result: Any) -> None:
    model = RootModel[root]
    for validator in (ModelValidator(model), SentSchemaValidator(model.model_json_schema())):
        assert json.loads(validator.to_result(json.dumps(answer))) == result


def test_what_is_neither_object_nor_list_is_no_result() -> None:
    for validator in (ModelValidator(RootModel[str]), SentSchemaValidator({"type": "string"})):
        with pytest.raises(AnswerError, match="the answer is no JSON object and no list"):
            validator.to_result('"a"')
