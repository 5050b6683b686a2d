"""The guard against a share that is not mounted: finished records whose results are gone must not be paid for again."""

from collections.abc import Collection

import pyarrow as pa

from assets.domain.errors import VanishedResultsError
from assets.history import succeeded_records
from flows.gateways.files.storage import Storage

FEW = 2
"""Of a small collection a page or two are soon a large share, and deleted by hand."""


def check_vanished(
    storage: Storage,
    manifest: pa.Table,
    history: pa.Table,
    present: Collection[str],
    inflight: Collection[str],
    *,
    limits: tuple[int, float],
    accept: bool,
) -> None:
    """Raise VanishedResultsError if too many records of the manifest whose last outcome was a success have no output
    result now and are not in flight again: all of them, or more than ``limits``, a number and a share. ``present``: the
    records that have one.

    A few are nothing to stop for: deleting an output is how a person has a page read again. ``accept``: a person has
    said that they are meant to be gone; that is noted for each, until it has a result again.
    """
    noted = storage.read_accepted()
    accepted = noted.difference(present)
    succeeded = (
        set(succeeded_records(history)).intersection(manifest["record_key"].to_pylist()).difference(inflight, accepted)
    )
    vanished = succeeded.difference(present)
    if are_too_many(len(vanished), len(succeeded), *limits):
        if not accept:
            raise VanishedResultsError(
                f"{storage.output_results}: {len(vanished)} records that succeeded have no output result any more, of "
                f"{len(succeeded)}, such as {min(vanished)}: is the folder mounted? If they were deleted on purpose: "
                "quire run --accept-vanished"
            )
        accepted |= vanished
    if accepted != noted:
        storage.write_accepted(accepted)


def are_too_many(vanished: int, succeeded: int, most: int, most_of_all: float) -> bool:
    """Whether so many results can be gone only by accident. ``most_of_all``: a share, which is not asked of a FEW."""
    is_share_passed = vanished > FEW and vanished > most_of_all * succeeded
    return vanished > 0 and (vanished == succeeded or vanished > most or is_share_passed)
