"""What people have said of results: that one is corrected, or checked and good. A state, worked out from what they said
and what lies there now: a page is corrected as long as its result is the one that a person has vouched for.
"""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.reruns import RESULT_FILE_SCHEMA, is_as_it_was


class CorrectionKind(StrEnum):
    """What a person has done with a result."""

    CORRECTED = "corrected"
    CHECKED = "checked"


CORRECTION_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("correction_id", pa.string(), nullable=False),
        pa.field("corrected_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("corrected_by", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("submission_id", pa.string()),
        pa.field("batch_id", pa.string()),
        pa.field("answer_sha256", pa.string()),
        pa.field("seen_sha256", pa.string()),
        *RESULT_FILE_SCHEMA.remove(0),
        pa.field("result_sha256", pa.string(), nullable=False),
        pa.field("response_schema_hash", pa.string()),
    ]
)
"""Described in manifests/README.md. In the order in which it was said; a record has a row for each time."""


def doubtful_keys(corrections: pa.Table, files: pa.Table) -> list[str]:
    """The records of which only the content tells whether a correction stands: their file has the size of then and
    another time. ``corrections``: CORRECTION_SCHEMA; ``files``: RESULT_FILE_SCHEMA, of these records as they lie
    there."""
    rows, is_same = _held_against(corrections, files)
    keys: list[str] = rows.filter(is_same.is_null())["record_key"].unique().to_pylist()
    return keys


def standing(corrections: pa.Table, files: pa.Table, hashes: Mapping[str, str]) -> pa.Table:
    """Of each record whose result is one that a person has vouched for, what was said of it last. ``corrections``,
    ``files``: as for `doubtful_keys`; ``hashes``: record key -> SHA-256 of what lies there, of these at least. Columns:
    CORRECTION_SCHEMA."""
    rows, is_same = _held_against(corrections, files)
    at = pc.index_in(rows["record_key"], value_set=pa.array(list(hashes), pa.string()))
    there = pa.array(list(hashes.values()), pa.string()).take(at.combine_chunks())
    by_content = pc.fill_null(pc.equal(there, rows["result_sha256"]), False)
    return _last_of_each(rows.filter(pc.if_else(is_same.is_null(), by_content, is_same)))


def latest(corrections: pa.Table, kind: CorrectionKind | None = None) -> pa.Table:
    """What was said last of each record, whatever lies there now. ``kind``: only of what is of this kind. Columns:
    CORRECTION_SCHEMA."""
    rows = corrections if kind is None else corrections.filter(pc.equal(corrections["kind"], kind.value))
    return _last_of_each(rows)


def vouched_for(results: pa.Table, corrections: pa.Table) -> pa.Array:
    """For each of ``results`` (record_key, result_sha256) whether a person has corrected it to that content, or checked
    it. ``corrections``: CORRECTION_SCHEMA."""
    is_vouched = pc.is_in(_of_content(results), value_set=_of_content(corrections).combine_chunks())
    return is_vouched.combine_chunks() if isinstance(is_vouched, pa.ChunkedArray) else is_vouched


def without_outlived(noted: pa.Table, corrections: pa.Table) -> pa.Table:
    """The wishes for another reading without those after which a person has vouched for the very result that they give
    up: the last word counts. ``noted``: RERUN_SCHEMA of `reruns`; ``corrections``: CORRECTION_SCHEMA."""
    if not len(noted) or not len(corrections):
        return noted
    said = pa.table({"what": _of_content(corrections), "id": corrections["correction_id"]})
    last = said.group_by("what").aggregate([("id", "max")])
    at = pc.index_in(_of_content(noted), value_set=last["what"].combine_chunks())
    is_outlived = pc.fill_null(pc.greater(last["id_max"].take(at.combine_chunks()), noted["rerun_id"]), False)
    return noted.filter(pc.invert(is_outlived)).combine_chunks()


def _held_against(corrections: pa.Table, files: pa.Table) -> tuple[pa.Table, pa.Array]:
    """The rows of records that have a file, and for each whether it is the same: see `is_as_it_was`."""
    at = pc.index_in(corrections["record_key"], value_set=files["record_key"].combine_chunks())
    rows = corrections.filter(at.is_valid())
    return rows, is_as_it_was(rows, files.take(at.drop_null().combine_chunks()))


def _last_of_each(rows: pa.Table) -> pa.Table:
    keys = rows["record_key"].combine_chunks()
    first_from_behind = np.unique(keys.to_numpy(zero_copy_only=False)[::-1], return_index=True)[1]
    return rows.take(pa.array(np.sort(len(keys) - 1 - first_from_behind))).combine_chunks()


def _of_content(table: pa.Table) -> pa.ChunkedArray:
    """Record and content as one text."""
    return pc.binary_join_element_wise(table["record_key"], table["result_sha256"], " ")
