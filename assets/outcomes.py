"""What became of each record of a submission: exactly one row per row of its batch manifest. How a single line is
judged stands in `results`; what a person reads of it in `reports`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import JobState
from assets.domain.ledger import MAX_COUNT, CountChange
from assets.domain.outcome import ANSWERED_WELL, COUNTED, OutcomeKind, kind_without_line
from assets.domain.record import entry_of
from assets.graph import Check, asset
from assets.lines import best_lines, with_column
from assets.planning import SubmissionFacts
from assets.usage import USAGE_COLUMNS

KINDS_SCHEMA = pa.schema(
    [
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("records", pa.int64(), nullable=False),
    ]
)
"""How many outcomes of each kind a submission has; described in manifests/README.md."""

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("batch_id", pa.string()),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string()),
        *(pa.field(name, pa.int64()) for name in USAGE_COLUMNS),
        pa.field("unsure", pa.bool_()),
        pa.field("model_version", pa.string()),
        pa.field("retires_at", pa.timestamp("us", tz="UTC")),
        pa.field("count_before", pa.int32()),
        pa.field("count_after", pa.int32()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("prompt_name", pa.string(), nullable=False),
        pa.field("prompt_version", pa.string(), nullable=False),
        pa.field("response_schema_hash", pa.string(), nullable=False),
        pa.field("settled_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("settlement", pa.int64()),
        pa.field("result_sha256", pa.string()),
        pa.field("result_bytes", pa.int64()),
        pa.field("result_modified_at", pa.timestamp("ns", tz="UTC")),
        pa.field("raw_text", pa.string()),
    ]
)
"""Described in manifests/README.md."""

MAX_CAUSE_CHARS = 120
_NONE_REPLACED: Mapping[str, str] = MappingProxyType({})

WRITTEN_COLUMNS = ("result_sha256", "result_bytes", "result_modified_at")
"""What is known of the result that a success has written."""

_LINE_COLUMNS = ("line_offset", "line_bytes", "text_at", "text_bytes")
"""Where the answer stands in the result file, and where its text was set aside if it failed: not kept."""


def _one_outcome_a_record(table: pa.Table) -> str | None:
    return None if len(table) == len(table["record_key"].unique()) else "a record has two outcomes"


@asset(checks=(Check("one outcome a record", _one_outcome_a_record),))
def record_outcomes(
    batch_manifest: pa.Table,
    batch_results: pa.Table | None,
    *,
    job_state: JobState,
    batch_id: str | None,
    facts: SubmissionFacts,
    settled_at: datetime,
    is_own_failure: bool = False,
    replaced: Mapping[str, str] = _NONE_REPLACED,
) -> pa.Table:
    """One row for each row of the batch manifest, in its order.

    ``is_own_failure``: if the job FAILED, its one record is to blame. ``replaced``: record key -> in words, of those
    whose image is not the one any more that was sent: whatever was answered, it says nothing of the page.

    ``batch_results``: the judged lines, or None if the job has no result file. Of several lines for one record the
    first good one counts, else the first. Columns: OUTCOME_SCHEMA (counts still null), line_offset, line_bytes.
    """
    without_line = kind_without_line(job_state)
    if is_own_failure and without_line is OutcomeKind.BATCH_FAILED:
        without_line = OutcomeKind.FAILED_ALONE
    message = "no line in the result" if without_line is OutcomeKind.MISSING else f"the job ended {job_state}"
    if without_line is OutcomeKind.FAILED_ALONE:
        message += ", with this record alone in it"
    lines = best_lines(batch_manifest["record_key"], batch_results, replaced)
    for name, value in (("kind", without_line.value), ("message", message)):
        lines = with_column(lines, name, pc.fill_null(lines[name], value))
    return _outcome_table(lines, batch_id=batch_id, facts=facts, settled_at=settled_at)


def uniform_outcomes(
    keys: Sequence[str],
    kind: OutcomeKind,
    *,
    messages: Mapping[str, str] | str,
    batch_id: str | None,
    facts: SubmissionFacts,
    settled_at: datetime,
) -> pa.Table:
    """The outcomes of a submission in which the same happened to every record: a release, a refusal. Columns as in
    `record_outcomes`."""
    said = [messages] * len(keys) if isinstance(messages, str) else [messages[key] for key in keys]
    columns = {"record_key": pa.array(keys, pa.string()), "message": pa.array(said, pa.string())}
    lines = pa.table({**columns, "kind": pa.array([kind.value] * len(keys), pa.string())})
    return _outcome_table(lines, batch_id=batch_id, facts=facts, settled_at=settled_at)


def late_outcomes(
    batch_manifest: pa.Table,
    batch_results: pa.Table | None,
    *,
    batch_id: str,
    facts: SubmissionFacts,
    settled_at: datetime,
    in_flight: Collection[str],
    replaced: Mapping[str, str] = _NONE_REPLACED,
) -> pa.Table:
    """The outcomes of a job that nobody counted on any more: a row for each record of its batch that has a line, in the
    order of the batch manifest. No failure counts; an answer for a record that is ``in_flight`` again is superseded.
    ``replaced``, and columns, as in `record_outcomes`."""
    lines = best_lines(batch_manifest["record_key"], batch_results, replaced)
    lines = lines.filter(lines["kind"].is_valid())
    table = _outcome_table(lines, batch_id=batch_id, facts=facts, settled_at=settled_at)
    good = table.filter(pc.equal(table["kind"], OutcomeKind.SUCCESS.value))["record_key"].to_pylist()
    return with_superseded(table, [key for key in good if key in in_flight])


def resettled_outcomes(
    batch_manifest: pa.Table,
    batch_results: pa.Table,
    before: pa.Table,
    *,
    batch_id: str | None,
    facts: SubmissionFacts,
    settled_at: datetime,
    not_now: Collection[str],
) -> pa.Table:
    """The outcomes of answers that were judged again: a row for each record whose answer is good now and was not
    before. Each takes the failure back that was counted: from ``count_after`` to ``count_before``. Columns as in
    `record_outcomes`, without what the answers have cost: that stands in the outcomes of before.

    ``before``: record_key, kind, count_before, count_after, of what became of them until now. ``not_now``: records of
    which nothing may be written: in flight, or with another image by now.
    """
    open_keys = pa.array(sorted(may_be_resettled(before, not_now)), pa.string())
    lines = best_lines(batch_manifest["record_key"], batch_results, _NONE_REPLACED)
    is_good = pc.fill_null(pc.equal(lines["kind"], OutcomeKind.SUCCESS.value), False)
    lines = lines.filter(pc.and_(is_good, pc.is_in(lines["record_key"], value_set=open_keys)))
    at = pc.index_in(lines["record_key"], value_set=before["record_key"].combine_chunks()).combine_chunks()
    for name in USAGE_COLUMNS:
        lines = with_column(lines, name, pa.nulls(len(lines), pa.int64()))
    lines = with_column(lines, "unsure", pa.array([False] * len(lines), pa.bool_()))
    for name, of in (("count_before", "count_after"), ("count_after", "count_before")):
        lines = lines.append_column(name, before[of].take(at))
    return _outcome_table(lines, batch_id=batch_id, facts=facts, settled_at=settled_at)


def may_be_resettled(before: pa.Table, not_now: Collection[str]) -> set[str]:
    """The records of which an answer that is good now would be used, as it was not good before; as in
    `resettled_outcomes`."""
    was_bad = pc.invert(pc.is_in(before["kind"], value_set=pa.array(sorted(ANSWERED_WELL), pa.string())))
    held_back = set(not_now)
    return {key for key in before.filter(was_bad)["record_key"].to_pylist() if key not in held_back}


def without_counts(outcomes: pa.Table) -> pa.Table:
    """The outcomes as they are committed where no failure counts. Columns: OUTCOME_SCHEMA."""
    return outcomes.select(OUTCOME_SCHEMA.names).cast(OUTCOME_SCHEMA)


def with_superseded(outcomes: pa.Table, superseded: Sequence[str]) -> pa.Table:
    """The outcomes with the kind of those records changed that were done before their answer came."""
    is_superseded = pc.is_in(outcomes["record_key"], value_set=pa.array(superseded, pa.string()))
    kind = pc.if_else(is_superseded, OutcomeKind.SUPERSEDED.value, outcomes["kind"])
    return outcomes.set_column(outcomes.schema.get_field_index("kind"), OUTCOME_SCHEMA.field("kind"), kind)


def with_written(outcomes: pa.Table, written: pa.Table) -> pa.Table:
    """The outcomes with what is known of the results that were written. ``written``: record_key, WRITTEN_COLUMNS."""
    at = pc.index_in(outcomes["record_key"], value_set=written["record_key"].combine_chunks())
    for name in WRITTEN_COLUMNS:
        field = OUTCOME_SCHEMA.field(name)
        column = written[name].take(at.combine_chunks()).cast(field.type)
        outcomes = outcomes.set_column(outcomes.schema.get_field_index(name), field, column)
    return outcomes


def with_raw_texts(outcomes: pa.Table, texts: pa.Array) -> pa.Table:
    """The outcomes with the texts of failed answers, a text or null each."""
    return with_column(outcomes, "raw_text", texts)


def with_counts(
    outcomes: pa.Table, counts: Mapping[str, int], *, given_up: Collection[str] = (), max_retries: int = 0
) -> pa.Table:
    """The outcomes as they are committed: each failure with the count before it and after it.

    ``counts``: what the ledger says under its lock. ``given_up``: records that failed again in a way that no further
    try would change: their count becomes that of a dead letter at once, unless a person has reset it since. Columns:
    OUTCOME_SCHEMA.
    """
    at_once = set(given_up)
    rows = pc.indices_nonzero(pc.is_in(outcomes["kind"], value_set=pa.array(sorted(COUNTED), pa.string())))
    keys: list[str] = outcomes["record_key"].take(rows).to_pylist()
    before = [counts.get(key, 0) for key in keys]
    after = [
        min(max(count + 1, max_retries + 1 if count and key in at_once else 0), MAX_COUNT)
        for key, count in zip(keys, before, strict=True)
    ]
    at = pc.index_in(pa.array(range(len(outcomes)), pa.int64()), value_set=rows.cast(pa.int64()))
    table = outcomes.select(OUTCOME_SCHEMA.names).cast(OUTCOME_SCHEMA)
    for name, values in (("count_before", before), ("count_after", after)):
        column = pa.array(values, pa.int32()).take(at)
        table = table.set_column(table.schema.get_field_index(name), OUTCOME_SCHEMA.field(name), column)
    return table


def why_dead(count: int, last: tuple[str, int | None, int | None] | None) -> str:
    """Why a record is a dead letter, in a few words. ``count``: what the ledger says; ``last``: kind, count before and
    count after of its last outcome. A failure that no further try would change makes a dead letter at once, by a count
    that is no number of failures: see `with_counts`."""
    if last is not None:
        kind, before, after = last
        if before is not None and after == count and after > before + 1:
            return f"{kind}, failed {_times(before + 1)}, and no further try would help"
    return f"{count} failure" if count == 1 else f"{count} failures"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def numbered(outcomes: pa.Table, settlement: int) -> pa.Table:
    """The outcomes with their place in the order of all that was ever settled, which no clock has a part in."""
    at = outcomes.schema.get_field_index("settlement")
    numbers = pa.array([settlement] * len(outcomes), pa.int64())
    return outcomes.set_column(at, OUTCOME_SCHEMA.field("settlement"), numbers)


def count_changes(outcomes: pa.Table) -> list[CountChange]:
    """What the committed outcomes do to the failure counts; safe to apply again."""
    failed = outcomes.filter(pc.is_valid(outcomes["count_after"]))
    return [
        CountChange(entry_of(row["record_key"]), row["count_before"], row["count_after"])
        for row in failed.select(["record_key", "count_before", "count_after"]).to_pylist()
    ]


def _good_answers(table: pa.Table) -> str | None:
    return None if not pc.any(table["line_offset"].is_null(), min_count=0).as_py() else "a success has no line"


@asset(checks=(Check("each has an answer", _good_answers),))
def output_results(record_outcomes: pa.Table) -> pa.Table:
    """The answers to be written as output results. Columns: record_key, line_offset, line_bytes."""
    good = record_outcomes.filter(pc.equal(record_outcomes["kind"], OutcomeKind.SUCCESS.value))
    return good.select(["record_key", "line_offset", "line_bytes"])


def main_cause(outcomes: pa.Table) -> str | None:
    """What went wrong most in a batch: kind and message of the most frequent failure, in one bounded line; None:
    nothing did. Columns needed: kind, message."""
    bad = outcomes.filter(pc.invert(pc.is_in(outcomes["kind"], value_set=pa.array(sorted(ANSWERED_WELL)))))
    if not len(bad):
        return None
    alike = bad.group_by(["kind", "message"], use_threads=False).aggregate([("kind", "count")])
    row = alike.sort_by([("kind_count", "descending"), ("kind", "ascending"), ("message", "ascending")]).slice(0, 1)
    return cause_of(row["kind"][0].as_py(), row["message"][0].as_py())


def cause_of(kind: str, message: str) -> str:
    """An outcome as one bounded line: what a person reads where many stand together."""
    said = " ".join(message.split())
    said = said if len(said) <= MAX_CAUSE_CHARS else f"{said[:MAX_CAUSE_CHARS]}…"
    return f"{kind} ({said})" if said else kind


def _outcome_table(lines: pa.Table, *, batch_id: str | None, facts: SubmissionFacts, settled_at: datetime) -> pa.Table:
    """``lines``: record_key, kind, message, and what else of the columns is known."""
    same = {
        "submission_id": facts.submission_id,
        "batch_id": batch_id,
        "model": facts.model,
        "prompt_name": facts.prompt_name,
        "prompt_version": facts.prompt_version,
        "response_schema_hash": facts.response_schema_hash,
        "settled_at": settled_at,
    }
    schema = pa.schema([*OUTCOME_SCHEMA, *(pa.field(name, pa.int64()) for name in _LINE_COLUMNS)])

    def column(of: pa.Field) -> pa.Array | pa.ChunkedArray:
        if of.name in same:
            return pa.repeat(pa.scalar(same[of.name], of.type), len(lines))
        return lines[of.name].cast(of.type) if of.name in lines.column_names else pa.nulls(len(lines), of.type)

    return pa.table([column(of) for of in schema], schema=schema)
