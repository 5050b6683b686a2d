"""Prefect's server away in the middle of a pass: for a moment, for longer, and restarted. The pass goes on, or stops
with one line; then the next one finishes what it had begun, and nothing is sent or counted twice.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.emulator_server import API_KEY, EmulatorHandle
from tests.leases import expire_leases, held_locks
from tests.prefect_proxy import ALWAYS, Fault, PrefectProxy
from tests.prefect_server import PrefectServer, free_port, new_collection, prefect_settings, running_prefect_server
from tests.project import JOB_SECONDS, Project, make_project
from tests.standby import Standby

pytestmark = pytest.mark.slow

HELD_SECONDS = 2


async def test_a_server_that_answers_503_between_claim_and_confirmation_holds_up_the_pass_and_no_more(
    project: Project, prefect_server: PrefectServer, proxy: PrefectProxy, standby: Standby
) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    at_input = project.gemini.add_fault("upload_start", display_name="*-input-*", delay_seconds=HELD_SECONDS)
    child = standby.quire("run", "--config", str(project.config), server=prefect_server, api_url=proxy.api_url)
    await child.until_struck(project.gemini, at_input)
    refused = Fault("status", "/variables/filter", times=ALWAYS)
    proxy.faults = [refused, Fault("status", times=ALWAYS)]
    async with asyncio.timeout(60):
        while refused.times > ALWAYS - 5:  # noqa: ASYNC110 - counted in another thread
            await asyncio.sleep(0.02)
    proxy.faults = []

    assert await child.ended() == 0, child.printed
    assert child.said[-2] == "0 batches settled, 0 running; 1 records; 1 batches with 1 records sent"
    assert f"Prefect at {proxy.api_url} does not answer (status 503): trying again" in child.printed
    [job] = project.gemini.books()["jobs"]
    assert await project.variable("active_batch_ids") == [job["name"]]
    assert await held_locks(project) == []
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    assert project.gemini.record(key)["billed"] == 1


async def test_a_settlement_whose_counts_cannot_be_written_is_finished_by_the_next_pass_and_a_reset_is_kept(
    project: Project, prefect_server: PrefectServer, proxy: PrefectProxy, standby: Standby
) -> None:
    project.configure(context={"at_gap": "break"})
    good, bad, reset = project.add_pages("CA:Lincoln:1901", [1, 3, 5])
    for key in (bad, reset):
        project.gemini.set_steps(key, "not_json", "auto")
    await project.run_pass()
    await project.edit_variable("record_failure_counts", {bad: 1, reset: 1})
    project.gemini.advance(JOB_SECONDS)
    proxy.faults = [Fault("status", "PATCH /variables/", times=ALWAYS)]

    child = standby.quire("run", "--config", str(project.config), server=prefect_server, api_url=proxy.api_url)
    assert await child.ended() == 1

    [line] = [said for said in child.said if said.startswith("quire: ")]
    assert line.startswith("quire: Prefect does not answer at ")
    assert "(status 503)" in line
    assert {row["record_key"]: row["kind"] for row in project.outcomes()}[bad] == "not_json", "it is committed"
    assert await project.variable("record_failure_counts") == {bad: 1, reset: 1}
    assert await held_locks(project) == []
    await project.edit_variable("record_failure_counts", {bad: 1})

    await project.run_pass()

    assert await project.variable("record_failure_counts") == {bad: 2}
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    assert [project.gemini.record(key)["submitted"] for key in (good, bad, reset)] == [1, 2, 2]
    assert Counter(row["kind"] for row in project.outcomes()) == {"success": 3, "not_json": 2}


async def test_a_server_that_is_restarted_while_a_job_is_created_costs_nothing_but_time(
    tmp_path: Path, gemini: EmulatorHandle, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    project = make_project(tmp_path, collection=new_collection(), gemini=gemini)
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    home, port = tmp_path / "prefect", free_port()

    run = ("run", "--config", str(project.config))
    at_create = gemini.add_fault("create_batch", when="after", delay_seconds=HELD_SECONDS)
    async with started_prefect_server(home, port) as server:
        child = standby.quire(*run, server=server)
        await child.until_struck(project.gemini, at_create)
    async with started_prefect_server(home, port) as server:
        code = await child.ended()
        assert (code, "Traceback" in child.printed) in [(0, False), (1, False)], child.printed
        if code:  # the restart took longer than its patience
            assert [line for line in child.said if line.startswith("quire: Prefect does not answer at ")], child.printed
        with prefect_settings(server.api_url, home):
            if code:
                await expire_leases(project, server)
            assert await held_locks(project) == []
            gemini.advance(JOB_SECONDS)
            for _ in range(2 if code else 1):
                child = standby.quire(*run, server=server)
                assert await child.ended() == 0, child.printed
            assert await project.variable("active_batch_ids") == []
            assert await project.variable("record_failure_counts") == {}
    assert (gemini.record(key)["submitted"], gemini.record(key)["billed"]) == (1, 1)
    assert project.result(key) is not None


@asynccontextmanager
async def started_prefect_server(home: Path, port: int) -> AsyncIterator[PrefectServer]:
    """One with its database in a file, so that it comes back with it."""
    running = running_prefect_server(home, port=port)
    server = await asyncio.to_thread(running.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)
