"""What a pass tells as events: what was settled, within bounds; nothing twice; and that a pass neither stops nor waits
for long where Prefect does not take them.
"""

import asyncio
import json
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.alarms.news import MAX_LETTERS
from flows.runtime import telling
from tests.flows.recorded import Recorded
from tests.prefect_proxy import ALWAYS, Fault, Trouble, running_proxy
from tests.prefect_server import PrefectServer, drain
from tests.project import JOB_SECONDS, JsonObject, Project

POST = "POST /events"


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events."""
    return recording_server


async def events_of(project: Project, count: int) -> list[JsonObject]:
    """All of the collection, once there are so many."""
    body: dict[str, Any] = {
        "filter": {"resource": {"id": [f"quire.collection.{project.collection}"]}, "order": "ASC"},
        "limit": 50,
    }
    async with get_client() as client, asyncio.timeout(60):
        while True:
            page = (await client.request("POST", "/events/filter", json=body)).json()
            if page["total"] >= count:
                events: list[JsonObject] = page["events"]
                return events
            await asyncio.sleep(0.2)


async def test_what_was_settled_is_told_within_bounds_and_once(project: Project) -> None:
    """Also what another command than the pass has closed."""
    dead = MAX_LETTERS + 5
    keys = project.add_pages("CA:Lincoln:1901", range(1, dead + 1)) + project.add_pages("CA:Lewis:1901", [1])
    project.add_pages("CA:Adams:1901", [1])
    project.configure(
        execution={"max_retries": 0},
        context={"mode": "none"},
        safety={"max_failed_batches_in_a_row": 100, "max_failure_rate": 1},
    )
    project.gemini.set_rules(records=[{"key": "CA:Lincoln:*", "steps": ["blocked_prompt"]}])
    await project.run_pass()
    [submission] = project.submissions()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    await project.run_pass()
    for _ in range(2):
        await project.run_pass()

    # The batch, 20 dead letters, one event for the other five, and one that a person is needed for.
    events = await events_of(project, MAX_LETTERS + 3)
    names = [each["event"] for each in events]
    assert sorted(set(names)) == ["quire.batch.settled", "quire.needs_person", "quire.page.dead"]
    assert len(names) == MAX_LETTERS + 3
    [settled] = [each for each in events if each["event"] == "quire.batch.settled"]
    assert settled["payload"] == {
        "collection": project.collection,
        "submission_id": submission,
        "batch_id": settled["payload"]["batch_id"],
        "records": len(keys) + 1,
        "succeeded": 2,
        "outcomes": {"blocked": dead, "success": 2},
    }
    letters = [each["payload"] for each in events if each["event"] == "quire.page.dead"]
    assert [each["pages"] for each in letters].count(1) == MAX_LETTERS
    assert {each["page"] for each in letters if "page" in each} == set(keys[:MAX_LETTERS])
    assert [each for each in letters if each["pages"] > 1] == [
        {"collection": project.collection, "pages": 5, "documents": 1}
    ]
    ids = {related["prefect.resource.id"] for each in events for related in each["related"]}
    assert f"quire.batch.{project.collection}/{submission}" in ids
    assert f"quire.document.{project.collection}/CA:Lincoln:1901" in ids
    [run] = [each for each in ids if each.startswith("prefect.flow-run.")]
    assert run.removeprefix("prefect.flow-run.") in {str(each.id) for each in await Recorded(project).flow_runs()}


@pytest.mark.parametrize(("kind", "seconds", "tries"), [("status", 10.0, 3), ("hang", 0.5, 1)])
async def test_a_pass_goes_on_where_events_are_not_taken_and_the_next_one_tells_them(
    project: Project,
    prefect_server: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
    kind: Trouble,
    seconds: float,
    tries: int,
) -> None:
    monkeypatch.setattr(telling, "EVENT_SECONDS", seconds)
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    told = project.manifests / "told.json"
    before = told.read_text()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    with running_proxy(prefect_server.api_url) as proxy, temporary_settings({PREFECT_API_URL: proxy.api_url}):
        proxy.faults = [Fault(kind, POST, times=ALWAYS, hang_seconds=30)]
        report = await project.run_pass()
        assert proxy.requests[POST] == tries
        await asyncio.to_thread(drain)
    assert (report.poll.settled, report.message) == (1, "1 of 1 page done, 0 batches in flight")
    assert told.read_text() == before
    warnings = await Recorded(project).texts("WARNING")
    assert [line for line in warnings if line.startswith("2 events are not in Prefect, the next pass tells them: ")]

    await project.run_pass()
    assert sorted(each["event"] for each in await events_of(project, 2)) == [
        "quire.batch.settled",
        "quire.collection.done",
    ]
    said = json.loads(told.read_text())
    assert (said["settlements"], list(said["states"])) == (1, ["done"])


async def test_an_idle_pass_sends_no_event_and_a_file_that_is_damaged_tells_what_is_so_once_more(
    project: Project, prefect_server: PrefectServer
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    told = project.manifests / "told.json"
    written = told.stat().st_mtime_ns
    with running_proxy(prefect_server.api_url) as proxy, temporary_settings({PREFECT_API_URL: proxy.api_url}):
        await project.run_pass()
        await asyncio.to_thread(drain)
    assert proxy.requests[POST] == 0
    assert told.stat().st_mtime_ns == written

    told.write_text('{"settlements": "many"')
    await project.run_pass()
    names = [each["event"] for each in await events_of(project, 3)]
    assert sorted(names) == ["quire.batch.settled", "quire.collection.done", "quire.collection.done"]
