"""What outcomes add to each of the derived tables, read off the files of their submissions. What stands in a row is
decided in `assets.provenance`, `assets.spending`, `assets.history` and `assets.attempts`.

``names``: of outcomes files, in the order in which they were settled; ``before``: looks up the rows that the table has
so far of some records. Raises ManifestError, OSError.
"""

from collections.abc import Callable, Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assets.attempts import ATTEMPTS_SCHEMA, attempt_rows
from assets.domain.batch import is_late, is_resettled, submission_of
from assets.domain.outcome import ANSWERED_WELL
from assets.history import HISTORY_COLUMNS, HISTORY_SCHEMA, is_plain, with_outcomes
from assets.outcomes import KINDS_SCHEMA
from assets.places import PLACE, with_places
from assets.provenance import latest_results, result_rows
from assets.spending import SUBMISSIONS_SCHEMA, submission_row
from flows.gateways.files.storage import Storage

Before = Callable[[Collection[str]], pa.Table]


def results(storage: Storage, names: Sequence[str], _: Before) -> pa.Table:
    """Columns: RESULTS_SCHEMA, one row a record."""
    tables = []
    for each in names:
        table, facts = storage.read_batch_manifest(submission_of(each))
        tables.append(result_rows(table, storage.read_outcomes(each), facts))
    return latest_results(tables)


def submissions(storage: Storage, names: Sequence[str], _: Before) -> pa.Table:
    """Columns: SUBMISSIONS_SCHEMA."""
    rows = []
    # What was judged again was sent and paid for once.
    for each in (name for name in names if not is_resettled(name)):
        table, facts = storage.read_batch_manifest(submission_of(each))
        posted, may_have_run = _posted(storage, each)
        row = submission_row(table, storage.read_outcomes(each), facts, was_posted=posted, may_have_run=may_have_run)
        rows.append({**row, "submission_id": each})
    return pa.Table.from_pylist(rows, schema=SUBMISSIONS_SCHEMA)


def history(storage: Storage, names: Sequence[str], before: Before) -> pa.Table:
    """Columns: HISTORY_SCHEMA, one row a record. Of one that has nothing to remember only where ``before`` had."""
    read = []
    for each in names:
        outcomes = storage.read_outcomes(each, HISTORY_COLUMNS).replace_schema_metadata()
        if is_late(each):
            outcomes = outcomes.filter(pc.is_in(outcomes["kind"], value_set=pa.array(sorted(ANSWERED_WELL))))
        read.append((outcomes, _posted(storage, each)[1]))
    keys = [key for outcomes, _ in read for key in outcomes["record_key"].unique().to_pylist()]
    table = before(keys)
    had = table["record_key"].combine_chunks()
    for outcomes, may_have_run in read:
        table = with_outcomes(table, outcomes, may_have_run=may_have_run)
    table = table.filter(pc.or_(pc.invert(is_plain(table)), pc.is_in(table["record_key"], value_set=had)))
    return with_places(table.drop_columns([name for name in PLACE if name in table.column_names])).cast(HISTORY_SCHEMA)


def kinds(storage: Storage, names: Sequence[str], _: Before) -> pa.Table:
    """Columns: KINDS_SCHEMA."""
    rows = [
        {"submission_id": each, "kind": row["values"], "records": row["counts"]}
        for each in names
        for row in storage.read_outcomes(each, ["kind"])["kind"].value_counts().to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=KINDS_SCHEMA)


def attempts(storage: Storage, names: Sequence[str], _: Before) -> pa.Table:
    """Columns: ATTEMPTS_SCHEMA."""
    tables = [attempt_rows(each, storage.read_outcomes(each, ["record_key"])["record_key"]) for each in names]
    return pa.concat_tables([ATTEMPTS_SCHEMA.empty_table(), *tables])


def _posted(storage: Storage, submission_id: str) -> tuple[bool, bool]:
    """Whether a create was about to be sent, and whether there is, or may be, a job: one is known, or was looked for. A
    create that was refused outright made none."""
    if is_late(submission_id):
        # What it was released for stands in the row of its submission.
        return False, False
    job = storage.read_job(submission_id)
    return job is not None, job is not None and (job.batch_id is not None or job.first_look_at is not None)
