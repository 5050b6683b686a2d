"""One pass at a time, and no harm when that fails: a pass that was stopped for longer than its lease wakes when another
one has done its work. It must write, post and settle nothing more. Leases carry no fencing token, so this holds only
if whoever holds one looks at the clock before each write.

The stopped pass is a process of its own, held where it is by SIGSTOP while it waits for an answer. Meanwhile its lease
runs out and its clocks go on, as they do on a machine that was suspended. Witnesses are the emulator's books, the
files, and the Variables as Prefect's API gives them.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.commands.options import BUSY
from tests.flows.recorded import Recorded
from tests.leases import expire_leases, held_locks
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Child, Standby

pytestmark = pytest.mark.slow

STOPPED_SECONDS = 70.0
"""More than a lease lives."""
ANSWER_SECONDS = 3.0
"""How long the call lasts at which a pass is stopped: enough to notice that it is there."""
LOST = (
    r"our hold on \w+_quire_pass (is gone|was last renewed \d+ seconds ago), so another process may have it: stopped "
)

Stopped = Callable[..., Any]


@dataclass
class Sleeper:
    """A pass that stands still, with its lease run out."""

    child: Child
    project: Project

    async def wakes(self) -> str:
        """Let it go on to its end, in which it must change nothing. Returns its one line."""
        before = await everything(self.project)
        self.child.go_on()
        assert await self.child.ended() == 1, self.child.printed
        after = await everything(self.project)
        assert after == before
        [line] = [said for said in self.child.said if said.startswith("quire: ")]
        return line.removeprefix("quire: ")


async def everything(project: Project) -> dict[str, Any]:
    """All that a pass can change: Variables and when each was written, files, what Gemini was asked to do, reports. Not
    its own uploads, which it may finish and delete: nobody else knows of them."""
    async with get_client() as client:
        asked = {"variables": {"name": {"like_": f"{project.collection}_"}}, "limit": 200}
        rows = (await client.request("POST", "/variables/filter", json=asked)).json()
    folders = (project.manifests, project.root / "dataset/output_results")
    # What it needed for a step of its own, it clears away.
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.parent.name != "work"]
    books = project.gemini.books()
    calls: dict[str, int] = books["requests"]["calls"]
    return {
        "variables": {row["name"]: (row["value"], row["updated"]) for row in rows},
        "files": {
            str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
        },
        "jobs": [(job["name"], job["state"]) for job in books["jobs"]],
        "creates": books["creates"],
        "asked to change": {name: calls.get(name, 0) for name in ("create_batch", "cancel_batch", "delete_batch")},
        "downloads": calls.get("download", 0),
        "reports": len(await Recorded(project).artifacts("batch-report")),
    }


@pytest.fixture
def stopped_at(project: Project, prefect_server: PrefectServer, standby: Standby) -> Stopped:
    """Starts a pass, stops it at a call to Gemini, and lets its lease run out."""

    async def stop_at(call: str, **fault: Any) -> Sleeper:
        # The worst case: the answer for which it waited is still taken when it wakes.
        project.configure(batch={"request_timeout_seconds": 600, "download_timeout_seconds": 600})
        fault_id = project.gemini.add_fault(call, delay_seconds=ANSWER_SECONDS, **fault)
        child = standby.quire("run", "--config", str(project.config), server=prefect_server)
        await child.until_struck(project.gemini, fault_id)
        child.stop()
        child.turn_clocks(STOPPED_SECONDS)
        assert await expire_leases(project, prefect_server) == ["pass"]
        return Sleeper(child, project)

    return stop_at


async def see_through(project: Project, keys: list[str]) -> None:
    """Run to the end, and see that each page was sent and paid for once, and is done."""
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    for key in keys:
        record = project.gemini.record(key)
        assert (record["submitted"], record["billed"]) == (1, 1)
        assert project.result(key) is not None
    assert set(Counter(each["displayName"] for each in project.gemini.books()["creates"]).values()) == {1}
    variables = await project.variables()
    assert [variables[name] for name in ("active_batch_ids", "inflight_record_ids", "batch_record_keys")] == [
        [],
        [],
        {},
    ]
    assert project.gemini.existing_files() == []
    assert await held_locks(project) == []


def pages(project: Project) -> list[str]:
    return project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])


async def test_stopped_while_images_go_up_it_claims_nothing_and_deletes_what_it_uploaded(
    project: Project, stopped_at: Stopped
) -> None:
    keys = pages(project)
    sleeper = await stopped_at("upload_start", display_name="*-1-1")

    assert (await project.run_pass()).submit.sent == 2

    assert re.match(LOST, await sleeper.wakes())
    await see_through(project, keys)


async def test_stopped_between_claim_and_post_it_does_not_post_what_was_released_meanwhile(
    project: Project, stopped_at: Stopped
) -> None:
    keys = pages(project)
    sleeper = await stopped_at("upload_start", display_name="*-input-*")
    [submission_id] = project.submissions()

    assert (await project.run_pass()).submit.sent == 2

    line = await sleeper.wakes()
    assert line == f"the claim of {submission_id} is gone from active_batch_ids: nothing was posted"
    await see_through(project, keys)


async def test_stopped_while_a_job_is_created_it_does_not_confirm_what_was_adopted_meanwhile(
    project: Project, stopped_at: Stopped
) -> None:
    keys = pages(project)
    sleeper = await stopped_at("create_batch", when="after")

    report = await project.run_pass()

    assert (report.poll.running, report.submit.sent) == (1, 0)
    assert re.match(LOST, await sleeper.wakes())
    await see_through(project, keys)


async def test_stopped_while_it_looks_for_a_job_it_does_not_note_that_there_is_none(
    project: Project, stopped_at: Stopped
) -> None:
    keys = pages(project)
    project.gemini.add_fault("create_batch", status=503, when="after")
    project.gemini.set_rules(jobs=[{"list_lag_calls": 1}])
    sleeper = await stopped_at("list_batches", when="after")

    await project.run_pass()

    assert await project.variable("active_batch_ids") == [job["name"] for job in project.gemini.books()["jobs"]]
    assert re.match(LOST, await sleeper.wakes())
    await see_through(project, keys)


@pytest.mark.parametrize(
    ("call", "when"), [("list_batches", "after"), ("download", "before"), ("delete_file", "before")]
)
async def test_stopped_in_a_settlement_it_settles_nothing_that_was_settled_meanwhile(
    project: Project, stopped_at: Stopped, call: str, when: str
) -> None:
    good, bad = pages(project)
    project.gemini.set_steps(bad, "not_json", "auto")
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    sleeper = await stopped_at(call, when=when)
    assert len(project.outcomes()) == (2 if call == "delete_file" else 0)

    report = await project.run_pass()

    assert report.submit.sent == 1
    assert await project.variable("record_failure_counts") == {bad: 1}
    await project.edit_variable("record_failure_counts", {})
    assert re.match(LOST, await sleeper.wakes())
    assert [project.gemini.record(key)["submitted"] for key in (good, bad)] == [1, 2]
    assert len(project.outcomes()) == 2


async def test_of_passes_started_together_one_works_one_says_so_and_a_watched_one_waits_its_turn(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    keys = pages(project)
    project.configure(batch={"poll_interval_seconds": 0.1})
    project.gemini.set_rules(jobs=[{"job_seconds": [0, 0]}])
    project.gemini.add_fault("upload_start", delay_seconds=5)
    run = ("run", "--config", str(project.config))

    first, second, watched = (standby.quire(*run, *more, server=prefect_server) for more in ([], [], ["--watch"]))

    assert [await each.ended() for each in (first, second, watched)] == [0, 0, 0]
    where = f"to be seen in Prefect at {prefect_server.ui_url}/artifacts/key/{project.collection}-status"
    last_lines = [[line for line in each.said if line != where][-1] for each in (first, second)]
    assert BUSY in last_lines
    assert set(last_lines) <= {BUSY, "0 batches settled, 0 running; 2 records; 1 batches with 2 records sent"}
    assert watched.said[-2:] == ["2 of 2 records are done, nothing is left", where]
    states = [run.state.name for run in await Recorded(project).flow_runs("pipeline") if run.state]
    assert states.count("Skipped") == last_lines.count(BUSY)
    assert set(states) == {"Completed", "Skipped"}
    await see_through(project, keys)
