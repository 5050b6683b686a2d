"""The fields of a result against those of its gold: which are the same, and how alike the others are."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from assets.quality.normal import AS_IT_IS, Normalization


@dataclass(slots=True)
class FieldScore:
    """A field over all pages, by its path (``entries[].heading``). ``values``: how often it stands in gold or reading;
    ``exact``: how often both have the same; ``alike``: how alike they are, 1 for the same, added up."""

    values: int = 0
    exact: int = 0
    alike: float = 0.0

    def add(self, other: "FieldScore") -> None:
        self.values += other.values
        self.exact += other.exact
        self.alike += other.alike


def field_scores(gold: Any, reading: Any, normalization: Normalization = AS_IT_IS) -> dict[str, FieldScore]:
    """Of one page. Texts are compared in their normal form, all else as it is. The items of two lists are laid side by
    side as they are most alike: one that was left out makes one error, and not one of each that
    follows."""
    scores: dict[str, FieldScore] = {}
    for path, right, read in _pairs("", gold, reading, normalization):
        score = scores.setdefault(path, FieldScore())
        score.values += 1
        score.exact += right == read
        score.alike += _alike(right, read)
    return scores


_ABSENT = object()
_ALIKE = Indel.normalized_similarity


def _pairs(path: str, gold: Any, reading: Any, normalization: Normalization) -> Iterator[tuple[str, Any, Any]]:
    """Path, and both values in their normal form."""
    if isinstance(gold, dict) or isinstance(reading, dict):
        right, read = _fields(gold), _fields(reading)
        for name in dict.fromkeys([*right, *read]):
            place = f"{path}.{name}" if path else name
            yield from _pairs(place, right.get(name, _ABSENT), read.get(name, _ABSENT), normalization)
    elif isinstance(gold, list) or isinstance(reading, list):
        right_items, read_items = gold if isinstance(gold, list) else [], reading if isinstance(reading, list) else []
        for one, other in _aligned(right_items, read_items):
            yield from _pairs(f"{path}[]", one, other, normalization)
    else:
        yield path, _normal(gold, normalization), _normal(reading, normalization)


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _aligned(gold: list[Any], reading: list[Any]) -> Iterator[tuple[Any, Any]]:
    """In their order, so that those that are laid side by side are as alike as can be, in all."""
    alike = cdist([_as_text(each) for each in gold], [_as_text(each) for each in reading], scorer=_ALIKE)
    best = np.zeros((len(gold) + 1, len(reading) + 1))
    for one in reversed(range(len(gold))):
        for other in reversed(range(len(reading))):
            beside = best[one + 1, other + 1] + alike[one, other]
            best[one, other] = max(best[one + 1, other], best[one, other + 1], beside)
    one = other = 0
    while one < len(gold) or other < len(reading):
        if one < len(gold) and best[one, other] == best[one + 1, other]:
            yield gold[one], _ABSENT
            one += 1
        elif other < len(reading) and best[one, other] == best[one, other + 1]:
            yield _ABSENT, reading[other]
            other += 1
        else:
            yield gold[one], reading[other]
            one, other = one + 1, other + 1


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _normal(value: Any, normalization: Normalization) -> Any:
    return normalization.of(value) if isinstance(value, str) else value


def _alike(right: Any, read: Any) -> float:
    if isinstance(right, str) and isinstance(read, str):
        return float(Indel.normalized_similarity(right, read))
    return float(right == read and type(right) is type(read))
