"""A database or a folder from an older backup, files of the ledger that are gone, and `quire recover`: the pass stops
with a line, and nothing is paid twice."""

import copy
import shutil

import pytest

from assets.domain.errors import HomeMismatchError, LedgerError, QuireError
from flows.recover import accept_folders_text, recover_text
from flows.terminal.reruns import Words, rerun_text
from tests.faults.standstill import LEDGER_FOLDERS, ends_well, not_mounted, stops
from tests.project import JsonObject, Project

pytestmark = pytest.mark.usefixtures("without_context")
WAY_BACK = "see 'A folder or a database was exchanged' in docs/operations.md"


@pytest.mark.light
async def test_jobs_files_that_are_gone_are_named_rightly_and_recover_finds_them_without_paying_twice(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    (batch_id,) = await project.variable("active_batch_ids")
    for path in (project.manifests / "jobs").glob("*.json"):
        path.unlink()

    line = await stops(project, LedgerError)
    jobs, batches = project.manifests / "jobs", project.manifests / "batches"
    assert f"entry '{batch_id}': no file in {jobs} says which submission this batch is; " in line
    assert f"1 of {batches}, such as {project.submissions()[0]}; restore the jobs files, or " in line
    assert line.endswith("quire recover")

    await recover_text(str(project.config), write=True)
    assert await project.variable("active_batch_ids") == [batch_id]
    await ends_well(project, keys)


@pytest.mark.detached
async def test_a_claim_whose_jobs_file_is_gone_is_adopted_if_its_job_is_there(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    (submission_id,) = project.submissions()
    await project.edit_variable("active_batch_ids", [f"submitting/{submission_id}"])
    (project.manifests / "jobs" / f"{submission_id}.json").unlink()

    await project.run_pass()

    await ends_well(project, keys)
    assert project.gemini.existing_files() == []


@pytest.mark.light
async def test_a_database_from_an_older_backup_stops_the_pass_until_recover(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_until_idle()
    backup = await project.variables()
    keys += project.add_pages("TX:Austin:2023", [1, 2])
    await project.run_pass()
    await _restore(project, backup)

    line = await stops(project, HomeMismatchError)
    newest = project.submissions()[-1]
    assert line.startswith("the Variable quire_home has never heard of 1 batches in ")
    assert f"such as {newest}: " in line
    assert f"restored from an older backup, {'and would have what was sent since sent again'}" in line
    assert f"quire recover; {WAY_BACK}" in line

    assert "Written" in await recover_text(str(project.config), write=True)
    await ends_well(project, keys)


@pytest.mark.light
async def test_a_database_from_before_it_noted_what_was_sent_stops_the_pass_until_recover(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    home = await project.variable("quire_home")
    await project.edit_variable("quire_home", home["id"])

    line = await stops(project, HomeMismatchError)
    assert "restored from an older backup" in line
    await recover_text(str(project.config), write=True)
    await ends_well(project, keys)


@pytest.mark.light
async def test_a_folder_from_an_older_backup_stops_the_pass_and_recover_asks_how_many_are_forgotten(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_until_idle()
    older = project.root / "older"
    shutil.copytree(project.manifests, older)
    keys += project.add_pages("TX:Austin:2023", [1, 2])
    await project.run_pass()
    newer = project.manifests.rename(project.root / "newer")
    shutil.copytree(older, project.manifests)
    (batch_id,) = await project.variable("active_batch_ids")

    line = await stops(project, HomeMismatchError)
    newest = (await project.variable("quire_home"))["newest_submission"]
    assert f"quire_home knows the batch {newest}, but {project.manifests / 'batches'} has not: the folder was " in line
    shown = await recover_text(str(project.config), write=False)
    assert (
        f"1 active batches would be forgotten, as no file knows them, and their pages sent again:\n  {batch_id}"
        in shown
    )
    assert "1 jobs at Gemini bear names like ours that no file here knows" in shown
    assert shown.endswith("Nothing is written. quire recover --yes --forget 1 writes this.")
    before = await project.variables()
    for count in (0, 2):
        with pytest.raises(
            QuireError, match=f"1 active batches would be forgotten, such as {batch_id}, and their pages"
        ):
            await recover_text(str(project.config), write=True, forget=count)
    assert await project.variables() == before

    shutil.rmtree(project.manifests)
    newer.rename(project.manifests)
    await ends_well(project, keys)


@pytest.mark.light
async def test_after_recover_says_how_many_are_forgotten_database_and_folder_agree(project: Project) -> None:
    project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_until_idle()
    older = project.root / "older"
    shutil.copytree(project.manifests, older)
    project.add_pages("TX:Austin:2023", [1, 2])
    await project.run_pass()
    shutil.rmtree(project.manifests)
    shutil.copytree(older, project.manifests)

    await recover_text(str(project.config), write=True, forget=1)

    home = await project.variable("quire_home")
    assert (home["newest_submission"], home["closed"]) == (project.submissions()[-1], 1)
    assert (await project.run_pass()).submit.sent == 2


@pytest.mark.detached
async def test_a_batch_that_a_person_takes_out_is_still_let_go(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    await project.edit_variable("active_batch_ids", [])

    assert (await project.run_pass()).submit.sent == 2
    assert {row["kind"] for row in project.outcomes()} == {"released"}
    await project.run_until_idle()
    assert all(project.result(key) for key in keys)


@pytest.mark.light
async def test_recover_on_a_folder_that_is_not_mounted_writes_nothing(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    before = await project.variables()

    with not_mounted(project.manifests):
        with pytest.raises(
            HomeMismatchError, match=r"home\.json is not there, so nothing says that this is the right "
        ):
            await recover_text(str(project.config), write=True)
        with pytest.raises(HomeMismatchError, match=r"home\.json is gone, and more with it: is the folder mounted"):
            await accept_folders_text(str(project.config))
        with pytest.raises(HomeMismatchError):
            await rerun_text(str(project.config), Words(keys))
        assert list(project.manifests.iterdir()) == []
    for name in LEDGER_FOLDERS:
        with not_mounted(project.manifests / name), pytest.raises(HomeMismatchError, match="is it mounted"):
            await recover_text(str(project.config), write=True)
    assert await project.variables() == before
    await ends_well(project, keys)


async def _restore(project: Project, backup: JsonObject) -> None:
    """Prefect's database as it was then."""
    for name, value in copy.deepcopy(backup).items():
        await project.edit_variable(name, value)
