"""Answers with a known number of wrong letters, so that it is known what a measure of errors has to find."""

import random
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def with_noise(answer: Any, share: float, field: str, chance: random.Random) -> Any:
    """``answer`` with wrong letters in all texts of fields that are called ``field``, at any depth. ``share``: of the
    letters and digits of each text, rounded to whole ones; each becomes another small letter."""
    if isinstance(answer, list):
        return [with_noise(each, share, field, chance) for each in answer]
    if isinstance(answer, dict):
        return {
            name: _wrong(value, share, chance)
            if name == field and isinstance(value, str)
            else with_noise(value, share, field, chance)
            for name, value in answer.items()
        }
    return answer


def _wrong(text: str, share: float, chance: random.Random) -> str:
    places = [at for at, each in enumerate(text) if each.isalnum()]
    letters = list(text)
    for at in chance.sample(places, round(share * len(places))):
        letters[at] = chance.choice([each for each in LETTERS if each != letters[at]])
    return "".join(letters)
