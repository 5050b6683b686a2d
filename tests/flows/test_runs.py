"""What a run tells of itself in Prefect: its name, its tags, its state with a message; and how little an idle pass
leaves.
"""

import asyncio
import json
import re

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from assets.reports import escape
from flows.runtime.runs import NEEDS_PERSON
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer, drain
from tests.project import JOB_SECONDS, Project

MODEL = "gemini-3.1-flash-lite-preview"


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events and task runs."""
    return recording_server


async def test_a_run_says_what_it_did_and_what_needs_a_person_and_an_idle_one_leaves_next_to_nothing(
    project: Project,
) -> None:
    bad, *_ = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Lincoln:1903", [1])
    project.configure(execution={"max_retries": 0}, model={"name": MODEL})
    project.gemini.set_steps(bad, "blocked_prompt")
    recorded = Recorded(project)

    await project.run_pass()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    settled = await project.run_pass()
    before = await _artifacts(project)
    idle = await project.run_pass()

    assert (settled.exit_status, idle.exit_status) == (3, 3)
    everything = await recorded.flow_runs()
    runs = [run for run in everything if run.parent_task_run_id is None]
    parts = [run for run in everything if run.parent_task_run_id is not None]
    assert [run.name for run in parts] == [f"{part} {project.collection}" for part in ("scan", "submit", "poll")], (
        "a part of a pass is a run of its own where something is done in it"
    )
    assert all(set(run.tags) == {"quire", project.collection, MODEL} for run in parts)
    names = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-26 10:20", run.name) for run in runs]
    assert names == [
        f"pipeline {project.collection} 2026-11-26 10:20: {did}"
        for did in ("0 settled, 1 sent", "1 settled, 0 sent", "nothing new")
    ], "one run for each pass, and none but that for an idle one"
    assert all(run.tags == sorted(["quire", project.collection, MODEL]) for run in runs)
    waits = "1 of 2 pages done, 0 batches in flight; 1 dead letter needs a person"
    assert [_state(run) for run in runs] == [
        ("COMPLETED", "Completed", "0 of 2 pages done, 1 batch in flight"),
        ("COMPLETED", NEEDS_PERSON, waits),
        ("COMPLETED", NEEDS_PERSON, waits),
    ]
    assert await _events_of(runs[-1]) == ["prefect.flow-run.NeedsPerson"], "what an automation can go by"
    told = await recorded.artifacts("status")
    assert len(told) == 2, "each pass that changed something renews it"
    assert told[0].startswith(f"**Collection {project.collection}: 0 of 2 pages done.**")
    assert "This pass: 1 batch settled \\(1 blocked\\, 1 success\\)" in told[1]
    assert f"| {escape(bad)} | dead letter | 1 failure | 0 | blocked " in told[1]
    assert "### Pages read over time\n\n![pages read over time](data:image/svg+xml;base64," in told[1]
    [_, documents] = [json.loads(table) for table in await recorded.artifacts("documents")]
    assert [(row["document"], row["done"], row["failing"]) for row in documents] == [
        ("CA:Lincoln:1901", 0, 1),
        ("CA:Lincoln:1903", 1, 0),
    ]
    assert await _artifacts(project) == before
    assert await _tasks_of(runs[-1]) == []


def _state(run: FlowRun) -> tuple[str, str, str]:
    assert run.state is not None
    return run.state.type.value, run.state.name or "", run.state.message or ""


async def _tasks_of(run: FlowRun) -> list[str]:
    await asyncio.to_thread(drain)
    async with get_client() as client:
        found = await client.read_task_runs(
            task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))
        )
    return [each.name for each in found]


async def _artifacts(project: Project) -> list[str]:
    key = f"%{project.collection.replace('_', '-')}%"
    async with get_client() as client:
        found = await client.request("POST", "/artifacts/filter", json={"artifacts": {"key": {"like_": key}}})
    return sorted(each["id"] for each in found.json())


async def _events_of(run: FlowRun) -> list[str]:
    """The events of how it ended. The server takes them in the background."""
    body = {
        "filter": {
            "event": {"name": [f"prefect.flow-run.{name}" for name in ("Completed", "Failed", NEEDS_PERSON)]},
            "resource": {"id": [f"prefect.flow-run.{run.id}"]},
        }
    }

    async def read() -> list[str]:
        async with get_client() as client:
            found = (await client.request("POST", "/events/filter", json=body)).json()
        return [each["event"] for each in found["events"]]

    waiting = AsyncRetrying(
        retry=retry_if_result(lambda found: not found),
        wait=wait_fixed(0.3),
        stop=stop_after_delay(30),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )
    found: list[str] = await waiting(read)
    return found
