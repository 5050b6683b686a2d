"""The in-memory twin of the Gemini gateway: for tests of flows that need no HTTP. It keeps what the port promises
(``tests/contracts/gemini/test_port.py`` runs on both) and nothing of the wire; for books and engines use the emulator.
"""

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TypeVar

from assets.domain.batch import BATCH_ID_PREFIX, JobState, RemoteFile, RemoteJob
from assets.domain.errors import GeminiAccessError, GeminiError, GeminiRefusedError
from flows.gateways.gemini_values import id_in

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class InMemoryGemini:
    """Implements GeminiGateway. ``calls``: the methods as they were called, faults included."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.contents: dict[str, bytes] = {}
        self._files: dict[str, RemoteFile] = {}
        self._jobs: dict[str, RemoteJob] = {}
        self._inputs: dict[str, str] = {}
        self._faults: dict[str, deque[tuple[GeminiError, str]]] = {}
        self._numbers = itertools.count(1)

    def add_fault(self, call: str, error: GeminiError, *, when: str = "before") -> None:
        """The next call of this method raises ``error``, ``before`` or ``after`` it took effect."""
        self._faults.setdefault(call, deque()).append((error, when))

    def input_keys(self, name: str) -> list[str]:
        """The record keys of a job's input file, in its order."""
        lines = self.contents[self._inputs[name]].split(b"\n")
        return [json.loads(line)["key"] for line in lines if line]

    def end_job(self, name: str, state: JobState, lines: Iterable[bytes] | None = None) -> RemoteJob:
        """End a job. ``lines``: those of its result file, without their ends; None: it has none."""
        result_file = None
        if lines is not None:
            result_file = f"files/batch-{name.removeprefix(BATCH_ID_PREFIX)}{'0' * 40}"
            self.contents[result_file] = b"".join(line + b"\n" for line in lines)
        job = self._jobs[name]
        ended_at = job.created_at + timedelta(hours=1) if job.created_at else None
        self._jobs[name] = replace(
            job, state=state, raw_state=f"JOB_STATE_{state}", result_file=result_file, ended_at=ended_at
        )
        return self._jobs[name]

    async def upload(self, source: Path | IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile:
        content = source.read_bytes() if isinstance(source, Path) else source.read()  # noqa: ASYNC240  (small files)

        def effect() -> RemoteFile:
            if mime_type.startswith("image/") and mime_type not in IMAGE_TYPES:
                raise GeminiRefusedError(f"upload of {display_name}: HTTP 400, {mime_type} is not taken", status=400)
            name = f"files/f{next(self._numbers)}"
            file = RemoteFile(name, f"https://gemini.test/v1/{name}", mime_type, display_name, len(content))
            self._files[name], self.contents[name] = file, content
            return file

        return self._run("upload", effect)

    async def list_files(self) -> list[RemoteFile]:
        return self._run("list_files", lambda: list(self._files.values())[::-1])

    async def delete_file(self, name: str) -> None:
        if len(id_in(name, "files/")) > 40:
            raise GeminiRefusedError(f"delete of {name}: Gemini keeps its result files until they expire")

        def effect() -> None:
            self._files.pop(name, None)
            self.contents.pop(name, None)

        self._run("delete_file", effect)

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        def effect() -> RemoteJob:
            if input_file not in self._files:
                raise GeminiRefusedError(f"create of {display_name}: HTTP 400, {input_file} is not there", status=400)
            number = next(self._numbers)
            job = RemoteJob(
                name=f"{BATCH_ID_PREFIX}b{number}",
                display_name=display_name,
                state=JobState.PENDING,
                raw_state="JOB_STATE_PENDING",
                model=f"models/{model}",
                result_file=None,
                created_at=START + timedelta(seconds=number),
            )
            self._jobs[job.name], self._inputs[job.name] = job, input_file
            return job

        return self._run("create_job", effect)

    async def get_job(self, name: str) -> RemoteJob:
        return self._run("get_job", lambda: self._job(name))

    async def list_jobs(self) -> list[RemoteJob]:
        return self._run("list_jobs", lambda: list(self._jobs.values())[::-1])

    async def download(self, file_name: str, destination: Path) -> int:
        def effect() -> int:
            if file_name not in self.contents:
                raise GeminiAccessError(f"download of {file_name}: HTTP 403, it is not there", status=403)
            return destination.write_bytes(self.contents[file_name])

        return self._run("download", effect)

    async def cancel_job(self, name: str) -> None:
        def effect() -> None:
            if self._job(name).is_terminal:
                raise GeminiRefusedError(f"cancel of {name}: HTTP 400, it has ended", status=400)
            self.end_job(name, JobState.CANCELLED)

        self._run("cancel_job", effect)

    async def delete_job(self, name: str) -> None:
        id_in(name, BATCH_ID_PREFIX)
        self._run("delete_job", lambda: self._jobs.pop(name, None))

    def redacted(self, text: str) -> str:
        return text

    async def close(self) -> None:
        pass

    def _job(self, name: str) -> RemoteJob:
        id_in(name, BATCH_ID_PREFIX)
        if name not in self._jobs:
            raise GeminiAccessError(f"look at {name}: HTTP 404, it is not there", status=404)
        return self._jobs[name]

    def _run(self, call: str, effect: Callable[[], T]) -> T:
        """Note the call, and do it with the fault that waits for it, if one does."""
        self.calls.append(call)
        waiting = self._faults.get(call)
        error, when = waiting.popleft() if waiting else (None, "")
        if error is not None and when == "before":
            raise error
        result = effect()
        if error is not None:
            raise error
        return result
