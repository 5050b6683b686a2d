"""What tests of folders and databases that are not what they were look at: a pass that stops, one that ends well, and
a folder that is not mounted."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets.domain.errors import QuireError
from tests.project import JOB_SECONDS, Project

LEDGER_FOLDERS = ("batches", "jobs", "outcomes")


async def stops(project: Project, error: type[QuireError]) -> str:
    """Run a pass that must end with a line of this kind, having sent and changed nothing. Returns the line."""
    variables, jobs = await project.variables(), project.gemini.books()["jobs"]
    with pytest.raises(error) as raised:
        await project.run_pass()
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    assert await project.variables() == variables
    assert project.gemini.books()["jobs"] == jobs, "nothing was sent, nothing cancelled"
    return str(raised.value)


async def ends_well(project: Project, keys: list[str]) -> None:
    """With everything in its place again each record is done, and was sent once."""
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    assert all(project.result(key) for key in keys)
    assert {project.gemini.record(key)["submitted"] for key in keys} == {1}


@contextmanager
def not_mounted(folder: Path) -> Iterator[None]:
    """An empty folder stands in the place of ``folder``."""
    aside = folder.rename(folder.with_name(f"{folder.name}-aside"))
    folder.mkdir()
    yield
    shutil.rmtree(folder)
    aside.rename(folder)
