"""What only a raw HTTP client sees: upload sessions step by step, error bodies, the shapes on the wire."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from google import genai

from tests.contracts.emulator.sdk import create, line, named
from tests.emulator_server import API_KEY, EmulatorHandle

HEADERS = {"x-goog-api-key": API_KEY}


@pytest.fixture
def http(gemini: EmulatorHandle) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=gemini.base_url, headers=HEADERS) as client:
        yield client


def start(http: httpx2.Client, size: int, **file: Any) -> str:
    reply = http.post(
        "/upload/v1beta/files",
        headers={"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"},
        json={"file": {"mime_type": "text/plain", "size_bytes": size, **file}},
    )
    assert (reply.status_code, reply.headers["x-goog-upload-status"]) == (200, "active")
    return str(reply.headers["x-goog-upload-url"])


def chunk(url: str, content: bytes, offset: int, command: str = "upload") -> httpx2.Response:
    """Without an API key: chunks carry none."""
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return httpx2.post(url, content=content, headers=headers)


def test_replayed_and_overlapping_chunks_count_once(http: httpx2.Client, gemini: EmulatorHandle) -> None:
    url = start(http, 10)
    assert url.startswith(gemini.base_url)
    for content, offset, received in ((b"01234", 0, 5), (b"01234", 0, 5), (b"34567", 3, 8)):
        reply = chunk(url, content, offset)
        assert (reply.status_code, reply.headers["x-goog-upload-status"]) == (200, "active")
        assert reply.headers["x-goog-upload-size-received"] == str(received)
    assert chunk(url, b"", 0, "query").headers["x-goog-upload-size-received"] == "8"

    first, again = (chunk(url, b"89", 8, "upload, finalize") for _ in range(2))
    assert first.headers["x-goog-upload-status"] == "final"
    assert first.json() == again.json()
    assert first.json()["file"]["sizeBytes"] == "10"
    assert len(gemini.existing_files()) == 1


def test_gaps_overruns_and_early_ends_are_refused(http: httpx2.Client, gemini: EmulatorHandle) -> None:
    for content, offset, command in ((b"x", 3, "upload"), (b"12345678", 0, "upload"), (b"1", 0, "upload, finalize")):
        reply = chunk(start(http, 5), content, offset, command)
        assert (reply.status_code, reply.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert gemini.existing_files() == []


def test_a_cancelled_or_unknown_upload_is_not_found(http: httpx2.Client) -> None:
    url = start(http, 5)
    assert chunk(url, b"", 0, "cancel").headers["x-goog-upload-status"] == "cancelled"
    assert chunk(url, b"12345", 0).status_code == 404


def test_a_call_without_a_key_is_refused(gemini: EmulatorHandle) -> None:
    for path in ("/v1/files", "/v1beta/batches"):
        reply = httpx2.get(gemini.base_url + path)
        assert (reply.status_code, reply.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert httpx2.get(f"{gemini.base_url}/v1/files?key=any").status_code == 200


def test_what_is_no_call_answers_404_in_the_service_s_form(http: httpx2.Client) -> None:
    for path in ("/v2/files", "/v1/nothing", "/v1/batches/unknown"):
        reply = http.get(path)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, 404)


def test_the_operation_on_the_wire(http: httpx2.Client, client: genai.Client, gemini: EmulatorHandle) -> None:
    gemini.set_steps("CA:Lincoln:2023:2", "error")
    job = create(client, [line("CA:Lincoln:2023:1"), line("CA:Lincoln:2023:2")])
    waiting = http.get(f"/v1/{job.name}").json()
    assert waiting["metadata"]["state"] == "BATCH_STATE_PENDING"
    assert waiting["metadata"]["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    assert "done" not in waiting
    gemini.advance(30)

    operation = http.get(f"/v1/{job.name}").json()
    metadata = operation["metadata"]
    assert operation["done"] is True
    assert metadata["@type"].startswith("type.googleapis.com/")
    assert (metadata["name"], metadata["model"]) == (job.name, "models/gemini-3.5-flash")
    assert metadata["batchStats"] == {"requestCount": "2", "successfulRequestCount": "1", "failedRequestCount": "1"}
    assert metadata["output"]["responsesFile"] == operation["response"]["responsesFile"]
    assert metadata["endTime"] == metadata["updateTime"] > metadata["createTime"]


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta", "/download/v1", "/download/v1beta"])
def test_results_are_served_at_every_documented_address(
    http: httpx2.Client, client: genai.Client, gemini: EmulatorHandle, prefix: str
) -> None:
    job = create(client, [line("CA:Lincoln:2023:1")])
    gemini.advance(30)
    name = f"files/batch-{named(job).removeprefix('batches/')}"

    reply = http.get(f"{prefix}/{name}:download", params={"alt": "media"})
    assert (reply.status_code, reply.text.count("\n")) == (200, 1)


def test_page_sizes_and_tokens_are_checked(http: httpx2.Client) -> None:
    for query in ("pageSize=x", "pageSize=-1", "pageToken=nonsense", "filter=a"):
        assert http.get(f"/v1/batches?{query}").status_code == 400
    assert http.get("/v1/batches?pageSize=0").json() == {}
