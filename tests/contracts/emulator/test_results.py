"""What stands in a result file: each kind of answer that the script knows, and the requests that are refused."""

import base64
import json
from typing import Any

import pytest
from google import genai

from tests.contracts.emulator.sdk import (
    JOB_SECONDS,
    answer_line,
    create,
    jsonl,
    line,
    picture,
    raw_results,
    results,
    text_of,
    upload,
)
from tests.emulator_server import EmulatorHandle

JsonObject = dict[str, Any]

KEY = "CA:Lincoln:2023:4"
OTHER = "CA:Lincoln:2023:5"


def run_steps(gemini: EmulatorHandle, client: genai.Client, *steps: str | JsonObject) -> list[JsonObject]:
    """All lines of a job of two records, of which KEY is answered by ``steps``."""
    gemini.set_steps(KEY, *steps)
    job = create(client, [line(KEY), line(OTHER)])
    gemini.advance(JOB_SECONDS)
    return results(client, job)


def check_usage(answer: JsonObject) -> JsonObject:
    counts: JsonObject = answer["response"]["usageMetadata"]
    parts = [counts.get(name, 0) for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")]
    assert counts["totalTokenCount"] == sum(parts) > 0
    return counts


def test_without_rules_the_answer_fits_the_schema_and_bears_its_key(
    client: genai.Client, gemini: EmulatorHandle
) -> None:
    answer = answer_line(gemini, client, KEY)
    page = json.loads(text_of(answer))
    assert KEY in page["title"]
    assert all(isinstance(text, str) for text in page["lines"])
    assert answer["response"]["candidates"][0]["finishReason"] == "STOP"
    check_usage(answer)


def test_answers_are_the_same_for_the_same_key_and_attempt(client: genai.Client, gemini: EmulatorHandle) -> None:
    first = answer_line(gemini, client, KEY)
    second = answer_line(gemini, client, KEY)
    gemini.reset()
    assert answer_line(gemini, client, KEY) == first
    assert text_of(second) != text_of(first)


def test_attempts_go_through_the_steps_and_the_last_one_repeats(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_steps(KEY, "error", "not_json", {"kind": "answer", "json": {"title": "at last", "lines": []}})
    kinds = ["error" if "error" in (answer := answer_line(gemini, client)) else text_of(answer) for _ in range(4)]
    assert kinds[0] == "error"
    assert kinds[1].startswith("Here is the page")
    assert [json.loads(text)["title"] for text in kinds[2:]] == ["at last", "at last"]


def test_exact_rules_and_globs_are_taken_in_their_order(client: genai.Client, gemini: EmulatorHandle) -> None:
    def step(text: str) -> list[JsonObject]:
        return [{"kind": "answer", "text": text}]

    gemini.set_rules(
        records=[
            {"key": "CA:*:1", "steps": step("first glob")},
            {"key": "CA:Lincoln:2023:1", "steps": step("exact, too late")},
            {"key": "CA:Lincoln:2023:2", "steps": step("exact")},
            {"key": "CA:*", "steps": step("last glob")},
        ]
    )
    job = create(client, [line(f"CA:Lincoln:2023:{page}") for page in (1, 2, 3)])
    gemini.advance(JOB_SECONDS)
    assert [text_of(answer) for answer in results(client, job)] == ["first glob", "exact", "last glob"]


@pytest.mark.parametrize("field", ["error", "status"])
def test_error(client: genai.Client, gemini: EmulatorHandle, field: str) -> None:
    step = {"kind": "error", "code": 503, "message": "The model is overloaded.", "field": field}
    answer, other = run_steps(gemini, client, step)
    assert answer == {"key": KEY, field: {"code": 503, "message": "The model is overloaded."}}
    assert "response" in other
    assert gemini.record(KEY)["promptTokens"] == 0


def test_blocked_prompt(client: genai.Client, gemini: EmulatorHandle) -> None:
    answer, _ = run_steps(gemini, client, {"kind": "blocked_prompt", "reason": "PROHIBITED_CONTENT"})
    assert answer["response"]["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in answer["response"]
    assert "candidatesTokenCount" not in check_usage(answer)


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "SPII", "MALFORMED_RESPONSE"])
def test_blocked_answer(client: genai.Client, gemini: EmulatorHandle, reason: str) -> None:
    answer, _ = run_steps(gemini, client, {"kind": "blocked_answer", "reason": reason})
    [candidate] = answer["response"]["candidates"]
    assert (candidate["finishReason"], candidate["content"]) == (reason, {"role": "model"})


def test_cut_short(client: genai.Client, gemini: EmulatorHandle) -> None:
    answer, _ = run_steps(gemini, client, "cut_short")
    assert answer["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(answer))
    assert text_of(answer).startswith("{")


@pytest.mark.parametrize(
    ("shape", "candidates"),
    [
        ("no_text", [{"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}]),
        ("no_parts", [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}]),
        ("no_candidates", []),
        ("null_candidate", [None]),
    ],
)
def test_empty(client: genai.Client, gemini: EmulatorHandle, shape: str, candidates: object) -> None:
    answer, _ = run_steps(gemini, client, {"kind": "empty", "shape": shape})
    assert answer["response"]["candidates"] == candidates
    check_usage(answer)


def test_empty_without_even_a_response(client: genai.Client, gemini: EmulatorHandle) -> None:
    answer, _ = run_steps(gemini, client, {"kind": "empty", "shape": "no_response"})
    assert answer == {"key": KEY}


def test_not_json(client: genai.Client, gemini: EmulatorHandle) -> None:
    answer, _ = run_steps(gemini, client, "not_json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(answer))


@pytest.mark.parametrize(
    "schema",
    [{"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, {"type": "ARRAY", "items": {"type": "STRING"}}],
)
def test_wrong_shape(client: genai.Client, gemini: EmulatorHandle, schema: JsonObject) -> None:
    gemini.set_steps(KEY, "wrong_shape")
    value = json.loads(text_of(answer_line(gemini, client, KEY, schema=schema)))
    assert isinstance(value, list) == (schema["type"] == "OBJECT")


def test_missing(client: genai.Client, gemini: EmulatorHandle) -> None:
    assert [answer["key"] for answer in run_steps(gemini, client, "missing")] == [OTHER]
    assert gemini.record(KEY)["answers"][0]["outcome"] == "missing"


def test_repeated(client: genai.Client, gemini: EmulatorHandle) -> None:
    first, second, other = run_steps(gemini, client, "repeated", {"kind": "repeated", "times": 3, "differ": True})
    assert (first, other["key"]) == (second, OTHER)
    *copies, _ = run_steps(gemini, client, "repeated", {"kind": "repeated", "times": 3, "differ": True})
    assert [copy["key"] for copy in copies] == [KEY] * 3
    assert len({text_of(copy) for copy in copies}) == 3
    assert [entry["outcome"] for entry in gemini.record(KEY)["answers"]] == ["response", "response"]


def test_unknown_key(client: genai.Client, gemini: EmulatorHandle) -> None:
    keys = [answer["key"] for answer in run_steps(gemini, client, {"kind": "unknown_key", "unknown": "ZZ:No:1:1"})]
    assert keys == [KEY, "ZZ:No:1:1", OTHER]
    assert "ZZ:No:1:1" not in gemini.books()["records"]


def test_raw(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_steps(KEY, {"kind": "raw", "text": '{"key": "CA:Lincoln'})
    gemini.set_steps(OTHER, {"kind": "raw", "base64": base64.b64encode(b"\xff\xfe\0").decode()})
    job = create(client, [line(KEY), line(OTHER)])
    gemini.advance(JOB_SECONDS)
    assert raw_results(client, job) == [b'{"key": "CA:Lincoln', b"\xff\xfe\0"]
    assert gemini.record(KEY)["answers"][0]["outcome"] == "unreadable"


def test_thoughts_and_parts_and_a_null_error(client: genai.Client, gemini: EmulatorHandle) -> None:
    step = {"kind": "auto", "split": 3, "thoughts": ["Let me see."], "thoughts_tokens": 40, "null_error": True}
    answer, _ = run_steps(gemini, client, step)
    parts = answer["response"]["candidates"][0]["content"]["parts"]

    assert parts[0] == {"text": "Let me see.", "thought": True}
    assert len(parts) == 4
    assert KEY in json.loads(text_of(answer))["title"]
    assert answer["error"] is None
    assert check_usage(answer)["thoughtsTokenCount"] == 43
    assert gemini.record(KEY)["thoughtsTokens"] == 43


def test_each_response_bears_its_model_and_stage(client: genai.Client, gemini: EmulatorHandle) -> None:
    for step in ("auto", "blocked_prompt", {"kind": "empty", "shape": "no_candidates"}, "cut_short"):
        answer, _ = run_steps(gemini, client, step)
        assert answer["response"]["modelVersion"] == "gemini-3.5-flash"
        assert answer["response"]["modelStatus"] == {"modelStage": "STABLE"}


def test_an_announced_end_is_said_and_after_it_the_successor_answers(
    client: genai.Client, gemini: EmulatorHandle
) -> None:
    job = create(client, [line(KEY)], model="gemini-3.1-flash-lite")
    gemini.advance(JOB_SECONDS)
    [answer] = results(client, job)
    assert answer["response"]["modelStatus"] == {"modelStage": "LEGACY", "retirementTime": "2027-05-07T00:00:00Z"}

    gemini.advance(10 * 86_400)
    file = upload(client, picture(200, 200))
    job = create(client, [line(OTHER, file)], model="gemini-2.5-flash")
    gemini.advance(JOB_SECONDS)
    [answer] = results(client, job)
    assert answer["response"]["modelVersion"] == "gemini-3.5-flash-lite"
    assert gemini.record(OTHER)["imageTokens"] == 1120, "as the successor counts"


def test_a_rule_makes_usage_and_model_odd(client: genai.Client, gemini: EmulatorHandle) -> None:
    usage = {"totalTokenCount": 3, "thoughtsTokenCount": "many", "promptTokenCount": None}
    about = {"model_version": "models/gemini-3.8-flash-001", "retirement_time": "2027-01-01T00:00:00Z"}
    answer, _ = run_steps(gemini, client, {"kind": "auto", "usage": usage, **about})
    counts = answer["response"]["usageMetadata"]
    assert (counts["totalTokenCount"], counts["thoughtsTokenCount"]) == (3, "many")
    assert "promptTokenCount" not in counts
    assert answer["response"]["modelVersion"] == "models/gemini-3.8-flash-001"
    assert answer["response"]["modelStatus"]["retirementTime"] == "2027-01-01T00:00:00Z"
    assert gemini.record(KEY)["promptTokens"] == 0


def test_a_line_separator_stays_within_its_line(client: genai.Client, gemini: EmulatorHandle) -> None:
    text = json.dumps({"title": "a\u2028b\u0085c", "lines": []}, ensure_ascii=False)
    [answer, _] = run_steps(gemini, client, {"kind": "answer", "text": text})
    assert text_of(answer) == text


def test_camel_case_and_snake_case_are_both_read(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": "1"}
    snake = line(KEY, file, schema={**schema, "min_items": 1})
    camel = {
        "key": OTHER,
        "request": {
            "systemInstruction": {"parts": [{"text": "Read."}]},
            "contents": [{"parts": [{"fileData": {"fileUri": file.uri, "mimeType": file.mime_type}}]}],
            "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema},
        },
    }
    job = create(client, [snake, camel])
    gemini.advance(JOB_SECONDS)

    for answer in results(client, job):
        [text] = json.loads(text_of(answer))
        assert answer["key"] in text
    assert gemini.record(OTHER)["answers"][0]["files"] == [file.name]


def test_a_schema_as_json_schema_is_ignored(client: genai.Client, gemini: EmulatorHandle) -> None:
    options = {"response_mime_type": "application/json", "response_json_schema": {"type": "object", "$defs": {}}}
    assert json.loads(text_of(answer_line(gemini, client, KEY, schema=None, **options))) == {
        "text": f"The page of {KEY}, answer 1."
    }


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "OBJECT", "properties": {"a": {"$ref": "#/$defs/A"}}}, 'Unknown name "$ref"'),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "$defs": {}}, 'Unknown name "$defs"'),
        (
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "additionalProperties": False},
            'Unknown name "additionalProperties"',
        ),
        ({"type": "FRACTION"}, "FRACTION"),
        ({"type": ["STRING", "NULL"]}, "Invalid value"),
        ({"type": "OBJECT", "properties": {}}, "non-empty for OBJECT"),
        ({"type": "ARRAY"}, "items: missing field"),
        ({"type": "STRING", "enum": ["a", ""]}, "cannot be empty"),
        ({"type": "INTEGER", "enum": [1, 2]}, "only strings"),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["b"]}, "'b' is not defined"),
        ({"type": "STRING", "const": "a"}, 'Unknown name "const"'),
    ],
)
def test_a_schema_that_gemini_does_not_take_fails_its_line(
    client: genai.Client, gemini: EmulatorHandle, schema: JsonObject, told: str
) -> None:
    answer = answer_line(gemini, client, KEY, schema=schema)
    assert answer["error"]["code"] == 400
    assert told in answer["error"]["message"]
    assert gemini.record(KEY)["answers"][0]["attempt"] is None


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"parts": []}]}, "parts must not be empty"),
        ({"contents": [{"parts": [{"text": "x"}]}], "config": {}}, 'Unknown name "config"'),
        ({"contents": [{"parts": [{"image": "x"}]}]}, 'Unknown name "image"'),
        ({"contents": [{"parts": [{"file_data": {"file_uri": "gs://bucket/a.jpg"}}]}]}, "file uri"),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"responseSchema": {"type": "STRING"}}},
            "application/json is wanted",
        ),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/tiff", "data": ""}}]}]}, "image/tiff"),
    ],
)
def test_a_request_that_gemini_does_not_take_fails_its_line(
    client: genai.Client, gemini: EmulatorHandle, request_: JsonObject, told: str
) -> None:
    job = create(client, jsonl([{"key": KEY, "request": request_}, line(OTHER)]))
    gemini.advance(JOB_SECONDS)
    answer, other = results(client, job)
    assert (answer["error"]["code"], "response" in other) == (400, True)
    assert told in answer["error"]["message"]


@pytest.mark.parametrize("content", [b"no picture", picture(form="TIFF"), picture()[:40]])
def test_bytes_that_are_no_picture_fail_their_line(
    client: genai.Client, gemini: EmulatorHandle, content: bytes
) -> None:
    file = upload(client, content)
    job = create(client, [line(KEY, file)])
    gemini.advance(JOB_SECONDS)
    [answer] = results(client, job)
    assert answer["error"]["message"].startswith("Unable to process input image.")
