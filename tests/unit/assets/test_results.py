"""How one line is judged: every kind, by examples. What is told in docs/result-files.md is tried by
test_result_files.py and not here again; that no bytes can raise stands in tests/properties/test_results.py."""

import json
from enum import StrEnum
from typing import Any

import pyarrow.compute as pc
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from assets.domain.outcome import COUNTED, OutcomeKind
from assets.results import (
    MAX_RAW_CHARS,
    MAX_UNMATCHED_LINES,
    VERDICT_SCHEMA,
    Verdict,
    batch_results,
    judge_line,
)
from assets.usage import MAX_TOKENS
from assets.validation import MAX_MESSAGE_CHARS, ModelValidator, ResultValidator, SentSchemaValidator
from tests.unit.assets.answers import line, response_line, result_of


class Kind(StrEnum):
    TEXT = "text"
    HEADING = "heading"


class Block(BaseModel):
    kind: Kind
    text: str


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int | None = None
    blocks: list[Block] = Field(default_factory=list)


class Loose(BaseModel):
    value: Any = None


class Tree(BaseModel):
    children: list["Tree"] = Field(default_factory=list)


MODEL = ModelValidator(Page)
SENT = SentSchemaValidator(Page.model_json_schema())
both = pytest.mark.parametrize("validator", [MODEL, SENT], ids=["model", "sent schema"])
GOOD = '{"number": 4, "blocks": [{"kind": "text", "text": "Peñón\\u2028"}]}'


@both
def test_a_good_answer_is_a_success_with_its_usage(validator: ResultValidator) -> None:
    usage = {
        "promptTokenCount": 1300,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 7,
        "cachedContentTokenCount": 0,
        "totalTokenCount": 1327,
    }
    response = json.loads(line(GOOD))["response"] | {"usageMetadata": usage}
    verdict = judge_line(response_line(response), validator)
    assert (verdict.record_key, verdict.kind, verdict.finish_reason) == ("A:b:c:1", OutcomeKind.SUCCESS, "STOP")
    assert (verdict.message, verdict.raw_text) == ("", None)
    assert verdict.usage == {
        "prompt_tokens": 1300,
        "output_tokens": 20,
        "thoughts_tokens": 7,
        "cached_tokens": 0,
        "total_tokens": 1327,
    }


def test_the_output_is_exactly_the_validated_model() -> None:
    content = result_of(line('{"blocks": [{"text": "a", "kind": "heading"}]}'), MODEL)
    assert content == (
        b'{\n  "number": null,\n  "blocks": [\n    {\n      "kind": "heading",\n      "text": "a"\n    }\n  ]\n}\n'
    )
    assert Page.model_validate_json(content) == Page(blocks=[Block(kind=Kind.HEADING, text="a")])


def test_with_the_sent_schema_the_output_is_the_answer_as_it_is() -> None:
    content = result_of(line('{"blocks": []}'), SENT)
    assert content == b'{\n  "blocks": []\n}\n'


BAD_LINES = [
    ("refused", response_line(None, error={"code": 400, "message": "no such file"}), "400: no such file"),
    ("refused", response_line(None, status={"code": 3, "message": "Please retry later"}), "3: Please retry later"),
    ("upload_gone", response_line(None, error={"code": 403, "message": "access the File x or it"}), "403: access"),
    ("upload_gone", response_line(None, error={"code": "404", "message": "file not found"}), "404: file"),
    ("api_error", response_line(None, error={"code": 404, "message": "no such model"}), "404: no such model"),
    ("service_error", response_line(None, error="503 UNAVAILABLE: overloaded"), "503 UNAVAILABLE"),
    ("service_error", response_line(None, status={"code": 2, "message": "Please try again"}), "2: Please try again"),
    *(
        ("service_error", response_line(None, error={"code": code, "message": "x"}), f"{code}: x")
        for code in (4, 8, 13, 14, 429, 500, 502, 503, 504)
    ),
    ("api_error", response_line(None, error={"code": True, "message": "x"}), "True: x"),
    ("api_error", response_line(None, error={"message": "no code"}), "None: no code"),
    ("api_error", response_line(None, error="gone wrong"), "gone wrong"),
    ("service_error", line(GOOD, error={"code": 503, "message": "late"}), "503: late"),
    ("blocked", response_line({"promptFeedback": {"blockReason": "SAFETY"}}), "the prompt was blocked: SAFETY"),
    ("api_error", response_line(None, error=" "), "the line has an empty error"),
    (
        "blocked",
        response_line({"prompt_feedback": {"block_reason": "OTHER"}, "candidates": []}),
        "the prompt was blocked: OTHER",
    ),
    ("recitation", line(None, finish="RECITATION"), "the answer was blocked: RECITATION"),
    ("blocked", line(GOOD, finish="A_NEW_REASON"), "the answer was blocked: A_NEW_REASON"),
    ("cut_short", line('{"blocks": [', finish="MAX_TOKENS"), "MAX_TOKENS, it needs more max_output_tokens"),
    ("empty", response_line({}), "the response has no candidate"),
    ("empty", response_line(None), "the response has no candidate"),
    ("empty", response_line([1]), "the response has no candidate"),
    ("empty", line(None), "the answer has no text"),
    ("empty", line(" \n"), "the answer has no text"),
    ("empty", response_line({"candidates": [{}]}), "the answer has no text"),
    ("empty", response_line({"candidates": [{"content": {"parts": {"text": GOOD}}}]}), "the answer has no text"),
    ("not_json", line("Here is the page:"), "the answer is not JSON"),
    ("not_json", line(GOOD + "}"), "the answer is not JSON"),
    ("not_json", line('{"number": 1e999}'), "not JSON"),
    ("schema_mismatch", line('["a"]'), "the answer"),
    ("schema_mismatch", line('{"blocks": [{"kind": "poem", "text": "a"}]}'), "blocks.0.kind"),
    ("schema_mismatch", line('{"blocks": [{"kind": "text"}]}'), "blocks.0"),
    ("schema_mismatch", line('{"number": "four"}'), "number"),
    ("schema_mismatch", line('{"page": 4}'), ""),
]


@both
@pytest.mark.parametrize(("kind", "bad", "said"), BAD_LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_every_failure_has_its_kind_and_says_why(validator: ResultValidator, kind: str, bad: bytes, said: str) -> None:
    verdict = judge_line(bad, validator)
    assert (verdict.record_key, verdict.kind) == ("A:b:c:1", kind)
    assert said in verdict.message
    assert verdict.message


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", "a line is not JSON"),
        (b"{", "a line is not JSON"),
        (b"\xff\xfe", "a line is not JSON"),
        (b"null", "a line is no JSON object"),
        (b"{}", "a line has no key"),
        (b'{"key": 4}', "a line has no key"),
        (b'{"key": null, "response": {}}', "a line has no key"),
    ],
)
def test_a_line_that_names_nobody_has_no_kind(bad: bytes, said: str) -> None:
    verdict = judge_line(bad, MODEL)
    assert (verdict.record_key, verdict.kind, verdict.message) == (None, None, said)


@pytest.mark.parametrize(
    "good",
    [
        line(GOOD, status={}),
        line(GOOD, finish=None),
        line(GOOD, finish="FINISH_REASON_UNSPECIFIED"),
        response_line({"candidates": [None, json.loads(line(GOOD))["response"]["candidates"][0]]}),
        response_line({"candidates": [{"content": {"parts": [None, 4, {"inlineData": {}}, {"text": GOOD}]}}]}),
        response_line({"candidates": [{"content": {"parts": [{"text": GOOD}]}, "finish_reason": "STOP"}]}),
    ],
    ids=[
        "status empty",
        "no finish reason",
        "unspecified",
        "null candidate first",
        "odd parts",
        "snake case",
    ],
)
def test_odd_but_good_lines_are_taken(good: bytes) -> None:
    assert judge_line(good, MODEL).kind is OutcomeKind.SUCCESS
    assert Page.model_validate_json(result_of(good, MODEL)).number == 4


def test_both_spellings_of_usage_are_read_and_what_is_not_there_is_left_out() -> None:
    counts = {"prompt_token_count": 5, "thoughtsTokenCount": 7, "total_token_count": 12, "of_another_kind": "x"}
    response = {"candidates": [None], "usage_metadata": counts | {"cached_content_token_count": None}}
    verdict = judge_line(response_line(response), MODEL)
    assert verdict.usage == {"prompt_tokens": 5, "output_tokens": 0, "thoughts_tokens": 7, "total_tokens": 12}
    assert not verdict.unsure


@pytest.mark.parametrize("garbage", [-1, True, "7", 1.5, [], MAX_TOKENS + 1, 2**63, 10**4000])
def test_usage_with_garbage_in_it_is_not_believed_at_all(garbage: Any) -> None:
    response: dict[str, Any] = {
        "candidates": [None],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": garbage},
    }
    response["usageMetadata"]["totalTokenCount"] = 5
    verdict = judge_line(response_line(response), MODEL)
    assert (verdict.usage, verdict.unsure) == ({}, True)


def test_without_a_response_there_is_nothing_to_be_unsure_of() -> None:
    for bad in (response_line(None, error={"code": 500, "message": "x"}), response_line({}), b"{}", b"no line"):
        assert not judge_line(bad, MODEL).unsure


def test_what_is_kept_of_a_failure_is_bounded_and_can_be_written() -> None:
    hostile = line("\ud800" + "x" * 50_000, error=None, finish="\ud9ff" * 500)
    verdict = judge_line(hostile, MODEL)
    assert verdict.raw_text == "?" + "x" * (MAX_RAW_CHARS - 1)
    assert verdict.finish_reason == "?" * 100
    assert len(judge_line(response_line(None, error={"code": 1, "message": "m" * 9999}), MODEL).message) == (
        MAX_MESSAGE_CHARS
    )


def test_the_message_never_holds_what_the_answer_held() -> None:
    secret = "a value of the model's own making"
    for validator in (MODEL, SENT):
        verdict = judge_line(line(json.dumps({"number": secret})), validator)
        assert verdict.kind is OutcomeKind.SCHEMA_MISMATCH
        assert secret not in verdict.message
        assert secret in (verdict.raw_text or "")


@pytest.mark.parametrize("depth", [100, 200, 400, 800, 985])
def test_however_deep_an_answer_is_it_gets_a_verdict(depth: int) -> None:
    tree = '{"children":[' * depth + "]}" * depth
    for validator in (ModelValidator(Tree), SentSchemaValidator(Tree.model_json_schema())):
        assert judge_line(line(tree), validator).kind in (
            OutcomeKind.SUCCESS,
            OutcomeKind.SCHEMA_MISMATCH,
            OutcomeKind.NOT_JSON,
        )
    nested = '{"value":' + "[" * depth + "]" * depth + "}"
    assert judge_line(line(nested), SentSchemaValidator(Loose.model_json_schema())).kind is not None
    in_the_line = judge_line(b'{"key":"a","error":' + b"[" * depth + b"]" * depth + b"}", MODEL)
    assert in_the_line.kind is OutcomeKind.API_ERROR or in_the_line.message == "a line is not JSON"


def test_the_table_has_a_row_for_each_line_with_its_place() -> None:
    good, bad = line(GOOD), b"no line"
    table = batch_results(None, lines=[(0, good), (len(good) + 1, bad)], keys=["A:b:c:1"], validator=MODEL)
    assert table.schema == VERDICT_SCHEMA
    assert table.select(["record_key", "kind", "line_offset", "line_bytes"]).to_pylist() == [
        {"record_key": "A:b:c:1", "kind": "success", "line_offset": 0, "line_bytes": len(good)},
        {"record_key": None, "kind": None, "line_offset": len(good) + 1, "line_bytes": 7},
    ]
    assert len(batch_results(None, lines=[], keys=[], validator=MODEL)) == 0


def test_lines_of_nobody_do_not_fill_the_memory() -> None:
    unmatched = (line(GOOD, key=f"A:b:c:{number}") for number in range(2, 10 * MAX_UNMATCHED_LINES))
    ours = [b"no line", line(GOOD), *[line(GOOD)] * MAX_UNMATCHED_LINES]
    table = batch_results(None, lines=enumerate([*unmatched, *ours]), keys=["A:b:c:1"], validator=MODEL)
    assert len(table) == MAX_UNMATCHED_LINES + 1
    assert table.filter(pc.equal(table["record_key"], "A:b:c:1")).num_rows == 1


def test_what_nobody_may_see_is_taken_out_before_a_text_is_cut() -> None:
    secret = "s3cret-" * 5

    def judged(document: dict[str, Any]) -> Verdict:
        return judge_line(json.dumps(document).encode(), MODEL, lambda text: text.replace(secret, "[key]"))

    for at in range(400, 600, 7):
        error = judged({"key": "A:b:c:1", "error": {"code": 400, "message": "x" * at + secret}})
        assert "s3c" not in error.message
        assert "x" * min(at, 400) in error.message
    part = {"parts": [{"text": "x" * (MAX_RAW_CHARS - 10) + secret}]}
    answer = judged({"key": "A:b:c:1", "response": {"candidates": [{"content": part, "finishReason": secret}]}})
    assert "s3c" not in f"{answer}"
    assert (answer.raw_text or "").endswith("x[key]")


def test_a_validator_that_fails_itself_is_no_failure_of_the_record() -> None:
    class Deed(BaseModel):
        year: int

        @field_validator("year")
        @classmethod
        def look_up(cls, year: int) -> int:
            return {1849: year}[year]

    assert ModelValidator(Deed).to_result('{"year": 1849}')
    verdict = judge_line(line('{"year": 1850}'), ModelValidator(Deed))
    assert (verdict.kind, verdict.message) == ("validator_error", "a validator of Deed failed itself: KeyError")
    assert verdict.raw_text == '{"year": 1850}'
    assert verdict.kind not in COUNTED


@pytest.mark.parametrize("number", ['"inf"', '"NaN"', "9" * 400])
def test_a_number_that_would_be_written_as_null_is_no_success(number: str) -> None:
    class Measure(BaseModel):
        height: float | None = None
        widths: list[float] = Field(default_factory=list)

    validator = ModelValidator(Measure)
    for answer in (f'{{"height": {number}}}', f'{{"widths": [1, {number}]}}'):
        verdict = judge_line(line(answer), validator)
        assert (verdict.kind, verdict.message) == ("schema_mismatch", "a number of the answer is infinite or none")
    assert judge_line(line('{"height": null}'), validator).kind is OutcomeKind.SUCCESS
