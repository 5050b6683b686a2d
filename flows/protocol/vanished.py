"""The guard against a share that is not mounted: finished records whose results are gone must not be paid for again."""

from collections.abc import Collection

import pyarrow as pa

from assets.domain.errors import VanishedResultsError
from assets.history import succeeded_records
from flows.gateways.files.storage import Storage


def check_vanished(
    storage: Storage,
    manifest: pa.Table,
    history: pa.Table,
    done: Collection[str],
    inflight: Collection[str],
    *,
    limit: int,
    accept: bool,
) -> None:
    """Raise VanishedResultsError if more than ``limit`` records of the manifest whose last outcome was a success have
    no output result now and are not in flight again.

    A few are nothing to stop for: deleting an output is how a person has a page read again. ``accept``: a person has
    said that they are meant to be gone; that is noted for each, until it has a result again.
    """
    vanished = (
        set(succeeded_records(history)).intersection(manifest["record_key"].to_pylist()).difference(done, inflight)
    )
    noted = storage.read_accepted()
    accepted = noted.difference(done)
    vanished -= accepted
    if len(vanished) > limit:
        if not accept:
            raise VanishedResultsError(
                f"{storage.output_results}: {len(vanished)} records that succeeded have no output result any more, "
                f"such as {min(vanished)}: is the folder mounted? If they were deleted on purpose: quire run "
                "--accept-vanished"
            )
        accepted |= vanished
    if accepted != noted:
        storage.write_accepted(accepted)
