"""The guard against a share that is not mounted: finished records whose results are gone must not be paid for again."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import VanishedResultsError
from assets.domain.outcome import ANSWERED_WELL
from flows.gateways.storage import Storage


def check_vanished(
    storage: Storage, manifest: pa.Table, done: Collection[str], inflight: Collection[str], *, limit: int, accept: bool
) -> None:
    """Raise VanishedResultsError if more than ``limit`` records of the manifest whose last outcome was a success have
    no output result now and are not in flight again.

    A few are nothing to stop for: deleting an output is how a person has a page read again. ``accept``: a person has
    said that they are meant to be gone; that is noted for each, until it has a result again.
    """
    vanished = _succeeded(storage).intersection(manifest["record_key"].to_pylist()).difference(done, inflight)
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


def _succeeded(storage: Storage) -> set[str]:
    """The records whose last outcome was a success."""
    succeeded: set[str] = set()
    for submission_id in sorted(storage.closed_submissions()):
        outcomes = storage.read_outcomes(submission_id, ["record_key", "kind"])
        good = pc.is_in(outcomes["kind"], value_set=pa.array(list(ANSWERED_WELL), pa.string()))
        succeeded.difference_update(outcomes.filter(pc.invert(good))["record_key"].to_pylist())
        succeeded.update(outcomes.filter(good)["record_key"].to_pylist())
    return succeeded
