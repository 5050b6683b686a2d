"""Which pages of a document have far fewer or far more words than the others: by the median and the median of the
distances from it, which a few odd pages do not move. Pure.
"""

import numpy as np
import numpy.typing as npt

FEWEST_PAGES = 8
"""Of fewer nobody can say what is usual."""
_DISTANCES = 4.5
_AS_DEVIATION = 1.4826
"""By which the median distance of what is spread by chance becomes its standard deviation."""
_LEAST_SHARE = 0.1
"""Pages that are nearly alike differ by so much of their median without being odd."""


def oddness(words: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """``words``: of each page, -1 where it has no result. Returns -1 for far too few, 1 for far too many, else 0."""
    found = np.zeros(len(words), dtype=np.int8)
    known = words >= 0
    if np.count_nonzero(known) < FEWEST_PAGES:
        return found
    middle = float(np.median(words[known]))
    distance = float(np.median(np.abs(words[known] - middle))) * _AS_DEVIATION
    bound = _DISTANCES * max(distance, _LEAST_SHARE * middle, 1.0)
    found[known & (words > middle + bound)] = 1
    # So few that they are odd by any measure: a page with next to nothing among full ones.
    few = min(bound, 0.9 * middle) if middle >= 20 else bound
    found[known & (words < middle - few)] = -1
    return found
