"""What may stand under generation_config: every field of the service's is known or refused."""

from typing import Any

import pytest
from google.genai import types

from assets.domain.generation import KNOWN, OURS, REFUSED, refused_setting
from assets.domain.models import refusal

MODELS = ["gemini-2.5-flash", "gemini-3.1-flash-lite", "gemini-3.8-flash", "gemini-4-neon", "gemini-9-flash", "tuned"]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def test_each_field_of_the_service_is_known_or_refused() -> None:
    assert {*KNOWN, *REFUSED, *OURS} == set(types.GenerationConfig.model_fields)


def test_each_field_of_thinking_is_known() -> None:
    thinking: dict[str, Any] = dict.fromkeys(types.ThinkingConfig.model_fields, 1)
    assert refused_setting({"thinking_config": thinking}) is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_multiplies_an_answer_or_is_read_by_nobody_is_refused_for_every_model_and_in_every_spelling(
    name: str, model: str
) -> None:
    for key in (name, camel(name), name.upper(), name.replace("_", "")):
        found = refusal(model, {"max_output_tokens": 100, key: 8})
        assert found is not None
        assert found[0] == key
        assert "take this line out" in found[1]


@pytest.mark.parametrize(
    ("config", "key", "why"),
    [
        ({"max_output_token": 9}, "max_output_token", "did you mean max_output_tokens?"),
        ({"MaxOutputTokens": 9}, "MaxOutputTokens", "did you mean max_output_tokens?"),
        ({"tools": []}, "tools", "what is known: max_output_tokens, "),
        ({"max_output_tokens": 9, "maxOutputTokens": 65536}, "maxOutputTokens", "stands there as max_output_tokens"),
        ({"thinking_config": {"candidate_count": 8}}, "thinking_config.candidate_count", "no such setting is known"),
        ({"thinkingConfig": {"thinkingBudgt": 8}}, "thinking_config.thinkingBudgt", "did you mean thinking_budget?"),
        ({"max_output_tokens": "many"}, "max_output_tokens", "must be a whole number from 1"),
        ({"max_output_tokens": 0}, "max_output_tokens", "must be a whole number from 1"),
        ({"maxOutputTokens": -1}, "maxOutputTokens", "must be a whole number from 1"),
        ({"max_output_tokens": None}, "max_output_tokens", "must be a whole number from 1"),
    ],
)
def test_what_nobody_knows_and_what_stands_there_twice_is_refused(config: dict[str, Any], key: str, why: str) -> None:
    found = refused_setting(config)
    assert found is not None
    assert found[0] == key
    assert why in found[1]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_is_taken_in_both_spellings(name: str) -> None:
    value = {"max_output_tokens": 9, "thinking_config": {"thinkingLevel": "LOW"}}.get(name, 1)
    assert refused_setting({name: value}) is None
    assert refused_setting({camel(name): value}) is None
