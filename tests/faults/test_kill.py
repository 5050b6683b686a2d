"""A pass whose process is killed with -9: the next one goes on, nothing is lost, and nothing is paid for twice.

A real ``quire run`` in a process of its own is held up by the emulator at the point in question, and killed there. What
its end leaves behind in Prefect, two locks, is freed through Prefect's API, as waiting for the leases takes a minute.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from tests.emulator_server import API_KEY
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

ROOT = Path(__file__).parents[2]
QUIRE = (sys.executable, "-c", "from flows.cli import main; main()")
HOLD_UP_SECONDS = 20


@asynccontextmanager
async def killed_at(project: Project, server: PrefectServer, call: str, **fault: Any) -> AsyncIterator[None]:
    """Run a pass in a process of its own, hold it up at ``call``, kill it there, and let go of its locks."""
    fault_id = project.gemini.add_fault(call, delay_seconds=HOLD_UP_SECONDS, **fault)
    process = await asyncio.create_subprocess_exec(
        *QUIRE,
        *("run", "--config", str(project.config)),
        cwd=ROOT,
        env={**server.environment(), "GEMINI_API_KEY": API_KEY},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(120):
            await _until_struck(project, fault_id, process)
        yield
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    project.gemini.clear_faults()
    async with get_client() as client:
        for lock in ("pass", "ledger"):
            try:
                await client.delete_global_concurrency_limit_by_name(f"{project.collection}_quire_{lock}")
            except ObjectNotFound:
                continue


async def _until_struck(project: Project, fault_id: str, process: asyncio.subprocess.Process) -> None:
    while True:
        if any(row["id"] == fault_id and row["struck"] for row in project.gemini.faults()):
            return
        assert process.returncode is None, "the pass ended before it came there"
        await asyncio.sleep(0.05)


async def see_through(project: Project, keys: list[str]) -> None:
    """Run to the end, and see that each record was paid for once and done."""
    await project.run_until_idle()
    for key in keys:
        assert project.result(key) is not None
        assert project.gemini.record(key)["billed"] == 1
    posts = [each["displayName"] for each in project.gemini.books()["creates"]]
    assert len(posts) == len(set(posts)), "each submission id is POSTed once"
    variables = await project.variables()
    assert variables["active_batch_ids"] == []
    assert variables["inflight_record_ids"] == []


def jobs(project: Project) -> list[str]:
    return [job["name"] for job in project.gemini.books()["jobs"]]


async def test_killed_while_images_go_up_nothing_is_claimed_and_all_is_sent_by_the_next_pass(
    project: Project, prefect_server: PrefectServer
) -> None:
    project.configure(context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    async with killed_at(project, prefect_server, "upload_start", display_name="*-2-1"):
        assert jobs(project) == []
    assert project.submissions() == []
    assert await project.variable("active_batch_ids") == []

    await see_through(project, keys)
    assert len(jobs(project)) == 1


async def test_killed_before_the_answer_to_a_create_arrives_the_job_is_adopted(
    project: Project, prefect_server: PrefectServer
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    async with killed_at(project, prefect_server, "create_batch", when="after"):
        [job] = jobs(project)
    [submission_id] = project.submissions()
    assert await project.variable("active_batch_ids") == [f"submitting/{submission_id}"]

    report = await project.run_pass()
    assert report.submit.sent == 0
    assert await project.variable("active_batch_ids") == [job]
    await see_through(project, keys)
    assert jobs(project) == [job]


async def test_killed_while_results_come_down_the_next_pass_settles_them(
    project: Project, prefect_server: PrefectServer
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    async with killed_at(project, prefect_server, "download"):
        assert project.outcomes() == []
    assert project.result(keys[0]) is None

    assert (await project.run_pass()).poll.settled == 1
    await see_through(project, keys)
    assert [row["kind"] for row in project.outcomes()] == ["success"]
    assert len(jobs(project)) == 1
    assert project.gemini.existing_files() == []


async def test_killed_between_the_outcomes_and_the_end_of_a_settlement_counts_stay_as_they_were_committed(
    project: Project, prefect_server: PrefectServer
) -> None:
    good, bad = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    project.gemini.set_steps(bad, "not_json", "auto")
    await project.run_pass()
    [job] = jobs(project)
    project.gemini.advance(JOB_SECONDS)
    async with killed_at(project, prefect_server, "delete_file"):
        assert {row["record_key"]: row["kind"] for row in project.outcomes()} == {good: "success", bad: "not_json"}
    assert await project.variable("active_batch_ids") == [job], "it was not let go of yet"

    await project.run_until_idle()
    assert await project.variable("record_failure_counts") == {bad: 1}
    assert [project.gemini.record(key)["submitted"] for key in (good, bad)] == [1, 2]
    assert [row["kind"] for row in project.outcomes()].count("success") == 2
    assert project.gemini.requests()["download"] == 2
    assert project.gemini.existing_files() == []
