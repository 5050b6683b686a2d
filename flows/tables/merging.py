"""When parts of a derived table are merged: so seldom that a row is written again a few times in its life, and so often
that there are never many parts."""

from collections.abc import Sequence

MOST = 8
"""So many parts stand side by side."""
AT_LEAST = 4
FULL_ROWS = 250_000
"""A part of so many rows is never merged again: a merge fits the memory, and takes a second."""


def parts_to_merge(rows: Sequence[int]) -> int:
    """How many of the newest parts to make one of; 0: none. ``rows``: of each part, oldest first."""
    behind_full = next((at for at, count in enumerate(reversed(rows)) if count >= FULL_ROWS), len(rows))
    small = list(reversed(rows))[:behind_full]
    if len(small) <= MOST:
        return 0
    total = 0
    for count, more in enumerate(small):
        # An older one that is larger than all that is newer waits until that has grown.
        if count >= AT_LEAST and more > total:
            return count
        total += more
    return len(small)
