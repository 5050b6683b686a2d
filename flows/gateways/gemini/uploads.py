"""Uploads of many images with retries, on any GeminiGateway. What becomes of the uploads is for the flows to say.

Every try is a fresh upload under a fresh display name, ``{submission id}-{n}-{try}``, counted from 1: what a failed try
may have left behind at Gemini carries the submission id, so that it can be found and deleted later.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import tenacity

from assets.domain.batch import RemoteFile
from assets.domain.errors import (
    GeminiAccessError,
    GeminiError,
    GeminiRefusedError,
    GeminiSpendingError,
    ImageError,
    UnfitImageError,
)
from flows.gateways.ports import GeminiGateway, Prepared

FAILURES_IN_A_ROW_TO_STOP = 16
"""After so many pages in a row for which all tries failed the service is down: the others are not tried."""
LONGEST_BACKOFF_SECONDS = 60


@dataclass(frozen=True, slots=True)
class UploadItem:
    """One image. ``frame``: which page of its file, from 0; ``mime_type``: the file's; ``n``: its number in the
    submission, which makes its display name; ``columns``: the first one of the image that is the page, and the one
    behind the last; None: all are."""

    key: str
    path: Path
    frame: int
    mime_type: str
    n: int
    columns: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """What was made of an image for its upload, without the bytes. ``sha256``: of the original file, in hex;
    ``mime_type``, ``size_bytes``: of what goes up; ``conversion``: a few words, or "" if it went up as it is;
    ``original_bytes``, ``original_modified_ns``: of the original file, as it was when it was read."""

    sha256: str
    mime_type: str
    size_bytes: int
    conversion: str
    original_bytes: int
    original_modified_ns: int


Prepare = Callable[[UploadItem], Awaitable[Prepared]]
"""Makes of an image what goes up. Raises ImageError, OSError."""


@dataclass(slots=True)
class UploadReport:
    """What became of each item; every record key stands in exactly one of the three.

    ``failed``: record key -> reason, in one line; the next pass may have more luck. ``refused``: record key -> reason:
    Gemini answered that the image, as it is, will never be taken. ``unreadable``: those of ``failed`` that this machine
    could not read. ``unfit``: those of ``unreadable`` that stay so as long as their file is as it is. ``prepared``:
    what each image that could be read was made into, also where the upload failed. ``had_failed_tries``: some try
    failed, and may have left a file of which nobody knows the name.
    """

    uploaded: dict[str, RemoteFile] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    unfit: dict[str, UnfitImageError] = field(default_factory=dict)
    prepared: dict[str, PreparedImage] = field(default_factory=dict)
    had_failed_tries: bool = False


async def upload_with_retries(
    gemini: GeminiGateway,
    items: Iterable[UploadItem],
    *,
    prepare: Prepare,
    submission_id: str,
    attempts: int,
    backoff_seconds: float,
    concurrency: int,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    enough: asyncio.Event | None = None,
) -> UploadReport:
    """Upload ``items``, ``concurrency`` at once, each at most ``attempts`` times, with pauses of ``backoff_seconds``
    that double each time. ``enough``: once it is set, what is on its way still arrives, and no other try begins.

    At most ``concurrency`` files are open, or held as the bytes that were made of them. Raises GeminiAccessError (401,
    403, 404) and GeminiSpendingError, which would be the same for all, after the uploads that are under way were
    stopped.
    """
    uploader = _Uploader(gemini, prepare, submission_id, attempts, backoff_seconds, sleep, enough or asyncio.Event())
    return await uploader.run(items, concurrency)


class _Uploader:
    def __init__(
        self,
        gemini: GeminiGateway,
        prepare: Prepare,
        submission_id: str,
        attempts: int,
        backoff_seconds: float,
        sleep: Callable[[float], Awaitable[None]],
        enough: asyncio.Event,
    ) -> None:
        self._gemini = gemini
        self._prepare = prepare
        self._submission_id = submission_id
        self._attempts = attempts
        self._backoff_seconds = backoff_seconds
        self._sleep = sleep
        self._enough = enough
        self._report = UploadReport()
        self._failures_in_a_row = 0
        self._same_for_all: GeminiAccessError | GeminiSpendingError | None = None

    async def run(self, items: Iterable[UploadItem], concurrency: int) -> UploadReport:
        queue = iter(items)  # shared by the workers: each takes the next item when it is free
        async with anyio.create_task_group() as group:
            for _ in range(concurrency):
                group.start_soon(self._work, queue, group.cancel_scope, max(FAILURES_IN_A_ROW_TO_STOP, concurrency))
        if self._same_for_all is not None:
            raise self._same_for_all
        return self._report

    async def _work(self, queue: Iterable[UploadItem], scope: anyio.CancelScope, failures_to_stop: int) -> None:
        for item in queue:
            if self._failures_in_a_row >= failures_to_stop:
                self._report.failed[item.key] = f"not tried: {self._failures_in_a_row} uploads in a row failed"
                continue
            if self._enough.is_set():
                self._report.failed[item.key] = "not tried: nothing more is sent"
                continue
            try:
                self._report.uploaded[item.key] = await self._upload(item)
                self._failures_in_a_row = 0
            except (GeminiAccessError, GeminiSpendingError) as error:
                self._same_for_all = self._same_for_all or error
                scope.cancel()
                return
            except GeminiRefusedError as error:
                self._report.refused[item.key] = str(error)
                self._failures_in_a_row = 0
            except GeminiError as error:
                self._report.failed[item.key] = str(error)
                self._failures_in_a_row += 1
            except OSError as error:  # the image is gone or unreadable: nothing that Gemini could help
                self._report.failed[item.key] = f"{item.path} cannot be read: {error.strerror or error}"
                self._report.unreadable.add(item.key)
            except ImageError as error:
                if isinstance(error, UnfitImageError):
                    self._report.unfit[item.key] = error
                self._report.failed[item.key] = f"{item.path} cannot be read: {error.reason}"
                self._report.unreadable.add(item.key)

    async def _upload(self, item: UploadItem) -> RemoteFile:
        prepared = await self._prepare(item)
        self._report.prepared[item.key] = PreparedImage(
            prepared.sha256,
            prepared.mime_type,
            prepared.size_bytes,
            prepared.conversion,
            prepared.original_bytes,
            prepared.original_modified_ns,
        )
        tries = tenacity.AsyncRetrying(
            sleep=self._sleep,
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_exponential(multiplier=self._backoff_seconds, max=LONGEST_BACKOFF_SECONDS),
            retry=tenacity.retry_if_exception(self._may_try_again),
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                name = f"{self._submission_id}-{item.n}-{attempt.retry_state.attempt_number}"
                # A stream is read to its end by a try, so each has one of its own.
                source = prepared.source if isinstance(prepared.source, Path) else io.BytesIO(prepared.source)
                try:
                    return await self._gemini.upload(source, display_name=name, mime_type=prepared.mime_type)
                except GeminiError:
                    self._report.had_failed_tries = True
                    raise
        raise AssertionError("tenacity returns or raises")

    def _may_try_again(self, error: BaseException) -> bool:
        return isinstance(error, GeminiError) and error.retry_helps and not self._enough.is_set()
