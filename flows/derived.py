"""The tables under manifests/ that are derived from batch manifests and outcomes: they can be deleted, and are made
again. What stands in them is decided in `assets.provenance` and `assets.spending`.

Both grow by what was closed since they were last written; each names in its metadata the submissions that it goes by. A
table that cannot be read, or that goes by a submission which is not there any more, is made anew from everything.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from assets.domain.errors import ManifestError
from assets.planning import SubmissionFacts
from assets.provenance import RESULTS_SCHEMA, latest_results, result_rows
from assets.spending import SUBMISSIONS_SCHEMA, submission_row
from flows.gateways.storage import Storage

_GOES_BY = b"quire.submissions"


@dataclass(frozen=True, slots=True)
class _Derived:
    """``rows``: what a submission adds; ``merged``: old and new rows as one table."""

    name: str
    schema: pa.Schema
    rows: Callable[[Storage, str], pa.Table]
    merged: Callable[[list[pa.Table]], pa.Table]


def results_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/results.parquet`, brought up to date. ``write``: keep it so; False: only look. Columns:
    RESULTS_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _RESULTS, write=write)


def submissions_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/submissions.parquet`, likewise. Columns: SUBMISSIONS_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _SUBMISSIONS, write=write)


def refresh_derived(storage: Storage) -> None:
    """Bring both files up to date. Raises ManifestError, OSError."""
    results_table(storage)
    submissions_table(storage)


def _up_to_date(storage: Storage, derived: _Derived, *, write: bool) -> pa.Table:
    closed = storage.closed_submissions()
    before, goes_by = _read(storage, derived)
    if not goes_by <= closed:
        before, goes_by = derived.schema.empty_table(), set()
    missing = sorted(closed - goes_by)
    if not missing:
        return before
    table = derived.merged([before, *(derived.rows(storage, each) for each in missing)])
    if write:
        metadata = {_GOES_BY: json.dumps(sorted(closed)).encode()}
        storage.write_derived(derived.name, table.replace_schema_metadata(metadata))
    return table


def _read(storage: Storage, derived: _Derived) -> tuple[pa.Table, set[str]]:
    try:
        table = storage.read_derived(derived.name, derived.schema)
        goes_by = set(json.loads((table.schema.metadata or {})[_GOES_BY]))
    except (ManifestError, KeyError, ValueError, TypeError):
        return derived.schema.empty_table(), set()
    return table.replace_schema_metadata(None), goes_by


def _result_rows(storage: Storage, submission_id: str) -> pa.Table:
    table, facts = storage.read_batch_manifest(submission_id)
    return result_rows(table, storage.read_outcomes(submission_id), facts)


def _submission_rows(storage: Storage, submission_id: str) -> pa.Table:
    table, facts = storage.read_batch_manifest(submission_id)
    may_have_run = _may_have_run(storage, facts)
    row = submission_row(table, storage.read_outcomes(submission_id), facts, may_have_run=may_have_run)
    return pa.Table.from_pylist([row], schema=SUBMISSIONS_SCHEMA)


def _may_have_run(storage: Storage, facts: SubmissionFacts) -> bool:
    """A job is known, or was looked for: a create that was refused outright has neither."""
    job = storage.read_job(facts.submission_id)
    return job is not None and (job.batch_id is not None or job.first_look_at is not None)


def _in_order(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).sort_by("submission_id").combine_chunks()


_RESULTS = _Derived("results", RESULTS_SCHEMA, _result_rows, latest_results)
_SUBMISSIONS = _Derived("submissions", SUBMISSIONS_SCHEMA, _submission_rows, _in_order)
