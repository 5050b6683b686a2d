"""Tables for tests of the core, made by the assets themselves."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from assets.domain.batch import JobState, RemoteFile
from assets.domain.ledger import Ledger
from assets.domain.ledger_parsing import parse_ledger
from assets.domain.record import parse_key
from assets.manifest import record_manifest
from assets.outcomes import record_outcomes
from assets.planning import SubmissionFacts, batch_manifest
from assets.results import VERDICT_SCHEMA
from assets.sources import PageImage, existing_results, page_images

FIELDS = ("state", "school", "year")
SUBMISSION = "01jd0000000000000000000000"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def images(keys: Iterable[str], *, sizes: Mapping[str, int] | None = None) -> list[PageImage]:
    """An image of 100 bytes for each key, or of the size in ``sizes``."""
    found = []
    for key in keys:
        parsed = parse_key(key)
        size = (sizes or {}).get(key, 100)
        modified_ns = 1_700_000_000_000_000_001
        found.append(PageImage(parsed.fields, parsed.page, f"{key}.jpg", 0, "image/jpeg", size, modified_ns, 60, 80))
    return found


def pages_of(keys: Iterable[str], *, sizes: Mapping[str, int] | None = None) -> pa.Table:
    return page_images(None, images=images(keys, sizes=sizes), document_fields=FIELDS)


def manifest_of(keys: Iterable[str], **settings: Any) -> pa.Table:
    return record_manifest(pages_of(keys), document_fields=FIELDS, **settings)


def results_of(keys: Iterable[str]) -> pa.Table:
    return existing_results(keys=list(keys))


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
    }
    return SubmissionFacts(**(values | changes))


def remote(name: str) -> RemoteFile:
    return RemoteFile(f"files/{name}", f"https://g/v1/files/{name}", "image/jpeg", name, 100)


def batch_of(keys: Iterable[str]) -> pa.Table:
    table = manifest_of(keys)
    uploads = {key: remote(f"f{at}") for at, key in enumerate(table["record_key"].to_pylist())}
    return batch_manifest(table, uploads=uploads, with_context=[], facts=facts())


def verdicts(*rows: Mapping[str, Any]) -> pa.Table:
    """Judged lines, 100 bytes apart; ``kind`` is success unless a row says otherwise."""
    full = [
        {"kind": "success", "message": "", "line_offset": at * 100, "line_bytes": 90, **row}
        for at, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema=VERDICT_SCHEMA)


def outcomes_of(keys: Iterable[str], lines: pa.Table | None, *, state: JobState = JobState.SUCCEEDED) -> pa.Table:
    return record_outcomes(batch_of(keys), lines, job_state=state, batch_id="batches/b1", facts=facts(), settled_at=NOW)
