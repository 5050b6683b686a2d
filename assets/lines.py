"""The judged lines of a result file beside the records of its batch: which line counts for each, and which belong to
nobody. How one is judged stands in `results`, what becomes of a record in `outcomes`.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.outcome import OutcomeKind
from assets.results import VERDICT_SCHEMA


def line_problems(batch_manifest: pa.Table, batch_results: pa.Table) -> list[str]:
    """One line of text for each result line that belongs to nobody: no key, an unknown key, a repeated one."""
    keys = batch_results["record_key"].combine_chunks()
    expected = pc.is_in(keys, value_set=batch_manifest["record_key"].combine_chunks())
    is_first = np.asarray(pc.index_in(keys, value_set=keys)) == np.arange(len(keys))
    is_problem = np.asarray(pc.is_null(keys)) | ~np.asarray(expected) | ~is_first
    problems = []
    told = batch_results.select(["record_key", "message", "line_offset"]).append_column("is_known", expected)
    for row in told.filter(pa.array(is_problem)).to_pylist():
        key, place = row["record_key"], f"result line at byte {row['line_offset']}"
        if key is None:
            problems.append(f"{place}: {row['message']}")
        elif not row["is_known"]:
            problems.append(f"{place}: the key {key[:200]!r} is not in this batch")
        else:
            problems.append(f"{place}: the key {key!r} came before")
    return problems


def best_lines(keys: pa.ChunkedArray, batch_results: pa.Table | None, replaced: Mapping[str, str]) -> pa.Table:
    """For each of ``keys`` its line: the first good one, else the first; all null for a record that has none. Columns:
    those of the judged lines."""
    lines = batch_results if batch_results is not None else VERDICT_SCHEMA.empty_table()
    of_line = lines["record_key"].combine_chunks()
    rows = np.arange(len(lines))
    good = rows[np.asarray(pc.fill_null(pc.equal(lines["kind"], OutcomeKind.SUCCESS.value), False).combine_chunks())]
    first = pc.index_in(keys, value_set=of_line, skip_nulls=True).combine_chunks()
    first_good = pc.index_in(keys, value_set=of_line.take(pa.array(good)), skip_nulls=True).combine_chunks()
    at = pc.coalesce(pa.array(good, pa.int64()).take(first_good), first.cast(pa.int64()))
    best = lines.take(at)
    best = with_column(best, "record_key", keys)
    if not replaced:
        return best
    reasons = pa.array(list(replaced), pa.string()), pa.array(list(replaced.values()), pa.string())
    reason = reasons[1].take(pc.index_in(keys, value_set=reasons[0]).combine_chunks())
    is_other = pc.and_(reason.is_valid(), at.is_valid())
    best = with_column(best, "kind", pc.if_else(is_other, OutcomeKind.IMAGE_REPLACED.value, best["kind"]))
    return with_column(best, "message", pc.if_else(is_other, reason, best["message"]))


def with_column(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)
