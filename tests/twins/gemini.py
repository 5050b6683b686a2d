"""The in-memory twin of the Gemini gateway: for tests of flows that need no HTTP. It keeps what the port promises
(``tests/contracts/gemini/test_port.py`` runs on both) and nothing of the wire; for engines and bills use the emulator.
"""

import itertools
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeVar

from assets.domain.batch import BATCH_ID_PREFIX, JobState, RemoteFile, RemoteJob
from assets.domain.errors import GeminiAccessError, GeminiError, GeminiRefusedError
from flows.gateways.gemini.values import id_in

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MadeJob:
    """A job in the books: it stays there whatever becomes of it. ``keys``: of its lines, in their order; ``images``:
    the contents of the files that each line refers to, likewise."""

    name: str
    display_name: str
    keys: tuple[str, ...]
    images: tuple[tuple[bytes, ...], ...]
    created_at: datetime


async def _no_matter(call: str) -> None:
    """What is done before a call, if nobody wants to do anything."""


class InMemoryGemini:
    """Implements GeminiGateway.

    ``now``: its clock. ``before_call``: awaited with the method's name before each call. ``calls``: the methods as they
    were called, faults included. ``made``: every job that was ever created, oldest first; ``on_made``: told of each;
    ``ended``: batch id -> the state that it ended in.
    ``is_other_project``: the key is another project's: its lists are empty, and it knows and takes nothing of ours.
    ``list_lag``: how long a job that is made now is missing in lists. ``cancels``: whether a cancel takes effect, or
    comes too late, which its answer does not tell.
    """

    def __init__(
        self, *, now: Callable[[], datetime] = lambda: START, before_call: Callable[[str], Awaitable[None]] = _no_matter
    ) -> None:
        self.calls: list[str] = []
        self.contents: dict[str, bytes] = {}
        self.made: list[MadeJob] = []
        self.ended: dict[str, JobState] = {}
        self.on_made: Callable[[MadeJob], None] = lambda made: None
        self.list_lag = timedelta()
        self.cancels = True
        self.is_other_project = False
        self._now, self._before_call = now, before_call
        self._files: dict[str, RemoteFile] = {}
        self._jobs: dict[str, RemoteJob] = {}
        self._listed_from: dict[str, datetime] = {}
        self._faults: dict[str, deque[tuple[GeminiError, str]]] = {}
        self._numbers = itertools.count(1)

    # --- what a test does

    def add_fault(self, call: str, error: GeminiError, *, when: str = "before") -> None:
        """The next call of this method raises ``error``, ``before`` or ``after`` it took effect."""
        self._faults.setdefault(call, deque()).append((error, when))

    def clear_faults(self) -> None:
        self._faults.clear()

    @property
    def has_faults(self) -> bool:
        """Whether a fault still waits for its call."""
        return any(self._faults.values())

    def list_everything(self) -> None:
        """No job is missing in lists any more."""
        self.list_lag = timedelta()
        self._listed_from.clear()

    def is_listed(self, name: str) -> bool:
        """Whether a list shows the job now."""
        return name in self._jobs and self._listed_from.get(name, START) <= self._now()

    def jobs(self) -> list[RemoteJob]:
        """Those that are there, oldest first, also the ones that lists lack."""
        return list(self._jobs.values())

    def files(self) -> list[RemoteFile]:
        """What was uploaded and is there, oldest first."""
        return list(self._files.values())

    def forget_job(self, name: str) -> None:
        """From now on it answers 404."""
        del self._jobs[name]

    def forget_result(self, name: str) -> None:
        """The job's result file is gone."""
        self.contents.pop(self._jobs[name].result_file or "", None)

    def has_result(self, job: RemoteJob) -> bool:
        """Whether its result file can be had."""
        return job.result_file in self.contents

    def end_job(self, name: str, state: JobState, lines: Iterable[bytes] | None = None) -> RemoteJob:
        """End a job. ``lines``: those of its result file, without their ends; None: it has none."""
        result_file = None
        if lines is not None:
            result_file = f"files/batch-{name.removeprefix(BATCH_ID_PREFIX)}{'0' * 40}"
            self.contents[result_file] = b"".join(line + b"\n" for line in lines)
        self._jobs[name] = replace(
            self._jobs[name],
            state=state,
            raw_state=f"JOB_STATE_{state}",
            result_file=result_file,
            ended_at=self._now(),
        )
        self.ended[name] = state
        return self._jobs[name]

    # --- the port

    @property
    def key_fingerprint(self) -> str:
        return "another" if self.is_other_project else "ours"

    async def upload(self, source: Path | IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile:
        content = source.read_bytes() if isinstance(source, Path) else source.read()  # noqa: ASYNC240  (small files)

        def effect() -> RemoteFile:
            if mime_type.startswith("image/") and mime_type not in IMAGE_TYPES:
                raise GeminiRefusedError(f"upload of {display_name}: HTTP 400, {mime_type} is not taken", status=400)
            name = f"files/f{next(self._numbers)}"
            file = RemoteFile(name, f"https://gemini.test/v1/{name}", mime_type, display_name, len(content))
            self._files[name], self.contents[name] = file, content
            return file

        return await self._run("upload", effect)

    async def list_files(self) -> list[RemoteFile]:
        return await self._run("list_files", lambda: [] if self.is_other_project else list(self._files.values())[::-1])

    async def delete_file(self, name: str) -> None:
        if len(id_in(name, "files/")) > 40:
            raise GeminiRefusedError(f"delete of {name}: Gemini keeps its result files until they expire")

        def effect() -> None:
            self._files.pop(name, None)
            self.contents.pop(name, None)

        await self._run("delete_file", effect)

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        def effect() -> RemoteJob:
            if input_file not in self._files:
                raise GeminiRefusedError(f"create of {display_name}: HTTP 400, {input_file} is not there", status=400)
            job = RemoteJob(
                name=f"{BATCH_ID_PREFIX}b{next(self._numbers)}",
                display_name=display_name,
                state=JobState.PENDING,
                raw_state="JOB_STATE_PENDING",
                model=f"models/{model}",
                result_file=None,
                # No two at the same time: the older one can be told.
                created_at=self._now() + timedelta(microseconds=len(self.made)),
            )
            self._jobs[job.name], self._listed_from[job.name] = job, self._now() + self.list_lag
            lines = [json.loads(line) for line in self.contents[input_file].split(b"\n") if line]
            keys = tuple(line["key"] for line in lines)
            images = tuple(tuple(self._referred_to(line)) for line in lines)
            self.made.append(MadeJob(job.name, display_name, keys, images, self._now()))
            self.on_made(self.made[-1])
            return job

        return await self._run("create_job", effect)

    def _referred_to(self, line: Mapping[str, Any]) -> Iterator[bytes]:
        for content in line.get("request", {}).get("contents", ()):
            for part in content.get("parts", ()):
                uri = part.get("file_data", {}).get("file_uri", "")
                if (name := uri.partition("/v1/")[2]) in self.contents:
                    yield self.contents[name]

    async def get_job(self, name: str) -> RemoteJob:
        return await self._run("get_job", lambda: self._job(name))

    async def list_jobs(self) -> list[RemoteJob]:
        return await self._run(
            "list_jobs",
            lambda: [
                job for job in reversed(self._jobs.values()) if self.is_listed(job.name) and not self.is_other_project
            ],
        )

    async def download(self, file_name: str, destination: Path) -> int:
        def effect() -> int:
            if file_name not in self.contents:
                raise GeminiAccessError(f"download of {file_name}: HTTP 403, it is not there", status=403)
            return destination.write_bytes(self.contents[file_name])

        return await self._run("download", effect)

    async def cancel_job(self, name: str) -> None:
        def effect() -> None:
            if self._job(name).is_terminal:
                raise GeminiRefusedError(f"cancel of {name}: HTTP 400, it has ended", status=400)
            if self.cancels:
                self.end_job(name, JobState.CANCELLED)

        await self._run("cancel_job", effect)

    async def delete_job(self, name: str) -> None:
        id_in(name, BATCH_ID_PREFIX)
        await self._run("delete_job", lambda: self._jobs.pop(name, None))

    async def generate(self, *, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            if not request.get("contents"):
                raise GeminiRefusedError(f"generateContent of {model}: HTTP 400, contents is not specified", status=400)
            parts = [{"text": "{}"}]
            return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}

        return await self._run("generate", effect)

    def redacted(self, text: str) -> str:
        return text

    async def close(self) -> None:
        pass

    def _job(self, name: str) -> RemoteJob:
        id_in(name, BATCH_ID_PREFIX)
        if name not in self._jobs:
            raise GeminiAccessError(f"look at {name}: HTTP 404, it is not there", status=404)
        return self._jobs[name]

    async def _run(self, call: str, effect: Callable[[], T]) -> T:
        """Note the call, and do it with the fault that waits for it, if one does."""
        await self._before_call(call)
        self.calls.append(call)
        waiting = self._faults.get(call)
        error, when = waiting.popleft() if waiting else (None, "")
        if error is not None and when == "before":
            raise error
        if self.is_other_project and call not in ("list_files", "list_jobs"):
            raise GeminiAccessError(f"{call}: HTTP 403, not in this project", status=403)
        result = effect()
        if error is not None:
            raise error
        return result
