"""Answers that the emulator never gives, from a small server that says them byte for byte."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.domain.batch import JobState
from assets.domain.errors import GeminiAmbiguousError, GeminiDownloadError, GeminiTransientError
from flows.gateways.gemini.client import GoogleGemini
from flows.gateways.gemini.http import SteadyFile

Answer = Callable[[str], bytes]


def ok(body: object, *headers: str, status: str = "200 OK") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + content


@asynccontextmanager
async def service(answer: Answer) -> AsyncIterator[tuple[GoogleGemini, list[str], str]]:
    """A gateway to a server that answers as ``answer`` says (request line -> bytes, then it closes); the requests,
    head and all, as they come; and its address."""
    requests: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        requests.append(head)
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        await reader.readexactly(length)
        writer.write(answer(head.partition("\r\n")[0]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = GoogleGemini(
        api_key="service-key", base_url=address, request_timeout_seconds=5, download_timeout_seconds=77
    )
    try:
        yield gateway, requests, address
    finally:
        await gateway.close()
        server.close()
        await server.wait_closed()


def operation(name: str, state: str = "BATCH_STATE_RUNNING") -> dict[str, Any]:
    return {"name": f"batches/{name}", "metadata": {"state": state, "displayName": name}}


async def test_an_empty_page_with_a_successor_is_not_the_end() -> None:
    def answer(line: str) -> bytes:
        if "pageToken=two" in line:
            return ok({"operations": [operation("b")]})
        if "pageToken=one" in line:
            return ok({"nextPageToken": "two"})
        return ok({"operations": [operation("a")], "nextPageToken": "one"})

    async with service(answer) as (gateway, requests, _):
        assert [job.name for job in await gateway.list_jobs()] == ["batches/a", "batches/b"]
        assert all("pageSize=100" in request for request in requests)


OURS = "01jd3zq8k5v7w2x9y0abcdefgh"


async def test_an_entry_of_a_list_that_cannot_be_ours_is_passed_over_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = [{"metadata": {"displayName": "theirs"}}, {}, {"name": "operations/tuning", "metadata": None}]
    jobs = {"operations": [*strange, operation("a"), {"metadata": {"displayName": OURS}}]}
    files = {"files": [{"displayName": "x"}, {"name": "files/b", "displayName": "y", "state": "DREAMING"}]}
    async with service(lambda line: ok(files if "/files" in line else jobs)) as (gateway, _, _):
        for _ in range(2):
            listed = await gateway.list_jobs()
            assert [file.name for file in await gateway.list_files()] == ["files/b"]
    assert [(job.name, job.display_name) for job in listed] == [("batches/a", "a"), ("", OURS)]
    assert [record.getMessage() for record in caplog.records] == [
        "list of batches: 3 entries without a name are passed over, none of ours; the first: "
        '{"metadata": {"displayName": "theirs"}}',
        'list of files: 1 entries without a name are passed over, none of ours; the first: {"displayName": "x"}',
    ]


WRONG_TYPES: list[Any] = [5, "text", None, True, [], ["text"], {}, {"text": "text"}]


@pytest.mark.parametrize("odd", WRONG_TYPES)
async def test_a_value_of_a_wrong_type_in_one_entry_takes_nothing_else_out_of_a_list(odd: Any) -> None:
    fields = ("model", "createTime", "endTime", "updateTime", "state", "output", "inputConfig", "batchStats")
    ours = [operation(f"a{n}") for n in range(len(fields))]
    for field, job in zip(fields, ours, strict=True):
        job["metadata"][field] = odd
    theirs = [odd, {"name": odd}, {"name": odd, "metadata": odd}, {"metadata": {"displayName": odd}}]
    named = [{"name": "batches/b0", "metadata": odd}, {"name": "batches/b1", "metadata": {"displayName": odd}}]
    file = {"name": "files/a", "uri": odd, "mimeType": odd, "sizeBytes": odd, "state": odd, "displayName": "d"}
    files = [odd, {"name": odd}, file, {"name": "files/b", "displayName": odd}]
    answers = {"/files": {"files": files}, "/batches": {"operations": [*theirs, *ours, *named]}}
    async with service(lambda line: ok(answers["/files" if "/files" in line else "/batches"])) as (gateway, _, _):
        listed = await gateway.list_jobs()
        assert [file.name for file in await gateway.list_files()] == ["files/a", "files/b"]
    assert [job.name for job in listed] == [*(job["name"] for job in ours), "batches/b0", "batches/b1"]
    states = {field: job.state for field, job in zip(fields, listed[: len(fields)], strict=True)}
    assert states.pop("state") is JobState.UNKNOWN
    assert set(states.values()) == {JobState.RUNNING}


@pytest.mark.parametrize(
    "metadata", [{"displayName": [OURS]}, {"displayName": {"value": OURS}}, [{"displayName": OURS}], OURS]
)
async def test_what_bears_the_name_of_a_submission_in_an_odd_way_is_ours(metadata: Any) -> None:
    jobs = {"operations": [{"name": 5, "metadata": metadata}, {"name": "batches/a", "metadata": metadata}]}
    async with service(lambda line: ok(jobs)) as (gateway, _, _):
        listed = await gateway.list_jobs()
    assert [(job.name, job.display_name) for job in listed] == [("", OURS), ("batches/a", OURS)]


@pytest.mark.parametrize("odd", WRONG_TYPES)
async def test_a_job_that_is_asked_for_is_known_by_what_is_needed_of_it(odd: Any) -> None:
    metadata = {"state": "BATCH_STATE_SUCCEEDED", "output": {"responsesFile": "files/batch-a"}, "displayName": OURS}
    unneeded = dict.fromkeys(("model", "createTime", "endTime", "updateTime", "inputConfig", "batchStats"), odd)
    async with service(lambda line: ok({"name": odd, "metadata": metadata | unneeded, "done": odd})) as (gateway, _, _):
        job = await gateway.get_job("batches/a")
    assert (job.name, job.display_name, job.state) == ("batches/a", OURS, JobState.SUCCEEDED)
    assert job.result_file == "files/batch-a"
    async with service(lambda line: ok({"name": odd, "metadata": odd})) as (gateway, _, _):
        job = await gateway.get_job("batches/a")
    assert (job.name, job.state, job.result_file) == ("batches/a", JobState.UNKNOWN, None)


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("2026-11-26T18:39:01.123456789Z", datetime(2026, 11, 26, 18, 39, 1, 123456, tzinfo=UTC)),
        ("2026-11-26T18:39:01+02:00", datetime(2026, 11, 26, 16, 39, 1, tzinfo=UTC)),
        ("2026-11-26T18:39:01", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("yesterday", None),
        ("", None),
    ],
)
async def test_times_are_utc_or_none(said: str, time: datetime | None) -> None:
    job = {"name": "batches/a", "metadata": {"createTime": said, "endTime": said}}
    async with service(lambda line: ok(job)) as (gateway, _, _):
        found = await gateway.get_job("batches/a")
    assert (found.created_at, found.ended_at) == (time, time)


async def test_pages_without_end_are_an_error_and_no_loop() -> None:
    async with service(lambda line: ok({"operations": [operation("a")], "nextPageToken": "t"})) as (
        gateway,
        requests,
        _,
    ):
        with pytest.raises(GeminiTransientError, match="the same page twice"):
            await gateway.list_jobs()
        assert len(requests) == 2


async def test_an_unknown_state_is_kept_as_it_was_said() -> None:
    jobs = {"operations": [operation("a", "BATCH_STATE_DREAMING"), operation("b", "BATCH_STATE_EXPIRED")]}
    async with service(lambda line: ok(jobs)) as (gateway, _, _):
        first, second = await gateway.list_jobs()
    assert (first.state, first.raw_state, first.is_terminal) == (JobState.UNKNOWN, "BATCH_STATE_DREAMING", False)
    assert second.state is JobState.EXPIRED


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"operations": [{"metadata": {}}]}', b"\xff"])
async def test_a_create_whose_answer_makes_no_sense_is_ambiguous(body: bytes) -> None:
    async with service(lambda line: ok(body)) as (gateway, requests, _):
        with pytest.raises(GeminiAmbiguousError, match="the job may exist"):
            await gateway.create_job(model="m", display_name="d", input_file="files/a")
        assert len(requests) == 1


@pytest.mark.parametrize("status", ["201 Created", "303 See Other", "307 Temporary Redirect"])
async def test_a_create_that_is_not_simply_done_is_ambiguous_and_not_followed(status: str) -> None:
    async with service(lambda line: ok(operation("a"), "Location: /elsewhere", status=status)) as (
        gateway,
        requests,
        _,
    ):
        with pytest.raises(GeminiAmbiguousError):
            await gateway.create_job(model="m", display_name="d", input_file="files/a")
        assert len(requests) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"5", b'{"operations": 5}', b'{"operations": {}}', b'{"operations": null}',
     b'{"message": "Log in"}', b'{"operations": [], "nextPageToken": 5}'],
)  # fmt: skip
async def test_a_list_that_makes_no_sense_is_no_empty_list(body: bytes) -> None:
    async with service(lambda line: ok(body)) as (gateway, _, _):
        with pytest.raises(GeminiTransientError, match="list of batches: "):
            await gateway.list_jobs()


@pytest.mark.parametrize(
    "last",
    [ok({}, "X-Goog-Upload-Status: final"), ok(b"", "X-Goog-Upload-Status: final"), ok({}),
     ok({"file": {}}, "X-Goog-Upload-Status: final"), ok({}, "X-Goog-Upload-Status: active")],
)  # fmt: skip
async def test_an_upload_that_ends_oddly_may_be_tried_again(last: bytes) -> None:
    chunk_url = ""

    def answer(line: str) -> bytes:
        started = ok({}, f"X-Goog-Upload-URL: {chunk_url}", "X-Goog-Upload-Status: active")
        return last if "chunk" in line else started

    async with service(answer) as (gateway, _, address):
        chunk_url = f"{address}/chunk"
        with pytest.raises(GeminiTransientError, match=r"^upload of d: "):
            await gateway.upload(io.BytesIO(b"x"), display_name="d", mime_type="image/png")


async def test_an_upload_without_an_address_may_be_tried_again() -> None:
    async with service(lambda line: ok({})) as (gateway, _, _):
        with pytest.raises(GeminiTransientError, match=r"^upload of d: "):
            await gateway.upload(io.BytesIO(b"x"), display_name="d", mime_type="image/png")


async def test_a_download_of_unknown_length_is_not_trusted(tmp_path: Path) -> None:
    async with service(lambda line: b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"key":"a"}\n') as (gateway, _, _):
        with pytest.raises(GeminiDownloadError, match="does not say where it ends"):
            await gateway.download("files/batch-a", tmp_path / "r")
    assert not (tmp_path / "r").exists()


async def test_a_download_in_chunks_is_checked_by_their_end(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    bodies = iter([b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n"])
    async with service(lambda line: head + next(bodies)) as (gateway, _, _):
        assert await gateway.download("files/batch-a", tmp_path / "r") == 3
        with pytest.raises(GeminiDownloadError, match="ended early"):
            await gateway.download("files/batch-a", tmp_path / "r")


async def test_a_download_follows_a_redirect_but_the_key_stays_at_home(tmp_path: Path) -> None:
    elsewhere = ""

    def answer(line: str) -> bytes:
        return ok(b"", f"Location: {elsewhere}/there", status="302 Found")

    async with service(lambda line: ok(b"result")) as (_, there, address), service(answer) as (gateway, here, _):
        elsewhere = address.replace("127.0.0.1", "localhost")
        assert await gateway.download("files/batch-a", tmp_path / "r") == 6
    assert "x-goog-api-key: service-key" in here[0].lower()
    assert "x-goog-api-key" not in there[0].lower()


async def test_the_server_is_told_the_time_of_a_whole_download_and_not_of_a_read(tmp_path: Path) -> None:
    async with service(lambda line: ok(b"result")) as (gateway, requests, _):
        await gateway.download("files/batch-a", tmp_path / "r")
        await gateway.download("files/batch-a", tmp_path / "r")
    assert all("x-server-timeout: 77" in request.lower() for request in requests)


async def test_a_download_that_drips_for_ever_ends(tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
        while not stop.is_set() and not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = GoogleGemini(api_key="service-key", base_url=address, download_timeout_seconds=0.3)
    with pytest.raises(GeminiTransientError, match="no answer in time"):
        await gateway.download("files/batch-a", tmp_path / "r")
    await gateway.close()
    stop.set()
    server.close()
    await server.wait_closed()
    assert not (tmp_path / "r").exists()


class TestSteadyFile:
    """A file that changes while it is uploaded."""

    def test_what_was_added_is_not_sent(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_bytes(b"abc")
        with SteadyFile(path) as file:
            path.write_bytes(b"abcdef")
            assert file.read(2) == b"ab"
            assert file.read(8) == b"c"
            assert file.read(8) == b""

    def test_what_is_missing_is_an_error_and_no_endless_upload(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_bytes(b"abcdef")
        with SteadyFile(path) as file:
            path.write_bytes(b"")
            with pytest.raises(OSError, match="became shorter while it was uploaded"):
                file.read(8)
