"""One PDF, rendered by workers (`pdf.pages`), one after the other until each page is an image or is known to be none.

A worker that dies or takes too long says by that which page is to blame: the one after the last that it told of. Which
PDFs are rendered, and what becomes of the images, stands in `rendering`.
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
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from assets.domain.errors import RenderError

WORKER = Path(__file__).with_name("pages.py")
"""Started by its path and not imported: pdfium has no business in this process."""
PAGE_SECONDS = 120.0
"""A page takes well under a second, a large one of many images a few; this is one that would never end."""
MAX_LOST_PAGES = 5
"""After so many pages that broke a worker, the rest of a PDF is left alone: each costs up to PAGE_SECONDS."""

_BASE_BYTES = 256 * 1024 * 1024
_BYTES_PER_PIXEL = 8
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """What an image looks like, and which page is too dangerous to become one; as in the settings."""

    dpi: int
    max_side_pixels: int
    jpeg_quality: int
    max_image_pixels: int
    lossless: bool = False

    @property
    def worker_bytes(self) -> int:
        """The memory that a worker may take: two of the largest images with four bytes a pixel, and what pdfium needs
        for a scan of 34 million pixels in JPEG 2000, its most hungry format (measured). Two workers and their parent
        stay below 1 GB."""
        return _BASE_BYTES + _BYTES_PER_PIXEL * self.max_side_pixels**2


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know of a page, or with ``page`` None of the whole PDF. ``left_out``: there is no image."""

    page: int | None
    reason: str
    left_out: bool = True


@dataclass(slots=True)
class RenderedPdf:
    """``pages``: as many as the PDF has, 0 when it could not be opened; an image of each that no note leaves out;
    ``endings``: page -> how the name of its image ends, if not in ``jpg``."""

    pages: int = 0
    notes: list[Note] = field(default_factory=list)
    next_page: int = 1
    endings: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return self.next_page > self.pages > 0


class UnreadableError(Exception):
    """A PDF that the system does not let us read now; tomorrow it may. ``str(error)``: why."""


class StoppedError(Exception):
    """We were told to stop."""


class _WorkerLostError(Exception):
    """A worker that ended before its last line. ``is_slow``: we ended it."""

    def __init__(self, reason: str, *, is_slow: bool) -> None:
        super().__init__(reason)
        self.is_slow = is_slow


class Room:
    """The memory that all workers of a rendering share: many at once, or one alone, which may take as much as two."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shared = 0
        self._asking_alone = 0
        self._is_alone = False

    @contextmanager
    def shared(self, is_stopped: Callable[[], bool]) -> Iterator[None]:
        """Raises StoppedError while it waits."""
        with self._changed:
            self._wait(lambda: not self._asking_alone, is_stopped)
            self._shared += 1
        try:
            yield
        finally:
            with self._changed:
                self._shared -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, is_stopped: Callable[[], bool]) -> Iterator[None]:
        """Comes before all that want to share. Raises StoppedError while it waits."""
        with self._changed:
            self._asking_alone += 1
        try:
            with self._changed:
                self._wait(lambda: not self._shared and not self._is_alone, is_stopped)
                self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False
        finally:
            with self._changed:
                self._asking_alone -= 1
                self._changed.notify_all()

    def _wait(self, is_free: Callable[[], bool], is_stopped: Callable[[], bool]) -> None:
        while not is_free():
            if is_stopped():
                raise StoppedError
            self._changed.wait(_LOOK_SECONDS)


def render_pdf(
    pdf: Path,
    folder: Path,
    settings: RenderSettings,
    *,
    room: Room,
    page_seconds: float,
    is_stopped: Callable[[], bool],
    on_page: Callable[[RenderedPdf], None],
) -> RenderedPdf:
    """Write ``{page}.jpg``, or another ending, into ``folder`` for each page of ``pdf`` that can be an image.

    ``room``: shared by all that render at once; ``page_seconds``: how long a page may take; ``on_page``: called after
    each. Raises UnreadableError, StoppedError, RenderError if no worker starts, OSError for trouble with the disk that
    is written to.
    """
    found = RenderedPdf()
    suspect, lost = -1, 0
    while True:
        page = found.next_page if found.pages else 0
        is_alone = page == suspect
        order = asdict(settings) | {"pdf": str(pdf), "folder": str(folder), "first_page": found.next_page}
        order["last_page"] = found.next_page if is_alone else None
        try:
            with room.alone(is_stopped) if is_alone else room.shared(is_stopped):
                memory_bytes = settings.worker_bytes * (2 if is_alone else 1)
                with closing(_run_worker(order, memory_bytes, page_seconds, is_stopped)) as answers:
                    for said in answers:
                        _take(said, found, on_page)
            if found.is_complete or not found.pages or not is_alone:
                return found
        except _WorkerLostError as error:
            page = found.next_page if found.pages else 0
            if found.is_complete:
                return found
            if page != suspect and not error.is_slow:
                # Once more, alone and with more memory; and the first may have been ended by somebody else.
                suspect = page
                continue
            if page == 0:
                found.notes.append(Note(None, f"opening it {error}"))
                return found
            lost += 1
            found.notes.append(Note(page, f"rendering it {error}"))
            found.next_page += 1
            on_page(found)
            if lost == MAX_LOST_PAGES:
                reason = f"{lost} pages before it could not be rendered, so it was not tried"
                found.notes += [Note(each, reason) for each in range(found.next_page, found.pages + 1)]
                found.next_page = found.pages + 1
            if found.is_complete:
                return found


def _run_worker(
    order: dict[str, Any], memory_bytes: int, page_seconds: float, is_stopped: Callable[[], bool]
) -> Generator[dict[str, Any], None, None]:
    """Carry out an `Order` of `pdf.pages`: what the worker says of it. Raises _WorkerLostError, StoppedError,
    RenderError."""
    # -P: the worker's own folder is no place to import from. Not multiprocessing, which would load the whole of Prefect
    # into each worker with the program that was started.
    command = [sys.executable, "-P", str(WORKER), str(memory_bytes)]
    with (
        tempfile.TemporaryFile() as errors,
        # In a session of its own: it is for us to end it, and not for Ctrl-C.
        subprocess.Popen(  # noqa: S603
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as worker,
    ):
        try:
            is_ready = False
            for said in _answers(worker, page_seconds, is_stopped):
                if "ready" in said:
                    is_ready = True
                    _send(worker, order)
                elif "end" in said:
                    return
                else:
                    yield said
            code = worker.wait()
            if not is_ready and code > 0:
                raise RenderError(f"the program that renders PDFs does not start: {_last_line(errors)}")
            raise _WorkerLostError(
                f"ended the program that does it ({_end_of(code)}), as what takes more than "
                f"{memory_bytes // 2**20} MB of memory does",
                is_slow=False,
            )
        finally:
            worker.kill()


def _take(said: dict[str, Any], found: RenderedPdf, on_page: Callable[[RenderedPdf], None]) -> None:
    if "unreadable" in said:
        raise UnreadableError(said["unreadable"])
    if "disk" in said:
        raise OSError(*said["disk"])
    if "failed" in said:
        found.notes.append(Note(None, said["failed"]))
    elif "pages" in said:
        if said["mended"] and not found.pages:
            reason = "it is damaged and was mended, so pages or parts of them may be missing"
            found.notes.append(Note(None, reason, left_out=False))
        found.pages = said["pages"]
    else:
        if said["reason"] is not None:
            found.notes.append(Note(said["page"], said["reason"], said["left_out"]))
        if said.get("ending", "jpg") != "jpg":
            found.endings[str(said["page"])] = said["ending"]
        found.next_page = said["page"] + 1
        on_page(found)


def _answers(
    worker: subprocess.Popen[bytes], page_seconds: float, is_stopped: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """What the worker says until it ends. Raises StoppedError, and _WorkerLostError when it is silent for too long."""
    assert worker.stdout is not None  # noqa: S101 - as it was opened
    descriptor = worker.stdout.fileno()
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        deadline = time.monotonic() + page_seconds
        while True:
            if is_stopped():
                raise StoppedError
            if time.monotonic() > deadline:
                raise _WorkerLostError(f"takes longer than {page_seconds:g} seconds", is_slow=True)
            if not selector.select(_LOOK_SECONDS):
                continue
            read = os.read(descriptor, 65536)
            if not read:
                return
            *lines, buffer = (buffer + read).split(b"\n")
            for line in lines:
                yield json.loads(line)
                deadline = time.monotonic() + page_seconds


def _send(worker: subprocess.Popen[bytes], order: dict[str, Any]) -> None:
    assert worker.stdin is not None  # noqa: S101 - as it was opened
    try:
        # It stays open: its end tells the worker that we are gone.
        worker.stdin.write(json.dumps(order).encode() + b"\n")
    except BrokenPipeError:
        # It was ended just now; its answers end, too, and that is where it is dealt with.
        return


def _end_of(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"status {code}"


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"
