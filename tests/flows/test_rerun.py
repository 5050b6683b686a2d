"""``quire rerun`` and ``quire undo-rerun`` from the command line: no result is lost on the way to a better one,
whatever becomes of the new reading and wherever a process is killed."""

import json
from typing import Any

import pytest

from flows.questions.why import why_text
from flows.terminal.show import status_json, status_text
from tests.crash_matrix.light import run_light_passes
from tests.killing import free_locks, killed_by_effect
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Child, Standby

DOCUMENT = "North:7:12"


class Shelf:
    """A document of four pages that are done, and the command line."""

    def __init__(self, project: Project, server: PrefectServer, standby: Standby) -> None:
        self.project, self._server, self._standby = project, server, standby
        project.configure(context={"mode": "none"}, execution={"max_retries": 0})
        self.keys = project.add_pages(DOCUMENT, [1, 2, 3, 4])

    async def ended(self, *arguments: str, status: int = 0, **effects: Any) -> str:
        child = self.quire(*arguments, **effects)
        assert await child.ended() == status, child.printed
        return "\n".join(child.said)

    def quire(self, *arguments: str, **effects: Any) -> Child:
        root, gemini = self.project.root, self.project.gemini.base_url.removeprefix("http://")
        options = (
            {"log": str(root / "effects.log"), "root": str(root), "gemini": gemini, **effects} if effects else None
        )
        config = ("--config", str(self.project.config))
        return self._standby.quire(*arguments, *config, server=self._server, effects=options)

    async def passes(self, at_most: int = 6) -> None:
        assert await run_light_passes(self.project, at_most)

    def bytes_of(self, key: str) -> bytes:
        return self.project.result_path(key).read_bytes()

    def kept(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.project.manifests / "replaced").rglob("*.json")]

    def billed(self) -> list[int]:
        return [self.project.gemini.record(key)["billed"] for key in self.keys]

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await status_json(str(self.project.config)))
        return found


@pytest.fixture
async def shelf(project: Project, prefect_server: PrefectServer, standby: Standby) -> Shelf:
    made = Shelf(project, prefect_server, standby)
    await made.passes()
    return made


async def test_a_result_stays_until_the_new_one_is_written_and_is_kept_then(shelf: Shelf) -> None:
    first, second = shelf.keys[:2]
    before, variables = shelf.bytes_of(first), await shelf.project.variables()
    said = await shelf.ended("rerun", first, f"{DOCUMENT}:9", status=1)
    assert said == f"quire: {DOCUMENT}:9: there is no such record here; nothing is done"
    said = await shelf.ended("rerun", DOCUMENT, "--dry-run")
    assert said.startswith("4 results would be given up for a new reading: $")
    assert said.endswith("\nnothing is done")
    assert (await shelf.status())["done"] == 4
    assert await shelf.project.variables() == variables

    for more_than_one in ([DOCUMENT], [f"{DOCUMENT}:1-2"], [first, second]):
        said = await shelf.ended("rerun", *more_than_one)
        assert "would be given up for a new reading: $" in said
        assert said.splitlines()[-2].startswith("to read them costs about $")
        assert said.endswith("\nnothing is done; --yes does it")
    assert (await shelf.status())["rerun"] == 0
    said = await shelf.ended("rerun", f"{DOCUMENT}:1-2", "--yes")
    assert said.startswith("2 results are given up for a new reading: $")
    assert "each stays in its place until the new one is written" in said
    assert "1 of them were asked for before" in await shelf.ended("rerun", first)
    assert await shelf.ended("undo-rerun", second) == "1 result stays as it is"
    said = await shelf.ended("undo-rerun", second, status=1)
    assert said == f"quire: {second}: nothing of it is to be read again; nothing is done"
    assert shelf.bytes_of(first) == before
    found = await shelf.status()
    assert (found["done"], found["runnable"], found["rerun"]) == (3, 1, 1)
    assert "to be read again 1" in await status_text(str(shelf.project.config))
    assert "the result of before stays in its place until then" in await why_text(str(shelf.project.config), first)

    await shelf.passes(2)
    assert shelf.bytes_of(first) != before
    assert shelf.kept() == [before]
    assert shelf.billed() == [2, 1, 1, 1]
    assert not (shelf.project.manifests / "reruns.parquet").exists()
    assert (await shelf.status())["rerun"] == 0


async def test_a_new_reading_that_fails_leaves_the_old_result_and_the_wish_can_be_taken_back(shelf: Shelf) -> None:
    bad, flying = shelf.keys[:2]
    before = {key: shelf.bytes_of(key) for key in shelf.keys}
    shelf.project.gemini.set_steps(bad, "blocked_answer")
    await shelf.ended("rerun", bad, flying, "--yes")
    await run_light_passes(shelf.project, 1)
    assert await shelf.ended("undo-rerun", flying) == (
        f"1 result stays as it is\n{flying}: in flight already; that answer is paid for, and will not be written"
    )
    await shelf.passes(3)

    assert {key: shelf.bytes_of(key) for key in shelf.keys} == before
    found = await shelf.status()
    assert (found["done"], found["dead"], found["dead_letters"], found["rerun"]) == (3, 1, {bad: 1}, 1)
    text = await why_text(str(shelf.project.config), bad)
    assert "dead letter: 1 failure" in text
    assert f"the result of before stays in its place until then; quire undo-rerun {bad} lets it be" in text
    assert [row["kind"] for row in shelf.project.outcomes() if row["record_key"] == flying] == ["success", "superseded"]
    said = await shelf.ended("rerun", "--kind", "blocked", "--dead")
    assert said.endswith("nothing is done; --yes does it")
    assert await shelf.ended("undo-rerun", "--dead") == "1 result stays as it is"
    assert (await shelf.status())["done"] == 4
    await shelf.passes(1)
    assert shelf.billed() == [2, 2, 1, 1], "nothing was sent again for a wish that was taken back"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_rerun_that_is_killed_has_done_nothing_or_all_and_a_settlement_loses_neither_result(
    shelf: Shelf, prefect_server: PrefectServer, when: str
) -> None:
    first = shelf.keys[0]
    before = {key: shelf.bytes_of(key) for key in shelf.keys}
    await shelf.ended("rerun", first, status=-9, kill_at="replace /manifests/reruns.parquet", when=when)
    await free_locks(shelf.project)
    assert {key: shelf.bytes_of(key) for key in shelf.keys} == before
    assert (await shelf.status())["rerun"] == (when == "after")
    await shelf.ended("rerun", first)
    await shelf.ended("undo-rerun", first, status=-9, kill_at=" /manifests/reruns.parquet", when=when)
    await free_locks(shelf.project)
    assert (await shelf.status())["rerun"] == (when == "before"), "taken back, or not"
    assert {key: shelf.bytes_of(key) for key in shelf.keys} == before
    await shelf.ended("rerun", first)
    await run_light_passes(shelf.project, 1)
    shelf.project.gemini.advance(JOB_SECONDS)

    assert await killed_by_effect(
        shelf.project,
        prefect_server,
        shelf._standby,
        f"replace /dataset/output_results/{first.replace(':', '/')}",
        when,
    )
    assert (shelf.bytes_of(first) == before[first]) == (when == "before")
    assert shelf.kept() == [before[first]]
    await shelf.passes()

    assert shelf.bytes_of(first) != before[first]
    assert shelf.kept() == [before[first]]
    assert shelf.billed() == [2, 1, 1, 1]
    assert (await shelf.status())["done"] == 4
