"""What a command looks at before it begins: whatever answers, or does not, is one line with the way out."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from assets.domain.errors import ConfigError, PrefectUnavailableError, QuireError
from flows.runtime.ready import check_ready
from tests.prefect_server import free_port


@contextmanager
def answering(status: int, body: Any, *, kind: str = "application/json") -> Iterator[str]:
    """A server that answers everything like this; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "quire.yaml"
    file.write_text("{}")
    return str(file)


def write(config: str, text: str) -> None:
    Path(config).write_text(text)


async def refusal(url: str, config: str, **options: bool) -> str:
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(QuireError) as refused:
        await check_ready(config, **options)
    assert isinstance(refused.value, PrefectUnavailableError | ConfigError)
    (line,) = str(refused.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>a router's page</html>", r"is not Prefect's API \(no JSON came\): PREFECT_API_URL ends in /api"),
        (200, {"hello": "world"}, r"is not Prefect's API \(it has no version\)"),
        (404, {"error": {"code": 404, "status": "NOT_FOUND"}}, r"is not Prefect's API \(status 404\)"),
        (404, {"detail": "Not Found"}, r"is not Prefect's API \(status 404\)"),
        (405, {}, r"is not Prefect's API \(status 405\)"),
        (418, {}, r"is not Prefect's API \(status 418\)"),
        (
            401,
            {"exception_message": "Unauthorized"},
            r"refuses us \(401\): set PREFECT_API_AUTH_STRING to what",
        ),
        (403, {}, r"refuses us \(403\): set PREFECT_API_AUTH_STRING"),
    ],
)
async def test_what_answers_and_is_no_prefect_of_ours_is_told(config: str, status: int, body: Any, said: str) -> None:
    with answering(status, body) as address:
        line = await refusal(f"{address}/api", config)
    assert address in line
    assert re.search(said, line), line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:4200/api", "which is no address: it looks like http://127.0.0.1:4200/api"),
        ("ftp://127.0.0.1/api", "which is no address: it looks like http://127.0.0.1:4200/api"),
        ("http://127.0.0.1:9/api", "Prefect does not answer at http://127.0.0.1:9/api"),
        ("", "no Prefect server is named, and none of quire up runs here: start one with quire up"),
    ],
)
async def test_an_address_at_which_nothing_can_be_is_told(config: str, url: str, said: str) -> None:
    assert said in await refusal(url, config)


async def test_a_local_gemini_that_was_not_started_is_told_before_a_pass_tries(config: str) -> None:
    port = free_port()
    write(config, f"gemini: {{base_url: 'http://127.0.0.1:{port}'}}")
    with answering(200, "3.9.1") as address:
        line = await refusal(f"{address}/api", config, service=True)
        assert f"gemini.base_url: nothing listens at http://127.0.0.1:{port}: start the local Gemini with" in line
        assert config in line
        with temporary_settings({PREFECT_API_URL: f"{address}/api"}):
            await check_ready(config)  # what only looks does without
        write(config, f"gemini: {{base_url: '{address}'}}")
        with temporary_settings({PREFECT_API_URL: f"{address}/api"}):
            await check_ready(config, service=True)
