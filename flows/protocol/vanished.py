"""The guard against a share that is not mounted: finished records whose results are gone must not be paid for again."""

from collections.abc import Collection

import numpy as np

from assets.domain.errors import VanishedResultsError
from assets.numbering import NOWHERE, Numbering, Pages, Records
from flows.gateways.files.storage import Storage

FEW = 2
"""Of a small collection a page or two are soon a large share, and deleted by hand."""


def check_vanished(
    storage: Storage,
    records: Records,
    succeeded: Pages,
    present: Pages,
    inflight: Collection[str],
    *,
    limits: tuple[int, float],
    accept: bool,
) -> None:
    """Raise VanishedResultsError if too many of ``records`` whose last outcome was a success (``succeeded``) have no
    output result now and are not in flight again: all of them, or more than ``limits``, a number and a share.
    ``present``: those that have one, the pages of a document together.

    A few are nothing to stop for: deleting an output is how a person has a page read again. ``accept``: a person has
    said that they are meant to be gone; that is noted for each, until it has a result again.
    """
    noted = sorted(storage.read_accepted())
    is_back = Numbering(present).numbers_of_keys(noted) != NOWHERE
    accepted = {key for key, back in zip(noted, is_back, strict=True) if not back}
    counts = records.mask(succeeded).copy()
    counts[records.known({*inflight, *accepted})] = False
    vanished = np.flatnonzero(counts & ~records.mask(present))
    total = int(np.count_nonzero(counts))
    if are_too_many(len(vanished), total, *limits):
        if not accept:
            raise VanishedResultsError(
                f"{storage.output_results}: {len(vanished)} records that succeeded have no output result any more, of "
                f"{total}, such as {records.keys(vanished[:1])[0]}: is the folder mounted? If they were deleted on "
                "purpose: quire run --accept-vanished"
            )
        accepted.update(records.keys(vanished).to_pylist())
    if accepted != set(noted):
        storage.write_accepted(accepted)


def are_too_many(vanished: int, succeeded: int, most: int, most_of_all: float) -> bool:
    """Whether so many results can be gone only by accident. ``most_of_all``: a share, which is not asked of a FEW."""
    is_share_passed = vanished > FEW and vanished > most_of_all * succeeded
    return vanished > 0 and (vanished == succeeded or vanished > most or is_share_passed)
