"""Jobs that nobody counts on any more: what turns up after its submission was let go of is cancelled while it runs, and
used once if it has answered, since it is paid for."""

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from flows.questions.inspect import look
from flows.questions.why import find_why, why_text
from flows.terminal.show import release_text, status_text
from tests.faults.test_submission import active, add_pages, jobs, jobs_file, kinds, post_as_somebody_else
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project


def lose_creates(project: Project, *, seconds: float) -> None:
    """The first two creates take effect, and nobody is told; lists lag behind for longer than anybody waits, and name
    no result file."""
    project.configure(batch={"adoption_grace_seconds": 0})
    project.gemini.add_fault("create_batch", cut="connection", when="after", times=2)
    hidden = {"list_lag_calls": 2, "job_seconds": [seconds / 2, seconds / 2], "list_result_file": False}
    project.gemini.set_rules(jobs=[{"ordinal": number, **hidden} for number in (1, 2)])


async def test_answers_that_come_late_are_used_once_unless_the_record_is_in_flight_again(project: Project) -> None:
    used, sent_again = add_pages(project, 2)
    lose_creates(project, seconds=0)
    await project.run_pass()
    assert kinds(project) == ["released"] * 2
    # The look for the second job has brought the first one nearer: it is listed now, the other one is not.
    await project.run_pass()

    assert project.result(used) is not None
    assert project.result(sent_again) is None
    assert [job["keys"] for job in jobs(project)] == [[used], [sent_again], [sent_again]]
    late = project.manifests / "outcomes" / f"{jobs(project)[0]['displayName']}.late.parquet"
    [row] = plain_rows(pq.read_table(late))
    assert (row["record_key"], row["kind"], row["count_after"]) == (used, "success", None)
    assert row["batch_id"] == jobs(project)[0]["name"]
    content = late.read_bytes()

    await project.run_pass()
    [row] = plain_rows(pq.read_table(late.with_name(f"{jobs(project)[1]['displayName']}.late.parquet")))
    assert (row["record_key"], row["kind"]) == (sent_again, "superseded")
    project.gemini.advance(JOB_SECONDS)
    report = await project.run_pass()

    assert report.is_idle
    assert project.result(sent_again) is not None
    assert [project.gemini.record(key)["submitted"] for key in (used, sent_again)] == [1, 2]
    assert late.read_bytes() == content, "used once"
    assert await project.variable("record_failure_counts") == {}
    assert project.gemini.existing_files() == []
    warnings = [text for text in await Recorded(project).texts("WARNING") if "has answered after" in text]
    assert [text.partition(": ")[2] for text in warnings] == [
        "1 of its 1 answers are used",
        "0 of its 1 answers are used",
    ]
    why = await why_text(str(project.config), used)
    assert f"submission {jobs(project)[0]['displayName']}" in why
    assert "success (late)" in why
    told = (await find_why(str(project.config), used)).history
    seen = (await look(str(project.config))).outcomes
    seen = seen[seen["record_key"] == used]
    assert list(seen["kind"]) == [each.kind for each in told] == ["released", "success"]
    assert list(seen["outcomes"]) == [each.outcomes for each in told], "the notebook shows what quire why tells"
    billed = project.gemini.books()["billed"]
    tokens = billed["promptTokens"] * 1.5 + (billed["outputTokens"] + billed["thoughtsTokens"]) * 9
    assert f"spent ${tokens / 2e6:.4f}, in flight at most $0.00" in await status_text(str(project.config))


async def test_a_job_that_turns_up_late_is_cancelled_while_it_runs(project: Project) -> None:
    keys = add_pages(project, 2)
    lose_creates(project, seconds=JOB_SECONDS)
    await project.run_pass()
    for _ in range(2):
        await project.run_pass()

    assert [job["state"] for job in jobs(project)] == ["CANCELLED", "CANCELLED", "PENDING", "PENDING"]
    warnings = await Recorded(project).texts("WARNING")
    for job in jobs(project)[:2]:
        assert f"{job['name']} of {job['displayName']} counts for nothing any more: cancelled" in warnings
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    for key in keys:
        assert (project.gemini.record(key)["submitted"], project.gemini.record(key)["billed"]) == (2, 1)
        assert project.result(key) is not None
    assert project.gemini.existing_files() == []


@pytest.mark.detached
async def test_a_second_job_of_the_same_name_is_cancelled_whenever_it_turns_up(project: Project) -> None:
    [key] = add_pages(project, 1)
    await project.run_pass()
    [submission_id] = project.submissions()
    post_as_somebody_else(project, submission_id, jobs_file(project, submission_id)["input_file"])

    await project.run_pass()

    ours, double = jobs(project)
    assert (ours["state"], double["state"]) == ("PENDING", "CANCELLED")
    assert await active(project) == [ours["name"]]
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert kinds(project) == ["success"]
    assert (project.gemini.record(key)["billed"], project.result(key) is not None) == (1, True)


@pytest.mark.light
async def test_a_batch_that_a_person_releases_is_cancelled_by_the_next_pass(project: Project) -> None:
    [key] = add_pages(project, 1)
    await project.run_pass()
    [name] = await active(project)
    said = await release_text(str(project.config), name, cancel=False)
    assert said.endswith(f"if {name} still runs, the next pass cancels it")

    await project.run_pass()

    assert [job["state"] for job in jobs(project)] == ["CANCELLED", "PENDING"]
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert (project.gemini.record(key)["submitted"], project.gemini.record(key)["billed"]) == (2, 1)


@pytest.mark.detached
async def test_a_claim_that_is_taken_out_while_nobody_knows_its_job_is_not_forgotten(project: Project) -> None:
    [key] = add_pages(project, 1)
    project.configure(safety={"put_back_minutes": 0})
    project.gemini.add_fault("create_batch", cut="connection", when="after")
    project.gemini.set_rules(jobs=[{"ordinal": 1, "list_lag_calls": 1}])
    await project.run_pass()
    await project.edit_variable("active_batch_ids", [])

    await project.run_pass()

    assert kinds(project) == ["released"]
    assert [job["state"] for job in jobs(project)] == ["CANCELLED", "PENDING"]
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert (project.gemini.record(key)["submitted"], project.gemini.record(key)["billed"]) == (2, 1)
