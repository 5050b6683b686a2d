"""The servers that Quire starts on this machine: Prefect's and the local Gemini, each a process of its own.

Started with the settings that work, found again when an earlier command left them, and ended by process id. What is
done with them stands in `flows.setup.up` and `flows.demo.run`.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assets.domain.errors import QuireError
from flows.setup.processes import answers, direct, free_port, is_alive, is_free, is_pid, send_signal

Name = Literal["prefect", "emulator"]
BOTH: tuple[Name, ...] = ("prefect", "emulator")
USUAL_PORTS: Mapping[Name, int] = {"prefect": 4200, "emulator": 8790}
"""Prefect's own, and that of `quire emulator`."""

START_SECONDS = 600.0
"""Prefect's takes ten seconds, and minutes on a small machine that has much else to do; a person can end it."""
STOP_SECONDS = 20.0
_HEALTH = {"prefect": "/api/health", "emulator": "/emulator/clock"}
_SHOWN = {"prefect": "Prefect server", "emulator": "local Gemini"}


@dataclass(slots=True)
class Server:
    """``url``: without a path. ``process``: None for one that an earlier command started."""

    name: Name
    url: str
    pid: int
    process: subprocess.Popen[bytes] | None

    @property
    def shown(self) -> str:
        return _SHOWN[self.name]

    def ensure_alive(self, log: Path) -> None:
        """Raises QuireError if the server has ended."""
        if self.process is not None and self.process.poll() is not None:
            raise QuireError(f"the {self.shown} has ended with status {self.process.returncode}: see {log}")


@dataclass(frozen=True, slots=True)
class ServersFolder:
    """Where the servers of one command keep what is theirs. ``path``: absolute; it is made when they start."""

    path: Path

    @property
    def record(self) -> Path:
        """The addresses and process ids of the servers."""
        return self.path / "servers.json"

    @property
    def prefect_home(self) -> Path:
        """Prefect's database."""
        return self.path / "prefect"

    @property
    def logs(self) -> Path:
        return self.path / "logs"


class Servers:
    """Those in ``names``. ``launch`` finds or starts them, ``end`` ends those that are not to stay.

    ``environment``: theirs, with a PREFECT_HOME. ``usual_ports``: taken where they are free and nothing is known of an
    earlier start; a server that has none takes any port.
    """

    def __init__(
        self,
        folder: ServersFolder,
        environment: Mapping[str, str],
        names: Sequence[Name] = BOTH,
        *,
        usual_ports: Mapping[Name, int] | None = None,
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._names = tuple(names)
        self._usual_ports = usual_ports or {}
        self._all: dict[Name, Server] = {}
        self._kept = False

    @property
    def prefect_url(self) -> str:
        return self._all["prefect"].url

    @property
    def emulator_url(self) -> str:
        return self._all["emulator"].url

    @property
    def urls(self) -> dict[Name, str]:
        return {name: server.url for name, server in self._all.items()}

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._all.values()]

    @property
    def are_kept(self) -> bool:
        """An earlier ``--keep`` left them, or this one is to."""
        return self._kept

    def is_new(self, name: Name) -> bool:
        return self._all[name].process is not None

    def log_of(self, name: Name) -> Path:
        return self._folder.logs / f"{name}.log"

    def launch(self) -> None:
        """Find what runs already, start the rest. Does not wait: see `wait_until_ready`. Raises QuireError."""
        self._folder.path.mkdir(parents=True, exist_ok=True)
        record = _read_record(self._folder.record)
        commands: dict[Name, Callable[[int], _Command]] = {"prefect": _start_prefect, "emulator": _start_emulator}
        for name in self._names:
            found = _still_running(name, record.get(name), self._folder.record)
            self._all[name] = found if found is not None else self._launch(name, commands[name], record.get(name))
        self._kept = bool(record.get("kept")) and not any(self.is_new(name) for name in self._all)
        self._write_record()

    async def wait_until_ready(self) -> None:
        """Raises QuireError if one does not come up."""
        for server in self._all.values():
            deadline = time.monotonic() + START_SECONDS
            while not await asyncio.to_thread(answers, server.url + _HEALTH[server.name]):
                server.ensure_alive(self.log_of(server.name))
                if time.monotonic() > deadline:
                    raise QuireError(
                        f"the {server.shown} does not answer at {server.url}: see {self.log_of(server.name)}"
                    )
                await asyncio.sleep(0.2)

    def ensure_alive(self) -> None:
        """Raises QuireError if a server has ended."""
        for server in self._all.values():
            server.ensure_alive(self.log_of(server.name))

    def keep(self) -> None:
        """Leave both running."""
        self._kept = True
        self._write_record()

    def end(self) -> None:
        """End both, by process id, unless they are to stay."""
        if self._kept:
            return
        for server in self._all.values():
            send_signal(server.pid, signal.SIGTERM)
        for server in self._all.values():
            if not _wait_for_end(server):
                send_signal(server.pid, signal.SIGKILL)
                _wait_for_end(server)
            server.pid = 0
        self._write_record()

    # --- the local Gemini's own pages

    async def books(self) -> dict[str, Any]:
        """What was sent, answered and uploaded: docs/emulator.md describes each field."""
        return await asyncio.to_thread(_call, f"{self.emulator_url}/emulator/books")

    async def set_rules(self, records: list[dict[str, Any]]) -> None:
        await asyncio.to_thread(_call, f"{self.emulator_url}/emulator/rules", {"records": records})

    def _launch(self, name: Name, command: Callable[[int], "_Command"], earlier: Any) -> Server:
        # The address of the last time, if nobody has taken it since: bookmarks and typed commands go on working.
        wanted = _port_of(earlier) or self._usual_ports.get(name)
        port = wanted if wanted is not None and is_free(wanted) else free_port()
        chosen = command(port)
        log = self.log_of(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own servers
                [sys.executable, *chosen.arguments],
                env={**self._environment, **chosen.environment},
                cwd=self._folder.path,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the command, which then ends them in order
            )
        return Server(name, f"http://127.0.0.1:{port}", process.pid, process)

    def _write_record(self) -> None:
        record: dict[str, Any] = {each.name: {"url": each.url, "pid": each.pid} for each in self._all.values()}
        text = json.dumps({**record, "kept": self._kept}, indent=2)
        beside = self._folder.record.with_suffix(".tmp")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self._folder.record)  # other commands read it meanwhile


@dataclass(frozen=True, slots=True)
class _Command:
    arguments: list[str]
    environment: dict[str, str]


def _start_prefect(port: int) -> _Command:
    return _Command(
        ["-m", "prefect", "server", "start"],
        {
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            # The UI takes the port from here; with --port alone it would call 4200 (3.9.1, read in its source).
            "PREFECT_SERVER_API_PORT": str(port),
            # The newer UI cannot save a long Variable by mouse, and Variables are how people steer Quire.
            "PREFECT_SERVER_UI_V2_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            # In memory, a lock whose holder died during a restart stays taken for good.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        },
    )


def _start_emulator(port: int) -> _Command:
    code = "from flows.cli import main; main()"
    return _Command(["-c", code, "emulator", "--engine", "ocr", "--port", str(port)], {})


def alone_on_this_machine(environ: Mapping[str, str], folder: ServersFolder) -> dict[str, str]:
    """What makes a process one of this folder's servers, or a client of theirs: to be put over ``environ``."""
    own = "127.0.0.1,localhost"
    others = environ.get("NO_PROXY") or environ.get("no_proxy")
    return {
        "PREFECT_HOME": str(folder.prefect_home),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": f"{own},{others}" if others else own,
        "no_proxy": f"{own},{others}" if others else own,
    }


def running_servers(folder: ServersFolder) -> dict[Name, str]:
    """Name to address of those that an earlier command started there and that are running now. Nothing is asked of
    them; whether they answer is for whoever goes on with them."""
    record = _read_record(folder.record)
    found: dict[Name, str] = {}
    for name in BOTH:
        entry = record.get(name)
        if isinstance(entry, dict) and is_pid(entry.get("pid")) and is_alive(entry["pid"]):
            found[name] = str(entry.get("url"))
    return found


def _read_record(path: Path) -> dict[str, Any]:
    """What an earlier command wrote; nothing if it is not there or no such thing."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _still_running(name: Name, entry: Any, record: Path) -> Server | None:
    """The server of an earlier command, if it is there. Raises QuireError for one that is but does not answer: a second
    one on the same database would be worse."""
    if not isinstance(entry, dict) or not is_pid(entry.get("pid")) or not is_alive(entry["pid"]):
        return None
    server = Server(name, str(entry["url"]), int(entry["pid"]), None)
    if not answers(server.url + _HEALTH[name]):
        raise QuireError(
            f"an earlier command left the {server.shown} as process {server.pid}, and it does not answer: "
            f"kill {server.pid}, or delete {record} if that process is something else"
        )
    return server


def _call(url: str, body: Any = None) -> dict[str, Any]:
    """Raises QuireError."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - ours
    try:
        with direct.open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError) as error:
        raise QuireError(f"the local Gemini does not answer at {url}: {error}") from None


def _port_of(entry: Any) -> int | None:
    try:
        return int(str(entry["url"]).rpartition(":")[2])
    except (TypeError, KeyError, ValueError):
        return None


def _wait_for_end(server: Server) -> bool:
    """Whether the server ended in time."""
    if server.process is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(STOP_SECONDS)
        return server.process.poll() is not None
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(server.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_alive(server.pid)
