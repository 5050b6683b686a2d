"""Jobs that are not as they should be: one that has answered and names no result file, entries of Gemini's lists that
are odd. Nothing is counted or freed by itself, and what is nobody's of ours stops nothing."""

import asyncio
import json
from typing import Any

import pytest

from assets.domain.batch import claim_name
from tests.crash_matrix.light import light_passes
from tests.faults.test_clocks_and_keys import lose_create
from tests.faults.test_submission import active, add_pages, finish, jobs, jobs_file, posts
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project
from tests.twins.ledger import InMemoryVariables

STRANGERS: list[Any] = [
    {},
    5,
    {"name": 5, "metadata": {"displayName": ["theirs"], "state": 5}},
    {"name": "batches/odd", "metadata": {"displayName": "theirs", "createTime": {}, "state": [], "output": 5}},
    {"name": "batches/odder", "metadata": "theirs"},
    {"metadata": {"displayName": "theirs"}},
    {"name": "operations/tuning", "metadata": {"state": "BATCH_STATE_DREAMING"}},
    {"name": "batches/theirs", "metadata": {"displayName": "theirs", "state": "BATCH_STATE_RUNNING"}},
]


async def test_a_job_that_succeeded_without_a_result_file_is_waited_for_and_then_needs_a_person(
    project: Project,
) -> None:
    [key] = add_pages(project, 1)
    project.gemini.set_rules(jobs=[{"result_file": False}])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)

    report = await project.run_pass()

    [batch_id] = await active(project)
    assert (report.poll.running, report.poll.settled, report.submit.sent) == (1, 0, 0)
    assert project.outcomes() == []
    assert await project.variable("record_failure_counts") == {}
    said = f"{batch_id} has ended as SUCCEEDED and names no result file"
    assert any(text.startswith(said) for text in await Recorded(project).texts("WARNING"))

    [submission_id] = project.submissions()
    document = jobs_file(project, submission_id)
    document["posted"]["seconds"] -= 73 * 3600
    (project.manifests / "jobs" / f"{submission_id}.json").write_text(json.dumps(document))
    report = await project.run_pass()

    assert list(report.poll.stuck) == [batch_id]
    assert (await active(project), project.outcomes()) == ([batch_id], [])
    [line] = [text for text in await Recorded(project).texts("ERROR") if text.startswith(said)]
    assert f"quire release {batch_id}" in line
    assert project.gemini.record(key)["submitted"] == 1


@pytest.mark.detached
async def test_odd_entries_of_others_in_the_lists_stop_nothing(project: Project) -> None:
    [key] = add_pages(project, 1)
    odd = {"name": "files/odd", "state": "DREAMING", "sizeBytes": {}, "displayName": 5}
    files = [{"displayName": "theirs"}, {"name": "files/theirs"}, odd, {"name": 5}, "text"]
    project.gemini.set_rules(foreign_jobs=STRANGERS, foreign_files=files)
    project.gemini.add_fault("delete_file", status=503, times=None)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert project.result(key) is not None

    # What is left of the uploads is looked for in the list of files.
    await finish(project, [key])


@pytest.mark.detached
async def test_a_field_of_a_wrong_type_holds_up_its_own_batch_alone_and_only_where_it_is_needed(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    settled, stateless, fileless = keys = add_pages(project, 3)
    unneeded = {"model": 5, "createTime": {}, "endTime": [], "updateTime": 5, "inputConfig": "", "batchStats": True}
    odd = {settled: unneeded, stateless: {"state": ["BATCH_STATE_SUCCEEDED"]}, fileless: {"output": "files/a"}}
    rules = [{"contains_key": key, "metadata": fields, "list_result_file": False} for key, fields in odd.items()]
    project.gemini.set_rules(jobs=rules)

    async with light_passes(project, InMemoryVariables()) as passes:
        await passes.run()
        await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
        caplog.clear()
        report = await passes.run()

    assert (report.poll.settled, report.poll.running, list(report.poll.stuck)) == (1, 2, [])
    assert [row["record_key"] for row in project.outcomes()] == [settled]
    assert project.result(settled) is not None
    said = [record.getMessage().partition(" ")[2] for record in caplog.records if record.levelname == "WARNING"]
    assert sorted(said) == [
        "has ended as SUCCEEDED and names no result file: looked for again by each pass",
        "is in the unknown state ??BATCH_STATE_SUCCEEDED??: looked for again by each pass",
    ]
    assert [project.gemini.record(key)["submitted"] for key in keys] == [1, 1, 1]
    assert set(posts(project).values()) == {1}


@pytest.mark.detached
async def test_a_job_of_ours_that_is_listed_without_a_name_frees_nothing_and_asks_a_person(project: Project) -> None:
    key = lose_create(project, list_lag_calls=1)
    project.configure(batch={"adoption_grace_seconds": 0})
    project.gemini.add_fault("list_batches", status=503, times=None)
    await project.run_pass()
    project.gemini.clear_faults()
    [submission_id] = project.submissions()
    entry = {"metadata": {"displayName": submission_id, "state": "BATCH_STATE_PENDING"}}
    project.gemini.set_rules(foreign_jobs=[entry])

    report = await project.run_pass()

    assert list(report.poll.stuck) == [claim_name(submission_id)]
    assert await active(project) == [claim_name(submission_id)]
    project.gemini.set_rules()
    await project.run_pass()
    assert await active(project) == [jobs(project)[0]["name"]]
    await finish(project, [key])
