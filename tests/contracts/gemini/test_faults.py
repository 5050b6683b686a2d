"""What the gateway says when a call goes wrong, before or after it took effect; and that it never tries by itself."""

import io
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import (
    GeminiAccessError,
    GeminiAmbiguousError,
    GeminiDownloadError,
    GeminiError,
    GeminiQuotaError,
    GeminiRefusedError,
    GeminiSpendingError,
    GeminiTransientError,
)
from flows.gateways.gemini.client import GoogleGemini
from tests.contracts.gemini.conftest import MakeGateway
from tests.contracts.gemini.test_gateway import MODEL, PNG, upload_input
from tests.emulator_server import API_KEY, EmulatorHandle

Call = Callable[[GoogleGemini, "Things"], Awaitable[Any]]


class Things:
    """What the calls are about: a file, and a job that has ended."""

    def __init__(self, file: str, job: str, result_file: str, destination: Path) -> None:
        self.file, self.job, self.result_file, self.destination = file, job, result_file, destination


@pytest.fixture
async def things(gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path) -> Things:
    file = await upload_input(gateway, *(f"A:b:{page}" for page in range(1, 30)))
    job = await gateway.create_job(model=MODEL, display_name="made-before", input_file=file.name)
    gemini.advance(60)
    ended = await gateway.get_job(job.name)
    assert ended.result_file is not None
    return Things(file.name, job.name, ended.result_file, tmp_path / "result.tmp")


async def upload(gateway: GoogleGemini, things: Things) -> Any:
    return await gateway.upload(io.BytesIO(PNG), display_name="new", mime_type="image/png")


async def create(gateway: GoogleGemini, things: Things) -> Any:
    return await gateway.create_job(model=MODEL, display_name="new", input_file=things.file)


CALLS: dict[str, Call] = {
    "upload_start": upload,
    "upload_chunk": upload,
    "list_files": lambda gateway, things: gateway.list_files(),
    "delete_file": lambda gateway, things: gateway.delete_file(things.file),
    "download": lambda gateway, things: gateway.download(things.result_file, things.destination),
    "get_batch": lambda gateway, things: gateway.get_job(things.job),
    "list_batches": lambda gateway, things: gateway.list_jobs(),
    "cancel_batch": lambda gateway, things: gateway.cancel_job(things.job),
    "delete_batch": lambda gateway, things: gateway.delete_job(things.job),
}
TROUBLE: list[dict[str, Any]] = [
    {"status": 408},
    {"status": 429},
    {"status": 500},
    {"status": 503},
    {"status": 503, "body": "<html>\n<b>Service Unavailable</b></html>"},
    {"cut": "connection"},
]


def label(trouble: dict[str, Any]) -> str:
    return "-".join(str(value) for value in trouble.values())


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trouble", TROUBLE, ids=label)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_may_pass_is_transient_and_asked_once(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, call: str, trouble: dict[str, Any], when: str
) -> None:
    gemini.add_fault(call, when=when, times=None, **trouble)
    before = gemini.requests().get(call, 0)
    with pytest.raises(GeminiTransientError) as error:
        await CALLS[call](gateway, things)
    assert error.value.retry_helps
    assert error.value.status == trouble.get("status")
    assert "\n" not in str(error.value)
    assert "trying again helps" in str(error.value)
    # A delete may be made twice, and is where a connection breaks that was kept from the call before.
    tries = {1, 2} if call == "delete_file" and "cut" in trouble else {1}
    assert gemini.requests()[call] - before in tries
    assert not things.destination.exists()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, GeminiRefusedError), (401, GeminiAccessError), (413, GeminiRefusedError), (418, GeminiError)],
)
async def test_what_will_not_pass_is_said_with_its_status(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, call: str, status: int, kind: type[GeminiError]
) -> None:
    gemini.add_fault(call, status=status, message="Because\nof this.")
    with pytest.raises(GeminiError, match=f"HTTP {status}, Because of this;") as error:
        await CALLS[call](gateway, things)
    assert type(error.value) is kind
    assert error.value.status == status
    assert not error.value.retry_helps


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"upload_chunk", "delete_file", "delete_batch"}))
@pytest.mark.parametrize("status", [403, 404])
async def test_what_is_forbidden_or_missing_is_a_matter_of_access(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, call: str, status: int
) -> None:
    gemini.add_fault(call, status=status)
    with pytest.raises(GeminiAccessError, match=f"HTTP {status}"):
        await CALLS[call](gateway, things)


@pytest.mark.parametrize(
    "message",
    [
        "API key not valid. Please pass a valid API key.",
        "User location is not supported for the API use.",
        "Please enable billing on project 123456789 in Google AI Studio.",
        "Project 123456789 has been suspended.",
        "You have exceeded the file storage quota of this project.",
        "Your account must accept the terms of service.",
    ],
)
async def test_a_400_that_speaks_of_the_account_is_a_matter_of_access_and_no_fault_of_the_request(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, message: str
) -> None:
    for call, use in (("create_batch", create), ("upload_start", CALLS["upload_start"])):
        gemini.add_fault(call, status=400, message=message)
        with pytest.raises(GeminiAccessError, match="HTTP 400"):
            await use(gateway, things)


@pytest.mark.parametrize(
    "message",
    ["Unable to process input image.", "The image is projected badly.", "Unsupported MIME type: image/x-icon"],
)
async def test_a_400_that_speaks_of_the_image_is_a_refusal(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, message: str
) -> None:
    gemini.add_fault("upload_start", status=400, message=message)
    with pytest.raises(GeminiRefusedError, match="HTTP 400"):
        await CALLS["upload_start"](gateway, things)


async def test_an_upload_session_that_is_lost_calls_for_a_fresh_upload(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things
) -> None:
    gemini.add_fault("upload_chunk", status=404)
    with pytest.raises(GeminiTransientError):
        await upload(gateway, things)


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_has_a_time_out(
    make_gateway: MakeGateway, gemini: EmulatorHandle, things: Things, call: str
) -> None:
    gateway = make_gateway(request_timeout_seconds=0.3)
    gemini.add_fault(call, delay_seconds=1.5)
    with pytest.raises(GeminiTransientError, match="no answer in time"):
        await CALLS[call](gateway, things)


@pytest.mark.parametrize("after_bytes", [0, 1, None])
async def test_a_download_that_ends_early_is_no_download(
    gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, after_bytes: int | None
) -> None:
    gemini.add_fault("download", cut="body", after_bytes=after_bytes)
    with pytest.raises(GeminiDownloadError, match=r"download of files/batch-.* ended early") as error:
        await gateway.download(things.result_file, things.destination)
    assert error.value.retry_helps
    assert not things.destination.exists()
    size_bytes = await gateway.download(things.result_file, things.destination)
    lines = things.destination.read_bytes().split(b"\n")[:-1]
    assert size_bytes == things.destination.stat().st_size
    assert len([json.loads(line)["key"] for line in lines]) == 29


async def test_a_disk_that_cannot_be_written_is_no_fault_of_gemini(
    gateway: GoogleGemini, things: Things, tmp_path: Path
) -> None:
    with pytest.raises(IsADirectoryError):
        await gateway.download(things.result_file, tmp_path)


class TestCreate:
    @pytest.mark.parametrize(
        "trouble",
        [*({"status": status} for status in (408, 500, 502, 503, 504)), {"cut": "connection"}, {"cut": "body"}],
        ids=label,
    )
    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_what_is_not_certain_is_ambiguous_and_posted_once(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, trouble: dict[str, Any], when: str
    ) -> None:
        gemini.add_fault("create_batch", when=when, times=None, **trouble)
        before = gemini.requests()["create_batch"]
        with pytest.raises(GeminiAmbiguousError, match=r"^create of new: .*the job may exist") as error:
            await create(gateway, things)
        assert not error.value.retry_helps
        assert gemini.requests()["create_batch"] == before + 1
        made = [job for job in await gateway.list_jobs() if job.display_name == "new"]
        assert len(made) == (1 if when == "after" or trouble == {"cut": "body"} else 0)

    async def test_a_time_out_is_ambiguous(
        self, make_gateway: MakeGateway, gemini: EmulatorHandle, things: Things
    ) -> None:
        gateway = make_gateway(request_timeout_seconds=0.3)
        gemini.add_fault("create_batch", when="after", delay_seconds=1.5)
        with pytest.raises(GeminiAmbiguousError, match="no answer in time"):
            await create(gateway, things)
        assert gemini.requests()["create_batch"] == 2

    async def test_too_many_requests_means_that_nothing_was_created(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things
    ) -> None:
        gemini.add_fault("create_batch", status=429, message="Resource has been exhausted.")
        with pytest.raises(GeminiQuotaError, match="HTTP 429, Resource has been exhausted; nothing was created"):
            await create(gateway, things)
        assert gemini.requests()["create_batch"] == 2

    @pytest.mark.parametrize(
        ("refusal", "said", "needs_person"),
        [
            ("spending_window", "Google's spending limit of 10 minutes is reached: a later pass goes on", False),
            ("monthly_cap", "monthly cap is reached; Google pauses all projects until the 1st: wait, or have", True),
            ("prepaid_empty", "the prepaid balance is empty: add credit to the billing account", True),
        ],
    )
    async def test_googles_own_spending_limits_are_told_as_such(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, refusal: str, said: str, needs_person: bool
    ) -> None:
        gemini.add_fault("create_batch", refusal=refusal)
        with pytest.raises(GeminiSpendingError, match=said) as error:
            await create(gateway, things)
        assert error.value.needs_person is needs_person
        assert "\n" not in str(error.value)
        gemini.add_fault("list_batches", refusal=refusal)
        with pytest.raises(GeminiSpendingError if needs_person else GeminiTransientError):
            await gateway.list_jobs()

    @pytest.mark.parametrize("status", [400, 402, 403, 429])
    async def test_a_pause_is_one_whatever_its_status(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, status: int
    ) -> None:
        gemini.add_fault("create_batch", refusal="monthly_cap", status=status)
        with pytest.raises(GeminiSpendingError, match=f"HTTP {status}"):
            await create(gateway, things)

    @pytest.mark.parametrize(
        "message",
        [
            "You exceeded your current quota, please check your plan and billing details.",
            "Resource has been exhausted (e.g. check quota).",
            "Quota exceeded for metric: batch enqueued tokens, limit: 3000000.",
        ],
    )
    async def test_another_429_is_no_spending_limit(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, message: str
    ) -> None:
        gemini.add_fault("create_batch", status=429, message=message)
        with pytest.raises(GeminiQuotaError):
            await create(gateway, things)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(400, GeminiRefusedError), (401, GeminiAccessError), (403, GeminiAccessError), (404, GeminiAccessError),
         (409, GeminiError)],
    )  # fmt: skip
    async def test_a_refusal_is_certain(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things, status: int, kind: type[GeminiError]
    ) -> None:
        gemini.add_fault("create_batch", status=status)
        with pytest.raises(GeminiError, match=f"HTTP {status}") as error:
            await create(gateway, things)
        assert type(error.value) is kind

    async def test_without_a_connection_nothing_was_sent(self, make_gateway: MakeGateway) -> None:
        with socket.socket() as listener:  # bound and not listening: every connection is refused
            listener.bind(("127.0.0.1", 0))
            gateway = make_gateway(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
            with pytest.raises(GeminiTransientError, match="nothing was sent"):
                await gateway.create_job(model=MODEL, display_name="n", input_file="files/a")

    async def test_a_connection_that_went_stale_is_not_used_to_post_twice(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, things: Things
    ) -> None:
        gemini.add_fault("get_batch", cut="connection")
        with pytest.raises(GeminiTransientError):
            await gateway.get_job(things.job)
        await create(gateway, things)
        assert gemini.requests()["create_batch"] == 2


@pytest.mark.parametrize("message", [f"key {API_KEY} is bad", "x" * 5000])
async def test_no_message_holds_the_key_or_has_no_end(
    gateway: GoogleGemini, gemini: EmulatorHandle, message: str
) -> None:
    gemini.add_fault("list_files", status=503, message=message)
    with pytest.raises(GeminiTransientError) as error:
        await gateway.list_files()
    assert API_KEY not in str(error.value)
    assert len(str(error.value)) < 500
