"""State that cannot be trusted stops the pass: one line that names it, nothing sent, nothing changed."""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from assets.domain.errors import (
    GeminiTransientError,
    HomeMismatchError,
    LedgerError,
    ManifestError,
    StateError,
    VanishedResultsError,
)
from config.settings import load_settings
from flows.gateways.files.home import MARK
from flows.recover import recover_text
from flows.runtime.home import ensure_home
from flows.runtime.wiring import make_storage, open_ledger
from flows.terminal.reruns import Words, unblock_text
from flows.terminal.show import release_text, status_text
from tests.project import JOB_SECONDS, Project

KEY = "CA:Lincoln:2023:4"
OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
AUTHORITIES = ("active_batch_ids", "record_failure_counts", "quire_home")
WAY_BACK = "see 'A folder or a database was exchanged' in docs/operations.md"
CLAIM = "submitting/01k9v3x5c7e9g1j3m5p7r9t1v3"

BROKEN: dict[str, tuple[str, Any, str]] = {
    "a count in words": (
        "record_failure_counts",
        {"CA:Lincoln:2023:3": 1, KEY: "two"},
        f"entry '{KEY}': the count 'two' is no whole number of 0 or more; correct it or delete the entry",
    ),
    "a list of counts": (
        "record_failure_counts",
        [KEY],
        "it is a list, not a map of record keys to whole numbers; set it to such a map, or to {} to forget",
    ),
    "a bad key": ("record_failure_counts", {"CA:Lincoln:2023": 1}, "entry 'CA:Lincoln:2023': "),
    "a key that is a path": ("record_failure_counts", {"CA:..:2023:4": 1}, "entry 'CA:..:2023:4': "),
    "a truth value": ("record_failure_counts", {KEY: True}, f"entry '{KEY}': the count True is no whole number"),
    "a negative count": ("record_failure_counts", {KEY: -1}, f"entry '{KEY}': the count -1 is no whole number"),
    "half a failure": ("record_failure_counts", {KEY: 0.5}, f"entry '{KEY}': the count 0.5 is no whole number"),
    "nothing at all": ("record_failure_counts", None, "it is null, not a map"),
    "active batches in a map": ("active_batch_ids", {"batches/x": 1}, "it is a map, not a list"),
    "a strange active batch": ("active_batch_ids", ["something"], "entry 'something': it is neither a batch id"),
    "a number among the active": ("active_batch_ids", [7], "entry 'number 1': a number is no batch id"),
    "a batch that stands there twice": ("active_batch_ids", ["batches/x", "batches/x"], "it stands there twice"),
    "a batch that no file knows": (
        "active_batch_ids",
        ["batches/x"],
        "says which records are in this batch; restore that file, or let go of the batch: quire release batches/x",
    ),
    "a claim that no file knows": ("active_batch_ids", [CLAIM], f"quire release {CLAIM}"),
    "a home of somebody else": (
        "quire_home",
        "0123456789abcdef",
        "hold different ids: this folder belongs to another Prefect database",
    ),
    "a home that is no text": ("quire_home", 1, "put the id of manifests/home.json back into it"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_variable_stops_the_pass(project: Project, case: str) -> None:
    name, value, said = BROKEN[case]
    await _make_home(project)
    project.add_pages("CA:Lincoln:2023", [3, 4])
    await project.edit_variable(name, value)

    line = await _stops(
        project, LedgerError if name != "quire_home" or value == 1 else HomeMismatchError, re.escape(said)
    )

    assert f"Variable {project.collection}_{name}" in line or "Variable quire_home" in line


async def test_after_the_correction_the_pass_goes_on(project: Project) -> None:
    await _make_home(project)
    (key,) = project.add_pages("CA:Lincoln:2023", [4])
    await project.edit_variable("record_failure_counts", {key: "two"})
    await _stops(project, LedgerError, "'two' is no whole number")
    with pytest.raises(LedgerError):
        await unblock_text(str(project.config), Words([key]))

    await project.edit_variable("record_failure_counts", {key: 2})

    report = await project.run_pass()
    assert report.submit.sent == 1
    assert await project.variable("record_failure_counts") == {key: 2}


@pytest.mark.parametrize("name", ["active_batch_ids", "record_failure_counts"])
async def test_a_deleted_variable_stops_the_pass(project: Project, name: str) -> None:
    await _make_home(project)
    project.add_pages("CA:Lincoln:2023", [4])
    await project.delete_variable(name)

    await _stops(project, LedgerError, f"{name}: it is missing, though this collection is in use; .*{WAY_BACK}")


async def test_a_folder_or_a_database_that_was_exchanged_stops_the_pass(project: Project) -> None:
    project.add_pages("CA:Lincoln:2023", [4])
    await project.run_pass()
    elsewhere = project.root / "elsewhere"
    home = project.manifests / "home.json"

    shutil.copytree(project.manifests, elsewhere)
    shutil.rmtree(project.manifests)
    await _stops(project, HomeMismatchError, f"is there but .*home.json is not: is the folder mounted.*{WAY_BACK}")
    assert not project.manifests.exists(), "a folder that is not mounted is not made to look like a new one"
    shutil.copytree(elsewhere, project.manifests)

    home.write_text('{"id": "0123456789abcdef"}')
    await _stops(project, HomeMismatchError, f"hold different ids: .*check PREFECT_API_URL.*{WAY_BACK}")
    home.write_text("{}")
    await _stops(project, ManifestError, f"home.json: is not .*{WAY_BACK}")
    shutil.copyfile(elsewhere / "home.json", home)

    for name in await project.variables():
        await project.delete_variable(name)
    await _stops(project, HomeMismatchError, f"quire_home is missing, but .*batches holds batch manifests.*{WAY_BACK}")
    assert await project.variables() == {}
    home.unlink()
    await _stops(project, HomeMismatchError, f"home.json is missing, but .*batches holds batch manifests.*{WAY_BACK}")
    assert not home.exists()


async def test_a_file_that_cannot_be_read_stops_the_pass(project: Project) -> None:
    project.configure(context={"at_gap": "break"})
    keys = project.add_pages("CA:Lincoln:2023", [4, 6])
    await project.run_pass()
    project.add_pages("TX:Austin:2023", [1])
    (submission_id,) = project.submissions()
    batch_manifest = project.manifests / "batches" / f"{submission_id}.parquet"
    job = project.manifests / "jobs" / f"{submission_id}.json"

    with _spoiled(project.manifests / "records.parquet", b"no Parquet"):
        await _stops(project, ManifestError, "records.parquet: cannot be read")
    with _spoiled(batch_manifest, b"no Parquet"):
        await _stops(project, ManifestError, f"{submission_id}.parquet: cannot be read .*; restore it from a backup")
    with _spoiled(batch_manifest, None):
        await _stops(project, HomeMismatchError, f"quire_home knows the batch {submission_id}, but .*batches has not: ")
        with pytest.raises(HomeMismatchError, match="batches has not"):
            await status_text(str(project.config))
    with _spoiled(job, b"{"):
        await _stops(project, ManifestError, f"{submission_id}.json: is not a jobs file")

    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert all(project.result(key) for key in keys), "with its files back, the batch is settled"


@pytest.mark.light
async def test_a_batch_that_no_file_knows_can_be_let_go(project: Project) -> None:
    await _make_home(project)
    project.add_pages("CA:Lincoln:2023", [4])
    await project.edit_variable("active_batch_ids", ["batches/x"])

    said = await release_text(str(project.config), "batches/x", cancel=False)

    assert said == "batches/x is taken out of active_batch_ids; no file here knew its records"
    assert (await project.run_pass()).submit.sent == 1


async def test_results_that_vanished_stop_the_pass_until_a_person_accepts_it(project: Project) -> None:
    project.configure(safety={"max_vanished_results": 1}, context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:2023", range(1, 5))
    await project.run_until_idle()
    project.result_path(keys[0]).unlink()
    project.result_path(keys[1]).unlink()

    await _stops(project, VanishedResultsError, "2 records that succeeded have no output result any more, of 4, ")

    project.configure(safety={"max_vanished_results": 2})
    assert (await project.run_pass()).submit.sent == 2


async def test_a_lost_database_is_made_again_by_recover(project: Project) -> None:
    project.configure(execution={"max_retries": 0, "batch_size_limit": 1})
    first, second = project.add_pages("CA:Lincoln:2023", [1, 2])
    (dead,) = project.add_pages("TX:Peñón High:2023", [1])
    project.gemini.set_steps(dead, "empty")
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    (third,) = project.add_pages("CA:Adams:2023", [1])
    # Its answer is lost, and the list lags, so that only Gemini will know its job.
    project.gemini.add_fault("create_batch", key=third, cut="connection", when="after")
    project.gemini.set_rules(jobs=[{"contains_key": third, "list_lag_calls": 1}], add=True)
    await project.run_pass()
    before = await project.variables()
    assert len(before["active_batch_ids"]) == 2
    assert before["record_failure_counts"] == {dead: 1}
    (claim,) = [name for name in before["active_batch_ids"] if name.startswith("submitting/")]
    batch_manifest = project.manifests / "batches" / f"{claim.removeprefix('submitting/')}.parquet"
    (project.manifests / "jobs" / f"{batch_manifest.stem}.json").unlink()
    for name in before:
        await project.delete_variable(name)
    await _stops(project, HomeMismatchError, WAY_BACK)

    shown = await recover_text(str(project.config), write=False)
    assert shown.startswith("The Variables of this collection are not there, or have no quire_home.\n")
    assert shown.endswith("Nothing is written. quire recover --yes writes this.")
    assert await project.variables() == {}
    assert (await recover_text(str(project.config), write=True)).endswith("The next pass goes on from here.")

    jobs = {job["displayName"]: job["name"] for job in project.gemini.books()["jobs"]}
    made = await project.variables()
    expected = [name if name != claim else jobs[batch_manifest.stem] for name in before["active_batch_ids"]]
    assert sorted(made["active_batch_ids"]) == sorted(expected)
    assert {name: made[name] for name in AUTHORITIES[1:]} == {name: before[name] for name in AUTHORITIES[1:]}
    assert sorted(made["batch_record_keys"]) == sorted(expected)
    assert (await project.run_pass()).submit.sent == 0
    for _ in range(2):
        project.gemini.advance(JOB_SECONDS)
        report = await project.run_pass()
    assert report.is_idle
    keys = (first, second, third, dead)
    assert [project.result(key) is not None for key in keys] == [True, True, True, False]
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}
    assert project.gemini.existing_files() == []


@pytest.mark.light
async def test_recover_overwrites_what_cannot_be_understood_and_changes_nothing_without_gemini(
    project: Project,
) -> None:
    (key,) = project.add_pages("CA:Lincoln:2023", [1])
    await project.run_pass()
    before = await project.variables()
    await project.edit_variable("record_failure_counts", {key: "two"})
    await project.edit_variable("active_batch_ids", ["something"])
    broken = await project.variables()
    project.gemini.add_fault("list_batches", status=503, times=None)
    with pytest.raises(GeminiTransientError):
        await recover_text(str(project.config), write=True)
    assert await project.variables() == broken

    project.gemini.clear_faults()
    said = await recover_text(str(project.config), write=True)
    assert said.startswith("The Variables cannot be understood: ")
    assert await project.variables() == before


async def test_lost_manifests_are_started_anew_and_what_is_done_stays_done(project: Project) -> None:
    (done,) = project.add_pages("CA:Lincoln:2023", [1])
    await project.run_until_idle()
    (fresh,) = project.add_pages("CA:Lincoln:2023", [3])
    shutil.rmtree(project.manifests)
    await _stops(project, HomeMismatchError, WAY_BACK)

    for name in await project.variables():
        await project.delete_variable(name)
    mark = project.root / "dataset/output_results" / MARK
    with pytest.raises(HomeMismatchError, match="if that collection's manifests are lost for good, delete that file"):
        await project.run_pass()
    mark.unlink()

    assert (await project.run_pass()).submit.sent == 1
    assert [project.gemini.record(key)["submitted"] for key in (done, fresh)] == [1, 1]


async def _make_home(project: Project) -> None:
    """What the first pass of a collection does before anything else."""
    settings = load_settings(project.config)
    async with open_ledger(settings) as ledger:
        await ensure_home(settings, make_storage(settings), ledger)


async def _stops(project: Project, error: type[StateError], said: str) -> str:
    """Run a pass, which must end with one line that matches ``said``, in the terminal and in Prefect, and leave
    Variables and Gemini as they were. Returns the line."""
    variables, calls = await project.variables(), _changes(project.gemini.requests())
    with pytest.raises(error, match=said) as raised:
        await project.run_pass()
    line = str(raised.value)
    assert "\n" not in line
    assert await project.variables() == variables
    assert _changes(project.gemini.requests()) == calls, "nothing was uploaded, sent or deleted"
    run = await _last_run(project)
    assert run.state is not None
    assert (run.state.name, run.state.message) == ("Failed", line)
    return line


@contextlib.contextmanager
def _spoiled(path: Path, content: bytes | None) -> Iterator[None]:
    """The file holds ``content``, or is gone, for the length of the block."""
    good = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    yield
    path.write_bytes(good)


def _changes(calls: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in calls.items() if not name.startswith(("get", "list"))}


async def _last_run(project: Project) -> FlowRun:
    """The last run of the pipeline with this project's configuration."""
    async with get_client() as client:
        flow = await client.read_flow_by_name("pipeline")
        runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=20)
    ours = [run for run in runs if run.flow_id == flow.id and run.parameters.get("config") == str(project.config)]
    return ours[0]
