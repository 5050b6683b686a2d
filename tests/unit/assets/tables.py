"""Tables for tests of the core, made by the assets themselves."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from assets.candidates import STATES, RecordState, RunRules, States
from assets.context import ContextMode
from assets.domain.batch import JobState, RemoteFile
from assets.domain.ledger import Ledger
from assets.domain.ledger_parsing import parse_ledger
from assets.domain.money import Price
from assets.domain.record import parse_key
from assets.estimates import Rates, Tariff, images_tokens, row_estimates
from assets.manifest import record_manifest
from assets.numbering import Pages, Records
from assets.outcomes import record_outcomes
from assets.planning import SentImage, SubmissionFacts, batch_manifest
from assets.results import VERDICT_SCHEMA
from assets.sources import PageImage, existing_results, page_images

FIELDS = ("state", "school", "year")
SUBMISSION = "01jd0000000000000000000000"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PRICE = Price(input_usd=1.5, output_usd=9.0, cached_usd=0.5, batch_factor=0.5)


def images(keys: Iterable[str], *, sizes: Mapping[str, int] | None = None) -> list[PageImage]:
    """An image of 100 bytes for each key, or of the size in ``sizes``."""
    found = []
    for key in keys:
        parsed = parse_key(key)
        size = (sizes or {}).get(key, 100)
        found.append(
            PageImage(
                parsed.fields, parsed.label, f"{key}.jpg", 0, "image/jpeg", size, 1_700_000_000_000_000_001, 1000, 1500
            )
        )
    return found


def pages_of(keys: Iterable[str], *, sizes: Mapping[str, int] | None = None) -> pa.Table:
    return page_images(None, images=images(keys, sizes=sizes), document_fields=FIELDS)


def manifest_of(keys: Iterable[str], **settings: Any) -> pa.Table:
    return record_manifest(pages_of(keys), document_fields=FIELDS, **settings)


def records_of(keys: Iterable[str], **settings: Any) -> Records:
    return Records.of(manifest_of(keys, **settings))


def states_with(states: Mapping[str, str]) -> States:
    """``states``: record key -> its RecordState; the pages of a document together, in the order of its pages."""
    manifest = manifest_of(states)
    codes = [STATES.index(RecordState(states[key])) for key in manifest["record_key"].to_pylist()]
    rules = RunRules(max_retries=3, context_mode=ContextMode.PREVIOUS_RESULT, on_dead_dependency="wait")
    return States(Records.of(manifest), np.array(codes, dtype=np.int8), np.zeros(len(codes), dtype=np.int32), rules)


def table_of(states: States) -> pa.Table:
    """All rows of it."""
    return states.rows(np.arange(len(states)))


def results_of(keys: Iterable[str]) -> Pages:
    return existing_results(pages=Pages.of_keys(keys))


def ledger_of(counts: Mapping[str, int] | None = None) -> Ledger:
    return parse_ledger({"active_batch_ids": [], "record_failure_counts": dict(counts or {})})


def facts(**changes: Any) -> SubmissionFacts:
    values: dict[str, Any] = {
        "submission_id": SUBMISSION,
        "collection": "t",
        "model": "gemini-3.5-flash",
        "prompt_name": "page",
        "prompt_version": "v1",
        "prompt_hash": "0" * 64,
        "schema_name": "a:B",
        "response_schema_hash": "1" * 64,
        "result_schema": {"type": "object"},
        "generation_config": {"temperature": 0.1},
        "context_mode": "previous_result",
        "created_at": NOW,
        "price": PRICE,
    }
    return SubmissionFacts(**(values | changes))


def remote(name: str) -> RemoteFile:
    return RemoteFile(f"files/{name}", f"https://g/v1/files/{name}", "image/jpeg", name, 100)


def sent(name: str) -> SentImage:
    return SentImage(remote(name), "2" * 64, 100, 1_700_000_000_000_000_001)


def estimates_of(rows: pa.Table) -> pa.Table:
    """1,120 tokens of an image, 100 of text, 50 of an answer for each row."""
    tariff = Tariff("gemini-3.5-flash", {"max_output_tokens": 99}, PRICE, None)
    text_bytes = np.full(len(rows), 400, dtype=np.int64)
    return row_estimates(images_tokens(rows, tariff), text_bytes, tariff, Rates(40, 10))


def batch_of(keys: Iterable[str], **changes: Any) -> pa.Table:
    """``changes``: of the facts."""
    table = manifest_of(keys)
    uploads = {key: sent(f"f{at}") for at, key in enumerate(table["record_key"].to_pylist())}
    return batch_manifest(
        table, uploads=uploads, with_context=[], estimates=estimates_of(table), facts=facts(**changes)
    )


def verdicts(*rows: Mapping[str, Any]) -> pa.Table:
    """Judged lines, 100 bytes apart; ``kind`` is success unless a row says otherwise."""
    full = [
        {"kind": "success", "message": "", "line_offset": at * 100, "line_bytes": 90, **row}
        for at, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema=VERDICT_SCHEMA)


def outcomes_of(keys: Iterable[str], lines: pa.Table | None, *, state: JobState = JobState.SUCCEEDED) -> pa.Table:
    return record_outcomes(batch_of(keys), lines, job_state=state, batch_id="batches/b1", facts=facts(), settled_at=NOW)
