"""The viewer that ``quire demo --keep`` leaves beside the servers. Its address lets in whoever has it, so the file that
holds it is the user's alone.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from flows.demo.place import DemoFolder
from flows.setup.processes import is_alive, is_pid

READY_SECONDS = 60.0
_QUIRE = (sys.executable, "-c", "from flows.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Viewer:
    pid: int
    address: str


def running_viewer(folder: DemoFolder) -> Viewer | None:
    """The one that an earlier demo has left, if it still runs."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_record(folder).read_text(encoding="utf-8"))
        if is_pid(noted["pid"]) and is_alive(noted["pid"]):
            return Viewer(noted["pid"], str(noted["address"]))
    return None


def start_viewer(folder: DemoFolder) -> Viewer | None:
    """Start one that outlives the demo, if none runs. None: it did not come up, and its log says why."""
    if (found := running_viewer(folder)) is not None:
        return found
    log = folder.logs / "viewer.log"
    with _private(log) as file:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*_QUIRE, "view", "--no-browser", "--config", str(folder.config)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()
        if len(said) > 1 and (addresses := [line for line in said if line.startswith("http://")]):
            viewer = Viewer(process.pid, addresses[0])
            with _private(_record(folder)) as file:
                file.write(json.dumps(asdict(viewer)).encode())
            return viewer
        time.sleep(0.1)
    process.terminate()
    return None


def _record(folder: DemoFolder) -> Path:
    return folder.path / "viewer.json"


def _private(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
