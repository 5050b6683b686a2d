"""generateContent by Google's own library: answered at once, with the checks of a line of a batch, billed by itself."""

import json
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.contracts.emulator.sdk import MODEL, PAGE_SCHEMA, named, picture, upload
from tests.emulator_server import EmulatorHandle


def ask(client: genai.Client, file: types.File, schema: dict[str, Any] = PAGE_SCHEMA) -> types.GenerateContentResponse:
    image = types.Part.from_uri(file_uri=str(file.uri), mime_type="image/jpeg")
    content = types.Content(role="user", parts=[types.Part(text="Read the page."), image])
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
    return client.models.generate_content(model=MODEL, contents=[content], config=config)


def test_a_page_is_answered_at_once_and_billed_at_the_standard_price(
    client: genai.Client, gemini: EmulatorHandle
) -> None:
    file = upload(client, picture())
    response = ask(client, file)

    assert json.loads(str(response.text)).keys() == {"title", "lines"}
    assert response.model_version == MODEL
    books = gemini.books()
    [billed] = books["generated"]
    assert (billed["key"], billed["model"], billed["files"]) == ("generate/1", MODEL, [named(file)])
    usage = response.usage_metadata
    assert usage is not None
    assert (billed["promptTokens"], billed["outputTokens"]) == (usage.prompt_token_count, usage.candidates_token_count)
    assert books["billed_at_standard_price"]["promptTokens"] == billed["promptTokens"]
    assert books["billed"]["promptTokens"] == 0, "nothing of it is a batch's"


def test_rules_name_it_by_its_number(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    gemini.set_steps("generate/2", {"kind": "answer", "json": {"title": "The second", "lines": []}})
    assert [json.loads(str(ask(client, file).text))["title"] == "The second" for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("schema", "delete", "code", "message"),
    [
        ({"type": "OBJECT", "properties": {}}, False, 400, "should be non-empty for OBJECT type"),
        (PAGE_SCHEMA, True, 403, "may not exist"),
    ],
)
def test_it_is_refused_like_a_line_of_a_batch(
    client: genai.Client, gemini: EmulatorHandle, schema: dict[str, Any], delete: bool, code: int, message: str
) -> None:
    file = upload(client, picture())
    if delete:
        client.files.delete(name=named(file))
    with pytest.raises(errors.APIError, match=message) as refused:
        ask(client, file, schema)
    assert refused.value.code == code
    assert gemini.books()["billed_at_standard_price"]["promptTokens"] == 0
