"""What tests of the deployments share: Prefect's REST API, workers, waiting."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

WAIT_SECONDS = 240.0


class Api:
    """Prefect's REST API. SQLite answers 503 while others write, so each call is tried until it gets through."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        for attempt in Retrying(
            retry=retry_if_exception(_is_busy), wait=wait_fixed(0.5), stop=stop_after_delay(60), reraise=True
        ):
            with attempt:
                answer = self._client.request(method, path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def runs_of(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        runs: list[dict[str, Any]] = self.call("POST", "/flow_runs/filter", wanted)
        return runs

    def close(self) -> None:
        self._client.close()


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 503


def going(runs: list[dict[str, Any]]) -> bool:
    return any(run["state_type"] in ("PENDING", "RUNNING", "CANCELLING") for run in runs)


def wait_until(is_so: Callable[[], bool], say: Callable[[], str], *, seconds: float = WAIT_SECONDS) -> None:
    """``say``: what to read when it did not come about."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, say()
        time.sleep(0.25)


def prefect(environment: Mapping[str, str], folder: Path, *arguments: str) -> str:
    """Run the command ``prefect`` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def process_worker(
    environment: Mapping[str, str], folder: Path, name: str = "worker"
) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker of the pool quire-process; ended with all that it started. ``folder``: its own, with its log."""
    command = ["worker", "start", "--pool", "quire-process", "--type", "process", "--name", name]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *command],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
