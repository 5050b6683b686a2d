"""Answers with a known share of wrong letters, by model: what a measure of errors has to find is known."""

import random

from emulator.engines.noise import with_noise
from emulator.rules import Asked, RuleBook, parse_rules


def chance() -> random.Random:
    return random.Random(1)  # noqa: S311


TEXT = "Know all men by these presents. " * 20


def test_just_so_many_letters_are_wrong_as_the_share_says_and_only_in_the_fields_that_are_named() -> None:
    answer = {"kind": "paragraph", "blocks": [{"text": TEXT, "kind": "paragraph"}, {"text": ""}]}
    found = with_noise(answer, 0.05, "text", chance())
    wrong = [at for at, each in enumerate(found["blocks"][0]["text"]) if each != TEXT[at]]
    assert len(wrong) == round(0.05 * sum(each.isalnum() for each in TEXT))
    assert all(TEXT[at].isalnum() for at in wrong)
    assert (found["kind"], found["blocks"][0]["kind"], found["blocks"][1]) == ("paragraph", "paragraph", {"text": ""})
    assert with_noise(answer, 0.05, "text", chance()) == found
    assert with_noise(answer, 0.0, "text", chance()) == answer


def test_a_rule_for_a_model_counts_for_that_model_alone() -> None:
    steps = [{"kind": "auto", "noise": 0.1}]
    rules = RuleBook(parse_rules({"records": [{"key": "*", "model": "*-lite", "steps": steps}]}))
    step = rules.step("a", 0, Asked(model="gemini-3.5-flash-lite"))
    assert step is not None
    assert step.noise == 0.1
    assert rules.step("a", 0, Asked(model="gemini-3.5-flash")) is None
