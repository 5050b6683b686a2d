"""Nothing that was uploaded stays behind once its submission is closed, whatever went wrong on the way."""

from tests.flows.recorded import Recorded
from tests.killing import killed_at
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby


def marks(project: Project) -> list[str]:
    return sorted(path.name for path in (project.manifests / "uploads").glob("*.json"))


async def finish(project: Project, keys: list[str]) -> None:
    project.gemini.clear_faults()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    for key in keys:
        assert project.gemini.record(key)["billed"] == 1
        assert project.result(key) is not None
    assert project.gemini.existing_files() == []
    assert marks(project) == []


async def test_what_a_try_left_of_which_nobody_was_told_is_deleted(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    # The upload takes effect, its answer is lost, and so the next try makes another file.
    project.gemini.add_fault("upload_chunk", display_name="*-0-1", cut="connection", when="after")
    project.gemini.add_fault("upload_chunk", display_name="*-input-1", cut="connection", when="after")
    await project.run_pass()
    assert len(project.gemini.existing_files()) == 5
    assert len(marks(project)) == 1

    await finish(project, keys)
    [line] = [text for text in await Recorded(project).texts("INFO") if text.startswith("Deleting ")]
    assert line == f"Deleting 2 uploads that {project.submissions()[0]} has left behind"


async def test_what_could_not_be_deleted_is_deleted_by_a_later_pass(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.add_fault("delete_file", status=503, times=None)
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert len(project.gemini.existing_files()) == 2
    assert [text for text in await Recorded(project).texts("WARNING") if "a later pass tries again" in text]
    lists = project.gemini.requests()["list_files"]

    await finish(project, keys)
    await project.run_pass()
    assert project.gemini.requests()["list_files"] == lists + 1, "asked for only while there is a mark"


async def test_what_a_pass_uploaded_that_was_killed_before_it_could_note_it_is_deleted(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    async with killed_at(project, prefect_server, standby, "upload_chunk", display_name="*-input-*", when="after"):
        assert len(project.gemini.existing_files()) == 3, "nothing here names the input file"
    await project.run_pass()
    assert len(project.gemini.existing_files()) == 3, "those of the new submission"
    await finish(project, keys)
