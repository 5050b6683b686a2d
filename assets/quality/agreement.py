"""How far two readings of the same pages agree. Neither is taken for the truth: where they differ one is wrong at
least, and where they agree both may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from assets.quality.intervals import Rate, rate_of
from assets.quality.normal import AS_IT_IS, Normalization


@dataclass(frozen=True, slots=True)
class Agreement:
    """``by_page``: of each page the share of its characters in which the two agree, from 0 to 1; ``characters``,
    ``words``: over all pages, with their intervals."""

    by_page: npt.NDArray[np.float64]
    characters: Rate
    words: Rate


def agreement_of(
    first: Sequence[str], second: Sequence[str], normalization: Normalization = AS_IT_IS, *, seed: int = 0
) -> Agreement:
    """``first``, ``second``: the texts of the same pages, in the same order. It is the same whichever comes first:
    edits are held against the longer of the two texts. Two empty texts agree."""
    rows = np.zeros((len(first), 4), dtype=np.int64)
    for row, texts in enumerate(zip(first, second, strict=True)):
        one, other = map(normalization.of, texts)
        words, others = one.split(), other.split()
        rows[row, :2] = Levenshtein.distance(one, other), max(len(one), len(other))
        rows[row, 2:] = Levenshtein.distance(words, others), max(len(words), len(others))
    char_edits, chars, word_edits, words_of = rows.T
    by_page = 1 - char_edits / np.maximum(chars, 1)
    return Agreement(
        by_page,
        rate_of(chars - char_edits, chars, seed=seed),
        rate_of(words_of - word_edits, words_of, seed=seed),
    )
