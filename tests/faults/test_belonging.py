"""A folder, a database or a setting that is not what it was: the pass stops with a line, and nothing is paid twice."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.domain.errors import HomeMismatchError, ManifestError, QuireError, VanishedResultsError
from flows.gateways.files.home import MARK
from flows.pipeline import pipeline
from flows.recover import accept_folders_text, recover_text
from tests.faults.standstill import LEDGER_FOLDERS, ends_well, not_mounted, stops
from tests.project import JOB_SECONDS, Project

pytestmark = pytest.mark.usefixtures("without_context")


@pytest.mark.detached
async def test_an_empty_folder_in_the_place_of_the_results_stops_the_pass_and_nothing_is_paid_again(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 81))
    await project.run_until_idle()
    results = project.root / "dataset/output_results"

    with not_mounted(results):
        line = await stops(project, HomeMismatchError)
        assert line.startswith(f"{results} does not carry the mark ({MARK}) that it was given: is it mounted, is ")
        assert "paths.output_results right?" in line
        assert list(results.iterdir()) == []
        results.rmdir()
        line = await stops(project, HomeMismatchError)
        assert line.startswith(f"{results} is gone: is it mounted")
        assert not results.exists(), "what is not mounted is not made anew"
        results.mkdir()

    assert (await project.run_pass()).is_idle
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}


@pytest.mark.detached
async def test_a_share_of_results_that_vanished_stops_the_pass_and_so_do_all_of_a_few(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 11))
    await project.run_until_idle()
    kept = {key: project.result_path(key).read_bytes() for key in keys}
    for key in keys[:3]:
        project.result_path(key).unlink()
    line = await stops(project, VanishedResultsError)
    assert "3 records that succeeded have no output result any more, of 10, such as CA:Lincoln:2023:1" in line

    project.configure(safety={"max_vanished_share": 1})
    for key in keys[3:]:
        project.result_path(key).unlink()
    await stops(project, VanishedResultsError)
    for key in keys[1:]:
        project.result_path(key).write_bytes(kept[key])
    assert (await project.run_pass()).submit.sent == 1, "a page or two are what a person has read again"


@pytest.mark.light
async def test_a_folder_of_the_ledger_that_is_empty_or_gone_stops_the_pass_and_is_named(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    keys += project.add_pages("TX:Austin:2023", [1])
    await project.run_pass()
    project.configure(safety={"put_back_minutes": 0})

    for name in LEDGER_FOLDERS:
        with not_mounted(project.manifests / name):
            line = await stops(project, HomeMismatchError)
            assert line.startswith(f"{project.manifests / name} does not carry the mark"), name
            assert "paths.manifests" in line
            with pytest.raises(QuireError):
                await accept_folders_text(str(project.config))
            assert not (project.manifests / name / MARK).exists()

    await ends_well(project, keys)


@pytest.mark.detached
async def test_outcomes_that_are_gone_are_missed_and_their_batches_not_taken_for_let_go(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    project.configure(safety={"put_back_minutes": 0})
    outcomes = project.manifests / "outcomes"

    with _without(outcomes, "*.parquet"):
        line = await stops(project, HomeMismatchError)
        assert f"quire_home knows of 1 closed batches, but {outcomes} has those of 0: the folder was restored" in line
        # A database that has not heard of it, either: the derived tables have.
        home = await project.variable("quire_home")
        await project.edit_variable("quire_home", {**home, "closed": 0})
        line = await stops(project, ManifestError)
        said = (
            f"is gone, though {project.manifests}/submissions goes by it: what was closed would be sent again; restore"
        )
        assert said in line

    await ends_well(project, keys)


@pytest.mark.light
async def test_a_collection_of_before_gets_its_marks_while_its_results_are_there(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 5))
    await project.run_until_idle()
    await _as_before(project)
    results = project.root / "dataset/output_results"

    with not_mounted(results):
        line = await stops(project, VanishedResultsError)
        assert f"{results}: of 4 records that succeeded, such as {keys[0]}, not one has an output result" in line
        assert list(results.iterdir()) == [], "an empty folder gets no mark"
    more = project.add_pages("TX:Austin:2023", [1])
    assert (await project.run_pass()).submit.sent == 1

    home = json.loads((project.manifests / "home.json").read_text())
    assert home["settings"]["paths.output_results"] == "dataset/output_results"
    assert (await project.variable("quire_home"))["newest_submission"] == project.submissions()[-1]
    assert len(list(project.root.rglob(MARK))) == 6
    await ends_well(project, keys + more)


@pytest.mark.light
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
    await ends_well(project, keys)


@pytest.mark.light
async def test_other_document_fields_are_refused_with_a_line(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    project.configure(record={"document_fields": ["archive", "box", "folder"]})

    line = await stops(project, HomeMismatchError)
    assert "record.document_fields: is archive, box, folder, but " in line
    assert " was made with state, school, year: record keys are made of them; set it back" in line
    with pytest.raises(HomeMismatchError, match=r"record\.document_fields cannot be changed"):
        await accept_folders_text(str(project.config))

    project.configure(record={"document_fields": ["state", "school", "year"]})
    await ends_well(project, keys)


@pytest.mark.light
async def test_folders_that_were_moved_need_a_word_and_a_project_that_was_moved_none(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    dataset = project.root / "dataset"
    (dataset / "output_results").rename(dataset / "read")
    (dataset / "page_images").rename(dataset / "scans")
    project.configure(paths={"output_results": "dataset/read", "page_images": "dataset/scans"})

    line = await stops(project, HomeMismatchError)
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


@pytest.mark.light
async def test_results_that_are_lost_for_good_take_two_words(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", range(1, 4))
    await project.run_until_idle()
    shutil.rmtree(project.root / "dataset/output_results")
    await stops(project, HomeMismatchError)

    said = await accept_folders_text(str(project.config))
    assert said == f"{project.root / 'dataset/output_results'} is gone: it has its mark now"
    await stops(project, VanishedResultsError)
    report = await pipeline(str(project.config), accept_vanished=True)
    assert report is not None
    assert report.submit.sent == len(keys)


@pytest.mark.light
async def test_a_home_file_that_alone_is_lost_is_made_again_from_the_marks(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    await project.run_pass()
    home = project.manifests / "home.json"
    before = home.read_text()
    home.unlink()
    await stops(project, HomeMismatchError)

    await accept_folders_text(str(project.config))

    assert home.read_text() == before
    await ends_well(project, keys)


@contextmanager
def _without(folder: Path, pattern: str) -> Iterator[None]:
    """The files are gone, and nothing else is."""
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside)
    for path in folder.glob(pattern):
        path.unlink()
    yield
    shutil.copytree(aside, folder, dirs_exist_ok=True)


async def _as_before(project: Project) -> None:
    """What a Quire without marks has left."""
    home = await project.variable("quire_home")
    await project.edit_variable("quire_home", home["id"])
    (project.manifests / "home.json").write_text(json.dumps({"id": home["id"]}) + "\n")
    for path in project.root.rglob(MARK):
        path.unlink()
