"""Each alarm is provoked and arrives at a local webhook: a real Prefect server with its automations, real passes, a
real HTTP server that is told. What is told when, by the clock, is tested in tests/unit/assets/test_alarms.py.
"""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.states import Running

from assets.domain.errors import QuireError
from flows.alarms.automations import apply_text, delete_text
from flows.pipeline import pipeline
from tests.killing import killed_at
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby
from tests.webhook import Heard, hearing

HOUR = 3600


@pytest.fixture(scope="module")
def prefect_server(recording_server: PrefectServer) -> PrefectServer:
    """One that keeps events, and looks at its automations."""
    return recording_server


@pytest.fixture
def heard() -> Iterator[Heard]:
    with hearing() as listening:
        yield listening


async def tell_to(project: Project, heard: Heard, **alerts: Any) -> str:
    """Make the block and the automations; returns the block's name."""
    name = f"webhook/{project.collection}"
    await Webhook(url=heard.url).asave(project.collection, overwrite=True)
    project.configure(alerts={"send_to": [name], **alerts})
    await apply_text(str(project.config))
    return name


def alarms(posted: list[Any]) -> list[str]:
    return sorted(each["alarm"] for each in posted)


def has(*wanted: str) -> Any:
    return lambda posted: set(alarms(posted)) >= set(wanted)


async def test_what_stands_still_rings_once_and_again_the_next_day(
    project: Project, heard: Heard, prefect_server: PrefectServer, standby: Standby
) -> None:
    blocked, *_ = project.add_pages("CA:Lincoln:1901", [1, 2, 3, 4])
    project.add_pages("CA:Lewis:1901", [1])
    project.configure(
        # It ends on 2026-12-01, and is spoken of for 60 days before and for good after.
        model={"name": "gemini-2.5-flash"},
        execution={"max_retries": 0, "batch_size_limit": 1},
        safety={"max_failed_batches_in_a_row": 1},
    )
    project.gemini.set_steps(blocked, "blocked_prompt")
    place = project.root / "dataset" / "output_results" / "CA" / "Lewis"
    await tell_to(project, heard, blocked_pages=2)

    await project.run_pass()
    await heard.until(has("retiring"))
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    await project.run_pass()
    rung = ["blocked", "breaker", "person", "retiring", "unwritten"]
    posted = await heard.until(has(*rung))
    assert alarms(posted) == rung

    said = {each["alarm"]: each["text"] for each in posted}
    whose = f"Collection {project.collection}: "
    assert (
        said["blocked"]
        == f"{whose}3 pages wait behind dead letters or held pages. Correct the cause, then run unblock."
    )
    assert said["person"] == (
        f"{whose}waits for a person: 1 dead letter, 1 batch that cannot be settled, what stops the sending. "
        "The artifact of its status says what to do."
    )
    assert said["breaker"].startswith(f"{whose}so much has failed that nothing is sent any more.")
    assert said["unwritten"].startswith(
        f"{whose}the answers of 1 batch are here, and no result can be written of them."
    )
    payloads = {each["alarm"]: each["payload"] for each in posted}
    assert "safety.max_failed_batches_in_a_row" in payloads["breaker"]["reason"]
    assert {each["collection"] for each in payloads.values()} == {project.collection}

    # It lasts, and rings no more; a day later it does.
    for _ in range(2):
        await project.run_pass()
    events = await _events(project)
    assert [events.count(each) for each in ("quire.breaker.opened", "quire.needs_person", "quire.pages.blocked")] == [
        1
    ] * 3
    assert events.count("quire.page.dead") == events.count("quire.batch.settled") == 1
    child = standby.quire("run", "--config", str(project.config), server=prefect_server, ahead_seconds=25 * HOUR)
    assert await child.ended() == 3, child.printed
    posted = await heard.until(lambda posted: alarms(posted).count("unwritten") == 2)
    await heard.until(lambda posted: all(alarms(posted).count(each) == 2 for each in rung if each != "retiring"))
    assert alarms(posted).count("retiring") == 1, "weeks of notice need no word a day"


async def test_a_batch_that_stays_away_and_a_cap_that_is_reached_ring(
    project: Project, heard: Heard, prefect_server: PrefectServer, standby: Standby
) -> None:
    """Told to a block for notifications, too."""
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.add_pages("CA:Lincoln:1903", [1])
    project.configure(budget={"max_usd_total": 0.0001})
    with hearing() as also_heard:
        notified = CustomWebhookNotificationBlock(
            name="told", url=also_heard.url, json_data={"title": "{{subject}}", "text": "{{body}}"}
        )
        await notified.asave(project.collection, overwrite=True)
        await Webhook(url=heard.url).asave(project.collection, overwrite=True)
        both = [f"webhook/{project.collection}", f"custom-webhook/{project.collection}"]
        project.configure(alerts={"send_to": both})
        await apply_text(str(project.config))

        child = standby.quire("run", "--config", str(project.config), server=prefect_server, ahead_seconds=41 * HOUR)
        assert await child.ended() == 3, child.printed

        posted = await heard.until(has("budget", "overdue", "stalled", "person"))
        notices = await also_heard.until(lambda posted: len(posted) == 4)
    said = {each["alarm"]: each["text"] for each in posted}
    [submission] = project.submissions()
    assert "budget.max_usd_total is reached, and nothing more is sent." in said["budget"]
    assert "nothing has finished for 41 hours, with 1 batch in flight." in said["stalled"]
    assert "1 batch not finished yet, the oldest of them for 41 hours." in said["overdue"]
    overdue = next(each["payload"] for each in posted if each["alarm"] == "overdue")
    assert overdue["submissions"] == [submission]
    assert sorted(each["text"] for each in notices) == sorted(said.values())
    assert f"Quire {project.collection}: nothing finishes" in [each["title"] for each in notices]


async def test_runs_that_fail_die_hang_or_never_come_ring_though_quire_itself_does_not_run(
    project: Project, heard: Heard, prefect_server: PrefectServer, standby: Standby
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    async with killed_at(project, prefect_server, standby, "create_batch"):
        [died] = await _runs(project, "RUNNING")
    await project.edit_variable("record_failure_counts", "no counts")
    await tell_to(project, heard, no_pass_hours=0.003, pass_hours=0.003)
    with pytest.raises(QuireError, match="record_failure_counts"):
        await project.run_pass()
    await heard.until(has("failed", "no-pass"))
    async with get_client() as client:
        name = f"pipeline {project.collection} 2026-11-26 10:20"
        hangs = await client.create_flow_run(pipeline, name=name, state=Running())
    # The signs of life that Prefect sends for these runs; of the one that was killed as if it were long ago.
    signs = [
        await _heartbeat({"id": str(hangs.id), "name": name}, ago=timedelta()),
        await _heartbeat(died, ago=timedelta(minutes=10) - timedelta(seconds=15)),
    ]
    await _arrived({"id": {"id": signs}}, 2)
    await _look_again(project)

    hung = f"The run {name} has not ended for 0.003 hours: it hangs, or has much to do."
    posted = await heard.until(lambda posted: hung in _texts(posted, "hangs") and _crashed(posted))
    failed = _texts(posted, "failed")
    assert len(failed) == 2
    assert any("has ended as Failed: " in text and "record_failure_counts" in text for text in failed)
    assert any(f"The run {died['name']} has ended as Crashed: Prefect has not heard of it" in text for text in failed)
    assert _texts(posted, "no-pass")[0].startswith(
        f"Collection {project.collection}: no pass has ended well for 0.003 hours."
    )
    assert await _runs(project, "CRASHED") == [died]

    # A failure that lasts rings once a day.
    with pytest.raises(QuireError):
        await project.run_pass()
    again = {"event": {"name": ["prefect.flow-run.Failed"]}, "resource": {"id": await _ids(project, "FAILED")}}
    await _arrived(again, 2)
    assert alarms(heard.posted).count("failed") == 2
    assert alarms(heard.posted).count("no-pass") > 1, "again and again, as there is still none"
    assert (await delete_text(str(project.config))).endswith("12 automations removed")


def _texts(posted: list[Any], alarm: str) -> list[str]:
    return [each["text"] for each in posted if each["alarm"] == alarm]


def _crashed(posted: list[Any]) -> bool:
    return any("has ended as Crashed" in each["text"] for each in posted)


async def _events(project: Project) -> list[str]:
    """The names of all events of Quire's own of the collection."""
    body = {"filter": {"resource": {"id": [f"quire.collection.{project.collection}"]}}, "limit": 50}
    async with get_client() as client:
        page = (await client.request("POST", "/events/filter", json=body)).json()
    assert page["next_page"] is None
    return [each["event"] for each in page["events"]]


async def _runs(project: Project, state: str) -> list[dict[str, str]]:
    asked = {"flow_runs": {"state": {"type": {"any_": [state]}}, "name": {"like_": f"pipeline {project.collection} "}}}
    async with get_client() as client:
        found = (await client.request("POST", "/flow_runs/filter", json=asked)).json()
    return [{"id": each["id"], "name": each["name"]} for each in found]


async def _ids(project: Project, state: str) -> list[str]:
    return [f"prefect.flow-run.{each['id']}" for each in await _runs(project, state)]


async def _heartbeat(run: dict[str, str], *, ago: timedelta) -> str:
    """As ``prefect/flow_engine.py`` sends it (3.9.1); returns its id."""
    event = {
        "id": str(uuid.uuid4()),
        "occurred": (datetime.now(UTC) - ago).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run['id']}", "prefect.resource.name": run["name"]},
    }
    body: list[dict[str, Any]] = [event]
    async with get_client() as client:
        await client.request("POST", "/events", json=body)
    return str(event["id"])


async def _arrived(wanted: dict[str, Any], count: int) -> None:
    """Wait until Prefect has so many of these events. Its triggers have seen them by then."""
    body = {"filter": wanted, "limit": 50}
    async with get_client() as client, asyncio.timeout(60):
        while True:
            if (await client.request("POST", "/events/filter", json=body)).json()["total"] >= count:
                return
            await asyncio.sleep(0.2)


async def _look_again(project: Project) -> None:
    """Prefect looks at a trigger again when it has said it would, which is by what it knew then; at one that is
    switched on, at once. And it forgets what has ended a minute ago."""
    async with get_client() as client:
        for each in await client.read_resource_related_automations(f"quire.collection.{project.collection}"):
            if each.name.endswith("marked as crashed"):
                await client.pause_automation(each.id)
                await client.resume_automation(each.id)
