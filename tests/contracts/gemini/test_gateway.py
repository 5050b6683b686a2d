"""The gateway does what its port says, against the emulator: files, jobs, downloads, deletes, lists."""

import io
import json
from datetime import UTC
from pathlib import Path

import pytest

from assets.domain.batch import JobState, RemoteFile
from assets.domain.errors import ConfigError, GeminiAccessError, GeminiError, GeminiRefusedError
from flows.gateways.gemini.client import GoogleGemini
from flows.gateways.gemini.values import job_state
from tests.contracts.gemini.conftest import MakeGateway
from tests.emulator_server import EmulatorHandle

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
MODEL = "gemini-3.5-flash"


def input_lines(*keys: str) -> bytes:
    requests = [{"key": key, "request": {"contents": [{"role": "user", "parts": [{"text": key}]}]}} for key in keys]
    return b"".join(json.dumps(request).encode() + b"\n" for request in requests)


async def upload_input(gateway: GoogleGemini, *keys: str) -> RemoteFile:
    stream = io.BytesIO(input_lines(*keys))
    return await gateway.upload(stream, display_name="input", mime_type="application/jsonl")


class TestFiles:
    async def test_an_uploaded_file_is_listed_with_what_was_said_of_it(
        self, gateway: GoogleGemini, tmp_path: Path
    ) -> None:
        path = tmp_path / "Seite 4 – Peñón.png"
        path.write_bytes(PNG)
        file = await gateway.upload(path, display_name="Übersicht – 頁", mime_type="image/png")
        assert file.name.startswith("files/")
        assert file.uri.endswith(file.name)
        assert (file.mime_type, file.display_name, file.size_bytes) == ("image/png", "Übersicht – 頁", len(PNG))
        assert await gateway.list_files() == [file]

    async def test_a_stream_is_uploaded_from_where_it_stands(self, gateway: GoogleGemini) -> None:
        stream = io.BytesIO(b"xx" + PNG)
        stream.seek(2)
        file = await gateway.upload(stream, display_name="s", mime_type="image/png")
        assert file.size_bytes == len(PNG)

    async def test_a_file_of_several_chunks_arrives_whole(self, gateway: GoogleGemini, tmp_path: Path) -> None:
        path = tmp_path / "big.jsonl"
        path.write_bytes(b"x" * (17 * 1024 * 1024))
        file = await gateway.upload(path, display_name="big", mime_type="application/jsonl")
        assert file.size_bytes == 17 * 1024 * 1024

    async def test_a_local_file_that_is_not_there_is_no_fault_of_gemini(
        self, gateway: GoogleGemini, tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            await gateway.upload(tmp_path / "none.png", display_name="n", mime_type="image/png")

    async def test_a_kind_of_image_that_gemini_does_not_take_is_refused(
        self, gateway: GoogleGemini, tmp_path: Path
    ) -> None:
        path = tmp_path / "page.tiff"
        path.write_bytes(b"II*\0")
        with pytest.raises(GeminiRefusedError, match=r"^upload of t: HTTP 400, ") as error:
            await gateway.upload(path, display_name="t", mime_type="image/tiff")
        assert error.value.status == 400
        assert not error.value.retry_helps

    async def test_deleting_twice_is_deleting(self, gateway: GoogleGemini, gemini: EmulatorHandle) -> None:
        file = await gateway.upload(io.BytesIO(PNG), display_name="d", mime_type="image/png")
        await gateway.delete_file(file.name)
        await gateway.delete_file(file.name)
        assert gemini.existing_files() == []
        assert await gateway.list_files() == []

    async def test_a_wrong_key_is_not_taken_for_a_missing_file(
        self, gateway: GoogleGemini, gemini: EmulatorHandle
    ) -> None:
        file = await gateway.upload(io.BytesIO(PNG), display_name="d", mime_type="image/png")
        gemini.add_fault("delete_file", status=403, message="You do not have permission.", times=None)
        gemini.add_fault("list_files", status=403, message="You do not have permission.", times=None)
        with pytest.raises(GeminiAccessError, match="HTTP 403"):
            await gateway.delete_file(file.name)
        assert gemini.existing_files() == [file.name]

    async def test_a_result_file_is_never_asked_to_be_deleted(
        self, gateway: GoogleGemini, gemini: EmulatorHandle
    ) -> None:
        with pytest.raises(GeminiRefusedError, match="until they expire"):
            await gateway.delete_file("files/batch-" + "a" * 40)
        assert "delete_file" not in gemini.requests()

    @pytest.mark.parametrize("name", ["", "files/", "files/a/b", "batches/a", "files/../batches", "files/a?x=1", "x"])
    async def test_a_text_that_is_no_name_is_not_sent(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, name: str
    ) -> None:
        with pytest.raises(GeminiAccessError, match="is no name that Gemini gives"):
            await gateway.delete_file(name)
        assert sum(gemini.requests().values()) == 0

    async def test_more_files_than_a_page_holds_are_all_listed(
        self, gateway: GoogleGemini, gemini: EmulatorHandle
    ) -> None:
        names = [
            (await gateway.upload(io.BytesIO(PNG), display_name=str(n), mime_type="image/png")).name for n in range(205)
        ]
        listed = [file.name for file in await gateway.list_files()]
        assert sorted(listed) == sorted(names)
        assert gemini.requests()["list_files"] == 3


class TestJobs:
    async def test_a_job_from_its_creation_to_its_result(
        self, gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path
    ) -> None:
        file = await upload_input(gateway, "CA:Lincoln:2023:1", "CA:Lincoln:2023:2")
        job = await gateway.create_job(model=MODEL, display_name="01j", input_file=file.name)
        assert job.name.startswith("batches/")
        assert (job.display_name, job.state, job.result_file) == ("01j", JobState.PENDING, None)
        assert MODEL in job.model
        assert not job.is_terminal
        gemini.advance(15)
        assert (await gateway.get_job(job.name)).state is JobState.RUNNING
        gemini.advance(20)
        done = await gateway.get_job(job.name)
        assert done.state is JobState.SUCCEEDED
        assert done.is_terminal
        assert done.created_at is not None
        assert done.ended_at is not None
        assert done.created_at.tzinfo is UTC
        assert done.created_at < done.ended_at
        assert await gateway.list_jobs() == [done]
        assert done.result_file is not None
        destination = tmp_path / "result.tmp"
        assert await gateway.download(done.result_file, destination) == destination.stat().st_size
        lines = destination.read_bytes().split(b"\n")[:-1]
        assert sorted(json.loads(line)["key"] for line in lines) == ["CA:Lincoln:2023:1", "CA:Lincoln:2023:2"]

    async def test_jobs_are_listed_newest_first_over_all_pages(
        self, gateway: GoogleGemini, gemini: EmulatorHandle
    ) -> None:
        file = await upload_input(gateway, "A:b:1")
        names = []
        for n in range(103):
            names.append((await gateway.create_job(model=MODEL, display_name=str(n), input_file=file.name)).name)
            gemini.advance(31)
        assert [job.name for job in await gateway.list_jobs()] == names[::-1]

    async def test_cancel_and_delete(self, gateway: GoogleGemini, gemini: EmulatorHandle) -> None:
        file = await upload_input(gateway, "A:b:1")
        job = await gateway.create_job(model=MODEL, display_name="c", input_file=file.name)
        await gateway.cancel_job(job.name)
        gemini.advance(60)
        assert (await gateway.get_job(job.name)).state is JobState.CANCELLED
        with pytest.raises(GeminiRefusedError, match=r"cancel of batches/.*already in state"):
            await gateway.cancel_job(job.name)
        await gateway.delete_job(job.name)
        await gateway.delete_job(job.name)
        assert await gateway.list_jobs() == []
        with pytest.raises(GeminiAccessError) as error:
            await gateway.get_job(job.name)
        assert error.value.status in (403, 404)

    @pytest.mark.parametrize("state", ["FAILED", "EXPIRED", "CANCELLED"])
    async def test_the_other_ends_of_a_job(self, gateway: GoogleGemini, gemini: EmulatorHandle, state: str) -> None:
        file = await upload_input(gateway, "A:b:1")
        job = await gateway.create_job(model=MODEL, display_name="e", input_file=file.name)
        gemini.end_job(job.name, state)
        assert (await gateway.get_job(job.name)).state is JobState(state)

    @pytest.mark.parametrize(
        ("raw_state", "state"),
        [
            ("BATCH_STATE_SUCCEEDED", JobState.SUCCEEDED),
            ("JOB_STATE_SUCCEEDED", JobState.SUCCEEDED),
            ("JOB_STATE_PARTIALLY_SUCCEEDED", JobState.PARTIALLY_SUCCEEDED),
            ("JOB_STATE_QUEUED", JobState.PENDING),
            ("JOB_STATE_UPDATING", JobState.RUNNING),
            ("JOB_STATE_CANCELLING", JobState.CANCELLING),
            ("JOB_STATE_PAUSED", JobState.UNKNOWN),
            ("BATCH_STATE_UNSPECIFIED", JobState.UNKNOWN),
            ("BATCH_STATE_UNKNOWN", JobState.UNKNOWN),
            ("", JobState.UNKNOWN),
        ],
    )
    def test_a_state_by_either_name(self, raw_state: str, state: JobState) -> None:
        assert job_state(raw_state) is state


class TestKeys:
    @pytest.mark.parametrize("key", ["", "  ", "a b", "schlüssel", "a\nb"])
    def test_a_text_that_cannot_be_a_key_is_said_at_once(self, key: str) -> None:
        with pytest.raises(ConfigError, match="GEMINI_API_KEY") as error:
            GoogleGemini(api_key=key)
        assert not key.strip() or key not in str(error.value)

    async def test_an_invalid_key_is_no_fault_of_the_image(self, make_gateway: MakeGateway) -> None:
        gateway = make_gateway(api_key="wrong-key")
        with pytest.raises(GeminiAccessError, match="check GEMINI_API_KEY") as error:
            await gateway.upload(io.BytesIO(PNG), display_name="k", mime_type="image/png")
        assert "wrong-key" not in str(error.value)

    async def test_the_environment_does_not_overrule_the_settings(
        self, make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for name, value in {
            "GOOGLE_API_KEY": "wrong-key",
            "GEMINI_API_KEY": "wrong-key",
            "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9/",
            "GOOGLE_GENAI_USE_VERTEXAI": "true",
            "GOOGLE_GENAI_USE_ENTERPRISE": "false",
            "GOOGLE_GENAI_API_VERSION": "v0",
            "GOOGLE_GENAI_CLIENT_MODE": "replay",
            "GOOGLE_CLOUD_PROJECT": "somebody-elses",
        }.items():
            monkeypatch.setenv(name, value)
        assert await make_gateway().list_files() == []
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("version", ["v1", "v1beta"])
    async def test_the_version_of_the_api_is_a_setting(self, make_gateway: MakeGateway, version: str) -> None:
        gateway = make_gateway(api_version=version)
        file = await gateway.upload(io.BytesIO(PNG), display_name="v", mime_type="image/png")
        assert await gateway.list_files() == [file]


async def test_what_is_called_for_each_page_goes_through_the_proxy_that_the_environment_names(
    make_gateway: MakeGateway, gemini: EmulatorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", gemini.base_url)
    monkeypatch.setenv("NO_PROXY", "")
    gateway = make_gateway(base_url="http://gemini.invalid/")
    with pytest.raises(GeminiError) as error:
        await gateway.upload(io.BytesIO(PNG), display_name="new", mime_type="image/png")
    assert error.value.status is not None, "a proxy has answered, for a name that nobody knows"

    monkeypatch.setenv("NO_PROXY", "gemini.invalid")
    gateway = make_gateway(base_url="http://gemini.invalid/")
    with pytest.raises(GeminiError) as error:
        await gateway.upload(io.BytesIO(PNG), display_name="new", mime_type="image/png")
    assert error.value.status is None
