"""The processes in which workers run (`pdf.pages`): one after the other renders many PDFs, since it takes as long to
start as five pages do. What they are told to do, and what an end before the last line means, stands in `pdf.worker`.

A process that anything went wrong in is never used again: a PDF is somebody else's program, and what it has broken
must not reach the next.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from assets.domain.errors import RenderError

WORKER = Path(__file__).with_name("pages.py")
"""Started by its path and not imported: pdfium has no business in this process."""
MOST_PDFS = 200
"""In one process: what a library forgets to give back does not pile up."""
LOOK_SECONDS = 0.2


class StoppedError(Exception):
    """We were told to stop."""


class WorkerLostError(Exception):
    """A worker that ended before its last line. ``is_slow``: we ended it."""

    def __init__(self, reason: str, *, is_slow: bool) -> None:
        super().__init__(reason)
        self.is_slow = is_slow


@dataclass(slots=True)
class _Process:
    worker: subprocess.Popen[bytes]
    errors: IO[bytes]
    memory_bytes: int
    pdfs: int = 0
    is_ready: bool = False

    @classmethod
    def started(cls, memory_bytes: int) -> "_Process":
        # -P: the worker's own folder is no place to import from. Not multiprocessing, which would load the whole of
        # Prefect into each worker with the program that was started.
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # In a session of its own: it is for us to end it, and not for Ctrl-C.
        worker = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", str(WORKER), str(memory_bytes)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        return cls(worker, errors, memory_bytes)

    def send(self, order: dict[str, Any]) -> None:
        """Standard input stays open: its end tells the worker that we are gone."""
        assert self.worker.stdin is not None  # noqa: S101 - as it was opened
        # It may have ended just now; its answers end, too, and that is where it is dealt with.
        with suppress(BrokenPipeError):
            self.worker.stdin.write(json.dumps(order).encode() + b"\n")

    def end(self) -> None:
        self.worker.kill()
        with self.worker, self.errors:
            """Waits for it, and closes what was open."""


@dataclass(slots=True)
class Workers:
    """The processes of a rendering; `close` ends them. Used from several threads."""

    _idle: list[_Process] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def answers(
        self, order: dict[str, Any], *, memory_bytes: int, seconds: float, is_stopped: Callable[[], bool]
    ) -> Generator[dict[str, Any], None, None]:
        """Carry out an `Order` of `pdf.pages` in a process that may take ``memory_bytes``: what it says, a line at most
        ``seconds`` after the other. Raises WorkerLostError, StoppedError, RenderError if no worker starts."""
        process, is_good = self._process(memory_bytes), False
        try:
            if process.is_ready:
                process.send(order)
            for said in _lines(process.worker, seconds, is_stopped):
                if "ready" in said:
                    process.is_ready = True
                    process.send(order)
                elif "end" in said:
                    is_good = said["end"] == "good"
                    return
                else:
                    yield said
            raise _lost(process)
        finally:
            self._give_back(process, is_good)

    def _process(self, memory_bytes: int) -> _Process:
        with self._lock:
            found = next((each for each in self._idle if each.memory_bytes == memory_bytes), None)
            if found is not None:
                self._idle.remove(found)
        return found or _Process.started(memory_bytes)

    def _give_back(self, process: _Process, is_good: bool) -> None:
        process.pdfs += 1
        if is_good and process.pdfs < MOST_PDFS:
            with self._lock:
                self._idle.append(process)
        else:
            process.end()


def _lost(process: _Process) -> Exception:
    code = process.worker.wait()
    if not process.is_ready and code > 0:
        return RenderError(f"the program that renders PDFs does not start: {_last_line(process.errors)}")
    how = f"signal {-code}" if code < 0 else f"status {code}"
    megabytes = process.memory_bytes // 2**20
    return WorkerLostError(
        f"ended the program that does it ({how}), as what takes more than {megabytes} MB of memory does", is_slow=False
    )


def _lines(worker: subprocess.Popen[bytes], seconds: float, is_stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """What the worker says until it ends. Raises StoppedError, and WorkerLostError when it is silent for too long."""
    assert worker.stdout is not None  # noqa: S101 - as it was opened
    descriptor = worker.stdout.fileno()
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        deadline = time.monotonic() + seconds
        while True:
            if is_stopped():
                raise StoppedError
            if time.monotonic() > deadline:
                raise WorkerLostError(f"takes longer than {seconds:g} seconds", is_slow=True)
            if not selector.select(LOOK_SECONDS):
                continue
            read = os.read(descriptor, 65536)
            if not read:
                return
            *lines, buffer = (buffer + read).split(b"\n")
            for line in lines:
                yield json.loads(line)
                deadline = time.monotonic() + seconds


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"
