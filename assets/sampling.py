"""Which pages a person checks, so that a few tell of all: drawn by chance, spread over strata, the same for the same
seed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

_YEAR = re.compile(r"(?<!\d)(1[0-9]|20)([0-9])[0-9](?!\d)")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stratum:
    """``pages``: how many pages it has; ``drawn``: how many of them were drawn."""

    name: str
    pages: int
    drawn: int


def sample(strata: Sequence[str], count: int, *, seed: int) -> IntArray:
    """The rows of ``count`` pages, ascending; all where there are no more. ``strata``: of each page its stratum.

    Each page is drawn with the same chance, so that a rate over the sample is one over all pages without weights; and
    each stratum has its share, to less than one page. The pages are put in order by stratum, by chance within it, and
    each so-manieth is taken.
    """
    pages = len(strata)
    if count >= pages:
        return np.arange(pages)
    chance = np.random.default_rng(seed)
    _, codes = np.unique(np.array(strata, dtype=object).astype(str), return_inverse=True)
    order = np.lexsort((chance.random(pages), codes))
    at = ((np.arange(count) + chance.random()) * pages / count).astype(np.int64)
    found: IntArray = np.sort(order[np.minimum(at, pages - 1)])
    return found


def strata_of(strata: Sequence[str], drawn: IntArray) -> list[Stratum]:
    """How many pages each stratum has, and how many of them were drawn; by name."""
    names, codes = np.unique(np.array(strata, dtype=object).astype(str), return_inverse=True)
    pages, taken = np.bincount(codes, minlength=len(names)), np.bincount(codes[drawn], minlength=len(names))
    return [Stratum(str(name), int(all_), int(some)) for name, all_, some in zip(names, pages, taken, strict=True)]


def decade_of(fields: Sequence[str]) -> str:
    """``1840s``: by the last of the fields that holds a year from 1000 to 2099; "unknown" where none does."""
    for value in reversed(fields):
        if (found := _YEAR.search(value)) is not None:
            return f"{found[1]}{found[2]}0s"
    return UNKNOWN
