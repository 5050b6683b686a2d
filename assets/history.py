"""What each record has been through, as far as planning needs it: how often its job FAILED since it was last answered,
and how often it came back without an answer. Derived from outcomes; `manifests/history.parquet`.

From it come smaller batches for records whose jobs fail, records that are held for a person, and the guard against
results that vanished.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.outcome import ANSWERED_WELL, COUNTED, HELD, OutcomeKind

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("failed_jobs", pa.int32(), nullable=False),
        pa.field("unanswered", pa.int32(), nullable=False),
        pa.field("unjudged", pa.int32(), nullable=False),
    ]
)
"""One row a record, described in manifests/README.md. ``submission_id`` and ``kind``: of its last outcome;
``unjudged``: how many of all its answers a validator of the schema has failed at."""

_UNANSWERED = frozenset(
    {OutcomeKind.BATCH_CANCELLED, OutcomeKind.BATCH_EXPIRED, OutcomeKind.RELEASED, OutcomeKind.IMAGE_REPLACED}
)
"""An image that is another each time its answer comes would be paid for without an end."""
_JOB_FAILED = frozenset({OutcomeKind.BATCH_FAILED, OutcomeKind.FAILED_ALONE})
_ANSWERED = (ANSWERED_WELL | COUNTED | HELD) - {
    OutcomeKind.FAILED_ALONE,
    OutcomeKind.UPLOAD_REFUSED,
}
"""Kinds of a record whose job has written a result, whatever became of it."""


def with_outcomes(history: pa.Table, outcomes: pa.Table, *, may_have_run: bool) -> pa.Table:
    """The history after another submission was closed. ``may_have_run``: what was released counts as unanswered only
    where there was, or may have been, a job. Columns: HISTORY_SCHEMA, in no promised order."""
    keys = outcomes["record_key"].combine_chunks()
    at = pc.index_in(keys, value_set=history["record_key"].combine_chunks())
    known = at.is_valid().to_numpy(zero_copy_only=False)
    before = {
        name: np.where(known, pc.fill_null(history[name].take(at), 0).to_numpy(), 0)
        for name in ("failed_jobs", "unanswered", "unjudged")
    }
    kinds = outcomes["kind"]
    answered = _among(kinds, _ANSWERED)
    is_unanswered = _among(kinds, _UNANSWERED if may_have_run else _UNANSWERED - {OutcomeKind.RELEASED})
    changed = pa.table(
        {
            "record_key": keys,
            "submission_id": outcomes["submission_id"],
            "kind": kinds,
            "failed_jobs": np.where(answered, 0, before["failed_jobs"] + _among(kinds, _JOB_FAILED)),
            "unanswered": np.where(answered, 0, before["unanswered"] + is_unanswered),
            # Never anew from nothing: what a person has let go of is known by its number.
            "unjudged": before["unjudged"] + _among(kinds, HELD),
        }
    ).cast(HISTORY_SCHEMA)
    kept = history.filter(pc.invert(pc.is_in(history["record_key"], value_set=keys)))
    return pa.concat_tables([kept, changed]).combine_chunks()


def failed_jobs_of(history: pa.Table, keys: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """For each key, how often its job FAILED since its last result line."""
    at = pc.index_in(keys, value_set=history["record_key"].combine_chunks())
    found: npt.NDArray[np.int32] = pc.fill_null(history["failed_jobs"].take(at), 0).to_numpy()
    return found


def batch_size(limit: int, failed_jobs: int) -> int:
    """The most records in a batch with one whose job FAILED so often: half as many each time, down to it alone."""
    return max(1, limit >> min(failed_jobs, 63))


def held_records(
    history: pa.Table, *, max_retries: int, let_go: Mapping[str, int], let_go_unjudged: Mapping[str, int]
) -> list[str]:
    """The records that wait for a person: those that were in ``max_retries + 1`` batches in a row without any answer,
    and those of which the last answer is there, paid for, and could not be judged.

    ``let_go``: record key -> its ``unanswered`` when a person let go of it; it counts from there. ``let_go_unjudged``:
    likewise its ``unjudged``. FAILED jobs are none of these batches: they make smaller ones, until the failure is the
    record's own.
    """
    many = history.filter(pc.greater(history["unanswered"], max_retries))
    rows = many.select(["record_key", "unanswered"]).to_pylist()
    unjudged = unjudged_records(history)
    return [row["record_key"] for row in rows if _since(row, let_go) > max_retries] + [
        key for key, count in unjudged.items() if count > let_go_unjudged.get(key, 0)
    ]


def unjudged_records(history: pa.Table) -> dict[str, int]:
    """Record key -> ``unjudged``, of the records whose last answer could not be judged."""
    rows = history.filter(pa.array(_among(history["kind"], HELD)))
    return dict(zip(rows["record_key"].to_pylist(), rows["unjudged"].to_pylist(), strict=True))


def succeeded_records(history: pa.Table) -> list[str]:
    """The records whose last outcome was a success."""
    keys: list[str] = history.filter(pa.array(_among(history["kind"], ANSWERED_WELL)))["record_key"].to_pylist()
    return keys


def _since(row: Mapping[str, Any], let_go: Mapping[str, int]) -> int:
    unanswered: int = row["unanswered"]
    at = let_go.get(row["record_key"], 0)
    # It was answered since: the count began anew.
    return unanswered - at if at <= unanswered else unanswered


def _among(kinds: pa.ChunkedArray, wanted: frozenset[OutcomeKind]) -> npt.NDArray[np.bool_]:
    values: Sequence[str] = sorted(kind.value for kind in wanted)
    found: npt.NDArray[np.bool_] = pc.is_in(kinds, value_set=pa.array(values, pa.string())).to_numpy(
        zero_copy_only=False
    )
    return found
