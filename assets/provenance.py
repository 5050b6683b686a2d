"""Which model, prompt, schema, image and submission made each result: `manifests/results`, derived from batch
manifests and outcomes. What a submission cost stands in `spending`.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.outcome import OutcomeKind
from assets.domain.settlements import by_settlement
from assets.places import DOCUMENT, PAGE, in_order, with_places
from assets.planning import SubmissionFacts

RESULTS_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("submission_id", pa.string(), nullable=False),
        pa.field("batch_id", pa.string()),
        pa.field("settled_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("settlement", pa.int64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_version", pa.string()),
        pa.field("prompt_name", pa.string(), nullable=False),
        pa.field("prompt_version", pa.string(), nullable=False),
        pa.field("prompt_hash", pa.string(), nullable=False),
        pa.field("schema_name", pa.string(), nullable=False),
        pa.field("response_schema_hash", pa.string(), nullable=False),
        pa.field("context_key", pa.string()),
        pa.field("context_kind", pa.string()),
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_frame", pa.int32(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("image_sha256", pa.string(), nullable=False),
        pa.field("result_sha256", pa.string()),
        pa.field("result_bytes", pa.int64()),
        pa.field("result_modified_at", pa.timestamp("ns", tz="UTC")),
        DOCUMENT,
        PAGE,
    ]
)
"""Described in manifests/README.md."""

_BY_SETTLEMENT = by_settlement("settled_at")
_ORDER = ["record_key", *(name for name, *_ in _BY_SETTLEMENT)]
_OF_OUTCOME = (
    "record_key",
    "submission_id",
    "batch_id",
    "settled_at",
    "settlement",
    "model",
    "model_version",
    "prompt_name",
    "prompt_version",
    "response_schema_hash",
    "result_sha256",
    "result_bytes",
    "result_modified_at",
)
_OF_BATCH = (
    "context_key",
    "image_path",
    "image_frame",
    "image_bytes",
    "image_modified_at",
    "image_sha256",
)


def result_rows(batch_manifest: pa.Table, outcomes: pa.Table, facts: SubmissionFacts) -> pa.Table:
    """A row for each record whose result this submission wrote. Columns: RESULTS_SCHEMA."""
    good = outcomes.filter(pc.equal(outcomes["kind"], OutcomeKind.SUCCESS.value))
    at = pc.index_in(good["record_key"], value_set=batch_manifest["record_key"].combine_chunks())
    sent = batch_manifest.take(at.combine_chunks())
    same = {"prompt_hash": facts.prompt_hash, "schema_name": facts.schema_name}
    columns = {name: good[name] for name in _OF_OUTCOME} | {name: sent[name] for name in _OF_BATCH}
    columns["context_kind"] = pc.if_else(
        sent["context_key"].is_null(),
        pa.scalar(None, pa.string()),
        pc.if_else(sent["context_file_uri"].is_valid(), "image", "result"),
    )
    columns |= {name: pa.array([value] * len(good), pa.string()) for name, value in same.items()}
    table = with_places(pa.table({name: columns[name] for name in RESULTS_SCHEMA.names if name in columns}))
    return table.cast(RESULTS_SCHEMA)


def latest_results(tables: Iterable[pa.Table]) -> pa.Table:
    """One row a record, of the submission that wrote it last. ``tables``: rows of RESULTS_SCHEMA."""
    everything = pa.concat_tables([RESULTS_SCHEMA.empty_table(), *tables])
    # As plain texts: a dictionary for each table cannot be sorted by.
    order = pc.sort_indices(everything.select(_ORDER), sort_keys=[("record_key", "ascending"), *_BY_SETTLEMENT])
    everything = everything.take(order).combine_chunks()
    keys = everything["record_key"].combine_chunks()
    is_last = np.ones(len(keys), dtype=bool)
    if len(keys):
        is_last[:-1] = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    return in_order(everything.filter(pa.array(is_last)))
