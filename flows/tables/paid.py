"""What was paid for results, read off the outcomes of the submissions that made them."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import LATE
from assets.spending import BILLED, answer_costs, answers_usd
from flows.gateways.files.storage import Storage
from flows.tables.derived import results_table


@dataclass(frozen=True, slots=True)
class Paid:
    """``usd``: US dollars; ``unknown``: of how many results nobody knows what they cost: no price was known, Gemini
    gave no count of their tokens, or they were not made here."""

    usd: float
    unknown: int


def paid_for(storage: Storage, record_keys: Collection[str]) -> Paid:
    """What the results of those records have cost. Raises ManifestError, OSError."""
    results = results_table(storage, ["record_key", "submission_id"], keys=record_keys, write=False)
    usd, known = 0.0, 0
    for submission_id in results["submission_id"].unique().to_pylist():
        keys = results.filter(pc.equal(results["submission_id"], submission_id))["record_key"].combine_chunks()
        _, facts = storage.read_batch_manifest(submission_id)
        for name in (submission_id, submission_id + LATE):
            if name == submission_id or storage.has_late(submission_id):
                outcomes = storage.read_outcomes(name, ["record_key", *BILLED, "model_version"])
                is_its = pc.is_in(outcomes["record_key"], value_set=keys)
                outcomes = outcomes.filter(pc.and_(is_its, outcomes["prompt_tokens"].is_valid()))
                cost = answers_usd(facts, outcomes)
                usd, known = usd + (cost or 0.0), known + (len(outcomes) if cost is not None else 0)
    return Paid(usd, max(0, len(record_keys) - known))


ANSWER_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        *(pa.field(name, pa.int64()) for name in BILLED),
        pa.field("usd", pa.float64()),
    ]
)


def answers_of(storage: Storage, results: pa.Table) -> pa.Table:
    """The tokens and the US dollars of the answers that results were made of, one row for each of which they are known.

    ``results``: columns of `assets.provenance.RESULTS_SCHEMA`. Columns: ANSWER_SCHEMA; usd is null where no price was
    known. Raises ManifestError, OSError.
    """
    tables = [ANSWER_SCHEMA.empty_table()]
    for submission_id in results["submission_id"].unique().to_pylist():
        keys = results.filter(pc.equal(results["submission_id"], submission_id))["record_key"].combine_chunks()
        _, facts = storage.read_batch_manifest(submission_id)
        seen = pa.array([], pa.string())
        late = [submission_id + LATE] if storage.has_late(submission_id) else []
        # What a late job has answered is what the result was made of, where there is one.
        for name in (*late, submission_id):
            outcomes = storage.read_outcomes(name, ["record_key", *BILLED, "model_version"])
            is_its = pc.and_(pc.is_in(outcomes["record_key"], value_set=keys), outcomes["prompt_tokens"].is_valid())
            outcomes = outcomes.filter(pc.and_(is_its, pc.invert(pc.is_in(outcomes["record_key"], value_set=seen))))
            seen = outcomes["record_key"].combine_chunks()
            costs = answer_costs(facts, outcomes)
            tables.append(outcomes.drop_columns(["model_version"]).append_column("usd", costs).cast(ANSWER_SCHEMA))
    return pa.concat_tables(tables).combine_chunks()
