"""What was paid for results, read off the outcomes of the submissions that made them."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import LATE
from assets.spending import BILLED, answers_usd
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
    results, wanted = results_table(storage, write=False), pa.array(record_keys, pa.string())
    results = results.filter(pc.is_in(results["record_key"], value_set=wanted))
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
    return Paid(usd, max(0, len(wanted) - known))
