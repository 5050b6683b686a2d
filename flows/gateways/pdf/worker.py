"""One PDF, rendered by workers (`pdf.pages`, in `pdf.processes`), one after the other until each page is an image or is
known to be none.

A worker that dies or takes too long says by that which page is to blame: the one after the last that it told of. Which
PDFs are rendered, and what becomes of the images, stands in `rendering`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.gateways.pdf.processes import LOOK_SECONDS, StoppedError, WorkerLostError, Workers

PAGE_SECONDS = 120.0
"""A page takes well under a second, a large one of many images a few; this is one that would never end."""
MAX_LOST_PAGES = 5
"""After so many pages that broke a worker, the rest of a PDF is left alone: each costs up to PAGE_SECONDS."""

_BASE_BYTES = 256 * 1024 * 1024
_BYTES_PER_PIXEL = 8


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
            self._changed.wait(LOOK_SECONDS)


def render_pdf(
    pdf: Path,
    folder: Path,
    settings: RenderSettings,
    *,
    room: Room,
    workers: Workers,
    page_seconds: float,
    is_stopped: Callable[[], bool],
    on_page: Callable[[RenderedPdf], None],
) -> RenderedPdf:
    """Write ``{page}.jpg``, or another ending, into ``folder`` for each page of ``pdf`` that can be an image.

    ``room``, ``workers``: shared by all that render at once; ``page_seconds``: how long a page may take; ``on_page``:
    called after each. Raises UnreadableError, StoppedError, RenderError if no worker starts, OSError for trouble with
    the disk that is written to.
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
                said_by = workers.answers(order, memory_bytes=memory_bytes, seconds=page_seconds, is_stopped=is_stopped)
                with closing(said_by) as answers:
                    for said in answers:
                        _take(said, found, on_page)
            if found.is_complete or not found.pages or not is_alone:
                return found
        except WorkerLostError as error:
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
