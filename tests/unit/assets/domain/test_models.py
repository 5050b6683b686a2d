"""What the table of models says: how each is set, what it refuses, when it ends."""

from datetime import date
from typing import Any

import pytest

from assets.domain.models import NOTICE_DAYS, RETIREMENTS, answering, as_sent, left_out, refusal, retirement_notice


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("gemini-3.8-flash", {"thinking_level": "LOW"}),
        ("gemini-3.5-flash", {"thinking_level": "LOW"}),
        ("gemini-3-flash-preview", {"thinking_level": "LOW"}),
        ("gemini-3.1-pro-preview", {"thinking_level": "LOW"}),
        ("gemini-3.5-flash-lite", {"thinking_level": "MINIMAL"}),
        ("gemini-3.1-flash-lite", {"thinking_level": "MINIMAL"}),
        ("gemini-4-neon", {"thinking_level": "LOW"}),
        ("gemini-4-carbon", {"thinking_level": "LOW"}),
        ("gemini-2.5-flash-lite", {"thinking_budget": 512}),
        ("gemini-2.0-flash", None),
        ("gemini-5-flash", None),
        ("gemini-3.9-nova", None),
        ("gemini-44-neon", None),
        ("other", None),
    ],
)
def test_each_model_thinks_as_little_as_it_can_and_of_an_unknown_one_nothing_is_claimed(
    model: str, thinking: dict[str, object] | None
) -> None:
    assert as_sent(model, {}).get("thinking_config") == thinking
    assert refusal(model, as_sent(model, {})) is None, "what is sent by itself is never refused"


def test_thinking_of_ones_own_is_sent_as_it_is_and_null_leaves_it_to_gemini() -> None:
    own = {"thinkingConfig": {"thinkingLevel": "high"}}
    assert as_sent("gemini-3.8-flash", own) == own
    assert as_sent("gemini-3.8-flash", {"thinking_config": None}) == {}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("gemini-3.8-flash", {"seed": 1}),
        ("gemini-4-argon", {"seed": 1}),
        ("gemini-5-flash", {"seed": 1}),
        ("gemini-2.5-flash", {"temperature": 0.1, "topP": 0.9, "top_k": 3, "seed": 1}),
        ("other", {"temperature": 0.1, "topP": 0.9, "top_k": 3, "seed": 1}),
    ],
)
def test_gemini_3_and_later_get_no_sampling(model: str, sent: dict[str, object]) -> None:
    config = {"temperature": 0.1, "topP": 0.9, "top_k": 3, "seed": 1, "thinking_config": None}
    assert as_sent(model, config) == sent
    assert left_out(model, config) == ([] if "temperature" in sent else ["temperature", "topP", "top_k"])


def test_a_resolution_goes_by_its_full_name() -> None:
    assert as_sent("other", {"mediaResolution": "low"}) == {"mediaResolution": "MEDIA_RESOLUTION_LOW"}


@pytest.mark.parametrize(
    ("model", "config", "key", "said"),
    [
        ("gemini-4-neon", {"thinking_config": {"thinking_level": "MINIMAL"}}, "thinking_config.thinking_level",
         "gemini-4-neon does not know the level MINIMAL; its levels are LOW, MEDIUM, HIGH, XHIGH"),
        ("gemini-4-neon", {"thinkingConfig": {"thinkingBudget": 0}}, "thinkingConfig.thinkingBudget",
         "gemini-4-neon takes no thinking_budget; give a thinking_level instead: LOW, MEDIUM, HIGH, XHIGH"),
        ("gemini-3.5-flash", {"thinking_config": {"thinking_budget": 512}}, "thinking_config.thinking_budget",
         "gemini-3.5-flash takes no thinking_budget; give a thinking_level instead: MINIMAL, LOW, MEDIUM, HIGH"),
        ("gemini-3.8-flash", {"thinking_config": {"thinking_level": "minimal"}}, "thinking_config.thinking_level",
         "gemini-3.8-flash does not know the level minimal; its levels are LOW, MEDIUM, HIGH"),
        ("gemini-3.8-flash", {"thinking_config": {"thinking_level": "XHIGH"}}, "thinking_config.thinking_level",
         "gemini-3.8-flash does not know the level XHIGH"),
        ("gemini-2.5-pro", {"thinking_config": {"thinking_level": "LOW"}}, "thinking_config.thinking_level",
         "gemini-2.5-pro does not know the level LOW; it takes a thinking_budget only"),
        ("gemini-3.8-flash", {"thinking_config": "LOW"}, "thinking_config", "must be a mapping such as"),
        ("gemini-3.8-flash", {"candidateCount": 1}, "candidateCount", "more than one answer"),
        ("gemini-2.5-pro", {"candidate_count": 3}, "candidate_count", "more than one answer"),
        ("gemini-4-neon", {"presencePenalty": 0.1}, "presencePenalty", "gemini-4-neon refuses penalties"),
        ("gemini-4-neon", {"frequency_penalty": 0.1}, "frequency_penalty", "gemini-4-neon refuses penalties"),
        ("gemini-3.8-flash", {"media_resolution": "hihg"}, "media_resolution", "must be one of LOW, MEDIUM, HIGH, ULT"),
        ("gemini-2.5-flash", {"media_resolution": "ULTRA_HIGH"}, "media_resolution",
         "gemini-2.5-flash does not know ULTRA_HIGH"),
    ],
)  # fmt: skip
def test_what_a_model_would_answer_with_a_400_is_named_before(
    model: str, config: dict[str, Any], key: str, said: str
) -> None:
    found = refusal(model, config)
    assert found is not None
    assert found[0] == key
    assert found[1].startswith(said)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("gemini-4-neon", {"thinking_config": {"thinking_level": "XHIGH"}}),
        ("gemini-4-argon", {"presence_penalty": 0.1}),
        ("gemini-3.8-flash", {"media_resolution": "MEDIA_RESOLUTION_ULTRA_HIGH", "thinking_config": None}),
        ("gemini-2.5-flash", {"thinking_config": {"thinking_budget": 0}}),
        ("gemini-9", {"thinking_config": {"thinking_level": "WILD", "thinking_budget": 3}}),
    ],
)
def test_what_a_model_takes_or_what_nobody_knows_passes(model: str, config: dict[str, Any]) -> None:
    assert refusal(model, config) is None


def test_a_model_that_has_ended_is_answered_for_by_its_successor() -> None:
    last, first = date(2026, 11, 30), date(2026, 12, 1)
    assert [answering("gemini-2.5-flash", day) for day in (last, first)] == [
        "gemini-2.5-flash",
        "gemini-3.5-flash-lite",
    ]
    assert [answering("gemini-2.5-pro", day) for day in (last, first)] == ["gemini-2.5-pro", "gemini-3.8-flash"]
    assert answering("gemini-3.1-flash-lite", date(2030, 1, 1)) == "gemini-3.1-flash-lite", "nothing answers for it"
    assert answering("gemini-3.8-flash", date(2030, 1, 1)) == "gemini-3.8-flash"


def test_an_end_is_told_sixty_days_before() -> None:
    assert NOTICE_DAYS == 60
    assert retirement_notice("gemini-3.1-flash-lite", date(2027, 3, 7)) is None
    assert retirement_notice("gemini-3.1-flash-lite", date(2027, 3, 8)) == (
        "gemini-3.1-flash-lite ends on 2027-05-07, in 60 days: choose another model.name"
    )
    assert retirement_notice("gemini-2.5-pro", date(2026, 12, 1)) == (
        "gemini-2.5-pro has ended on 2026-12-01: gemini-3.8-flash answers in its place, at its own price; set "
        "model.name to it, or to another"
    )
    assert retirement_notice("gemini-3.8-flash", date(2030, 1, 1)) is None
    assert all(end.successor not in RETIREMENTS for end in RETIREMENTS.values()), "nobody follows a chain"
