"""A submission whose create goes wrong: each submission id is POSTed once, whatever comes back, and no page is paid for
twice. The emulator's books say what was posted."""

import asyncio
import json
import urllib.request
from collections import Counter
from typing import Any

import pytest

from assets.domain.errors import GeminiAccessError, LeaseLostError
from flows.poll import poll
from tests.emulator_server import API_KEY
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

CLAIM = "submitting/"


def add_pages(project: Project, count: int) -> list[str]:
    """A page in each of so many documents, each to be a batch of its own."""
    project.configure(execution={"batch_size_limit": 1})
    names = ("Adams", "Boone", "Clark", "Drake")
    return [project.add_pages(f"CA:{name}:1901", [1])[0] for name in names[:count]]


def posts(project: Project) -> Counter[str]:
    """Submission id -> how often its job was POSTed."""
    return Counter(each["displayName"] for each in project.gemini.books()["creates"])


def jobs(project: Project) -> list[dict[str, Any]]:
    """All jobs that Gemini has or had, oldest first."""
    found: list[dict[str, Any]] = project.gemini.books()["jobs"]
    return found


def jobs_file(project: Project, submission_id: str) -> dict[str, Any]:
    path = project.manifests / "jobs" / f"{submission_id}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def kinds(project: Project) -> list[str]:
    return [row["kind"] for row in project.outcomes()]


async def active(project: Project) -> list[str]:
    names: list[str] = await project.variable("active_batch_ids")
    return names


async def finish(project: Project, keys: list[str], *, submitted: int = 1) -> None:
    """Let everything end well, and see that it was paid for once."""
    project.gemini.clear_faults()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    for key in keys:
        record = project.gemini.record(key)
        assert (record["submitted"], record["billed"]) == (submitted, 1)
        assert project.result(key) is not None
    assert await project.variable("record_failure_counts") == {}
    assert await active(project) == []
    assert project.gemini.existing_files() == []
    assert set(posts(project).values()) == {1}


async def test_a_create_whose_answer_was_lost_is_adopted_and_never_posted_again(project: Project) -> None:
    keys = add_pages(project, 4)
    refused, cut, late, half = keys
    project.gemini.add_fault("create_batch", key=refused, status=503, when="after")
    project.gemini.add_fault("create_batch", key=cut, cut="connection", when="after")
    project.gemini.add_fault("create_batch", key=late, status=408, when="after")
    project.gemini.add_fault("create_batch", key=half, cut="body")
    project.gemini.set_rules(jobs=[{"contains_key": late, "list_lag_calls": 1}])

    report = await project.run_pass()

    assert report.submit.sent == 4
    by_key = {job["keys"][0]: job for job in jobs(project)}
    claims = [name for name in await active(project) if name.startswith(CLAIM)]
    assert claims == [CLAIM + by_key[late]["displayName"]], "the list lagged; the next pass looks again"
    assert jobs_file(project, by_key[late]["displayName"])["phase"] == "posting"

    await project.run_pass()
    assert set(await active(project)) == {job["name"] for job in jobs(project)}
    adopted = [text for text in await Recorded(project).texts("INFO") if text.startswith("Batch Adopted: ")]
    assert sorted(adopted) == sorted(f"Batch Adopted: {job['displayName']} is {job['name']}" for job in jobs(project))
    await finish(project, keys)


@pytest.mark.detached
async def test_a_look_that_fails_decides_nothing(project: Project) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", status=500, when="after")
    project.gemini.add_fault("list_batches", status=503)

    await project.run_pass()
    [submission_id] = project.submissions()
    assert await active(project) == [CLAIM + submission_id]
    assert jobs_file(project, submission_id)["first_look_at"] is None

    await project.run_pass()
    assert await active(project) == [jobs(project)[0]["name"]]
    await finish(project, [key])


async def test_a_create_that_was_lost_before_it_took_effect_is_looked_for_and_then_released(project: Project) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", cut="connection", when="before")

    for _ in range(2):
        await project.run_pass()
        [submission_id] = project.submissions()
        assert await active(project) == [CLAIM + submission_id]
        assert await project.variable("inflight_record_ids") == [key], "its records stay in flight meanwhile"
    assert jobs(project) == []
    warnings = [text for text in await Recorded(project).texts("WARNING") if "No job bears the name" in text]
    assert len(warnings) == 2

    age(project, submission_id, minutes=16)
    report = await project.run_pass()
    assert kinds(project) == ["released"]
    assert report.submit.sent == 1, "in a new submission"
    assert len(project.submissions()) == 2
    await finish(project, [key])


async def test_a_batch_that_gemini_refuses_is_a_failed_one_and_the_others_go_on(project: Project) -> None:
    refused, good = add_pages(project, 2)
    project.gemini.add_fault("create_batch", key=refused, status=400, message="no such setting")

    report = await project.run_pass()

    assert report.submit.stopped is None
    assert kinds(project) == ["batch_failed"]
    [row] = project.outcomes()
    assert "no such setting" in row["message"]
    assert (row["record_key"], row["count_after"], row["batch_id"]) == (refused, None, None)
    assert await active(project) == [jobs(project)[0]["name"]]
    errors = [text for text in await Recorded(project).texts("ERROR") if text.startswith("Gemini refused the batch")]
    assert len(errors) == 1
    assert "Traceback" in errors[0]

    await project.run_pass()
    await finish(project, [refused, good])


@pytest.mark.detached
async def test_without_access_submitting_stops_and_everything_is_free_again(project: Project) -> None:
    keys = add_pages(project, 2)
    project.gemini.add_fault("create_batch", status=403, times=None)

    with pytest.raises(GeminiAccessError):
        await project.run_pass()

    assert len(posts(project)) == 1, "it would be the same for all"
    assert kinds(project) == ["released"]
    assert await active(project) == []
    assert project.gemini.existing_files() == []

    project.gemini.clear_faults()
    await project.run_pass()
    await finish(project, keys)


@pytest.mark.detached
async def test_a_full_queue_is_asked_again_then_the_batch_is_released_for_a_later_pass(project: Project) -> None:
    keys = add_pages(project, 2)
    project.gemini.add_fault("create_batch", key=keys[0], status=429, times=2)
    project.gemini.add_fault("create_batch", key=keys[1], status=429, times=None)

    report = await project.run_pass()

    assert sorted(posts(project).values()) == [3, 4], "a 429 says that nothing was created: it alone is repeated"
    assert (report.submit.sent, report.submit.stopped is not None) == (1, True)
    assert kinds(project) == ["released"]
    assert await active(project) == [jobs(project)[0]["name"]]
    assert not report.is_idle

    project.gemini.clear_faults()
    await project.run_pass()
    assert len(jobs(project)) == 2
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert [project.gemini.record(key)["submitted"] for key in keys] == [1, 1]
    assert all(project.result(key) for key in keys)


async def test_a_claim_that_a_person_takes_away_in_time_is_not_posted_and_one_left_is_released_at_once(
    project: Project,
) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("upload_start", display_name="*-input-*", delay_seconds=2)
    running = asyncio.create_task(project.run_pass())
    claims = await _until_claimed(project)
    await project.edit_variable("active_batch_ids", [])
    with pytest.raises(LeaseLostError, match="is gone from active_batch_ids: nothing was posted"):
        await running
    assert posts(project) == Counter()
    [run] = await Recorded(project).flow_runs("pipeline")
    assert run.state is not None
    assert run.state.is_failed()

    # As a pass that was killed between claim and POST leaves it.
    await project.edit_variable("active_batch_ids", claims)
    report = await project.run_pass()
    assert kinds(project) == ["released"]
    assert report.submit.sent == 1
    assert claims[0] not in await active(project)
    await finish(project, [key])


@pytest.mark.parametrize("can_cancel", [True, False])
async def test_a_claim_that_a_person_takes_away_while_the_job_is_created_is_cancelled_and_released(
    project: Project, can_cancel: bool
) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", when="after", delay_seconds=1.5)
    if not can_cancel:
        project.gemini.add_fault("cancel_batch", status=503, times=None)
    running = asyncio.create_task(project.run_pass())
    await _until_claimed(project)
    await _until_posted(project)
    await project.edit_variable("active_batch_ids", [])
    await running

    [job] = jobs(project)
    assert job["state"] == ("CANCELLED" if can_cancel else "PENDING")
    assert kinds(project) == ["released"]
    assert [(row["record_key"], row["batch_id"]) for row in project.outcomes()] == [(key, job["name"])]
    assert await active(project) == []
    assert project.gemini.existing_files() == []
    texts = [line.text for line in await Recorded(project).lines()]
    assert not [text for text in texts if text.startswith("Batch Submitted")]
    assert [text for text in texts if "could not be cancelled" in text] == [] or not can_cancel


async def test_of_two_jobs_with_one_name_the_older_is_adopted_and_the_other_cancelled(project: Project) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", cut="connection", when="before")
    await project.run_pass()
    [submission_id] = project.submissions()
    for _ in range(2):
        post_as_somebody_else(project, submission_id, jobs_file(project, submission_id)["input_file"])
        project.gemini.advance(1)

    await project.run_pass()

    older, younger = jobs(project)
    assert await active(project) == [older["name"]]
    assert (older["state"], younger["state"]) == ("PENDING", "CANCELLED")
    assert any(
        text == f"{submission_id} stands twice at Gemini: {younger['name']} is cancelled"
        for text in await Recorded(project).texts("WARNING")
    )
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert project.result(key) is not None
    assert project.gemini.record(key)["billed"] == 1


@pytest.mark.light
async def test_a_settlement_that_was_cut_off_after_its_commit_is_finished_without_counting_twice(
    project: Project,
) -> None:
    bad, good = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    project.gemini.set_steps(bad, "not_json")
    await project.run_pass()
    names = await active(project)
    project.gemini.advance(JOB_SECONDS)
    await poll(str(project.config))
    assert await project.variable("record_failure_counts") == {bad: 1}
    [outcomes] = (project.manifests / "outcomes").glob("*.parquet")
    content, result = outcomes.read_bytes(), project.result_path(good).stat()

    # As a pass leaves it that was killed before the counts were written.
    await project.edit_variable("active_batch_ids", names)
    await project.edit_variable("record_failure_counts", {})
    await poll(str(project.config))
    assert await project.variable("record_failure_counts") == {bad: 1}
    assert await active(project) == []
    assert outcomes.read_bytes() == content
    assert project.result_path(good).stat().st_mtime_ns == result.st_mtime_ns
    assert project.gemini.requests()["download"] == 1


def age(project: Project, submission_id: str, *, minutes: int) -> None:
    """Let the first look for the job be so long ago."""
    path, document = project.manifests / "jobs" / f"{submission_id}.json", jobs_file(project, submission_id)
    document["looked"]["seconds"] -= minutes * 60
    path.write_text(json.dumps(document))


async def _until_claimed(project: Project) -> list[str]:
    async with asyncio.timeout(30):
        while True:
            names: list[str] = (await project.variables()).get("active_batch_ids", [])
            if names:
                return names
            await asyncio.sleep(0.05)


async def _until_posted(project: Project) -> None:
    async with asyncio.timeout(30):
        while True:
            if posts(project):
                return
            await asyncio.sleep(0.05)


def post_as_somebody_else(project: Project, display_name: str, input_file: str) -> None:
    """Create a job as somebody else would."""
    body = {"batch": {"displayName": display_name, "inputConfig": {"fileName": input_file}}}
    request = urllib.request.Request(
        f"{project.gemini.base_url}/v1/models/gemini-3.5-flash:batchGenerateContent",
        method="POST",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "x-goog-api-key": API_KEY},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200


@pytest.mark.detached
async def test_a_job_that_was_noted_is_asked_for_by_name_when_the_list_lags(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    project.configure(batch={"adoption_grace_seconds": 0})
    project.gemini.set_rules(jobs=[{"list_lag_calls": 10}])
    await project.run_pass()
    (submission_id,) = project.submissions()
    # A pass that died between the jobs file and the active list.
    await project.edit_variable("active_batch_ids", [f"submitting/{submission_id}"])

    await project.run_pass()

    assert [name.startswith("batches/") for name in await project.variable("active_batch_ids")] == [True]
    assert project.outcomes() == []
    assert len(project.gemini.books()["creates"]) == 1
    assert project.gemini.record(key)["submitted"] == 1
