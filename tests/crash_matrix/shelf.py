"""What is worked off in the two matrices: three documents of two pages that do not wait for each other. One record
fails once, one meets an overloaded service once, one always fails, one has a result already of which a person wants
another; a job FAILs, one EXPIREs.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from assets.reruns import RERUN_SCHEMA
from config.settings import load_settings
from flows.operate import results_as_they_are
from flows.runtime.wiring import make_storage, new_submission_id
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import new_collection
from tests.project import Project, make_project

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
    once, always = failing(keys)
    gemini.set_rules(
        records=[
            {"key": keys[2], "steps": [{"kind": "error", "code": 503}, "auto"]},
            {"key": once, "steps": ["not_json", "auto"]},
            {"key": always, "steps": ["empty"]},
        ],
        jobs=[{"ordinal": 2, "end": "FAILED"}, {"ordinal": 3, "end": "EXPIRED"}],
    )
    _want_another(project, keys[0])
    return project, keys


def failing(keys: Sequence[str]) -> tuple[str, str]:
    """The record that fails once, and the one that always does."""
    return keys[1], keys[len(keys) // 2]


def rerun_problems(project: Project, keys: Sequence[str]) -> Iterator[str]:
    """What is wrong, at the end, about the result that a person wanted another for."""
    kept = [path.read_text(encoding="utf-8") for path in (project.manifests / "replaced").rglob("*.json")]
    if not any(OLD_READING in text for text in kept):
        yield f"the result of before of {keys[0]} is lost"
    if OLD_READING in project.result_path(keys[0]).read_text(encoding="utf-8"):
        yield f"{keys[0]} has the result of before still"


def _want_another(project: Project, record_key: str) -> None:
    path = project.result_path(record_key)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"transcript": OLD_READING}), encoding="utf-8")
    storage = make_storage(load_settings(project.config))
    noted = results_as_they_are(storage, [record_key]).append_column("rerun_id", pa.array([new_submission_id()]))
    storage.write_reruns(noted.select(RERUN_SCHEMA.names).cast(RERUN_SCHEMA))
