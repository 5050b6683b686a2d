"""What records have been through, as far as planning needs it: how often its job FAILED since it was last answered,
how often it came back without an answer, which failures it had. Derived from outcomes; `manifests/history`. A record
that was answered well and of which nothing else counts has no row: its result says the same (`provenance`).

From it come smaller batches for records whose jobs fail, records that are held for a person, the guard against results
that vanished, the waits of `service_waits`, and what can be done better next time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.outcome import ANSWERED_WELL, COUNTED, HELD, LASTING, OutcomeKind
from assets.places import DOCUMENT, PAGE, PLACE

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("failed_jobs", pa.int32(), nullable=False),
        pa.field("unanswered", pa.int32(), nullable=False),
        pa.field("unjudged", pa.int32(), nullable=False),
        pa.field("settled_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("service_errors", pa.int32(), nullable=False),
        pa.field("refusals", pa.int32(), nullable=False),
        pa.field("cut_short", pa.int32(), nullable=False),
        pa.field("over_thought", pa.int32(), nullable=False),
        pa.field("recitations", pa.int32(), nullable=False),
        pa.field("problem_kind", pa.string()),
        pa.field("problem", pa.string()),
        DOCUMENT,
        PAGE,
    ]
)
"""One row a record, described in manifests/README.md. ``submission_id``, ``kind``, ``settled_at``: of its last outcome;
``unjudged``: how many of all its answers a validator of the schema has failed at; ``service_errors``, ``refusals``:
how often in a row, since it was answered otherwise; ``cut_short``, ``over_thought`` (cut short, with more thoughts than
answer) and ``recitations``: how often since the last good answer; ``problem``: what was wrong with the last answer
since then that was no JSON or did not fit the schema, ``problem_kind``: which of the two. All failures but those of the
service are the record's own."""

HISTORY_COLUMNS = ("record_key", "submission_id", "kind", "settled_at", "message", "output_tokens", "thoughts_tokens")
"""What of the outcomes it goes by."""

_OF_OUTCOMES = pa.schema([field for field in HISTORY_SCHEMA if field.name not in PLACE])

_UNANSWERED = frozenset(
    {
        OutcomeKind.BATCH_CANCELLED,
        OutcomeKind.BATCH_EXPIRED,
        OutcomeKind.RELEASED,
        OutcomeKind.UPLOAD_GONE,
        OutcomeKind.IMAGE_REPLACED,
    }
)
"""An image that is another each time its answer comes would be paid for without an end."""
_JOB_FAILED = frozenset({OutcomeKind.BATCH_FAILED, OutcomeKind.FAILED_ALONE})
_SERVICE = frozenset({OutcomeKind.SERVICE_ERROR})
_ANSWERED = (ANSWERED_WELL | COUNTED | HELD | _SERVICE) - {
    OutcomeKind.FAILED_ALONE,
    OutcomeKind.UPLOAD_REFUSED,
}
"""Kinds of a record whose job has written a result, whatever became of it."""
_PROBLEM = frozenset({OutcomeKind.NOT_JSON, OutcomeKind.SCHEMA_MISMATCH})
_COUNTERS = ("failed_jobs", "unanswered", "unjudged", "service_errors", "refusals")
_SINCE_GOOD = ("cut_short", "over_thought", "recitations")


def with_outcomes(history: pa.Table, outcomes: pa.Table, *, may_have_run: bool) -> pa.Table:
    """The history after another submission was closed. ``may_have_run``: what was released counts as unanswered only
    where there was, or may have been, a job. Columns: those of HISTORY_SCHEMA but the place of the record, in no
    promised order; a row for each record of ``outcomes``, also where nothing of it counts any more (`is_plain`)."""
    keys = outcomes["record_key"].combine_chunks()
    at = pc.index_in(keys, value_set=history["record_key"].combine_chunks())
    known = at.is_valid().to_numpy(zero_copy_only=False)
    before = {
        name: np.where(known, pc.fill_null(history[name].take(at), 0).to_numpy(), 0)
        for name in (*_COUNTERS, *_SINCE_GOOD)
    }
    kinds = outcomes["kind"]
    answered, good = _among(kinds, _ANSWERED), _among(kinds, ANSWERED_WELL)
    is_fault = _among(kinds, _SERVICE)
    is_refusal, is_problem = _among(kinds, LASTING), pa.array(_among(kinds, _PROBLEM))
    is_cut = _among(kinds, frozenset({OutcomeKind.CUT_SHORT}))
    thoughts, answer = (pc.fill_null(outcomes[name], 0).to_numpy() for name in ("thoughts_tokens", "output_tokens"))
    since_good = {
        "cut_short": is_cut,
        "over_thought": is_cut & (thoughts > answer),
        "recitations": _among(kinds, frozenset({OutcomeKind.RECITATION})),
    }
    said = {"problem_kind": kinds, "problem": outcomes["message"]}
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
            "settled_at": outcomes["settled_at"],
            "service_errors": np.where(answered & ~is_fault, 0, before["service_errors"] + is_fault),
            "refusals": np.where(answered & ~is_refusal & ~is_fault, 0, before["refusals"] + is_refusal),
            **{name: np.where(good, 0, before[name] + more) for name, more in since_good.items()},
            **{
                name: pc.if_else(
                    is_problem,
                    new.combine_chunks(),
                    pc.if_else(pa.array(good), pa.scalar(None, pa.string()), _text_before(history, name, at)),
                )
                for name, new in said.items()
            },
        }
    ).cast(_OF_OUTCOMES)
    kept = history.select(_OF_OUTCOMES.names).filter(pc.invert(pc.is_in(history["record_key"], value_set=keys)))
    return pa.concat_tables([kept, changed]).combine_chunks()


def is_plain(history: pa.Table) -> pa.Array:
    """For each row whether the record was answered well, and nothing counts that was before: all that planning goes by
    is as if it had no row."""
    plain = _among(history["kind"], frozenset({OutcomeKind.SUCCESS})) & history["problem_kind"].is_null().to_numpy()
    for name in (*_COUNTERS, *_SINCE_GOOD):
        plain &= history[name].to_numpy() == 0
    return pa.array(plain)


def _text_before(history: pa.Table, name: str, at: pa.Array) -> pa.Array:
    found: pa.Array = history[name].combine_chunks().take(at)
    return found


def failed_jobs_of(history: pa.Table, keys: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """For each key, how often its job FAILED since its last result line."""
    at = pc.index_in(keys, value_set=history["record_key"].combine_chunks())
    found: npt.NDArray[np.int32] = pc.fill_null(history["failed_jobs"].take(at), 0).to_numpy()
    return found


def batch_size(limit: int, failed_jobs: int) -> int:
    """The most records in a batch with one whose job FAILED so often: half as many each time, down to it alone."""
    return max(1, limit >> min(failed_jobs, 63))


def held_records(
    history: pa.Table,
    *,
    max_retries: int,
    max_service_errors: int,
    let_go: Mapping[str, int],
    let_go_unjudged: Mapping[str, int],
    let_go_service: Mapping[str, int],
) -> list[str]:
    """The records that wait for a person: those that were in ``max_retries + 1`` batches in a row without any answer,
    those that met ``max_service_errors`` faults of the service in a row, and those of which the last answer is there,
    paid for, and could not be judged.

    ``let_go``: record key -> its ``unanswered`` when a person let go of it; it counts from there. ``let_go_unjudged``
    and ``let_go_service``: likewise its ``unjudged`` and its ``service_errors``. FAILED jobs are none of these batches:
    they make smaller ones, until the failure is the record's own.
    """
    many = history.filter(pc.greater(history["unanswered"], max_retries))
    rows = many.select(["record_key", "unanswered"]).to_pylist()
    unjudged = unjudged_records(history)
    by_service = service_errors_since(history, let_go_service)
    found = [row["record_key"] for row in rows if _since(row["record_key"], row["unanswered"], let_go) > max_retries]
    found += [key for key, count in unjudged.items() if count > let_go_unjudged.get(key, 0)]
    return list(dict.fromkeys(found + [key for key, (n, _) in by_service.items() if n >= max_service_errors]))


def service_errors_since(history: pa.Table, let_go: Mapping[str, int]) -> dict[str, tuple[int, datetime]]:
    """Record key -> how many faults of the service in a row it has met, since a person let go of it, and when the last
    one was noted (UTC). Of records that have met none, nothing."""
    met = history.filter(pc.greater(history["service_errors"], 0))
    rows = met.select(["record_key", "service_errors", "settled_at"]).to_pylist()
    counted = ((row["record_key"], _since(row["record_key"], row["service_errors"], let_go), row) for row in rows)
    return {key: (count, row["settled_at"]) for key, count, row in counted if count}


def counts_of(history: pa.Table, name: str) -> dict[str, int]:
    """Record key -> the count in the column ``name``, of the records that have one."""
    counted = history.filter(pc.greater(history[name], 0))
    return dict(zip(counted["record_key"].to_pylist(), counted[name].to_pylist(), strict=True))


def unjudged_records(history: pa.Table) -> dict[str, int]:
    """Record key -> ``unjudged``, of the records whose last answer could not be judged."""
    rows = history.filter(pa.array(_among(history["kind"], HELD)))
    return dict(zip(rows["record_key"].to_pylist(), rows["unjudged"].to_pylist(), strict=True))


def has_succeeded(history: pa.Table) -> pa.Array:
    """For each row whether the last outcome was a success."""
    return pa.array(_among(history["kind"], ANSWERED_WELL))


def _since(key: str, count: int, let_go: Mapping[str, int]) -> int:
    at = let_go.get(key, 0)
    # It was answered since: the count began anew.
    return count - at if at <= count else count


def _among(kinds: pa.ChunkedArray, wanted: frozenset[OutcomeKind]) -> npt.NDArray[np.bool_]:
    values: Sequence[str] = sorted(kind.value for kind in wanted)
    found: npt.NDArray[np.bool_] = pc.is_in(kinds, value_set=pa.array(values, pa.string())).to_numpy(
        zero_copy_only=False
    )
    return found
