"""What the files alone tell of the ledger, for the case that Prefect does not answer or has lost it. A batch that a
person has let go of in the Variables alone, and a count that a person has reset, are not seen here.
"""

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import claim_name, is_resettled
from assets.domain.outcome import COUNTED
from flows.gateways.files.storage import Storage
from flows.tables.derived import kinds_table
from flows.tables.settlements import in_order_of_settlement


def open_submissions(storage: Storage) -> list[str]:
    """The submissions that have no outcomes, oldest first."""
    closed = storage.closed_submissions()
    return [each for each in storage.submissions() if each not in closed]


def active_name(storage: Storage, submission_id: str) -> str:
    """The name under which an open submission stands in the active list. Raises ManifestError."""
    job = storage.read_job(submission_id)
    return job.batch_id if job is not None and job.batch_id else claim_name(submission_id)


def last_counts(storage: Storage) -> dict[str, int]:
    """Record key -> the failure count after its last failure, or after that was taken back by an answer that was judged
    again. Raises ManifestError."""
    counts: dict[str, int] = {}
    kinds = kinds_table(storage, write=False)
    counting = kinds.filter(pc.is_in(kinds["kind"], value_set=pa.array(sorted(COUNTED), pa.string())))
    names = {*counting["submission_id"].to_pylist(), *filter(is_resettled, storage.outcome_files())}
    for each in in_order_of_settlement(storage, names):
        table = storage.read_outcomes(each, ["record_key", "count_after"])
        table = table.filter(table["count_after"].is_valid())
        counts.update(zip(table["record_key"].to_pylist(), table["count_after"].to_pylist(), strict=True))
    return {key: count for key, count in counts.items() if count}
