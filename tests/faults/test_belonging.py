"""A folder, a database or a setting that is not what it was: the pass stops with a line, and nothing is paid twice."""

import copy
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.domain.errors import HomeMismatchError, LedgerError, ManifestError, QuireError, VanishedResultsError
from flows.gateways.files.home import MARK
from flows.pipeline import pipeline
from flows.recover import accept_folders_text, recover_text
from flows.terminal.show import rerun_text
from tests.project import JOB_SECONDS, JsonObject, Project

WAY_BACK = "see 'A folder or a database was exchanged' in docs/operations.md"
LEDGER_FOLDERS = ("batches", "jobs", "outcomes")


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(context={"mode": "none"})
    return project


async def test_an_empty_folder_in_the_place_of_the_results_stops_the_pass_and_nothing_is_paid_again(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 81))
    await project.run_until_idle()
    results = project.root / "dataset/output_results"

    with _not_mounted(results):
        line = await _stops(project, HomeMismatchError)
        assert line.startswith(f"{results} does not carry the mark ({MARK}) that it was given: is it mounted, is ")
        assert "paths.output_results right?" in line
        assert list(results.iterdir()) == []
        results.rmdir()
        line = await _stops(project, HomeMismatchError)
        assert line.startswith(f"{results} is gone: is it mounted")
        assert not results.exists(), "what is not mounted is not made anew"
        results.mkdir()

    assert (await project.run_pass()).is_idle
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}


async def test_a_share_of_results_that_vanished_stops_the_pass_and_so_do_all_of_a_few(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 11))
    await project.run_until_idle()
    kept = {key: project.result_path(key).read_bytes() for key in keys}
    for key in keys[:3]:
        project.result_path(key).unlink()
    line = await _stops(project, VanishedResultsError)
    assert "3 records that succeeded have no output result any more, of 10, such as CA:Lincoln:2023:1" in line

    project.configure(safety={"max_vanished_share": 1})
    for key in keys[3:]:
        project.result_path(key).unlink()
    await _stops(project, VanishedResultsError)
    for key in keys[1:]:
        project.result_path(key).write_bytes(kept[key])
    assert (await project.run_pass()).submit.sent == 1, "a page or two are what a person has read again"


async def test_a_folder_of_the_ledger_that_is_empty_or_gone_stops_the_pass_and_is_named(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    keys += project.add_pages("TX:Austin:2023", [1])
    await project.run_pass()
    project.configure(safety={"put_back_minutes": 0})

    for name in LEDGER_FOLDERS:
        with _not_mounted(project.manifests / name):
            line = await _stops(project, HomeMismatchError)
            assert line.startswith(f"{project.manifests / name} does not carry the mark"), name
            assert "paths.manifests" in line
            with pytest.raises(QuireError):
                await accept_folders_text(str(project.config))
            assert not (project.manifests / name / MARK).exists()

    await _ends_well(project, keys)


async def test_outcomes_that_are_gone_are_missed_and_their_batches_not_taken_for_let_go(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    project.configure(safety={"put_back_minutes": 0})
    outcomes = project.manifests / "outcomes"

    with _without(outcomes, "*.parquet"):
        line = await _stops(project, HomeMismatchError)
        assert f"quire_home knows of 1 closed batches, but {outcomes} has those of 0: the folder was restored" in line
        # A database that has not heard of it, either: the derived tables have.
        home = await project.variable("quire_home")
        await project.edit_variable("quire_home", {**home, "closed": 0})
        line = await _stops(project, ManifestError)
        assert "is gone, though submissions.parquet goes by it: what was closed would be sent again; restore it" in line

    await _ends_well(project, keys)


async def test_jobs_files_that_are_gone_are_named_rightly_and_recover_finds_them_without_paying_twice(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    (batch_id,) = await project.variable("active_batch_ids")
    for path in (project.manifests / "jobs").glob("*.json"):
        path.unlink()

    line = await _stops(project, LedgerError)
    jobs, batches = project.manifests / "jobs", project.manifests / "batches"
    assert f"entry '{batch_id}': no file in {jobs} says which submission this batch is; " in line
    assert f"1 of {batches}, such as {project.submissions()[0]}; restore the jobs files, or " in line
    assert line.endswith("quire recover")

    await recover_text(str(project.config), write=True)
    assert await project.variable("active_batch_ids") == [batch_id]
    await _ends_well(project, keys)


async def test_a_claim_whose_jobs_file_is_gone_is_adopted_if_its_job_is_there(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    (submission_id,) = project.submissions()
    await project.edit_variable("active_batch_ids", [f"submitting/{submission_id}"])
    (project.manifests / "jobs" / f"{submission_id}.json").unlink()

    await project.run_pass()

    await _ends_well(project, keys)
    assert project.gemini.existing_files() == []


async def test_a_collection_of_before_gets_its_marks_while_its_results_are_there(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 5))
    await project.run_until_idle()
    await _as_before(project)
    results = project.root / "dataset/output_results"

    with _not_mounted(results):
        line = await _stops(project, VanishedResultsError)
        assert f"{results}: of 4 records that succeeded, such as {keys[0]}, not one has an output result" in line
        assert list(results.iterdir()) == [], "an empty folder gets no mark"
    more = project.add_pages("TX:Austin:2023", [1])
    assert (await project.run_pass()).submit.sent == 1

    home = json.loads((project.manifests / "home.json").read_text())
    assert home["settings"]["paths.output_results"] == "dataset/output_results"
    assert (await project.variable("quire_home"))["newest_submission"] == project.submissions()[-1]
    assert len(list(project.root.rglob(MARK))) == 6
    await _ends_well(project, keys + more)


async def test_a_database_from_an_older_backup_stops_the_pass_until_recover(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_until_idle()
    backup = await project.variables()
    keys += project.add_pages("TX:Austin:2023", [1, 2])
    await project.run_pass()
    await _restore(project, backup)

    line = await _stops(project, HomeMismatchError)
    newest = project.submissions()[-1]
    assert line.startswith("the Variable quire_home has never heard of 1 batches in ")
    assert f"such as {newest}: " in line
    assert f"restored from an older backup, {'and would have what was sent since sent again'}" in line
    assert f"quire recover; {WAY_BACK}" in line

    assert "Written" in await recover_text(str(project.config), write=True)
    await _ends_well(project, keys)


async def test_a_database_from_before_it_noted_what_was_sent_stops_the_pass_until_recover(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    home = await project.variable("quire_home")
    await project.edit_variable("quire_home", home["id"])

    line = await _stops(project, HomeMismatchError)
    assert "restored from an older backup" in line
    await recover_text(str(project.config), write=True)
    await _ends_well(project, keys)


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

    line = await _stops(project, HomeMismatchError)
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
    await _ends_well(project, keys)


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


async def test_a_batch_that_a_person_takes_out_is_still_let_go(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    await project.edit_variable("active_batch_ids", [])

    assert (await project.run_pass()).submit.sent == 2
    assert {row["kind"] for row in project.outcomes()} == {"released"}
    await project.run_until_idle()
    assert all(project.result(key) for key in keys)


async def test_a_copied_config_with_another_collection_is_refused(project: Project, collection: str) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    project.configure(collection=f"{collection}x")

    with pytest.raises(HomeMismatchError) as raised:
        await project.run_pass()
    line = str(raised.value)
    home = project.manifests / "home.json"
    assert line.startswith(f"{project.config}: collection: is '{collection}x', but {home} was made with '{collection}'")
    assert "two collections cannot share a folder" in line
    with pytest.raises(HomeMismatchError, match="two collections cannot share a folder"):
        await recover_text(str(project.config), write=True)
    # Nor with manifests of its own.
    project.configure(paths={"manifests": "others"})
    with pytest.raises(HomeMismatchError, match=r"output_results carries the mark .* of another collection: two "):
        await project.run_pass()

    project.configure(collection=collection, paths={"manifests": "manifests"})
    await _ends_well(project, keys)


async def test_other_document_fields_are_refused_with_a_line(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    project.configure(record={"document_fields": ["archive", "box", "folder"]})

    line = await _stops(project, HomeMismatchError)
    assert "record.document_fields: is archive, box, folder, but " in line
    assert " was made with state, school, year: record keys are made of them; set it back" in line
    with pytest.raises(HomeMismatchError, match=r"record\.document_fields cannot be changed"):
        await accept_folders_text(str(project.config))

    project.configure(record={"document_fields": ["state", "school", "year"]})
    await _ends_well(project, keys)


async def test_folders_that_were_moved_need_a_word_and_a_project_that_was_moved_none(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    dataset = project.root / "dataset"
    (dataset / "output_results").rename(dataset / "read")
    (dataset / "page_images").rename(dataset / "scans")
    project.configure(paths={"output_results": "dataset/read", "page_images": "dataset/scans"})

    line = await _stops(project, HomeMismatchError)
    assert "paths.output_results: is 'dataset/read', but " in line
    assert "if the folder was moved and is whole: quire recover --accept-folders" in line

    said = await accept_folders_text(str(project.config))
    assert "paths.output_results was 'dataset/output_results' and is 'dataset/read' now" in said
    assert "paths.page_images was 'dataset/page_images' and is 'dataset/scans' now" in said
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    moved = project.root.rename(project.root.with_name(f"{project.root.name}-moved"))
    project.root = moved

    assert (await project.run_pass()).submit.sent == 0
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}


async def test_results_that_are_lost_for_good_take_two_words(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    shutil.rmtree(project.root / "dataset/output_results")
    await _stops(project, HomeMismatchError)

    said = await accept_folders_text(str(project.config))
    assert said == f"{project.root / 'dataset/output_results'} is gone: it has its mark now"
    await _stops(project, VanishedResultsError)
    report = await pipeline(str(project.config), accept_vanished=True)
    assert report is not None
    assert report.submit.sent == len(keys)


async def test_recover_on_a_folder_that_is_not_mounted_writes_nothing(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    before = await project.variables()

    with _not_mounted(project.manifests):
        with pytest.raises(
            HomeMismatchError, match=r"home\.json is not there, so nothing says that this is the right "
        ):
            await recover_text(str(project.config), write=True)
        with pytest.raises(HomeMismatchError, match=r"home\.json is gone, and more with it: is the folder mounted"):
            await accept_folders_text(str(project.config))
        with pytest.raises(HomeMismatchError):
            await rerun_text(str(project.config), keys)
        assert list(project.manifests.iterdir()) == []
    for name in LEDGER_FOLDERS:
        with _not_mounted(project.manifests / name), pytest.raises(HomeMismatchError, match="is it mounted"):
            await recover_text(str(project.config), write=True)
    assert await project.variables() == before
    await _ends_well(project, keys)


async def test_a_home_file_that_alone_is_lost_is_made_again_from_the_marks(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    home = project.manifests / "home.json"
    before = home.read_text()
    home.unlink()
    await _stops(project, HomeMismatchError)

    await accept_folders_text(str(project.config))

    assert home.read_text() == before
    await _ends_well(project, keys)


async def _stops(project: Project, error: type[QuireError]) -> str:
    """Run a pass that must end with a line of this kind, having sent and changed nothing. Returns the line."""
    variables, jobs = await project.variables(), project.gemini.books()["jobs"]
    with pytest.raises(error) as raised:
        await project.run_pass()
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    assert await project.variables() == variables
    assert project.gemini.books()["jobs"] == jobs, "nothing was sent, nothing cancelled"
    return str(raised.value)


async def _ends_well(project: Project, keys: list[str]) -> None:
    """With everything in its place again each record is done, and was sent once."""
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    assert all(project.result(key) for key in keys)
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}


@contextmanager
def _not_mounted(folder: Path) -> Iterator[None]:
    """An empty folder stands in the place of ``folder``."""
    aside = folder.rename(folder.with_name(f"{folder.name}-aside"))
    folder.mkdir()
    yield
    shutil.rmtree(folder)
    aside.rename(folder)


@contextmanager
def _without(folder: Path, pattern: str) -> Iterator[None]:
    """The files are gone, and nothing else is."""
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside)
    for path in folder.glob(pattern):
        path.unlink()
    yield
    shutil.copytree(aside, folder, dirs_exist_ok=True)


async def _restore(project: Project, backup: JsonObject) -> None:
    """Prefect's database as it was then."""
    for name, value in copy.deepcopy(backup).items():
        await project.edit_variable(name, value)


async def _as_before(project: Project) -> None:
    """What a Quire without marks has left."""
    home = await project.variable("quire_home")
    await project.edit_variable("quire_home", home["id"])
    (project.manifests / "home.json").write_text(json.dumps({"id": home["id"]}) + "\n")
    for path in project.root.rglob(MARK):
        path.unlink()
