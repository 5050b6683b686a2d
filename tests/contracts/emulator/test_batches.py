"""The Batch API, driven by the SDK: states over the clock, lists, cancel and delete, limits, how jobs end."""

import pytest
from google import genai
from google.genai import errors, types

from tests.contracts.emulator.sdk import (
    MODEL,
    client_of,
    create,
    create_from,
    get,
    jsonl,
    line,
    named,
    picture,
    raw_results,
    results,
    state_of,
    upload,
)
from tests.emulator_server import EmulatorHandle, emulator

KEY = "CA:Lincoln:2023:1"
HOURS_48_SECONDS = 48 * 3600


def test_a_job_passes_through_its_states_by_the_clock(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = create(client, [line(KEY)], display_name="01hx")
    assert (job.display_name, job.model) == ("01hx", f"models/{MODEL}")
    seen = [state_of(client, job)]
    for seconds in (9, 1, 19, 1):
        gemini.advance(seconds)
        seen.append(state_of(client, job))

    assert seen == ["PENDING", "PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    ended = get(client, job)
    assert ended.done
    assert ended.create_time is not None
    assert ended.end_time is not None
    assert (ended.end_time - ended.create_time).total_seconds() == 30


async def test_the_async_client_creates_gets_lists_cancels_and_deletes(
    aio: genai.client.AsyncClient, client: genai.Client, gemini: EmulatorHandle
) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    first, second = [await aio.batches.create(model=MODEL, src=named(source)) for _ in range(2)]
    pager = await aio.batches.list(config=types.ListBatchJobsConfig(page_size=1))
    assert [job.name async for job in pager] == [second.name, first.name]

    await aio.batches.cancel(name=named(first))
    gemini.advance(30)
    assert (await aio.batches.get(name=named(first))).state == types.JobState.JOB_STATE_CANCELLED
    done = await aio.batches.get(name=named(second))
    assert done.state == types.JobState.JOB_STATE_SUCCEEDED
    assert done.dest is not None
    assert done.dest.file_name is not None
    assert KEY.encode() in await aio.files.download(file=done.dest.file_name)
    await aio.batches.delete(name=named(first))
    assert [job.name async for job in await aio.batches.list()] == [second.name]


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 100])
def test_every_page_size_lists_all_jobs_newest_first(client: genai.Client, page_size: int) -> None:
    names = [create(client, [line(KEY)], display_name=str(number)).name for number in range(5)]
    listed = list(client.batches.list(config=types.ListBatchJobsConfig(page_size=page_size)))
    assert [job.name for job in listed] == names[::-1]
    assert [job.display_name for job in listed] == ["4", "3", "2", "1", "0"]


def test_a_list_without_a_page_size_pages_too(client: genai.Client) -> None:
    for number in range(11):
        create(client, [line(KEY)], display_name=str(number))
    assert len(list(client.batches.list())) == 11


def test_cancel_ends_a_job_without_results_or_a_bill(client: genai.Client, gemini: EmulatorHandle) -> None:
    pending, running = create(client, [line(KEY)]), create(client, [line(KEY)])
    client.batches.cancel(name=named(pending))
    gemini.advance(10)
    assert [state_of(client, pending), state_of(client, running)] == ["CANCELLED", "RUNNING"]
    client.batches.cancel(name=named(running))
    gemini.advance(20)

    assert get(client, running).state == types.JobState.JOB_STATE_CANCELLED
    assert get(client, running).dest is None
    assert gemini.books()["billed"]["promptTokens"] == 0
    with pytest.raises(errors.ClientError) as caught:
        client.batches.cancel(name=named(running))
    assert (caught.value.code, caught.value.status) == (400, "FAILED_PRECONDITION")


def test_a_cancel_that_comes_too_late_leaves_the_job_alone(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"cancel": "too_late"}])
    job = create(client, [line(KEY)])
    client.batches.cancel(name=named(job))
    gemini.advance(30)
    assert state_of(client, job) == "SUCCEEDED"


def test_a_deleted_job_is_not_found_but_still_runs_and_is_billed(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = create(client, [line(KEY)])
    client.batches.delete(name=named(job))
    gemini.advance(30)

    for call in (client.batches.get, client.batches.cancel, client.batches.delete):
        with pytest.raises(errors.ClientError) as caught:
            call(name=named(job))
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert list(client.batches.list(config=types.ListBatchJobsConfig(page_size=10))) == []
    assert gemini.record(KEY)["billed"] == 1


def test_a_job_without_its_input_file_is_refused(client: genai.Client, gemini: EmulatorHandle) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    gemini.advance(HOURS_48_SECONDS)
    for name in (named(source), "files/nobody"):
        with pytest.raises(errors.ClientError) as caught:
            create_from(client, name)
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert [create["refused"]["code"] for create in gemini.books()["creates"]] == [400, 400]


def test_an_input_file_deleted_before_the_job_starts_fails_it(client: genai.Client, gemini: EmulatorHandle) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    job = create_from(client, named(source))
    client.files.delete(name=named(source))
    gemini.advance(30)
    assert state_of(client, job) == "FAILED"


def test_an_unknown_model_is_not_found(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        create(client, [line(KEY)], model="other-1.0")
    assert caught.value.code == 404


def test_too_many_active_jobs_are_refused_until_one_has_ended() -> None:
    with emulator(max_concurrent_jobs=2) as handle, client_of(handle) as client:
        first = create(client, [line(KEY)])
        create(client, [line(KEY)])
        with pytest.raises(errors.ClientError) as caught:
            create(client, [line(KEY)])
        assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
        client.batches.cancel(name=named(first))
        assert create(client, [line(KEY)]).name is not None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no requests"),
        (b"not json\n", "line 1 is not JSON"),
        (b"[]\n", "line 1 is no JSON object"),
        (jsonl([line(KEY), {"key": "b", "request": {"contents": []}, "metadata": {}}]), "line 2"),
        (jsonl([{"request": {}}]), "line 1 has no key"),
        (jsonl([{"key": "a"}]), "line 1 has no request"),
    ],
)
def test_a_malformed_input_file_fails_the_job(
    client: genai.Client, gemini: EmulatorHandle, content: bytes, told: str
) -> None:
    job = create(client, content)
    gemini.advance(30)

    assert state_of(client, job) == "FAILED"
    books = gemini.books()
    assert told in books["jobs"][0]["error"]
    assert books["billed"]["promptTokens"] == 0


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_job_can_be_made_to_end_badly(client: genai.Client, gemini: EmulatorHandle, end: str) -> None:
    gemini.set_rules(jobs=[{"contains_key": "CA:*", "end": end, "message": "for the test"}])
    bad, good = create(client, [line(KEY)]), create(client, [line("AL:Mobile:1901:1")])
    gemini.advance(30)

    assert [state_of(client, bad), state_of(client, good)] == [end, "SUCCEEDED"]
    assert get(client, bad).dest is None
    record = gemini.record(KEY)
    assert (record["submitted"], record["answered"], record["promptTokens"]) == (1, 0, 0)


def test_a_job_can_end_badly_and_still_have_some_results(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"end": "CANCELLED", "result_file": True, "result_lines": 2}])
    job = create(client, [line(f"CA:Lincoln:2023:{page}") for page in range(1, 6)])
    gemini.advance(30)

    assert state_of(client, job) == "CANCELLED"
    assert [answer["key"][-1] for answer in results(client, job)] == ["1", "2"]
    assert [gemini.record(f"CA:Lincoln:2023:{page}")["billed"] for page in (2, 3)] == [1, 0]


def test_a_job_can_succeed_without_a_file_and_is_billed(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"display_name": "no-*", "result_file": False}])
    job = create(client, [line(KEY)], display_name="no-file")
    gemini.advance(30)

    assert state_of(client, job) == "SUCCEEDED"
    assert get(client, job).dest is None
    assert gemini.record(KEY)["billed"] == 1


def test_the_second_job_alone_can_be_named_by_its_ordinal(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"ordinal": 2, "end": "FAILED"}])
    jobs = [create(client, [line(KEY)]) for _ in range(3)]
    gemini.advance(30)
    assert [state_of(client, job) for job in jobs] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


@pytest.mark.parametrize("stuck", ["PENDING", "RUNNING"])
def test_a_job_that_is_stuck_expires_after_48_hours(client: genai.Client, gemini: EmulatorHandle, stuck: str) -> None:
    gemini.set_rules(jobs=[{"stuck": stuck}])
    job = create(client, [line(KEY)])
    gemini.advance(HOURS_48_SECONDS - 1)
    assert state_of(client, job) == stuck
    gemini.advance(1)

    assert state_of(client, job) == "EXPIRED"
    assert get(client, job).dest is None
    assert gemini.record(KEY)["answered"] == 0


@pytest.mark.parametrize("stuck", [None, "PENDING", "RUNNING"])
@pytest.mark.parametrize("advanced_seconds", [0, 10])
def test_any_active_job_can_be_ended_by_hand(
    client: genai.Client, gemini: EmulatorHandle, stuck: str | None, advanced_seconds: float
) -> None:
    gemini.set_rules(jobs=[{"stuck": stuck}])
    ends = {"SUCCEEDED": "one", "FAILED": "two", "EXPIRED": "three", "CANCELLED": "four"}
    jobs = {end: create(client, [line(f"CA:{end}:1:1")], display_name=name) for end, name in ends.items()}
    gemini.advance(advanced_seconds)
    gemini.end_job(named(jobs["SUCCEEDED"]), "SUCCEEDED")
    for end in ("FAILED", "EXPIRED", "CANCELLED"):
        gemini.end_job(ends[end], end)

    assert [state_of(client, job) for job in jobs.values()] == list(ends)
    assert results(client, jobs["SUCCEEDED"])[0]["key"] == "CA:SUCCEEDED:1:1"
    assert [get(client, jobs[end]).dest for end in ("FAILED", "EXPIRED", "CANCELLED")] == [None] * 3
    assert {key: record["billed"] for key, record in gemini.books()["records"].items()} == {
        "CA:SUCCEEDED:1:1": 1,
        "CA:FAILED:1:1": 0,
        "CA:EXPIRED:1:1": 0,
        "CA:CANCELLED:1:1": 0,
    }
    with pytest.raises(ValueError, match="already in state"):
        gemini.end_job("one", "FAILED")


def test_a_job_appears_late_in_lists_by_time_but_get_knows_it(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_rules(jobs=[{"display_name": "late", "list_lag_seconds": 60}])
    create(client, [line(KEY)], display_name="prompt")
    late = create(client, [line(KEY)], display_name="late")

    def listed() -> list[str | None]:
        return [job.display_name for job in client.batches.list(config=types.ListBatchJobsConfig(page_size=1))]

    assert listed() == ["prompt"]
    assert state_of(client, late) == "PENDING"
    gemini.advance(59)
    assert listed() == ["prompt"]
    gemini.advance(1)
    assert listed() == ["late", "prompt"]


def test_a_job_appears_late_in_lists_by_calls_counting_first_pages(
    client: genai.Client, gemini: EmulatorHandle
) -> None:
    gemini.set_rules(jobs=[{"display_name": "late", "list_lag_calls": 2}])
    for number in range(3):
        create(client, [line(KEY)], display_name=str(number))
    create(client, [line(KEY)], display_name="late")

    sizes = [len(list(client.batches.list(config=types.ListBatchJobsConfig(page_size=1)))) for _ in range(3)]
    assert sizes == [3, 3, 4]


def test_inline_requests_are_answered_in_the_job(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = client.batches.create(
        model=MODEL,
        src=[
            types.InlinedRequest(contents="first", metadata={"key": KEY}),
            types.InlinedRequest(contents="second"),
        ],
    )
    gemini.advance(30)
    destination = get(client, job).dest
    assert destination is not None
    assert destination.inlined_responses is not None
    first, second = destination.inlined_responses
    assert first.response is not None
    assert second.response is not None
    assert f"The page of {KEY}" in str(first.response.text)
    assert gemini.record(KEY)["billed"] == 1


def test_an_image_that_is_gone_when_the_job_starts_fails_its_line_alone(
    client: genai.Client, gemini: EmulatorHandle
) -> None:
    gemini.set_rules(jobs=[{"job_seconds": [HOURS_48_SECONDS - 3600, 0]}])
    old, deleted = upload(client, picture()), upload(client, picture())
    gemini.advance(2 * 3600)
    fresh = upload(client, picture())
    files = {"CA:old:1:1": old, "CA:deleted:1:1": deleted, "CA:fresh:1:1": fresh}
    job = create(client, [line(key, file) for key, file in files.items()])
    client.files.delete(name=named(deleted))
    gemini.advance(HOURS_48_SECONDS - 3600)

    answers = {answer["key"]: answer for answer in results(client, job)}
    for key in ("CA:old:1:1", "CA:deleted:1:1"):
        error = answers[key]["error"]
        assert error["code"] == 403
        assert error["message"].startswith("You do not have permission to access the File")
        assert error["message"].endswith("or it may not exist.")
        assert gemini.record(key)["promptTokens"] == 0
    assert "response" in answers["CA:fresh:1:1"]


def test_a_job_of_2000_lines_takes_about_a_second(client: genai.Client, gemini: EmulatorHandle) -> None:
    job = create(client, [line(f"CA:Lincoln:2023:{page}") for page in range(1, 2001)])
    gemini.advance(30)
    assert len(raw_results(client, job)) == 2000


def test_a_real_clock_needs_nobody_to_turn_it() -> None:
    with emulator(clock="real", job_seconds=(0.0, 0.0)) as handle, client_of(handle) as client:
        job = create(client, [line(KEY)])
        assert state_of(client, job) == "SUCCEEDED"
        assert results(client, job)[0]["key"] == KEY
