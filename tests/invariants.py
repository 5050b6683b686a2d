"""What must hold once nothing goes on any more, whatever happened before. The witnesses are the emulator's books, the
files, and the Variables as Prefect's API returns them; of what Quire says of itself only its status is compared.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from assets.domain.outcome import ANSWERED_WELL, COUNTED
from assets.plain_rows import plain_rows
from config.schemas.page_transcript import PageTranscript
from flows.terminal.show import status_json
from tests.project import Project

Row = dict[str, Any]


async def violations(project: Project, keys: list[str], *, max_retries: int) -> list[str]:
    """Each invariant that does not hold, with what was found; empty if all do. ``keys``: all records."""
    status = json.loads(await status_json(str(project.config)))
    return violations_by(project, keys, await project.variables(), status, max_retries=max_retries)


def violations_by(project: Project, keys: list[str], variables: Row, status: Row, *, max_retries: int) -> list[str]:
    """Likewise, with the ``variables`` (named without the collection) and the ``status`` that the caller has read."""
    books = project.gemini.books()
    tables = sorted(path for path in (project.manifests / "outcomes").iterdir() if not _is_hidden(path))
    outcomes = {path.stem: plain_rows(pq.read_table(path)) for path in tables}
    found = [
        *_ended(project, keys, status, variables["record_failure_counts"], max_retries),
        *_sends(keys, books, outcomes),
        *_results(project, keys),
        *_one_outcome_a_row(project, outcomes),
        *_counts(keys, outcomes, variables["record_failure_counts"]),
        *_let_go(variables),
    ]
    if books["existing_files"]:
        found.append(f"I8: still uploaded: {books['existing_files']}")
    if marks := [path.name for path in (project.manifests / "uploads").iterdir() if not _is_hidden(path)]:
        found.append(f"I8: marks are left: {marks}")
    return found


def _ended(project: Project, keys: list[str], status: Row, counts: Row, max_retries: int) -> Iterator[str]:
    done = [key for key in keys if project.result(key) is not None]
    dead = [key for key in keys if counts.get(key, 0) > max_retries and key not in done]
    said = {name: status[name] for name in ("done", "dead", "runnable", "inflight")}
    if said != {"done": len(done), "dead": len(dead), "runnable": 0, "inflight": 0}:
        yield f"I1: {len(done)} done, {len(dead)} dead, and the status says {said}"
    if status["records"] != sum(status[name] for name in ("done", "dead", "held", "waiting")):
        yield f"I1: not every record has ended: {status}"


def _sends(keys: list[str], books: Row, outcomes: dict[str, list[Row]]) -> Iterator[str]:
    """I2 and I3: each submission has at most one job, and each send of a record one outcome that explains it."""
    posts = Counter(each["displayName"] for each in books["jobs"])
    if doubles := [name for name, count in posts.items() if count > 1]:
        yield f"I2: two jobs of {doubles}"
    if alive := [job["name"] for job in books["jobs"] if job["state"] in ("PENDING", "RUNNING")]:
        yield f"I2: jobs that run on: {alive}"
    for key in keys:
        sent = Counter(job["displayName"] for job in books["jobs"] if key in job["keys"])
        rows = [(name, row) for name, table in outcomes.items() for row in table if row["record_key"] == key]
        explained = Counter(name for name, _ in rows if name in posts)
        if sent != explained:
            yield f"I3: {key} was sent in {dict(sent)}, and has outcomes in {dict(explained)}"
        answered = [row["kind"] for _, row in rows if row["kind"] in ANSWERED_WELL | COUNTED]
        billed = books["records"].get(key, {}).get("billed", 0)
        if billed > len(answered) or answered.count("success") > 1:
            yield f"I3: {key} was billed {billed} times, its answers are {answered}"


def _results(project: Project, keys: list[str]) -> Iterator[str]:
    root = project.root / "dataset" / "output_results"
    expected = {project.result_path(key): key for key in keys}
    for path in root.rglob("*"):
        if path.is_dir() or _is_hidden(path):
            continue
        if path not in expected:
            yield f"I4: {path.relative_to(root)} belongs to no record"
        elif problem := _why_wrong(path, expected[path]):
            yield f"I4: {path.relative_to(root)}: {problem}"


def _is_hidden(path: Path) -> bool:
    """What a killed pass leaves of a file that it was writing, and the mark of the folder."""
    return path.name.startswith(".")


def _why_wrong(path: Path, key: str) -> str:
    """What is wrong with a result. Each text that the emulator makes up begins with the key that it was asked for."""
    try:
        page = PageTranscript.model_validate_json(path.read_bytes())
    except ValueError as error:
        return str(error).partition("\n")[0]
    texts = [heading.text for heading in page.headings] + [block.text for block in page.blocks]
    return next((f"belongs to another page: {text}" for text in texts if not text.startswith(f"{key} ")), "")


def _one_outcome_a_row(project: Project, outcomes: dict[str, list[Row]]) -> Iterator[str]:
    for path in (project.manifests / "batches").glob("*.parquet"):
        sent = pq.read_table(path, columns=["record_key"])["record_key"].to_pylist()
        if (got := [row["record_key"] for row in outcomes.get(path.stem, [])]) != sent:
            yield f"I5: {path.stem} has the rows {sent} and the outcomes {got}"


def _counts(keys: list[str], outcomes: dict[str, list[Row]], counts: Row) -> Iterator[str]:
    failures = Counter(row["record_key"] for table in outcomes.values() for row in table if row["kind"] in COUNTED)
    if dict(failures) != counts:
        yield f"I6: the outcomes have the failures {dict(failures)}, the Variable {counts}"


def _let_go(variables: Row) -> Iterator[str]:
    for name in ("active_batch_ids", "batch_record_keys", "inflight_record_ids"):
        if variables[name]:
            yield f"I7: {name} holds {variables[name]}"
