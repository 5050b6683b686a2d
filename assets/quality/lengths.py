"""Pages with far more or far fewer words than the pages around them."""

import numpy as np
import numpy.typing as npt

AROUND = 5
"""So many pages before, and so many behind, are the neighbours."""
LEAST_NEIGHBOURS = 4
FACTOR = 4.0
LEAST_WORDS = 100
"""A page stands out whose words are FACTOR times as many, or as few, as the median of its neighbours', and LEAST_WORDS
away from it."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def neighbours_of(words: IntArray) -> npt.NDArray[np.float64]:
    """Of each page of a document, in the order of its pages, the median words of its neighbours; NaN where there are
    too few of them."""
    pages = len(words)
    found = np.full(pages, np.nan)
    for at in range(pages):
        around = np.concatenate([words[max(0, at - AROUND) : at], words[at + 1 : at + 1 + AROUND]])
        if len(around) >= LEAST_NEIGHBOURS:
            found[at] = np.median(around)
    return found


def stand_out(words: IntArray, neighbours: npt.NDArray[np.float64]) -> BoolArray:
    """Which pages do."""
    known = np.nan_to_num(neighbours, nan=-1.0)
    is_far = np.abs(words - known) >= LEAST_WORDS
    is_other = (words >= FACTOR * known) | (words * FACTOR <= known)
    found: BoolArray = (known >= 0) & is_far & is_other
    return found
