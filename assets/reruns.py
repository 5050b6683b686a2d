"""Which results a person wants read again. A result stays in its place until the new one takes it: what is noted is
which one is given up, by its content. So a note can never mean a newer result than the one that the person has seen.
"""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

RESULT_FILE_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("result_bytes", pa.int64(), nullable=False),
        pa.field("result_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
    ]
)
"""Output results as they lie there."""

RERUN_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("rerun_id", pa.string(), nullable=False),
        *RESULT_FILE_SCHEMA.remove(0),
        pa.field("result_sha256", pa.string(), nullable=False),
    ]
)
"""Described in manifests/README.md. ``rerun_id``: a ULID behind all submissions that were there then."""


def with_reruns(noted: pa.Table, added: pa.Table) -> pa.Table:
    """The notes after a person has asked for more. Who asks twice for the same has asked once, and that at first: what
    was sent since answers it. Columns: RERUN_SCHEMA, in the order of the keys as text."""
    both = pa.concat_tables([noted, added]).combine_chunks()
    at = {name: pc.index_in(both["record_key"], value_set=each["record_key"].combine_chunks()) for name, each in
          (("noted", noted), ("added", added))}  # fmt: skip
    is_added = np.arange(len(both)) >= len(noted)
    before = pc.fill_null(pc.equal(noted["result_sha256"].take(at["noted"]), both["result_sha256"]), False)
    is_repeated = is_added & before.to_numpy(zero_copy_only=False)
    after = pc.fill_null(pc.not_equal(added["result_sha256"].take(at["added"]), both["result_sha256"]), False)
    is_outlived = ~is_added & after.to_numpy(zero_copy_only=False)
    return both.filter(pa.array(~is_repeated & ~is_outlived)).sort_by("record_key").combine_chunks()


def without_reruns(noted: pa.Table, record_keys: Collection[str]) -> pa.Table:
    """The notes without those of ``record_keys``."""
    return noted.filter(pc.invert(pc.is_in(noted["record_key"], value_set=pa.array(record_keys, pa.string()))))


def without_answered(
    noted: pa.Table, written: Mapping[str, str], moot: Mapping[str, str], submission_id: str
) -> pa.Table:
    """The notes without those that the results of a submission have answered. ``written``: record key -> SHA-256 of its
    result; ``moot``: record key -> ``result_sha256`` of its note, where another result lies than that says: it would
    have the record sent again and again.

    What was asked for after the submission was made, and means the very result that it wrote, is another wish.
    """
    if not len(noted):
        return noted
    is_newer = pc.greater(noted["rerun_id"], submission_id)
    is_kept = pc.or_(pc.invert(_has(noted, written)), pc.and_(_means(noted, written), is_newer))
    return noted.filter(pc.and_(is_kept, pc.invert(_means(noted, moot))))


def _has(noted: pa.Table, hashes: Mapping[str, str]) -> pa.ChunkedArray:
    return pc.is_in(noted["record_key"], value_set=pa.array(list(hashes), pa.string()))


def _means(noted: pa.Table, hashes: Mapping[str, str]) -> pa.ChunkedArray:
    at = pc.index_in(noted["record_key"], value_set=pa.array(list(hashes), pa.string()))
    values = pa.array(list(hashes.values()), pa.string()).take(at.combine_chunks())
    return pc.fill_null(pc.equal(noted["result_sha256"], values), False)


def answers_rerun(rerun_id: str, submission_id: str, *, is_awaited: bool) -> bool:
    """Whether an answer of a submission is what a person has asked for. ``is_awaited``: the submission is in flight; of
    one that was let go of only what was sent after the wish is."""
    return is_awaited or submission_id > rerun_id


def is_as_it_was(then: pa.Table, there: pa.Table) -> pa.Array:
    """For each row whether the file is the same by size and time: True, False for another size, null for another time
    of the same size, where only its content tells. Columns of both: those of RESULT_FILE_SCHEMA."""
    same_bytes = pc.equal(then["result_bytes"], there["result_bytes"])
    same_time = pc.equal(then["result_modified_at"], there["result_modified_at"])
    doubtful = pc.if_else(same_time, pa.scalar(True), pa.scalar(None, pa.bool_()))
    return pc.if_else(same_bytes, doubtful, pa.scalar(False)).combine_chunks()
