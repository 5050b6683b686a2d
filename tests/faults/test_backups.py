"""`quire backup` and `quire restore`: folder and database lost, nothing is paid twice; a backup never undoes what came
after it."""

import shutil
from pathlib import Path

import pytest

from assets.domain.errors import HomeMismatchError, QuireError
from flows.backup import backup_text, restore_text
from tests.project import JOB_SECONDS, Project

pytestmark = [pytest.mark.usefixtures("without_context"), pytest.mark.light]


@pytest.fixture
def shelf(project: Project) -> Project:
    """Two documents: the pages of one are done but for one that has failed, those of the other are in flight."""
    project.configure(execution={"max_retries": 3})
    keys = project.add_pages("CA:Lincoln:2023", [1, 2])
    project.gemini.set_rules(records=[{"key": keys[1], "steps": ["empty", {"kind": "error", "code": 3}, "auto"]}])
    return project


async def _backed_up(project: Project) -> Path:
    said = await backup_text(str(project.config), project.root / "backups")
    folder = Path(said.partition(": ")[0])
    assert f"{len(project.submissions())} batches, the Variables, and a list of 1 results" in said
    return folder


async def test_folder_and_database_that_are_lost_come_back_and_nothing_is_sent_twice(shelf: Project) -> None:
    config, keys = str(shelf.config), ["CA:Lincoln:2023:1", "CA:Lincoln:2023:2"]
    await shelf.run_pass()
    shelf.gemini.advance(JOB_SECONDS)
    keys += shelf.add_pages("TX:Austin:2023", [1])
    await shelf.run_pass()
    # What a person has changed since the last failure is in no file.
    await shelf.edit_variable("record_failure_counts", {keys[1]: 2})
    folder = await _backed_up(shelf)
    flying = await shelf.variable("active_batch_ids")
    shutil.rmtree(shelf.manifests)
    for name in await shelf.variables():
        await shelf.delete_variable(name)

    shown = await restore_text(config, folder, write=False)
    assert "files would be put back" in shown
    assert "The Variables are not there: they would be made anew" in shown
    assert shown.endswith(f"Nothing is written. quire restore {folder} --yes does it.")
    assert await shelf.variables() == {}
    assert not shelf.manifests.exists()

    assert "Written" in await restore_text(config, folder, write=True)
    assert await shelf.variable("active_batch_ids") == flying
    assert await shelf.variable("record_failure_counts") == {keys[1]: 2}
    shelf.gemini.advance(JOB_SECONDS)
    await shelf.run_until_idle()
    assert all(shelf.result(key) for key in keys)
    sent = {key: each["submitted"] for key, each in shelf.gemini.books()["records"].items()}
    assert sent == {keys[0]: 1, keys[1]: 3, keys[2]: 1}


async def test_a_backup_is_not_restored_over_what_came_after_it_and_not_into_another_collection(shelf: Project) -> None:
    config = str(shelf.config)
    await shelf.run_pass()
    shelf.gemini.advance(JOB_SECONDS)
    await shelf.run_pass()
    folder = await _backed_up(shelf)
    shutil.rmtree(shelf.manifests / "results")
    shelf.result_path("CA:Lincoln:2023:1").rename(shelf.root / "kept.json")
    said = await restore_text(config, folder, write=True)
    assert said.splitlines()[1] == f"1 files are put back: {shelf.manifests}"
    assert "1 of 1 results are not in" in said
    assert (
        "such as CA:Lincoln:2023:1: copy them back before the next pass, else they are read, and paid for, again"
        in said
    )
    assert said.endswith("The Variables are there, and stay: if a pass says that they do not fit, quire recover")
    (shelf.root / "kept.json").rename(shelf.result_path("CA:Lincoln:2023:1"))

    shelf.gemini.advance(JOB_SECONDS)
    shelf.add_pages("TX:Austin:2023", [1])
    await shelf.run_pass()
    with pytest.raises(HomeMismatchError, match=r"knows \d batches that were made after this backup, such as "):
        await restore_text(config, folder, write=True)
    shelf.configure(collection=f"{shelf.collection}b")
    with pytest.raises(HomeMismatchError, match="is a backup of the collection"):
        await restore_text(config, folder, write=True)


async def test_a_backup_into_what_it_copies_is_refused(project: Project) -> None:
    with pytest.raises(QuireError, match="which is backed up itself; name another folder"):
        await backup_text(str(project.config), project.manifests / "backups")
    said = await backup_text(str(project.config), project.root / "backups")
    assert said == "nothing was sent or settled yet, so there is nothing to back up"
