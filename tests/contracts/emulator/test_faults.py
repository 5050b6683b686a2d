"""The fault table, as the SDK suffers it: before and after the effect, errors, cuts and delays, how often."""

import io
import time
from collections.abc import Callable

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from emulator.faults import CALLS
from tests.contracts.emulator.sdk import (
    JOB_SECONDS,
    MODEL,
    create,
    create_from,
    get,
    jsonl,
    line,
    named,
    picture,
    result_file_of,
    upload,
)
from tests.emulator_server import EmulatorHandle

KEY = "CA:Lincoln:2023:1"


def fails(call: Callable[[], object], code: int) -> str:
    with pytest.raises(errors.APIError) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value.message)


def test_a_fault_before_the_effect_leaves_no_trace(client: genai.Client, gemini: EmulatorHandle) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    gemini.add_fault("create_batch", status=503, message="overloaded")
    assert fails(lambda: create_from(client, named(source)), 503) == "overloaded"

    books = gemini.books()
    assert (books["jobs"], books["creates"][0]["batch"]) == ([], None)
    assert create_from(client, named(source)).name is not None, "a fault strikes once unless told otherwise"


def test_a_fault_after_the_effect_hides_what_was_done(client: genai.Client, gemini: EmulatorHandle) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    gemini.add_fault("create_batch", status=500, when="after")
    fails(lambda: create_from(client, named(source), display_name="hidden"), 500)

    [job] = client.batches.list(config=types.ListBatchJobsConfig(page_size=10))
    assert job.display_name == "hidden"
    [noted] = gemini.books()["creates"]
    assert (noted["batch"], noted["displayName"], noted["keys"]) == (job.name, "hidden", [KEY])


@pytest.mark.parametrize(("when", "jobs"), [("before", 0), ("after", 1)])
def test_a_cut_connection_on_create(client: genai.Client, gemini: EmulatorHandle, when: str, jobs: int) -> None:
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    gemini.add_fault("create_batch", cut="connection", when=when)
    with pytest.raises(httpx2.RemoteProtocolError):
        create_from(client, named(source))

    assert len(gemini.books()["jobs"]) == jobs
    assert gemini.requests()["create_batch"] == 1
    assert len(gemini.books()["creates"]) == 1


async def test_a_cut_connection_on_the_async_client(aio: genai.client.AsyncClient, gemini: EmulatorHandle) -> None:
    gemini.add_fault("upload_start", cut="connection")
    config = types.UploadFileConfig(mime_type="image/jpeg")
    with pytest.raises(httpx2.RemoteProtocolError):
        await aio.files.upload(file=io.BytesIO(picture()), config=config)
    assert (await aio.files.upload(file=io.BytesIO(picture()), config=config)).name is not None


@pytest.mark.parametrize("after_bytes", [None, 0, 7, 10**9])
def test_a_body_that_ends_early(client: genai.Client, gemini: EmulatorHandle, after_bytes: int | None) -> None:
    job = create(client, [line(KEY)])
    gemini.advance(JOB_SECONDS)
    name = result_file_of(client, job)
    whole = client.files.download(file=name)
    gemini.add_fault("download", cut="body", after_bytes=after_bytes)
    destination = io.BytesIO()
    with pytest.raises(httpx2.RemoteProtocolError):
        client.files.download(file=name, destination=destination)

    cut = destination.getvalue()
    assert len(cut) < len(whole)
    assert whole.startswith(cut)
    assert client.files.download(file=name) == whole


def test_a_chunk_is_sent_again_by_the_sdk_at_its_offset(client: genai.Client, gemini: EmulatorHandle) -> None:
    content = bytes(range(256)) * 40_000
    gemini.add_fault("upload_chunk", status=503, when="after")
    file = upload(client, content, "application/octet-stream")

    assert file.size_bytes == len(content)
    assert gemini.requests()["upload_chunk"] == 3, "the first of two chunks arrived twice"
    assert gemini.books()["requests"]["replies"]["upload_chunk"] == {"503": 1, "200": 2}


def test_an_upload_can_be_refused_for_good(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.add_fault("upload_chunk", status=400, message="bad bytes", headers={"X-Goog-Upload-Status": "final"})
    assert fails(lambda: upload(client, picture()), 400) == "bad bytes"


def test_an_error_need_not_be_json(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.add_fault("list_files", status=502, body="<html>Bad Gateway</html>")
    fails(lambda: list(client.files.list(config=types.ListFilesConfig(page_size=5))), 502)


def test_a_delay_alone_only_delays(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.add_fault("get_file", delay_seconds=0.2)
    file = upload(client, picture())
    begun = time.monotonic()
    assert client.files.get(name=named(file)).name == file.name
    assert time.monotonic() - begun >= 0.2


def test_skip_and_times_choose_the_calls(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    gemini.add_fault("get_file", status=500, skip=1, times=2)
    seen = []
    for _ in range(5):
        try:
            seen.append(client.files.get(name=named(file)).name == file.name)
        except errors.ServerError:
            seen.append(False)
    assert seen == [True, False, False, True, True]
    [row] = gemini.faults()
    assert (row["seen"], row["struck"]) == (5, 2)


def test_probability_is_repeatable(client: genai.Client, gemini: EmulatorHandle) -> None:
    def strikes(seed: int) -> list[bool]:
        gemini.reset()
        file = upload(client, picture())
        gemini.add_fault("get_file", status=500, times=None, probability=0.5, seed=seed)
        seen = []
        for _ in range(20):
            try:
                client.files.get(name=named(file))
                seen.append(False)
            except errors.ServerError:
                seen.append(True)
        return seen

    first = strikes(1)
    assert strikes(1) == first
    assert strikes(2) != first
    assert 0 < sum(first) < 20


def test_faults_can_be_aimed_at_names_models_and_keys(client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.add_fault("upload_*", display_name="bad*", status=500, times=None)
    fails(lambda: upload(client, picture(), display_name="bad page"), 500)
    upload(client, picture(), display_name="good page")

    gemini.clear_faults()
    gemini.add_fault("create_batch", model="*-pro-*", status=429, times=None)
    gemini.add_fault("create_batch", key="AL:*", status=400, times=None)
    fails(lambda: create(client, [line(KEY)], model="gemini-3.1-pro-preview"), 429)
    fails(lambda: create(client, [line(KEY), line("AL:Mobile:1901:1")]), 400)
    job = create(client, [line(KEY)])

    gemini.add_fault("get_batch", key=KEY, status=503)
    gemini.add_fault("cancel_batch", name=named(job), status=504)
    fails(lambda: get(client, job), 503)
    fails(lambda: client.batches.cancel(name=named(job)), 504)


def test_every_kind_of_call_can_be_struck(client: genai.Client, gemini: EmulatorHandle) -> None:
    file = upload(client, picture())
    source = upload(client, jsonl([line(KEY)]), "application/jsonl")
    job = create_from(client, named(source))
    gemini.advance(JOB_SECONDS)
    result_file = result_file_of(client, job)
    final = {"X-Goog-Upload-Status": "final"}
    page = types.ListFilesConfig(page_size=1)
    calls: dict[str, Callable[[], object]] = {
        "upload_start": lambda: upload(client, picture()),
        "upload_chunk": lambda: upload(client, picture()),
        "get_file": lambda: client.files.get(name=named(file)),
        "list_files": lambda: client.files.list(config=page),
        "delete_file": lambda: client.files.delete(name=named(file)),
        "download": lambda: client.files.download(file=result_file),
        "create_batch": lambda: create_from(client, named(source)),
        "get_batch": lambda: get(client, job),
        "list_batches": lambda: client.batches.list(config=types.ListBatchJobsConfig(page_size=1)),
        "cancel_batch": lambda: client.batches.cancel(name=named(job)),
        "delete_batch": lambda: client.batches.delete(name=named(job)),
        "generate": lambda: client.models.generate_content(model=MODEL, contents="Read."),
    }
    assert tuple(calls) == CALLS
    for kind, call in calls.items():
        gemini.add_fault(kind, status=500, headers=final)
        fails(call, 500)
    assert [row["struck"] for row in gemini.faults()] == [1] * len(CALLS)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"call": "create", "status": 500}, "no call is named 'create'"),
        ({"call": "create_batch"}, "needs a status, a cut or delay_seconds"),
        ({"call": "create_batch", "status": 200}, "status"),
        ({"call": "create_batch", "status": 500, "cut": "body"}, "not both"),
        ({"call": "create_batch", "status": 500, "time": 3}, "time"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(gemini: EmulatorHandle, fault: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        gemini.add_fault(**fault)
    assert gemini.faults() == []
