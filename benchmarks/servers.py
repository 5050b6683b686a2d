"""The servers that a whole run talks to, as processes of their own on this machine: Prefect's, with its database in a
file, and the local Gemini (``script`` engine, no latency)."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.setup.servers import Servers, ServersFolder, alone_on_this_machine

ROOT = Path(__file__).parents[1]
QUIRE = ("-c", "from flows.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Place:
    """``folder``: a temporary one, for whatever a side writes; ``environment``: of its commands."""

    folder: Path
    environment: dict[str, str]
    gemini_url: str


@contextlib.contextmanager
def running_place(*, with_prefect: bool) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        of_servers = ServersFolder(folder / "servers")
        environment = {
            **os.environ,
            **alone_on_this_machine(os.environ, of_servers),
            "PYTHONPATH": str(ROOT),
            "GEMINI_API_KEY": "bench-key",
        }
        if with_prefect:
            servers = Servers(of_servers, environment, ["prefect"])
            servers.launch()
            stack.callback(servers.end)
            asyncio.run(servers.wait_until_ready())
            environment["PREFECT_API_URL"] = f"{servers.prefect_url}/api"
        yield Place(folder, environment, stack.enter_context(_gemini(environment, folder)))


@contextlib.contextmanager
def _gemini(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    command = [sys.executable, *QUIRE, "emulator", "--engine", "script", "--port", "0"]
    process = subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline() if process.stdout is not None else ""
        yield re.findall(r"http://[^ ,]+", said)[0]
    finally:
        process.terminate()
        process.wait()
