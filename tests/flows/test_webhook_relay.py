"""The program of docs/deployment.md that stands between Google's webhook and Prefect, as it stands there: a signed
message starts a pass, however often it comes, and no other one does.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from flows.deployments import DEPLOYMENTS, served
from tests.prefect_server import free_port
from tests.project import Project

PAGE = Path(__file__).parents[2] / "docs/deployment.md"
KEY = b"a key that Google gave"
BODY = b'{"type": "batch.succeeded", "data": {"id": "batches/1"}}'


@pytest.fixture
def relay(tmp_path: Path, prefect_api_url: str, collection: str) -> Iterator[str]:
    """The program, started; its address."""
    part = PAGE.read_text(encoding="utf-8").partition("<!-- the relay -->")[2].partition("<!-- end of the relay -->")[0]
    [code] = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    file = tmp_path / "relay.py"
    file.write_text(code)
    port = free_port()
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_api_url,
        "GEMINI_WEBHOOK_SECRET": "whsec_" + base64.b64encode(KEY).decode(),
        "DEPLOYMENT": f"pipeline/pipeline-{collection}",
        "PORT": str(port),
    }
    with (tmp_path / "relay.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(file)], env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def signed(name: str, *, key: bytes = KEY, at: float | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks. Another key has rotated in, so that there are two signatures."""
    sent_at = str(int(time.time() if at is None else at))
    said = hmac.new(key, f"{name}.{sent_at}.".encode() + BODY, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(b'of another key').decode()} v1,{base64.b64encode(said).decode()}"
    return {"webhook-id": name, "webhook-timestamp": sent_at, "webhook-signature": signature}


async def test_a_signed_message_starts_one_pass_and_no_other_message_does(project: Project, relay: str) -> None:
    [item] = [each for each in DEPLOYMENTS if each.name == "pipeline"]
    made = await asyncio.to_thread(served, item, project.config)
    made.name, made.schedules = f"pipeline-{project.collection}", []
    deployment: Any = made.apply()
    deployment = await deployment if asyncio.iscoroutine(deployment) else deployment

    async with httpx.AsyncClient() as client, asyncio.timeout(60):
        while True:
            try:
                answers = [await client.post(relay, content=BODY, headers={})]
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.1)
        wrong = (
            signed("msg_1", key=b"another key"),
            signed("msg_1", at=time.time() - 3600),
            signed("msg_1") | {"webhook-id": "msg_2"},
        )
        answers += [await client.post(relay, content=BODY, headers=headers) for headers in wrong]
        assert [each.status_code for each in answers] == [401] * 4
        assert await _runs(deployment) == []
        taken = [await client.post(relay, content=BODY, headers=signed(name)) for name in ("msg_1", "msg_1", "msg_2")]
    assert [each.status_code for each in taken] == [204] * 3
    runs = await _runs(deployment)
    assert [each["state_type"] for each in runs] == ["SCHEDULED"] * 2
    assert all(each["parameters"] == {"config": str(project.config)} for each in runs)
    [line] = re.findall(r"^    (curl .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    url = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    shell = await asyncio.create_subprocess_shell(f"{line.replace('/ID/', f'/{deployment}/')} --silent --fail", env=url)
    assert await shell.wait() == 0
    assert len(await _runs(deployment)) == 3
    async with get_client() as prefect:
        await prefect.delete_deployment(deployment)


class Google(BaseHTTPRequestHandler):
    """Takes a webhook, as Google's documentation has it."""

    taken: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        self.taken.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        said = json.dumps({"name": "webhooks/1", "id": "1", "new_signing_secret": "whsec_shown_once"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


def test_googles_own_library_registers_the_webhook_as_the_page_says(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(from google import genai\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with ThreadingHTTPServer(("127.0.0.1", 0), Google) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        environment = {**os.environ, "GEMINI_API_KEY": "made-up", "GOOGLE_GEMINI_BASE_URL": base}
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        server.shutdown()
    assert ended.stdout == "whsec_shown_once\n", ended.stderr
    [(path, body)] = Google.taken
    assert path.endswith("/webhooks")
    assert body["uri"] == "https://hooks.example.org/"
    assert set(body["subscribed_events"]) == {"batch.succeeded", "batch.failed", "batch.expired"}


async def _runs(deployment: Any) -> list[dict[str, Any]]:
    asked = {"deployments": {"id": {"any_": [str(deployment)]}}}
    async with get_client() as client:
        found: list[dict[str, Any]] = (await client.request("POST", "/flow_runs/filter", json=asked)).json()
    return found
