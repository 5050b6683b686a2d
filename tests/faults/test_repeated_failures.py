"""A failure that repeats does not burn money: every kind of it ends after a number of sends that a test names, by
itself or with a person asked. The witness is the emulator's books: how often a record was in a job."""

import asyncio
from typing import Any

import pytest

from flows.pipeline import PassReport
from flows.terminal.reruns import Words, unblock_text
from flows.terminal.show import reset_breaker_text, status_text
from flows.terminal.watch import run_watch
from tests.crash_matrix.light import run_light_passes
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

RETRIES = 2


def pages(project: Project, count: int, **execution: Any) -> list[str]:
    """Pages that do not wait for each other."""
    project.configure(
        context={"mode": "none"}, execution={"max_retries": RETRIES, "batch_size_limit": count, **execution}
    )
    return project.add_pages("CA:Lincoln:1901", range(1, count + 1))


async def to_the_end(project: Project, *, at_most: int = 30) -> PassReport:
    for _ in range(at_most):
        report = await project.run_pass()
        if report.is_idle:
            return report
        await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    raise AssertionError(f"it goes on and on: {report}")


def sends(project: Project, key: str) -> int:
    submitted: int = project.gemini.record(key)["submitted"]
    return submitted


def kinds(project: Project, key: str) -> list[str]:
    return [row["kind"] for row in project.outcomes() if row["record_key"] == key]


@pytest.mark.detached
async def test_a_job_that_always_fails_is_bisected_down_to_the_poisonous_record(project: Project) -> None:
    keys = pages(project, 8)
    poison = keys[5]
    project.configure(safety={"max_failed_batches_in_a_row": 20, "max_failure_rate": 1})
    project.gemini.set_rules(jobs=[{"contains_key": poison, "end": "FAILED", "message": "poisoned"}])

    report = await to_the_end(project)

    assert report.submit.states["dead"] == 1
    assert kinds(project, poison) == ["batch_failed"] * 3 + ["failed_alone"] * 3
    assert sends(project, poison) == 3 + RETRIES + 1, "batches of 8, 4 and 2, then alone with a full set of tries"
    for key in keys:
        if key != poison:
            assert kinds(project, key)[-1] == "success"
            assert sends(project, key) <= 4
            assert project.gemini.record(key)["billed"] == 1
    assert await project.variable("record_failure_counts") == {poison: RETRIES + 1}
    [message] = {row["message"] for row in project.outcomes() if row["kind"] == "failed_alone"}
    assert message == "the job ended FAILED, with this record alone in it"
    assert project.gemini.existing_files() == []


@pytest.mark.detached
async def test_healthy_records_do_not_share_a_batch_with_bisected_ones(project: Project) -> None:
    keys = pages(project, 4)
    project.gemini.set_rules(jobs=[{"ordinal": 1, "end": "FAILED"}])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    new = project.add_pages("CA:Lincoln:1903", [1, 2])

    report = await project.run_pass()

    batches = [job["keys"] for job in project.gemini.books()["jobs"][1:]]
    assert batches == [new, keys[:2], keys[2:]]
    assert report.submit.submitted == 3


@pytest.mark.light
async def test_a_record_that_never_gets_an_answer_is_held_for_a_person(project: Project) -> None:
    keys = pages(project, 2, batch_size_limit=1)
    project.configure(safety={"max_failed_batches_in_a_row": 100})
    ends = [{"contains_key": key, "end": end} for key, end in zip(keys, ("EXPIRED", "CANCELLED"), strict=True)]
    project.gemini.set_rules(jobs=ends)

    report = await to_the_end(project)

    assert [sends(project, key) for key in keys] == [RETRIES + 1] * 2
    assert (report.submit.states["held"], report.submit.states["runnable"]) == (2, 0)
    assert await project.variable("record_failure_counts") == {}, "nothing of this is the record's failure"
    said, status = await run_watch(str(project.config)), await status_text(str(project.config))
    for key in keys:
        assert f"held {key}: batch after batch came back without an answer" in said
        assert f"held {key}" in status

    assert await unblock_text(str(project.config), Words(keys), yes=True) == "0 counts reset, 2 held records let go of"
    project.gemini.set_rules()
    await to_the_end(project)
    for key in keys:
        assert project.result(key) is not None
        assert sends(project, key) == RETRIES + 2


@pytest.mark.detached
async def test_a_failure_that_counts_ends_as_a_dead_letter(project: Project) -> None:
    steps: list[str | dict[str, str]] = ["empty", "blocked_prompt", "blocked_answer", "cut_short", "not_json"]
    steps += ["wrong_shape", "missing", {"kind": "raw", "text": '{"key": 7}'}]
    keys = pages(project, len(steps))
    project.configure(safety={"max_failed_batches_in_a_row": 100, "max_failure_rate": 1})
    project.gemini.set_rules(records=[{"key": key, "steps": [step]} for key, step in zip(keys, steps, strict=True)])

    report = await to_the_end(project)

    once_more = {key for key, step in zip(keys, steps, strict=True) if "blocked" in step}
    assert {key: sends(project, key) for key in keys} == {key: 2 if key in once_more else RETRIES + 1 for key in keys}
    assert report.submit.states["dead"] == len(keys)


@pytest.mark.detached
async def test_an_image_that_gemini_refuses_is_never_sent_and_ends_as_a_dead_letter(project: Project) -> None:
    [key] = pages(project, 1)
    project.gemini.add_fault("upload_start", status=400, times=None, message="no picture")

    report = await to_the_end(project)

    assert report.submit.states["dead"] == 1
    assert project.gemini.books()["jobs"] == []
    assert kinds(project, key) == ["upload_refused"] * 2, "once more, as nothing can be changed"


@pytest.mark.detached
async def test_a_create_that_is_always_refused_ends_as_a_dead_letter_without_a_job(project: Project) -> None:
    [key] = pages(project, 1)
    project.configure(safety={"max_failed_batches_in_a_row": 100})
    project.gemini.add_fault("create_batch", status=400, times=None, message="bad request")

    report = await to_the_end(project)

    assert report.submit.states["dead"] == 1
    assert project.gemini.books()["jobs"] == []
    assert len(project.gemini.books()["creates"]) == RETRIES + 2, "once uncounted, then as its own failure"
    assert kinds(project, key) == ["batch_failed"] + ["failed_alone"] * (RETRIES + 1)


async def test_the_breaker_stops_after_so_many_batches_without_a_success(project: Project) -> None:
    keys = pages(project, 4, batch_size_limit=2, max_concurrent_batches=1)
    project.configure(safety={"max_failed_batches_in_a_row": 2})
    project.gemini.set_rules(jobs=[{"end": "FAILED"}])

    report = await to_the_end(project)

    assert len(project.gemini.books()["jobs"]) == 2
    assert (report.submit.stopped or "").startswith(
        "safety.max_failed_batches_in_a_row: the last 2 batches had not one"
    )
    assert report.needs_person == [report.submit.stopped]
    recorded = Recorded(project)
    assert [text for text in await recorded.texts("ERROR") if text.startswith("Breaker open, nothing is sent: safety.")]
    assert "nothing is sent: safety.max_failed_batches_in_a_row" in await status_text(str(project.config))
    await project.run_pass()
    assert len(project.gemini.books()["jobs"]) == 2, "it stays open"
    artifacts = await recorded.artifacts("breaker")
    assert len(artifacts) == 1, "told once"
    assert "quire reset\\-breaker lets go" in artifacts[0]

    project.gemini.set_rules()
    assert (await reset_breaker_text(str(project.config))).startswith("let go of: safety.max_failed_batches_in_a_row")
    assert await run_light_passes(project, 25)
    assert all(project.result(key) for key in keys)


@pytest.mark.detached
async def test_the_breaker_stops_when_too_much_fails(project: Project) -> None:
    keys = pages(project, 30, batch_size_limit=10, max_concurrent_batches=1)
    project.configure(safety={"max_failure_rate": 0.5, "window_records": 20})
    project.gemini.set_rules(
        records=[{"key": key, "steps": ["not_json"]} for key in keys[1::2]] + [{"key": keys[2], "steps": ["not_json"]}]
    )

    report = await to_the_end(project)

    stopped = report.submit.stopped or ""
    assert stopped.startswith("safety.max_failure_rate: 12 of the last 23 records failed"), "each counts once"
    assert len(project.gemini.books()["jobs"]) == 4
