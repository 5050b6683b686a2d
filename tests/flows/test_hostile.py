"""Input that attacks, through whole passes: links that lead out of the results. What is asserted is what others see:
the disk, the terminal, the emulator's books.
"""

import os
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from flows.show import rerun_text, unblock_text
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

DOCUMENT = "CA:Lincoln:1901"


class Elsewhere:
    """A folder of others, with a file that is called like a result. Its times are so old that reading shows, where the
    file system keeps the time of reading at all."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.file = folder, folder / "1.json"
        self.file.write_text('{"theirs": true}')
        for path in (self.file, folder):
            os.utime(path, (1, 2))
        self._before = self._times()

    def is_untouched(self) -> bool:
        times = self._times()  # before we look ourselves
        names = [path.name for path in self.folder.iterdir()]
        return times == self._before and names == ["1.json"] and self.file.read_text() == '{"theirs": true}'

    def _times(self) -> list[tuple[int, int, int]]:
        found = (path.stat() for path in (self.folder, self.file))
        return [(each.st_atime_ns, each.st_mtime_ns, each.st_ctime_ns) for each in found]


async def test_a_link_out_of_the_results_stops_the_pass_before_anything_is_sent(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    (key,) = project.add_pages(DOCUMENT, [1])
    others, result = Elsewhere(project.root / "elsewhere"), project.result_path(key)
    for link, target in ((result.parent, others.folder), (result, others.file)):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        with pytest.raises(ManifestError) as stopped:
            await project.run_pass()
        assert str(stopped.value) == _leads_out(project, link)
        assert link.is_symlink()
        link.unlink()
    result.symlink_to(others.file)
    for command in (["status"], ["rerun", key]):
        child = standby.quire(*command, "--config", str(project.config), server=prefect_server)
        assert await child.ended() == 1
        assert child.printed == f"quire: {_leads_out(project, result)}\n"
    result.unlink()
    assert others.is_untouched()
    assert not {"upload_start", "create_batch"} & project.gemini.requests().keys()
    assert (await project.variable("active_batch_ids"), project.submissions()) == ([], [])

    assert (await project.run_pass()).submit.sent == 1, "with the links gone it goes on"


async def test_a_link_that_appears_while_a_batch_runs_costs_no_answer_and_no_file_of_others(project: Project) -> None:
    project.configure(context={"mode": "none"})
    key, failed = project.add_pages(DOCUMENT, [1, 3])
    project.gemini.set_steps(failed, "not_json", "auto")
    others, folder = Elsewhere(project.root / "elsewhere"), project.result_path(key).parent
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    before = await project.variables()
    await project.edit_variable("record_failure_counts", {key: 1})
    folder.parent.mkdir(parents=True)
    folder.symlink_to(others.folder)
    said = _leads_out(project, project.result_path(key))

    with pytest.raises(ManifestError) as stopped:
        await project.run_pass()
    assert str(stopped.value) == said
    with pytest.raises(ManifestError):
        await rerun_text(str(project.config), [f"{DOCUMENT}:2-3", key])

    assert await project.variables() == before | {"record_failure_counts": {key: 1}}, "nothing was reset, nothing freed"
    assert project.outcomes() == []
    assert others.is_untouched()
    folder.unlink()
    assert await unblock_text(str(project.config), [key]) == "1 counts reset"
    await project.run_pass()
    assert project.result(key) is not None
    assert project.gemini.record(key)["billed"] == project.gemini.record(key)["submitted"] == 1


def _leads_out(project: Project, link: Path) -> str:
    results = project.root / "dataset/output_results"
    return f"{link}: a symbolic link leads out of {results} here; put a folder or a file in its place"
