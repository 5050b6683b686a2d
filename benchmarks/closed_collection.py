"""Makes collections that have been at work for long: all of their pages are read, by many submissions that are closed.

    python -m benchmarks.closed_collection FOLDER RECORDS SUBMISSIONS MANY

``FOLDER/large`` has RECORDS, read by SUBMISSIONS, ``FOLDER/long`` as many, read by MANY, and ``FOLDER/small`` 1,000
records, read by 20. The files are written in the forms, and by the writers, of Quire itself; no batch is run.
"""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import yaml
from ulid import ULID

from assets.domain.home import HomeFile
from assets.outcomes import OUTCOME_SCHEMA, numbered
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from benchmarks.scan import jpeg
from config.settings import Settings, load_settings, make_folders
from flows.gateways.files.parquet import write_table
from flows.gateways.files.storage import JobFile, Storage
from flows.protocol.claiming import facts_of
from flows.runtime.home import told_settings
from flows.runtime.wiring import make_storage, make_template
from flows.tables.derived import refresh_derived

HOME_ID = "01jd0000000000000000000000"
PAGES_PER_DOCUMENT = 100
RESULT = b'{"page_type": "text", "text": "All men by these presents."}'
WRITTEN_AT = datetime(2026, 3, 1, tzinfo=UTC)


def main(folder: Path, records: int, submissions: int, many: int) -> None:
    sizes = {"small": (1_000, 20), "large": (records, submissions), "long": (records, many)}
    for name, (pages, batches) in sizes.items():
        # Nothing of it has to outlive a power cut.
        with patch.object(os, "fsync", lambda _: None):
            make(folder / name, pages, batches)


def make(folder: Path, records: int, submissions: int, *, failed_share: int = 0) -> None:
    """One of them, scanned. ``failed_share``: of so many pages one has failed, and has no result; 0: none."""
    _make(folder, records, submissions, failed_share)
    scan = [sys.executable, "-c", "from flows.cli import main; main()", "scan"]
    subprocess.run([*scan, "--config", str(folder / "quire.yaml")], check=True, stdout=sys.stderr)


def _make(folder: Path, records: int, submissions: int, failed_share: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said: dict[str, object] = {"collection": f"closed_{records}_{submissions}"}
    # The images are small: one without a result would be left out.
    said |= {"images": {"min_side_pixels": 0}} if failed_share else {}
    (folder / "quire.yaml").write_text(yaml.safe_dump(said))
    settings = load_settings(folder / "quire.yaml")
    make_folders(settings)
    storage = make_storage(settings)
    storage.home.create(HomeFile(HOME_ID, told_settings(settings)))
    storage.home.mark(HOME_ID)
    keys = list(_pages(settings, records))
    failed = frozenset(keys[::failed_share]) if failed_share else frozenset()
    for key in failed:
        storage.result_path(key).unlink()
    of_each = -(-records // submissions)
    close = partial(_close, storage, settings, _facts(settings), failed)
    for number in range(submissions):
        close(number, keys[number * of_each : (number + 1) * of_each] or keys[number : number + 1])
    refresh_derived(storage)


def _pages(settings: Settings, records: int) -> list[str]:
    """Their images and results; returns their keys."""
    image, keys = jpeg(), list[str]()
    at_ns = int(WRITTEN_AT.timestamp()) * 10**9
    for document in range(-(-records // PAGES_PER_DOCUMENT)):
        fields = ("CA", f"School{document:05}", "1900")
        images, results = (
            place.joinpath(*fields) for place in (settings.paths.page_images, settings.paths.output_results)
        )
        images.mkdir(parents=True)
        results.mkdir(parents=True)
        for page in range(1, min(PAGES_PER_DOCUMENT, records - document * PAGES_PER_DOCUMENT) + 1):
            for path, content in ((images / f"{page}.jpg", image), (results / f"{page}.json", RESULT)):
                path.write_bytes(content)
                os.utime(path, ns=(at_ns, at_ns))
            keys.append(":".join((*fields, str(page))))
    return keys


def _facts(settings: Settings) -> SubmissionFacts:
    model, template = make_template(settings)
    return facts_of(settings, model, template, HOME_ID, created_at=WRITTEN_AT)


def _close(
    storage: Storage,
    settings: Settings,
    facts: SubmissionFacts,
    failed: frozenset[str],
    number: int,
    keys: list[str],
) -> None:
    at = WRITTEN_AT + timedelta(minutes=number)
    submission_id = str(ULID.from_datetime(at)).lower()
    facts = replace(facts, submission_id=submission_id, created_at=at)
    image = settings.paths.page_images.relative_to(settings.root).as_posix()
    paths = [f"{image}/{key.replace(':', '/')}.jpg" for key in keys]
    same: dict[str, object] = {"image_frame": 0, "image_mime_type": "image/jpeg", "image_bytes": len(jpeg())}
    same |= {"image_modified_at": WRITTEN_AT, "image_sha256": "c" * 64, "estimated_image_tokens": 1100}
    same |= {"estimated_text_tokens": 400, "estimated_output_tokens": 500, "estimated_usd": 0.002, "max_usd": 0.05}
    same |= {"file_name": "files/a", "file_uri": "https://a", "file_mime_type": "image/jpeg", "file_bytes": 1000}
    batch = _table(BATCH_SCHEMA, {**same, "record_key": keys, "position": range(len(keys)), "image_path": paths})
    metadata = facts.to_metadata()
    storage.create_batch_manifest(submission_id, batch.replace_schema_metadata(metadata))
    told: dict[str, object] = {
        "submission_id": submission_id,
        "batch_id": f"batches/{submission_id}",
        "kind": ["blocked" if key in failed else "success" for key in keys],
        "message": ["SAFETY" if key in failed else "" for key in keys],
        "count_after": [1 if key in failed else None for key in keys],
        "count_before": [0 if key in failed else None for key in keys],
    }
    told |= {"prompt_tokens": 1500, "output_tokens": 400, "thoughts_tokens": 100, "cached_tokens": 0, "unsure": False}
    told |= {"model": facts.model, "model_version": facts.model, "prompt_name": facts.prompt_name}
    told |= {"prompt_version": facts.prompt_version, "response_schema_hash": facts.response_schema_hash}
    told |= {"settled_at": at + timedelta(hours=1), "result_sha256": "d" * 64, "result_bytes": len(RESULT)}
    outcomes = _table(OUTCOME_SCHEMA, {**told, "result_modified_at": WRITTEN_AT, "record_key": keys})
    path = storage.outcomes_path(submission_id)
    path.parent.mkdir(exist_ok=True)
    write_table(numbered(outcomes, number + 1), path, compression="zstd")
    storage.write_job(JobFile(submission_id, "files/input", f"batches/{submission_id}"))


def _table(schema: pa.Schema, columns: dict[str, object]) -> pa.Table:
    """What is no list is the same in each row; what is not there is null."""
    rows = len(columns["record_key"])  # type: ignore[arg-type]
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if isinstance(value, list | range):
            arrays.append(pa.array(list(value), field.type))
        else:
            arrays.append(
                pa.nulls(rows, field.type) if value is None else pa.repeat(pa.scalar(value, field.type), rows)
            )
    return pa.table(arrays, schema=schema)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
