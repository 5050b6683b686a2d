"""A real Prefect server for tests of any folder: one process on a free port of 127.0.0.1, with a home and a SQLite
database of its own. Starting one takes seconds, so a test session shares one; tests stay out of each other's
way by a collection of their own (`new_collection`)."""

import contextlib
import inspect
import os
import socket
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)
from prefect.utilities.asyncutils import run_coro_as_sync

from tests.server_standby import IN_MEMORY, ServerProcess, ServerStandby

# Each client of Prefect or Gemini reads all certificates of the world, 30 ms, and a pass has twenty of them. All
# servers of the tests speak plain HTTP, so one certificate will do. The variable is for subprocesses: Prefect looks
# when it is imported, so that what runs in this process is told by `prefect_settings`.
ONE_CERTIFICATE = str(Path(__file__).with_name("nobody.pem"))
os.environ["SSL_CERT_FILE"] = ONE_CERTIFICATE

START_TIMEOUT_SECONDS = 300.0
STOP_TIMEOUT_SECONDS = 20.0
OF_EVENTS = ("EVENT_PERSISTER", "TASK_RUN_RECORDER", "TRIGGERS")
OF_DEPLOYMENTS = (
    "SCHEDULER",
    "LATE_RUNS",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
)
"""Services of the server that look for work every few seconds."""
IN_MEMORY_DATABASE = f"sqlite+aiosqlite:///{IN_MEMORY}&uri=true&check_same_thread=false"

_standby = ServerStandby()


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A running server. ``api_url``: for PREFECT_API_URL; ``ui_url``: for a browser; ``log``: what it printed."""

    api_url: str
    ui_url: str
    home: Path
    log: Path
    process: ServerProcess

    def environment(self) -> dict[str, str]:
        """What a subprocess needs to work with this server."""
        return client_environment(self.api_url, self.home)


def client_environment(api_url: str, home: Path) -> dict[str, str]:
    """This process's environment without Prefect settings of its own, pointed at a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **kept,
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home),
        "DO_NOT_TRACK": "1",
    }


@contextlib.contextmanager
def running_prefect_server(
    home: Path,
    *,
    port: int | None = None,
    in_memory: bool = False,
    database_url: str | None = None,
    keeps_events: bool = True,
    password: str | None = None,
) -> Iterator[PrefectServer]:
    """Start a server, wait until it answers, and end it by its process id. ``home``: an empty folder, or the one of an
    earlier server that is to come back with its data. ``in_memory``: its database lives no longer than it does, and has
    one connection: SQLite in a file makes Prefect answer 503 whenever two writers meet, and its client wait 2 s.
    ``database_url``: another database than SQLite. ``keeps_events``: without, events are taken and thrown away, and
    task runs, which are made of events, are not recorded either; that is half of what a pass costs the server. Nor does
    it look after deployments. ``password``: ``name:password``, which it asks for."""
    port = port or free_port()
    ui_url = f"http://127.0.0.1:{port}"
    environment = {
        **client_environment(f"{ui_url}/api", home),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        # The UI takes the port from here; with --port alone it would call 4200.
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The storage in memory leaks a lock for good when the server restarts while a holder is dead.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # How often the server looks for leases that have run out; 15 seconds otherwise.
        "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "2",
    }
    if not keeps_events:
        for service in (*OF_EVENTS, *OF_DEPLOYMENTS):
            environment[f"PREFECT_SERVER_SERVICES_{service}_ENABLED"] = "false"
    if password is not None:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = password
    if in_memory or database_url:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database_url or IN_MEMORY_DATABASE
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    database = IN_MEMORY if in_memory else str(home / "prefect.db")
    process = _standby.start(environment, cwd=home, log=log, database=None if database_url else database)
    try:
        _wait_until_healthy(f"{ui_url}/api/health", process, log)
        yield PrefectServer(api_url=f"{ui_url}/api", ui_url=ui_url, home=home, log=log, process=process)
    finally:
        process.end(within_seconds=STOP_TIMEOUT_SECONDS)


@contextlib.contextmanager
def prefect_settings(api_url: str, home: Path) -> Iterator[None]:
    """Run flows of this process against a server. Heartbeats are off, as they cost a second for each sync flow."""
    with temporary_settings(
        {
            PREFECT_API_SSL_CERT_FILE: ONE_CERTIFICATE,
            PREFECT_API_URL: api_url,
            PREFECT_HOME: home,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
        }
    ):
        yield


def drain() -> None:
    """Send what this process still has to tell the server. Before it stops: else the process's end waits for it."""

    async def drain_workers() -> None:
        for waiting in (APILogWorker.instance().drain(), EventsWorker.drain_all()):
            if inspect.isawaitable(waiting):
                await waiting

    run_coro_as_sync(drain_workers())


def new_collection() -> str:
    """The name of a collection that no other test has."""
    return f"t{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_healthy(url: str, process: ServerProcess, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(URLError, OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the Prefect server did not start:\n{log.read_text(errors='replace')[-3000:]}")
