"""What a request may set, by the model that is asked: a refused setting is an error 400 on its own line."""

from typing import Any

import pytest
from google import genai

from tests.contracts.emulator.sdk import JOB_SECONDS, create, line, picture, results, upload
from tests.emulator_server import EmulatorHandle

KEY = "CA:Lincoln:2023:4"
ULTRA_HIGH = {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}


def answered(client: genai.Client, gemini: EmulatorHandle, model: str, request: dict[str, Any]) -> dict[str, Any]:
    job = create(client, [request], model=model)
    gemini.advance(JOB_SECONDS)
    [answer] = results(client, job)
    return answer


@pytest.mark.parametrize(
    ("model", "generation", "said"),
    [
        ("gemini-4-neon", {"thinking_config": {"thinking_budget": 512}}, "thinking_budget"),
        ("gemini-4-neon", {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}, "MINIMAL"),
        ("gemini-4-neon", {"presence_penalty": 0.5}, "presencePenalty"),
        ("gemini-4-neon", {"frequencyPenalty": 0.5}, "frequencyPenalty"),
        ("gemini-3.8-flash", {"thinking_config": {"thinking_level": "MINIMAL"}}, "MINIMAL"),
        ("gemini-3.8-flash", {"thinking_config": {"thinking_level": "XHIGH"}}, "XHIGH"),
        ("gemini-3.5-flash", {"thinking_config": {"thinking_budget": 0}}, "thinking_budget"),
        ("gemini-2.5-flash", {"thinking_config": {"thinking_level": "LOW"}}, "thinking_level"),
        ("gemini-3.5-flash", {"candidate_count": 2}, "candidateCount"),
        ("gemini-4-argon", {"candidateCount": 1}, "candidateCount"),
        ("gemini-3.8-flash", {"media_resolution": "MEDIA_RESOLUTION_ULTRA_HIGH"}, "media_resolution"),
        ("gemini-3.8-flash", {"media_resolution": "low"}, "media_resolution"),
    ],
)
def test_what_a_model_does_not_take_is_refused(
    client: genai.Client, gemini: EmulatorHandle, model: str, generation: dict[str, Any], said: str
) -> None:
    answer = answered(client, gemini, model, line(KEY, **generation))
    assert answer["error"]["code"] == 400
    assert said in answer["error"]["message"]
    assert gemini.record(KEY)["billed"] == 0


@pytest.mark.parametrize(
    ("model", "generation"),
    [
        ("gemini-4-neon", {"thinking_config": {"thinking_level": "XHIGH"}}),
        ("gemini-4-argon", {"presence_penalty": 0.5}),
        ("gemini-3.8-flash", {"thinking_config": {"thinking_level": "low"}, "temperature": 0.1}),
        ("gemini-3.1-flash-lite", {"thinking_config": {"thinking_level": "MINIMAL"}}),
        ("gemini-2.5-flash", {"thinking_config": {"thinking_budget": 512}, "candidate_count": 1}),
        ("gemini-9", {"thinking_config": {"thinking_level": "WILD"}}),
    ],
)
def test_what_a_model_takes_is_answered(
    client: genai.Client, gemini: EmulatorHandle, model: str, generation: dict[str, Any]
) -> None:
    assert "response" in answered(client, gemini, model, line(KEY, **generation))


def test_ultra_high_is_a_value_of_a_part_and_of_gemini_3(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    request = line(KEY, file, file, media_resolution="MEDIA_RESOLUTION_LOW")
    request["request"]["contents"][0]["parts"][-1]["media_resolution"] = ULTRA_HIGH
    assert "response" in answered(client, gemini, "gemini-4-hydrogen", request)
    assert gemini.record(KEY)["imageTokens"] == 280 + 2240, "a part's own value comes before that of the request"
    del request["request"]["generation_config"]["media_resolution"]
    assert answered(client, gemini, "gemini-2.5-flash", request)["error"]["code"] == 400
