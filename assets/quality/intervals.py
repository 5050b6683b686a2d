"""What a few pages tell of all: a rate over them, and an interval by bootstrap over pages. A page is drawn as a whole,
since the errors of one page come together.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from assets.quality.errors import IntArray

DRAWS = 2_000
CONFIDENCE = 0.95
FEWEST_PAGES = 3
"""Of fewer no interval is told: there is nothing to draw from."""
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """``rate``: all edits by all units; None where there is no unit. ``low``, ``high``: where the rate over all pages
    lies with CONFIDENCE, None of fewer than FEWEST_PAGES pages; ``pages``: how many were measured."""

    rate: float | None
    low: float | None
    high: float | None
    pages: int


def rate_of(edits: IntArray, units: IntArray, *, seed: int = 0) -> Rate:
    """``edits``, ``units``: of each page. A long page weighs more than a short one."""
    total = int(units.sum())
    if not total:
        return Rate(None, None, None, len(units))
    low, high = _interval(edits, units, seed)
    return Rate(float(edits.sum() / total), low, high, len(units))


def difference_of(edits: IntArray, others: IntArray, units: IntArray, *, seed: int = 0) -> Rate:
    """By how much the rate of one reading is above that of another of the same pages: positive where ``edits`` are
    more. An interval without 0 tells the two apart. The pages are drawn for both together."""
    return rate_of(edits - others, units, seed=seed)


def _interval(edits: IntArray, units: IntArray, seed: int) -> tuple[float | None, float | None]:
    """The percentile interval, with percentiles that are widened as far as a sample of this size is too narrow by
    itself (Hesterberg, What Teachers Should Know About the Bootstrap, 2015)."""
    pages = len(units)
    if pages < FEWEST_PAGES:
        return None, None
    chance, drawn = np.random.default_rng(seed), np.empty(DRAWS)
    for start in range(0, DRAWS, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, DRAWS - start)
        at = chance.integers(0, pages, (count, pages))
        drawn[start : start + count] = edits[at].sum(axis=1) / np.maximum(units[at].sum(axis=1), 1)
    tail = NormalDist().cdf(-sqrt(pages / (pages - 1)) * _student((1 + CONFIDENCE) / 2, pages - 1))
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def _student(probability: float, degrees: int) -> float:
    """The quantile of Student's t, by the expansion of Cornish and Fisher: to a hundredth from 4 degrees on."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def shares(values: npt.NDArray[np.float64], *, seed: int = 0) -> Rate:
    """The mean of what each page has, such as whether a field is right, with its interval."""
    scale = 1_000_000
    return rate_of(np.rint(values * scale).astype(np.int64), np.full(len(values), scale, np.int64), seed=seed)
