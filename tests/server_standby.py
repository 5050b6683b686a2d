"""A process that has imported Prefect's server, and becomes ``prefect server start`` as often as it is asked to: each
time a process of its own, forked, that runs the real command line. Its database is a copy of an empty one that
Prefect's own migrations have made, once for each version of Prefect: both are most of what a start takes.
"""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
IN_MEMORY = "file::memory:?cache=shared"
"""As Prefect's documentation names a database that ends with its process."""


@dataclass
class ServerProcess:
    """A server that was asked for. It leads a process group of its own."""

    pid: int
    _standby: "ServerStandby"
    _status: int | None = None

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        if self._status is None:
            self._status = self._standby.ask({"reap": self.pid})
        return self._status

    def end(self, *, within_seconds: float) -> None:
        """Ask it to end, and all that it has started; then make it."""
        deadline = time.monotonic() + within_seconds
        self._signal(signal.SIGTERM)
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.02)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class ServerStandby:
    """The process that waits: it is started with the first server, and ends with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def start(self, environment: Mapping[str, str], *, cwd: Path, log: Path, database: str | None) -> ServerProcess:
        """``database``: what is to be an empty one of Prefect's before the server starts, as sqlite3 names it."""
        order = {"environment": dict(environment), "cwd": str(cwd), "log": str(log), "database": database}
        pid = self.ask(order)
        assert pid is not None
        return ServerProcess(pid, self)

    def ask(self, order: Mapping[str, Any]) -> int | None:
        with self._lock:
            if self._process is None:
                kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
                command = [sys.executable, "-m", "tests.server_standby"]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, cwd=ROOT, env=kept, stdin=pipe, stdout=pipe, text=True)
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer: int | None = json.loads(self._process.stdout.readline())
            return answer


# --- in the process that waits, and in its children


def _serve() -> None:
    import prefect.cli
    import prefect.cli.server
    import prefect.server.api.server  # noqa: F401 - what the command would import

    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            pid, status = os.waitpid(order["reap"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                _become_server(order)
        print(json.dumps(answer), flush=True)  # noqa: T201 - this is how it answers


def _become_server(order: Mapping[str, Any]) -> NoReturn:
    import prefect.cli
    from prefect.context import refresh_global_settings_context

    os.setsid()
    with Path(os.devnull).open("rb") as nothing, Path(order["log"]).open("ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    refresh_global_settings_context()
    kept_open = _filled(order["database"]) if order["database"] is not None else None
    sys.argv = ["prefect", "server", "start"]
    prefect.cli.app()
    if kept_open is not None:
        kept_open.close()
    sys.exit(0)


def _filled(database: str) -> sqlite3.Connection:
    """An empty database of Prefect's, where there is none. One in memory is there as long as somebody has it open."""
    connection = sqlite3.connect(database, uri=database.startswith("file:"))
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        with closing(sqlite3.connect(_empty_database())) as empty:
            empty.backup(connection)
    return connection


def _empty_database() -> Path:
    """What Prefect's migrations make of nothing; made once, and kept for later runs."""
    import prefect

    folder = ROOT / ".pytest_cache"
    folder.mkdir(exist_ok=True)
    path = folder / f"prefect-{prefect.__version__}.sqlite"
    with (folder / "prefect.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=folder) as made:
                _migrate(Path(made) / "new.sqlite")
                with closing(sqlite3.connect(Path(made) / "new.sqlite")) as new:
                    new.execute("VACUUM INTO ?", (str(Path(made) / "whole.sqlite"),))
                (Path(made) / "whole.sqlite").replace(path)
    return path


def _migrate(path: Path) -> None:
    environment = {**os.environ, "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{path}"}
    upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    subprocess.run(upgrade, env=environment, check=True)


if __name__ == "__main__":
    _serve()
