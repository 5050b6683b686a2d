"""Pages of words that no language of this collection would write: told by a model of three letters in a row, which is
learned from the collection's own pages.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

PLACES = 1 << 18
"""Counts of groups of letters, by a hash: some share a place, which blurs them a little."""
_ALPHABET = 64
"""So many signs might follow two others."""
LEAST_LETTERS = 200
"""Of a page with fewer nothing is said."""
LEAST_PAGES = 8
DEVIATIONS = 8.0
LEAST_BITS = 1.0
"""A page is strange whose letters take LEAST_BITS more to tell than those of the page in the middle, and so many
deviations (the median one, scaled to that of a normal distribution)."""

FloatArray = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass
class LetterModel:
    """``threes``, ``twos``: how often each group of letters was seen; ``pages``: how many were learned from."""

    threes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(PLACES, np.int64))
    twos: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(PLACES, np.int64))
    pages: int = 0

    def learn(self, text: str) -> None:
        """From a page."""
        threes, twos = _groups(text)
        self.threes += np.bincount(threes, minlength=PLACES)
        self.twos += np.bincount(twos, minlength=PLACES)
        self.pages += 1

    def bits(self, text: str, *, is_learned: bool) -> float:
        """How many bits a letter of the page takes, on average; NaN for one with too few letters. ``is_learned``: the
        page is one of those that were learned from, so that what it taught is left out."""
        threes, twos = _groups(text)
        if len(threes) < LEAST_LETTERS:
            return float("nan")
        _, at = np.unique(threes, return_inverse=True)
        _, at_twos = np.unique(twos, return_inverse=True)
        less = (np.bincount(at)[at], np.bincount(at_twos)[at_twos]) if is_learned else (0, 0)
        chances = (self.threes[threes] - less[0] + 0.1) / (self.twos[twos] - less[1] + 0.1 * _ALPHABET)
        return float(-np.log2(chances).mean())


def model_of(texts: Iterable[str]) -> LetterModel:
    model = LetterModel()
    for text in texts:
        model.learn(text)
    return model


def are_strange(bits: FloatArray) -> npt.NDArray[np.bool_]:
    """``bits``: of each page, as of `LetterModel.bits`."""
    known = bits[~np.isnan(bits)]
    if len(known) < LEAST_PAGES:
        return np.zeros(len(bits), dtype=bool)
    middle = np.median(known)
    deviation = max(1.4826 * float(np.median(np.abs(known - middle))), 1e-9)
    above = np.nan_to_num(bits - middle, nan=-1.0)
    found: npt.NDArray[np.bool_] = (above >= LEAST_BITS) & (above >= DEVIATIONS * deviation)
    return found


def _groups(text: str) -> tuple[Places, Places]:
    """The places of each three letters in a row, and of the first two of them. Words are divided by one blank; digits
    and signs are none."""
    letters = "".join(each if each.isalpha() else " " for each in text.casefold())
    codes = np.frombuffer(f" {' '.join(letters.split())} ".encode("utf-32-le"), np.uint32).astype(np.int64)
    if len(codes) < 3:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first, second, third = codes[:-2], codes[1:-1], codes[2:]
    twos = first * 1_000_003 + second
    return (twos * 1_000_003 + third) % PLACES, twos % PLACES
