"""The lines of the JSONL file: what each holds, in which order, and that a line is a line."""

import itertools
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from assets.context import ContextMode
from assets.domain.errors import ConfigError, ContextGoneError, PromptError
from assets.requests import RequestTemplate, batch_requests, request_texts, schema_bytes

SCHEMA = {"type": "OBJECT", "properties": {"text": {"type": "STRING"}}}


def template(prompt: str = "Read {{ record.key }}.", **changes: Any) -> RequestTemplate:
    values: dict[str, Any] = {
        "prompt": prompt,
        "prompt_source": "v1.jinja",
        "context_mode": ContextMode.PREVIOUS_RESULT,
        "document_fields": ("state", "school"),
        "response_schema": SCHEMA,
        "generation_config": {"temperature": 0.1, "max_output_tokens": 99},
    }
    return RequestTemplate(**(values | changes))


def manifest(*rows: tuple[str, str | None, str | None], context_uri: str | None = None) -> pa.Table:
    """Rows of (record key, file uri, context key). ``context_uri``: of the image that goes along with each."""
    return pa.table(
        {
            "record_key": pa.array([row[0] for row in rows], pa.string()),
            "file_uri": pa.array([row[1] for row in rows], pa.string()),
            "file_mime_type": pa.array(["image/png" for _ in rows], pa.string()),
            "context_key": pa.array([row[2] for row in rows], pa.string()),
            "context_file_uri": pa.array([context_uri for _ in rows], pa.string()),
            "context_file_mime_type": pa.array([context_uri and "image/webp" for _ in rows], pa.string()),
        }
    )


def lines(table: pa.Table, with_template: RequestTemplate | None = None, **upstream: Mapping[str, Any]) -> list[Any]:
    content = b"".join(batch_requests(table, template=with_template or template(), **upstream))
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


def test_a_line_is_key_and_request() -> None:
    assert lines(manifest(("CA:Lincoln:4", "https://g/v1/files/a", None))) == [
        {
            "key": "CA:Lincoln:4",
            "request": {
                "contents": [
                    {
                        "role": "user",
                        "parts": [
                            {"text": "Read CA:Lincoln:4."},
                            {"file_data": {"file_uri": "https://g/v1/files/a", "mime_type": "image/png"}},
                        ],
                    }
                ],
                "generation_config": {
                    "temperature": 0.1,
                    "max_output_tokens": 99,
                    "response_mime_type": "application/json",
                    "response_schema": SCHEMA,
                },
            },
        }
    ]


def test_the_lines_keep_the_order_of_the_rows_and_a_refused_image_has_none() -> None:
    table = manifest(("A:b:2", "u2", None), ("A:b:1", None, None), ("A:b:10", "u10", None))
    assert [line["key"] for line in lines(table)] == ["A:b:2", "A:b:10"]


def test_the_predecessors_result_is_in_the_prompt() -> None:
    table = manifest(("A:b:1", "u1", None), ("A:b:2", "u2", "A:b:1"))
    texts = [
        line["request"]["contents"][0]["parts"][0]["text"]
        for line in lines(
            table, template("{{ previous.text if previous else 'first' }}"), previous_results={"A:b:1": {"text": "one"}}
        )
    ]
    assert texts == ["first", "one"]


def test_a_predecessors_result_that_is_gone_is_said() -> None:
    with pytest.raises(ContextGoneError, match=r"A:b:2: the result of A:b:1, .* is gone"):
        lines(manifest(("A:b:2", "u2", "A:b:1")))


def test_the_predecessors_image_goes_before_the_records_own() -> None:
    table = manifest(("A:b:2", "u2", "A:b:1"), context_uri="https://g/v1/files/p")
    [line] = lines(table, template(context_mode=ContextMode.PREVIOUS_IMAGE))
    parts = line["request"]["contents"][0]["parts"]
    assert [part.get("text") or part["file_data"]["file_uri"] for part in parts] == [
        "Read A:b:2.",
        "The page before, for context only:",
        "https://g/v1/files/p",
        "The page:",
        "u2",
    ]
    assert parts[2]["file_data"]["mime_type"] == "image/webp"


@pytest.mark.parametrize("name", ["media_resolution", "mediaResolution"])
def test_ultra_high_is_sent_with_each_image_and_any_other_resolution_for_all(name: str) -> None:
    before_too = partial(template, context_mode=ContextMode.PREVIOUS_IMAGE)
    table = manifest(("A:b:2", "u2", "A:b:1"), context_uri="https://g/v1/files/p")
    [line] = lines(table, before_too(generation_config={name: "MEDIA_RESOLUTION_ULTRA_HIGH", "seed": 1}))
    request = line["request"]
    images = [part for part in request["contents"][0]["parts"] if "file_data" in part]
    assert [part["media_resolution"] for part in images] == [{"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}] * 2
    assert {key for key in request["generation_config"] if not key.startswith("response")} == {"seed"}
    [line] = lines(table, before_too(generation_config={name: "MEDIA_RESOLUTION_LOW"}))
    assert line["request"]["generation_config"][name] == "MEDIA_RESOLUTION_LOW"
    assert not any("media_resolution" in part for part in line["request"]["contents"][0]["parts"])


@pytest.mark.parametrize("text", ["one\u2028two\u2029\x85\r\n\t\x00", "Peñón 頁 \U0001f4dc", 'quotes " and \\ too'])
def test_whatever_the_text_a_line_is_one_line_of_utf8(text: str) -> None:
    table = manifest(("A:b:2", "u2", "A:b:1"))
    [line] = lines(table, template("{{ previous.text }}"), previous_results={"A:b:1": {"text": text}})
    assert line["request"]["contents"][0]["parts"][0]["text"] == text


def test_half_a_surrogate_pair_in_a_result_does_not_stop_the_batch() -> None:
    table = manifest(("A:b:2", "u2", "A:b:1"))
    [line] = lines(table, template("{{ previous_json }}"), previous_results={"A:b:1": {"text": "a\ud800b"}})
    assert line["request"]["contents"][0]["parts"][0]["text"] == '{"text":"a?b"}'


def test_characters_are_sent_as_they_are_and_not_as_escapes() -> None:
    [line] = batch_requests(manifest(("TX:Peñón:2", "u2", None)), template=template())
    assert "Peñón".encode() in line


def test_lines_are_made_one_by_one() -> None:
    read: list[str] = []

    class Results(dict[str, dict[str, Any]]):
        def get(self, key: str, default: Any = None) -> Any:
            read.append(key)
            return {"text": "x"}

    table = manifest(*((f"A:b:{page}", "u", f"A:b:{page - 1}") for page in range(2, 1000)))
    iterator = batch_requests(table, template=template(), previous_results=Results())
    assert list(itertools.islice(iterator, 3))
    assert read == ["A:b:1", "A:b:2", "A:b:3"]


@pytest.mark.parametrize("name", ["response_schema", "responseSchema", "responseMimeType", "response_json_schema"])
def test_the_form_of_the_answer_is_not_for_the_settings(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^settings: model.generation_config.{name}: .* take this line out"):
        batch_requests(manifest(), template=template(generation_config={name: "x"}))


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_generation_config_that_is_no_json(value: object) -> None:
    with pytest.raises(ConfigError, match=r"model.generation_config: is not plain JSON"):
        batch_requests(manifest(), template=template(generation_config={"temperature": value}))


def test_a_mistake_in_the_prompt_is_found_before_the_first_line_is_asked_for() -> None:
    with pytest.raises(PromptError, match=r"v1.jinja, line 1"):
        batch_requests(manifest(), template=template("{{"))


def test_the_texts_are_those_of_the_lines() -> None:
    table = manifest(("A:b:1", "u1", None), ("A:b:2", "u2", "A:b:1"))
    made = template("{{ record.key }} after {{ previous_json }}")
    texts = request_texts(
        table["record_key"].to_pylist(),
        table["context_key"].to_pylist(),
        template=made,
        previous_results={"A:b:1": {"text": "Peñón"}},
    )
    in_lines = lines(table, made, previous_results={"A:b:1": {"text": "Peñón"}})
    assert list(texts) == [line["request"]["contents"][0]["parts"][0]["text"] for line in in_lines]


def test_a_schema_weighs_what_it_has_as_compact_json_in_utf8() -> None:
    assert schema_bytes(template(response_schema={"type": "STRING", "description": "ñ"})) == 36
