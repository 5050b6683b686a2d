"""Google's own spending limits: one line with the way out, and never a fault of a page."""

import pyarrow.parquet as pq
import pytest

from flows.terminal.show import status_text
from flows.terminal.watch import run_once, run_watch
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

CAP = "the billing account's monthly cap is reached; Google pauses all projects until the 1st"
EMPTY = "the prepaid balance is empty: add credit to the billing account"
WINDOW = "Google's spending limit of 10 minutes is reached"


async def warnings_of(project: Project, words: str) -> list[str]:
    recorded = Recorded(project)
    return [text for level in ("WARNING", "ERROR") for text in await recorded.texts(level) if words in text]


@pytest.mark.parametrize(("refusal", "words"), [("monthly_cap", CAP), ("prepaid_empty", EMPTY)])
@pytest.mark.light
async def test_a_project_that_may_spend_nothing_waits_for_a_person(project: Project, refusal: str, words: str) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 1})
    project.gemini.add_fault("create_batch", refusal=refusal, times=None)

    said = await run_watch(str(project.config))

    assert said.startswith("0 of 3 records are done; the rest needs a person:")
    assert words in said
    assert len(project.gemini.books()["creates"]) == 1, "it is the same for all, and trying again does not help"
    assert len(await warnings_of(project, words)) == 1
    assert {row["kind"] for row in project.outcomes()} == {"released"}
    assert await project.variable("record_failure_counts") == {}
    assert project.gemini.existing_files() == []
    assert "unsure" not in await status_text(str(project.config)), "nothing was sent, so nothing can have cost"

    project.gemini.clear_faults()
    await project.run_until_idle()
    assert all(project.result(key) for key in keys)


async def test_a_spending_limit_that_meets_an_upload_or_the_list_is_no_fault_of_a_page(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.add_fault("upload_start", refusal="prepaid_empty", status=400, times=None)
    report = await project.run_pass()
    assert EMPTY in (report.submit.stopped or "")
    assert report.needs_person == [report.submit.stopped]
    assert project.outcomes() == []
    assert len(await warnings_of(project, EMPTY)) == 1

    project.gemini.clear_faults()
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    project.gemini.add_fault("download", refusal="monthly_cap")
    report = await project.run_pass()
    assert (report.poll.running, report.poll.stuck) == (1, {})
    [line] = [text for text in await warnings_of(project, CAP) if text.startswith("Cannot settle batches/")]
    assert "Traceback" not in line
    await project.run_pass()
    assert project.result(key)


@pytest.mark.detached
async def test_images_of_the_next_batch_that_went_up_meanwhile_are_deleted_when_nothing_more_is_sent(
    project: Project,
) -> None:
    project.add_pages("CA:Lincoln:1901", [1, 2, 3, 4])
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 2})
    # The answer takes long enough for images to go up beside it, however busy the machine is.
    project.gemini.add_fault("create_batch", refusal="monthly_cap", delay_seconds=2, times=None)

    report = await project.run_pass()

    assert CAP in (report.submit.stopped or "")
    went_up = {file["displayName"].partition("-")[0] for file in project.gemini.books()["files"]}
    assert len(went_up) == 2, "those of the batch that was posted, and of the next"
    assert project.gemini.existing_files() == []
    assert list((project.manifests / "uploads").glob("*.json")) == []
    assert len(project.submissions()) == 1, "nothing of the next one was claimed"


@pytest.mark.detached
async def test_the_limit_of_10_minutes_is_waited_for(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    project.gemini.add_fault("create_batch", refusal="spending_window", times=None)
    report = await project.run_pass()
    assert WINDOW in (report.submit.stopped or "")
    assert not report.is_idle, "a later pass goes on by itself"
    assert len(project.gemini.books()["creates"]) == 1
    project.gemini.clear_faults()
    await project.run_until_idle()
    assert project.result(key)


@pytest.mark.light
async def test_no_more_is_sent_in_10_minutes_than_google_lets_a_project_spend(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 7))
    project.configure(
        context={"mode": "none"},
        execution={"batch_size_limit": 2},
        limits={"tier": 2, "usd_per_10_minutes": [1000, 0.03, 1000]},
    )
    first = await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    second = await project.run_pass()

    sent = [pq.read_table(path) for path in (project.manifests / "batches").glob("*.parquet")]
    usd = sum(sum(table["estimated_usd"].to_pylist()) for table in sent)
    assert 0.02 < usd <= 0.03, "as much as fits, and what was settled meanwhile counts as well"
    assert (0 < first.submit.sent < 6, second.submit.sent) == (True, 0)
    line = f"limits.usd_per_10_minutes is $0.0300: batches for about ${usd:.4f} were sent in the last 10 minutes"
    assert (second.submit.stopped or "").startswith(line)
    assert line in await run_once(str(project.config))
    assert not second.is_idle

    project.configure(limits={"usd_per_10_minutes": None})
    assert (await project.run_pass()).submit.sent == 6 - first.submit.sent
