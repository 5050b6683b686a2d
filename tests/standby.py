"""A process that has imported everything, and becomes ``quire`` as often as it is asked to: each time a process of its
own, forked, that runs the real command line. Importing Prefect takes seconds; a fork takes none of them.

What a test can do with such a process: see where it is by what it asks of others, stop it and let it go on, end it, and
turn its clocks from outside, as they would be after a machine was suspended. Or just wait for its end
(`tests.command.run_quire`).
"""

import asyncio
import importlib
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from prefect.context import refresh_global_settings_context
from prefect.logging.configuration import setup_logging

from flows.setup.trial import Places
from tests.crash_matrix.effects import install
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_server import PrefectServer, prefect_settings

ROOT = Path(__file__).parents[1]
DEADLINE_SECONDS = 600
"""A pass takes seconds, and minutes on a machine that has much else to do."""
_OFFSET = struct.Struct("d")


@dataclass
class Child:
    """A ``quire`` that runs. ``folder``: what it prints, and how far its clocks are turned. What it prints to standard
    error is in a file of its own only if it was asked for."""

    pid: int
    folder: Path
    _standby: "Standby"
    _status: int | None = None

    @property
    def printed(self) -> str:
        """Standard output and standard error so far, Prefect's log with them."""
        return (self.folder / "printed").read_text(encoding="utf-8", errors="replace")

    @property
    def errors(self) -> str:
        """Standard error so far, if it was asked for by itself."""
        return (self.folder / "errors").read_text(encoding="utf-8", errors="replace")

    @property
    def said(self) -> list[str]:
        """What it printed in its own name, without Prefect's log."""
        return [line for line in self.printed.splitlines() if " | " not in line and line.strip()]

    @property
    def is_running(self) -> bool:
        return _state_of(self.pid) not in ("Z", "")

    async def until_struck(self, gemini: EmulatorHandle, fault_id: str) -> None:
        """Wait until it has come to the call that this row of the fault table is for."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not any(row["id"] == fault_id and row["struck"] for row in gemini.faults()):
                assert self.is_running, f"it ended before it came there:\n{self.printed}"
                await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Hold it where it is; returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while _state_of(self.pid) != "T":
            assert time.monotonic() < deadline, f"process {self.pid} does not stop"
            time.sleep(0.001)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def turn_clocks(self, seconds: float) -> None:
        """Let its clocks that count from the start of the machine be so far ahead."""
        with (self.folder / "offset").open("r+b") as file:
            file.write(_OFFSET.pack(seconds))

    async def ended(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        if self._status is None:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while self.is_running:  # noqa: ASYNC110 - it is no child of ours
                    await asyncio.sleep(0.02)
            self._status = self._standby.reap(self.pid)
        return self._status

    def kill(self) -> None:
        """End it with -9, if it runs."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._status = self._standby.reap(self.pid)


class Standby:
    """The process that waits. Not for use from several threads."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._children: list[Child] = []

    def quire(
        self,
        *arguments: str,
        server: PrefectServer,
        api_url: str | None = None,
        effects: Mapping[str, Any] | None = None,
        ahead_seconds: float = 0.0,
    ) -> Child:
        """Run the command in a process of its own. ``api_url``: of a proxy, if it goes to ``server`` through one;
        ``ahead_seconds``: by how much its time of day is; ``effects``: count its effects on the world, and perhaps end
        it at one: see `tests.crash_matrix.effects.install`."""
        return self._start(
            arguments,
            api_url=api_url or server.api_url,
            home=str(server.home),
            effects=effects,
            ahead_seconds=ahead_seconds,
        )

    def quire_in(self, *arguments: str, env: Mapping[str, str], cwd: Path) -> Child:
        """Run the command in a process of its own, in that environment and folder, its errors in a file of their
        own."""
        return self._start(arguments, environment=dict(env), cwd=str(cwd))

    def _start(self, arguments: Sequence[str], **order: Any) -> Child:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        (folder / "offset").write_bytes(_OFFSET.pack(0.0))
        child = Child(self._ask({"arguments": arguments, "folder": str(folder), **order}), folder, self)
        self._children.append(child)
        return child

    def reap(self, pid: int) -> int:
        return self._ask({"reap": pid})

    def kill_all(self) -> None:
        """End what still runs."""
        for child in self._children:
            child.kill()
        self._children.clear()

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def standing_by(folder: Path, **environment: str) -> Iterator[Standby]:
    """``folder``: an empty one, for what the children print. ``environment``: variables of theirs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ours = {"DO_NOT_TRACK": "1", "GEMINI_API_KEY": API_KEY, "PREFECT_HOME": str(folder / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.standby"],
        cwd=ROOT,
        env=kept | ours | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        standby = Standby(process, folder)
        yield standby
        standby.kill_all()
    finally:
        process.communicate()


def _state_of(pid: int) -> str:
    """The letter of its state in /proc; "" when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


# --- in the process that waits, and in its children


def _serve() -> None:
    import flows.cli
    import flows.terminal.reruns
    import flows.terminal.show
    import flows.terminal.watch  # noqa: F401 - what the command would import

    # What a pass imports on its way, the largest of it.
    for name in (
        "flows.gateways.gemini.client",
        "fastapi",
        "graphviz",
        "httpcore2",
        "pandas",
        "config.schemas.page_transcript",
    ):
        importlib.import_module(name)

    for line in sys.stdin:
        order = json.loads(line)
        if "reap" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["reap"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _become_quire(order)
        print(answer, flush=True)  # noqa: T201 - this is how it answers


def _become_quire(order: Mapping[str, Any]) -> NoReturn:
    from flows.cli import main

    folder = Path(order["folder"])
    errors = "errors" if "environment" in order else "printed"
    for descriptor, name in ((0, os.devnull), (1, folder / "printed"), (2, folder / errors)):
        with Path(name).open("ab" if descriptor else "rb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = ["quire", *order["arguments"]]
    if "environment" in order:
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["cwd"])
        _let_prefect_look()
        _let_prefect_look_after_the_servers_were_joined()
        main()
        sys.exit(0)
    _follow(folder / "offset")
    time_of_day = time.time
    time.time = lambda: time_of_day() + order["ahead_seconds"]
    if order["effects"] is not None:
        install(**order["effects"])
    with prefect_settings(order["api_url"], Path(order["home"])):
        main()
    sys.exit(0)


def _let_prefect_look() -> None:
    """As it does in a new process when it is imported: at the environment."""
    refresh_global_settings_context()
    setup_logging(incremental=False)  # else only levels would follow the environment


def _let_prefect_look_after_the_servers_were_joined() -> None:
    """A command joins the servers of `quire up` before it imports Prefect, which here is imported already."""
    options: Any = importlib.import_module("flows.commands.options")
    join: Callable[[Path | None, MutableMapping[str, str]], Places | None] = options.join_servers

    def joined(config: Path | None, environ: MutableMapping[str, str]) -> Places | None:
        before = dict(environ)
        try:
            return join(config, environ)
        finally:
            if environ != before:
                _let_prefect_look()

    options.join_servers = joined


def _follow(file: Path) -> None:
    """From now on the clocks that count from the start of the machine are ahead by the seconds in ``file``."""
    with file.open("rb") as opened:
        offset = mmap.mmap(opened.fileno(), _OFFSET.size, prot=mmap.PROT_READ)
    monotonic, clock_gettime = time.monotonic, time.clock_gettime
    turned = {getattr(time, name, None) for name in ("CLOCK_MONOTONIC", "CLOCK_BOOTTIME")}
    time.monotonic = lambda: monotonic() + _OFFSET.unpack(offset[:])[0]
    time.clock_gettime = lambda clock: clock_gettime(clock) + (_OFFSET.unpack(offset[:])[0] if clock in turned else 0)


if __name__ == "__main__":
    _serve()
