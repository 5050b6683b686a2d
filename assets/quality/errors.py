"""How far readings are from what should have been read: edits in characters and in words, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from assets.quality.normal import Normalization

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edits:
    """Of each page, in arrays of one length: how many characters and words have to be inserted, deleted or replaced,
    and how many the reference has."""

    char_edits: IntArray
    chars: IntArray
    word_edits: IntArray
    words: IntArray

    def take(self, at: npt.NDArray[np.bool_] | IntArray) -> "Edits":
        return Edits(self.char_edits[at], self.chars[at], self.word_edits[at], self.words[at])

    def __len__(self) -> int:
        return len(self.chars)


def edits_of(references: Sequence[str], readings: Sequence[str], normalization: Normalization) -> Edits:
    """``references``, ``readings``: the texts of the same pages, in the same order."""
    rows = np.zeros((len(references), 4), dtype=np.int64)
    for row, (reference, reading) in enumerate(zip(references, readings, strict=True)):
        right, read = normalization.of(reference), normalization.of(reading)
        words = right.split(" ") if right else []
        edits = Levenshtein.distance(words, read.split(" ") if read else [])
        rows[row] = Levenshtein.distance(right, read), len(right), edits, len(words)
    return Edits(*rows.T)


def rates(edits: IntArray, units: IntArray) -> npt.NDArray[np.float64]:
    """Of each page edits per unit of its reference: 0 is perfect, and it can exceed 1. A page whose reference is empty
    has 0, or 1 where anything was read."""
    return np.where(units > 0, edits / np.maximum(units, 1), np.minimum(edits, 1))
