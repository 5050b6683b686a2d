"""What the port promises, on the real gateway (to the emulator) and on its in-memory twin."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.domain.batch import JobState, RemoteJob
from assets.domain.errors import GeminiAccessError, GeminiRefusedError
from flows.gateways.gemini.client import GoogleGemini
from flows.gateways.ports import GeminiGateway
from tests.contracts.gemini.test_gateway import MODEL, PNG, input_lines
from tests.emulator_server import EmulatorHandle
from tests.twins.gemini import InMemoryGemini

End = Callable[[RemoteJob], None]


@pytest.fixture(params=["gateway", "twin"])
def port_and_end(
    request: pytest.FixtureRequest, gemini: EmulatorHandle, gateway: GoogleGemini
) -> tuple[GeminiGateway, End]:
    """An implementation with nothing in it, and what makes one of its jobs succeed."""
    if request.param == "gateway":
        return gateway, lambda job: gemini.advance(60)
    twin = InMemoryGemini()

    def end(job: RemoteJob) -> None:
        lines = [json.dumps({"key": key, "response": {}}).encode() for key in twin.made[-1].keys]
        twin.end_job(job.name, JobState.SUCCEEDED, lines)

    return twin, end


@pytest.fixture
def port(port_and_end: tuple[GeminiGateway, End]) -> GeminiGateway:
    return port_and_end[0]


@pytest.fixture
def end(port_and_end: tuple[GeminiGateway, End]) -> End:
    return port_and_end[1]


async def create(port: GeminiGateway, display_name: str, *keys: str) -> RemoteJob:
    stream = io.BytesIO(input_lines(*keys))
    file = await port.upload(stream, display_name=f"{display_name}-input", mime_type="application/jsonl")
    return await port.create_job(model=MODEL, display_name=display_name, input_file=file.name)


async def test_files_by_path_and_stream_are_listed_newest_first(port: GeminiGateway, tmp_path: Path) -> None:
    path = tmp_path / "頁.png"
    path.write_bytes(PNG)
    first = await port.upload(path, display_name="Peñón", mime_type="image/png")
    second = await port.upload(io.BytesIO(b"{}\n"), display_name="two", mime_type="application/jsonl")
    assert await port.list_files() == [second, first]
    assert (first.display_name, first.mime_type, first.size_bytes) == ("Peñón", "image/png", len(PNG))
    assert first.uri.endswith(first.name)


async def test_deleting_what_is_not_there_is_no_error(port: GeminiGateway, end: End) -> None:
    file = await port.upload(io.BytesIO(PNG), display_name="d", mime_type="image/png")
    await port.delete_file(file.name)
    await port.delete_file(file.name)
    assert await port.list_files() == []
    job = await create(port, "j", "A:b:1")
    end(job)
    await port.delete_job(job.name)
    await port.delete_job(job.name)
    assert await port.list_jobs() == []


async def test_a_refused_image_leaves_nothing(port: GeminiGateway) -> None:
    with pytest.raises(GeminiRefusedError) as error:
        await port.upload(io.BytesIO(b"II*\0"), display_name="t", mime_type="image/tiff")
    assert error.value.status == 400
    assert await port.list_files() == []


async def test_a_job_goes_from_pending_to_a_result(port: GeminiGateway, end: End, tmp_path: Path) -> None:
    job = await create(port, "01j", "A:b:1", "A:b:2")
    assert (job.display_name, job.state, job.result_file, job.is_terminal) == ("01j", JobState.PENDING, None, False)
    end(job)
    done = await port.get_job(job.name)
    assert (done.name, done.state, done.is_terminal) == (job.name, JobState.SUCCEEDED, True)
    assert done.result_file is not None
    size_bytes = await port.download(done.result_file, tmp_path / "r")
    content = (tmp_path / "r").read_bytes()
    assert size_bytes == len(content)
    assert sorted(json.loads(line)["key"] for line in content.split(b"\n")[:-1]) == ["A:b:1", "A:b:2"]
    with pytest.raises(GeminiRefusedError):
        await port.delete_file(done.result_file)


async def test_jobs_are_listed_newest_first(port: GeminiGateway) -> None:
    jobs = [await create(port, name, "A:b:1") for name in ("one", "two", "two")]
    assert [job.name for job in await port.list_jobs()] == [job.name for job in reversed(jobs)]


async def test_a_cancelled_job_cannot_be_cancelled_again(port: GeminiGateway) -> None:
    job = await create(port, "c", "A:b:1")
    await port.cancel_job(job.name)
    assert (await port.get_job(job.name)).state is JobState.CANCELLED
    with pytest.raises(GeminiRefusedError):
        await port.cancel_job(job.name)


@pytest.mark.parametrize("name", ["batches/none", "files/none", "none", "batches/a/b"])
async def test_what_is_not_there_is_a_matter_of_access(port: GeminiGateway, name: str, tmp_path: Path) -> None:
    for call in (port.get_job(name), port.cancel_job(name), port.download(name, tmp_path / "r")):
        with pytest.raises(GeminiAccessError):
            await call
    with pytest.raises((GeminiAccessError, GeminiRefusedError)):
        await port.create_job(model=MODEL, display_name="n", input_file=name)
    assert await port.list_jobs() == []
    assert not (tmp_path / "r").exists()


async def test_a_request_is_answered_at_once_or_refused(port: GeminiGateway) -> None:
    config = {"response_mime_type": "application/json"}
    request = {"contents": [{"role": "user", "parts": [{"text": "Answer {}."}]}], "generation_config": config}
    answer = await port.generate(model=MODEL, request=request)
    json.loads(answer["candidates"][0]["content"]["parts"][0]["text"])
    with pytest.raises(GeminiRefusedError) as error:
        await port.generate(model=MODEL, request={})
    assert error.value.status == 400
