"""Which PDFs have to be rendered, and their rendering, several at once. How one becomes images is in `pdf.worker`, how
these get to their place in `page_folders`, which PDFs there are in `pdf.tree`.

A PDF is rendered when its folder does not say that just this file was rendered in just this way, or when one of the
images that were made is gone. All else is known from the folder's marker, and no PDF is opened.
"""

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from assets.domain.errors import DiskError
from assets.sources import SourcePdf, SourceProblem
from flows.gateways.pdf.page_folders import (
    ENDINGS,
    FolderProblemError,
    Marker,
    PageOf,
    check_meeting,
    clear_leftovers,
    find_folder,
    make_temporary,
    names_in,
    note_meeting,
    own_pages,
    read_marker,
    replace_folder,
)
from flows.gateways.pdf.processes import StoppedError, Workers
from flows.gateways.pdf.worker import (
    PAGE_SECONDS,
    Note,
    RenderedPdf,
    RenderSettings,
    Room,
    UnreadableError,
    render_pdf,
)
from flows.gateways.ports import DurableFiles

Check = Callable[[], None]
"""Raises if we may not write any more."""


@dataclass(frozen=True, slots=True)
class SourceFolders:
    """``source_documents``: where the PDFs lie; ``page_images``: where their images go, and nowhere else; ``files``:
    how what is written there is made durable; ``page_of``: which page a person's image is."""

    source_documents: Path
    page_images: Path
    files: DurableFiles
    page_of: PageOf


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF as it stands now. ``pages``: 0 if it cannot be opened, None if that is not known; ``images``: how many."""

    pdf: SourcePdf
    pages: int | None
    images: int
    problems: tuple[SourceProblem, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """``known``: needs nothing; ``todo``: has to be rendered."""

    known: list[Document]
    todo: list[SourcePdf]


@dataclass(slots=True)
class Progress:
    """How far a rendering is, for whoever looks from another thread; ``stop`` ends it."""

    stop: threading.Event = field(default_factory=threading.Event)
    _parts: dict[str, float] = field(default_factory=dict)

    def note(self, pdf: SourcePdf, found: RenderedPdf) -> None:
        self._parts[pdf.path] = (found.next_page - 1) / max(1, found.pages)

    def done(self, pdf: SourcePdf) -> None:
        self._parts[pdf.path] = 1.0

    def percent(self, of: int) -> int:
        """Of ``of`` PDFs, each counted alike: how many pages one has is known only when it is opened."""
        return int(100 * sum(list(self._parts.values())) / of)


def plan_rendering(
    pdfs: Sequence[SourcePdf], folders: SourceFolders, settings: RenderSettings, *, check: Check
) -> Plan:
    """Look which of ``pdfs`` have to be rendered, and clear away what a crash left. Raises OSError."""
    plan = Plan([], [])
    cleared: set[Path] = set()
    for pdf in pdfs:
        try:
            folder = find_folder(folders.page_images, pdf.fields)
            if folder.parent not in cleared:
                cleared.add(folder.parent)
                clear_leftovers(folder.parent, files=folders.files, check=check)
            names = names_in(folder)
            marker = read_marker(folder, names, folders.page_of)
            if marker is not None and marker.meets and _is_current(marker, pdf, settings):
                check_meeting(own_pages(names or set(), marker, folders.page_of), marker.pages)
                marker = None  # they do not meet any more
        except FolderProblemError as problem:
            plan.known.append(_left_out(pdf, str(problem)))
            continue
        if marker is not None and _is_current(marker, pdf, settings) and marker.images() <= (names or set()):
            plan.known.append(_document(pdf, marker))
        else:
            plan.todo.append(pdf)
    return plan


def render_all(
    pdfs: Sequence[SourcePdf],
    folders: SourceFolders,
    settings: RenderSettings,
    *,
    processes: int,
    check: Check,
    progress: Progress,
    page_seconds: float = PAGE_SECONDS,
) -> list[Document]:
    """Render each of ``pdfs``, ``processes`` at once, and put its images in place.

    ``check``: is called before each folder is put in place. Trouble with the disk leaves out the document, this time.
    Raises what ``check`` raises, RenderError, StoppedError; then the folders that were not replaced yet are as they
    were.
    """

    room, workers = Room(), Workers()

    def render(pdf: SourcePdf) -> Document:
        try:
            document = _render_one(pdf, folders, settings, room, workers, check, progress, page_seconds)
        except OSError as error:
            trouble = DiskError.of(error)
            if trouble is None:
                progress.stop.set()
                raise
            # A full disk, or a folder that cannot be written, is no reason not to look at all other pages. Nothing of
            # it is remembered: the next scan renders the document again.
            document = _left_out(pdf, f"its images cannot be written: {trouble}")
        except BaseException:
            # The others end soon, too, and the first trouble is the one that is told.
            progress.stop.set()
            raise
        progress.done(pdf)
        return document

    with closing(workers), ThreadPoolExecutor(processes, thread_name_prefix="render") as pool:
        futures = [pool.submit(render, pdf) for pdf in pdfs]
        wait(futures, return_when=FIRST_EXCEPTION)
        pool.shutdown(wait=True, cancel_futures=progress.stop.is_set())
    troubles = [error for each in futures if not each.cancelled() and (error := each.exception()) is not None]
    for trouble in sorted(troubles, key=lambda each: isinstance(each, StoppedError)):
        raise trouble
    return [each.result() for each in futures]


def _render_one(
    pdf: SourcePdf,
    folders: SourceFolders,
    settings: RenderSettings,
    room: Room,
    workers: Workers,
    check: Check,
    progress: Progress,
    page_seconds: float,
) -> Document:
    if progress.stop.is_set():
        raise StoppedError
    source = folders.source_documents / pdf.path
    try:
        folder = find_folder(folders.page_images, pdf.fields)
        names = names_in(folder) or set()
        before = read_marker(folder, names, folders.page_of)
        own = own_pages(names, before, folders.page_of)
        temporary = make_temporary(folder)
    except FolderProblemError as problem:
        return _left_out(pdf, str(problem))
    found = RenderedPdf()

    def look(so_far: RenderedPdf) -> None:
        nonlocal found
        found = so_far
        check_meeting(own, found.pages)
        progress.note(pdf, found)

    try:
        found = render_pdf(
            source,
            temporary,
            settings,
            room=room,
            workers=workers,
            page_seconds=page_seconds,
            is_stopped=progress.stop.is_set,
            on_page=look,
        )
        if not _is_unchanged(source, pdf):
            return _left_out(pdf, "it was changed while it was rendered; the next scan takes it again")
        notes = tuple(found.notes)
        marker = Marker(pdf.path, pdf.bytes, pdf.modified_ns, settings, found.pages, notes, endings=found.endings)
        for name in {f"{note.page}.{ending}" for note in notes if note.left_out for ending in ENDINGS}:
            # What a worker had begun to write when it was ended.
            (temporary / name).unlink(missing_ok=True)
        replace_folder(folder, temporary, marker, before, files=folders.files, check=check)
        return _document(pdf, marker)
    except FolderProblemError as problem:
        is_met = any(1 <= page <= found.pages for page in own)
        if is_met and (before is None or before.meets) and _is_unchanged(source, pdf):
            met = Marker(pdf.path, pdf.bytes, pdf.modified_ns, settings, found.pages, (), meets=True)
            note_meeting(folder, met, files=folders.files, check=check)
        return _left_out(pdf, str(problem))
    except UnreadableError as problem:
        return _left_out(pdf, f"unreadable: {problem}")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def not_current(pdf: SourcePdf, page_images: Path, settings: RenderSettings, *, page_of: PageOf) -> str | None:
    """Why the images of a PDF are not those that it has now, in a few words; None: they are. Opens no PDF, and looks at
    no image. Raises OSError."""
    try:
        folder = find_folder(page_images, pdf.fields)
        names = names_in(folder)
        marker = read_marker(folder, names, page_of)
        if marker is not None and marker.meets and _is_current(marker, pdf, settings):
            check_meeting(own_pages(names or set(), marker, page_of), marker.pages)
            marker = None
    except FolderProblemError as problem:
        return str(problem)
    if marker is None:
        return "no images were made of it yet"
    if _is_current(marker, pdf, settings):
        return None
    is_same = (marker.source, marker.bytes, marker.modified_ns) == (pdf.path, pdf.bytes, pdf.modified_ns)
    return "it was rendered with other settings" if is_same else "the PDF was changed since its images were made"


def _is_current(marker: Marker, pdf: SourcePdf, settings: RenderSettings) -> bool:
    was = (marker.source, marker.bytes, marker.modified_ns, marker.render)
    return was == (pdf.path, pdf.bytes, pdf.modified_ns, settings)


def _is_unchanged(source: Path, pdf: SourcePdf) -> bool:
    try:
        now = source.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (pdf.bytes, pdf.modified_ns)


def _document(pdf: SourcePdf, marker: Marker) -> Document:
    problems = tuple(_problem(pdf, note) for note in marker.notes)
    return Document(pdf, marker.pages, len(marker.images()), problems)


def _problem(pdf: SourcePdf, note: Note) -> SourceProblem:
    place = pdf.path if note.page is None else f"{pdf.path}, page {note.page}"
    return SourceProblem(place, note.reason, note.left_out)


def _left_out(pdf: SourcePdf, reason: str) -> Document:
    return Document(pdf, None, 0, (SourceProblem(pdf.path, reason),))
