"""How far each document is, what it has cost, and what of it fails: a table for people, the troubled ones first."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState, States

_FAILING = (RecordState.DEAD, RecordState.HELD)


def documents_table(states: States, results: pa.Table, submissions: pa.Table) -> pa.Table:
    """Columns: document, pages, done, in_flight, failing (dead letters and held pages), left (neither done nor
    failing), usd (what its results have cost, each as much as the mean of its batch; null: not known). Those with
    failing pages first, then those that are begun, then by name.

    ``results``: columns record_key, submission_id; ``submissions``:
    columns of SUBMISSIONS_SCHEMA.
    """
    names, codes = states.records.pages.documents, states.records.pages.codes

    def count(*wanted: RecordState) -> npt.NDArray[np.int64]:
        return np.bincount(codes[states.of(*wanted)], minlength=len(names))

    counts = {
        "pages": np.bincount(codes, minlength=len(names)),
        "done": count(RecordState.DONE),
        "in_flight": count(RecordState.INFLIGHT),
        "failing": count(*_FAILING),
    }
    left = counts["pages"] - counts["done"] - counts["failing"]
    columns = {"document": names, **counts, "left": left, "usd": _usd(names, results, submissions)}
    table = pa.table(columns)
    is_begun = (counts["done"] + counts["in_flight"] > 0) & (left > 0)
    order = np.lexsort((np.arange(len(names)), left == 0, ~is_begun, -counts["failing"]))
    return table.take(pa.array(order))


def _documents(record_keys: pa.ChunkedArray) -> pa.Array:
    """All fields of a key but its last one, the page."""
    keys = record_keys.combine_chunks() if isinstance(record_keys, pa.ChunkedArray) else record_keys
    return pc.replace_substring_regex(keys, r":[^:]*$", "")


def _usd(names: pa.Array, results: pa.Table, submissions: pa.Table) -> pa.Array:
    answers = submissions["answers"].to_numpy().astype(np.float64)
    usd = submissions["usd"].to_numpy(zero_copy_only=False).astype(np.float64)
    each = np.divide(usd, answers, out=np.full(len(usd), np.nan), where=answers > 0)
    of = pc.index_in(results["submission_id"], value_set=submissions["submission_id"].combine_chunks())
    in_names = pc.index_in(_documents(results["record_key"]), value_set=names)
    known = pc.and_(
        of.is_valid().combine_chunks() if isinstance(of, pa.ChunkedArray) else of.is_valid(), in_names.is_valid()
    )
    is_known = known.to_numpy(zero_copy_only=False)
    of_known = pc.fill_null(of, 0).to_numpy()[is_known]
    at = pc.fill_null(in_names, 0).to_numpy()[is_known]
    sums = np.bincount(at, weights=each[of_known], minlength=len(names))
    return pa.array(sums, mask=np.isnan(sums))
