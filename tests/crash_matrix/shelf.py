"""What is worked off in the two matrices: three documents of two pages that do not wait for each other. One record
fails once, one meets an overloaded service once, one always fails, one has a result already of which a person wants
another, one has been corrected by a person since another was wanted; a job FAILs, one EXPIREs.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from assets.corrections import CORRECTION_SCHEMA
from assets.reruns import RERUN_SCHEMA
from config.settings import load_settings
from flows.operate import results_as_they_are
from flows.runtime.wiring import make_storage, new_submission_id
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import new_collection
from tests.project import Project, make_project
from tests.unit.exports.shelf import transcript

MAX_RETRIES = 1
PAGES = 2
OLD_READING = "what was read before"


def make_shelf(folder: Path, gemini: EmulatorHandle) -> tuple[Project, list[str]]:
    """The project of such a run, and its records; the emulator is emptied for it."""
    gemini.reset()
    project = make_project(
        folder,
        collection=new_collection(),
        gemini=gemini,
        context={"mode": "none"},
        execution={"max_retries": MAX_RETRIES, "batch_size_limit": PAGES},
        batch={"adoption_grace_seconds": 0},
        safety={"max_failed_batches_in_a_row": 100, "max_failure_rate": 1, "put_back_minutes": 60},
    )
    project.configure(uploads={"upload_concurrency": 1})
    keys = [key for year in (1901, 1902, 1903) for key in project.add_pages(f"CA:Lincoln:{year}", range(1, PAGES + 1))]
    keys += project.add_pages("CA:Lincoln:1904", [1])
    once, always = failing(keys)
    gemini.set_rules(
        records=[
            {"key": keys[2], "steps": [{"kind": "error", "code": 503}, "auto"]},
            {"key": once, "steps": ["not_json", "auto"]},
            {"key": always, "steps": ["empty"]},
        ],
        jobs=[{"ordinal": 2, "end": "FAILED"}, {"ordinal": 3, "end": "EXPIRED"}],
    )
    _put_result(project, keys[0], {"transcript": OLD_READING})
    right = {"kind": "paragraph", "text": f"{vouched(keys)} as a person has corrected it"}
    _put_result(project, vouched(keys), transcript(right))
    _want_others(project, [keys[0], vouched(keys)])
    _vouch(project, vouched(keys))
    return project, keys


def failing(keys: Sequence[str]) -> tuple[str, str]:
    """The record that fails once, and the one that always does."""
    return keys[1], keys[len(keys) // 2]


def vouched(keys: Sequence[str]) -> str:
    """The record whose result a person has corrected, after somebody had wanted another."""
    return keys[-1]


def rerun_problems(project: Project, keys: Sequence[str]) -> Iterator[str]:
    """What is wrong, at the end, about the result that a person wanted another for, and about the one that a person
    has corrected."""
    if "as a person has corrected it" not in project.result_path(vouched(keys)).read_text(encoding="utf-8"):
        yield f"{vouched(keys)} is not any more what a person has corrected"
    if vouched(keys) in project.gemini.books()["records"]:
        yield f"{vouched(keys)} was sent though a person has corrected it"
    kept = [path.read_text(encoding="utf-8") for path in (project.manifests / "replaced").rglob("*.json")]
    if not any(OLD_READING in text for text in kept):
        yield f"the result of before of {keys[0]} is lost"
    if OLD_READING in project.result_path(keys[0]).read_text(encoding="utf-8"):
        yield f"{keys[0]} has the result of before still"


def _put_result(project: Project, record_key: str, result: object) -> None:
    path = project.result_path(record_key)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(result), encoding="utf-8")


def _want_others(project: Project, record_keys: Sequence[str]) -> None:
    storage = make_storage(load_settings(project.config))
    wishes = results_as_they_are(storage, record_keys)
    ids = pa.array([new_submission_id() for _ in range(len(wishes))])
    storage.write_reruns(wishes.append_column("rerun_id", ids).select(RERUN_SCHEMA.names).cast(RERUN_SCHEMA))


def _vouch(project: Project, record_key: str) -> None:
    storage = make_storage(load_settings(project.config))
    told = {"record_key": record_key, "correction_id": new_submission_id(), "corrected_at": datetime.now(UTC)}
    note = pa.Table.from_pylist([{**told, "corrected_by": "Ada", "kind": "corrected"}])
    found = results_as_they_are(storage, [record_key]).drop_columns(["record_key"])
    for name in found.column_names:
        note = note.append_column(name, found[name])
    for field in CORRECTION_SCHEMA:
        if field.name not in note.column_names:
            note = note.append_column(field.name, pa.nulls(1, field.type))
    storage.corrections.write(note.select(CORRECTION_SCHEMA.names).cast(CORRECTION_SCHEMA))
