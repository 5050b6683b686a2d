"""The tables under manifests/ that are derived from batch manifests and outcomes: they can be deleted, and are made
again. What stands in them is decided in `assets.provenance` and `assets.spending`.

Both grow by what was closed since they were last written; each names in its metadata the submissions that it goes by. A
table that cannot be read is made anew from everything. One that goes by outcomes which are not there any more is a
witness: a closed submission must not look like one that a person has let go of.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import is_late, is_resettled, submission_of
from assets.domain.errors import WAY_BACK, ManifestError
from assets.domain.outcome import ANSWERED_WELL
from assets.history import HISTORY_COLUMNS, HISTORY_SCHEMA, with_outcomes
from assets.outcomes import KINDS_SCHEMA
from assets.provenance import RESULTS_SCHEMA, latest_results, result_rows
from assets.spending import SUBMISSIONS_SCHEMA, submission_row
from flows.gateways.files.storage import Storage
from flows.tables.settlements import in_order_of_settlement

_GOES_BY = b"quire.submissions"


@dataclass(frozen=True, slots=True)
class _Derived:
    """``grown``: the table after there are more outcomes, given by the names of their files in the order in which they
    were settled."""

    name: str
    schema: pa.Schema
    grown: Callable[[Storage, pa.Table, list[str]], pa.Table]


def results_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/results.parquet`, brought up to date. ``write``: keep it so; False: only look. Columns:
    RESULTS_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _RESULTS, write=write)


def submissions_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/submissions.parquet`, likewise. Columns: SUBMISSIONS_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _SUBMISSIONS, write=write)


def history_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/history.parquet`, likewise. Columns: HISTORY_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _HISTORY, write=write)


def kinds_table(storage: Storage, *, write: bool = True) -> pa.Table:
    """`manifests/outcome_kinds.parquet`, likewise. Columns: KINDS_SCHEMA. Raises ManifestError, OSError."""
    return _up_to_date(storage, _KINDS, write=write)


def refresh_derived(storage: Storage) -> None:
    """Bring all of them up to date. Raises ManifestError, OSError."""
    results_table(storage)
    submissions_table(storage)
    history_table(storage)
    kinds_table(storage)


def check_outcomes(storage: Storage) -> None:
    """Raise ManifestError for outcomes that were there when `manifests/submissions.parquet` was written, and are
    not."""
    # One column, so that it tells in whatever form it is.
    key = pa.schema([SUBMISSIONS_SCHEMA.field("submission_id")])
    if gone := _read(storage, replace(_SUBMISSIONS, schema=key))[1].difference(storage.outcome_files()):
        raise _outcomes_are_gone(storage, _SUBMISSIONS.name, gone)


def _outcomes_are_gone(storage: Storage, table: str, gone: set[str]) -> ManifestError:
    others = f", like {len(gone) - 1} others," if len(gone) > 1 else ""
    return ManifestError(
        storage.outcomes_path(min(gone)),
        f"is gone,{others[1:]} though {storage.derived_path(table).name} goes by it: what was closed would be sent "
        f"again; restore it from a backup, or {WAY_BACK}",
    )


def _up_to_date(storage: Storage, derived: _Derived, *, write: bool) -> pa.Table:
    closed = set(storage.outcome_files())
    before, goes_by = _read(storage, derived)
    if gone := goes_by - closed:
        raise _outcomes_are_gone(storage, derived.name, gone)
    missing = in_order_of_settlement(storage, closed - goes_by)
    if not missing:
        return before
    table = derived.grown(storage, before, missing)
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


def _with_results(storage: Storage, before: pa.Table, names: list[str]) -> pa.Table:
    tables = [before]
    for each in names:
        table, facts = storage.read_batch_manifest(submission_of(each))
        tables.append(result_rows(table, storage.read_outcomes(each), facts))
    return latest_results(tables)


def _with_submissions(storage: Storage, before: pa.Table, names: list[str]) -> pa.Table:
    rows = []
    # What was judged again was sent and paid for once.
    for each in (name for name in names if not is_resettled(name)):
        table, facts = storage.read_batch_manifest(submission_of(each))
        posted, may_have_run = _posted(storage, each)
        row = submission_row(table, storage.read_outcomes(each), facts, was_posted=posted, may_have_run=may_have_run)
        rows.append({**row, "submission_id": each})
    added = pa.Table.from_pylist(rows, schema=SUBMISSIONS_SCHEMA)
    return pa.concat_tables([before, added]).sort_by("submission_id").combine_chunks()


def _with_history(storage: Storage, before: pa.Table, names: list[str]) -> pa.Table:
    table = before
    for each in names:
        outcomes = storage.read_outcomes(each, HISTORY_COLUMNS)
        if is_late(each):
            outcomes = outcomes.filter(pc.is_in(outcomes["kind"], value_set=pa.array(sorted(ANSWERED_WELL))))
        table = with_outcomes(table, outcomes, may_have_run=_posted(storage, each)[1])
    return table.sort_by("record_key").combine_chunks()


def _with_kinds(storage: Storage, before: pa.Table, names: list[str]) -> pa.Table:
    rows = [
        {"submission_id": each, "kind": row["values"], "records": row["counts"]}
        for each in names
        for row in storage.read_outcomes(each, ["kind"])["kind"].value_counts().to_pylist()
    ]
    added = pa.Table.from_pylist(rows, schema=KINDS_SCHEMA)
    return (
        pa.concat_tables([before, added])
        .sort_by([("submission_id", "ascending"), ("kind", "ascending")])
        .combine_chunks()
    )


def _posted(storage: Storage, submission_id: str) -> tuple[bool, bool]:
    """Whether a create was about to be sent, and whether there is, or may be, a job: one is known, or was looked for. A
    create that was refused outright made none."""
    if is_late(submission_id):
        # What it was released for stands in the row of its submission.
        return False, False
    job = storage.read_job(submission_id)
    return job is not None, job is not None and (job.batch_id is not None or job.first_look_at is not None)


_RESULTS = _Derived("results", RESULTS_SCHEMA, _with_results)
_SUBMISSIONS = _Derived("submissions", SUBMISSIONS_SCHEMA, _with_submissions)
_HISTORY = _Derived("history", HISTORY_SCHEMA, _with_history)
_KINDS = _Derived("outcome_kinds", KINDS_SCHEMA, _with_kinds)
