"""Which results are not what a submission of this collection has written: edited by a person since, or put there by
one; and which are no JSON. A state, worked out from what was written (`provenance`) and what lies there now.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.numbering import NOWHERE, IntArray, Numbering, Pages
from assets.reruns import RESULT_FILE_SCHEMA, is_as_it_was
from assets.result_files import ResultFiles

RESULT_CHECK_SCHEMA = pa.schema(
    [*RESULT_FILE_SCHEMA, pa.field("result_sha256", pa.string(), nullable=False), pa.field("problem", pa.string())]
)
"""Described in manifests/README.md."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``edited``: the records whose result is another one than was written; ``problems``: rows of RESULT_CHECK_SCHEMA
    of results that are no JSON; ``unread``: rows of RESULT_FILE_SCHEMA of results that only their content could tell
    of; ``checks``: the rows of what was read before that still hold."""

    edited: list[str]
    problems: pa.Table
    unread: pa.Table
    checks: pa.Table


def not_as_written(files: ResultFiles, pages: Pages, results: pa.Table) -> IntArray:
    """The places among ``files`` of those that are not, by size and time, what was written. For a collection of any
    size: by numbers alone.

    ``pages``: of ``files``; ``results``: RESULTS_SCHEMA of `provenance`, or those of its columns that `Pages.of_places`
    takes, ``result_bytes`` and ``result_modified_at``.
    """
    at = Numbering(pages).numbers_of(Pages.of_places(results))
    was_written = pc.is_valid(results["result_bytes"]).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero((at != NOWHERE) & was_written)
    at = at[rows]
    is_same = np.ones(len(rows), dtype=bool)
    for name, there in (("result_bytes", files.bytes), ("result_modified_at", files.modified_ns)):
        then = results[name].cast(pa.int64()).take(pa.array(rows)).to_numpy()
        is_same &= then == there.to_numpy()[at]
    differs = np.ones(len(pages), dtype=bool)
    differs[at[is_same]] = False
    found: IntArray = np.flatnonzero(differs)
    return found


def compared(files: pa.Table, results: pa.Table, checks: pa.Table) -> Comparison:
    """What lies there beside what was written. A file with the size and the time that it was written with is that.

    ``files``: RESULT_FILE_SCHEMA, at least those that are `not_as_written`; ``results``: RESULTS_SCHEMA of
    `provenance`, of these records at least; ``checks``: RESULT_CHECK_SCHEMA, of what was read so far.
    """
    at = pc.index_in(files["record_key"], value_set=results["record_key"].combine_chunks()).combine_chunks()
    written = results.select(["result_sha256", *RESULT_FILE_SCHEMA.names[1:]]).take(at)
    is_known = pc.and_(written["result_sha256"].is_valid(), pc.fill_null(is_as_it_was(written, files), False))
    suspects = files.filter(pc.invert(is_known))
    seen = pc.index_in(_identity(checks), value_set=_identity(suspects).combine_chunks())
    checks = checks.filter(seen.is_valid())
    was_read = pc.is_in(_identity(suspects), value_set=_identity(checks).combine_chunks())
    return Comparison(
        edited=checks.filter(edited_by_content(checks, results))["record_key"].to_pylist(),
        problems=checks.filter(checks["problem"].is_valid()),
        unread=suspects.filter(pc.invert(was_read)),
        checks=checks,
    )


def edited_by_content(files: pa.Table, results: pa.Table) -> pa.Array:
    """For each of ``files`` (record_key, result_sha256 of what lies there) whether it is another one than was written.
    What an earlier version of Quire wrote, of which no hash was kept, is taken to be that.

    ``results``: as for `compared`.
    """
    at = pc.index_in(files["record_key"], value_set=results["record_key"].combine_chunks()).combine_chunks()
    written = results["result_sha256"].take(at)
    is_other = pc.fill_null(pc.not_equal(written, files["result_sha256"]), False)
    is_edited = pc.or_(at.is_null(), is_other)
    return is_edited.combine_chunks() if isinstance(is_edited, pa.ChunkedArray) else is_edited


def _identity(files: pa.Table) -> pa.ChunkedArray:
    """A file as it was at a moment, as one text."""
    parts = (files["result_bytes"], files["result_modified_at"].cast(pa.int64()))
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), files["record_key"], " ")
