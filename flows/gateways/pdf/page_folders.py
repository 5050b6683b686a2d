"""The folder that holds the page images of one PDF: its marker, what in it is ours, and its replacement in one step.

A folder with a marker was made here, whole; one without is a person's own. The images of both can lie together as long
as no page has two. How images come into being stands in `pdf.worker`, for which PDFs in `rendering`.
"""

import dataclasses
import filecmp
import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.gateways.pdf.worker import Note, RenderSettings
from flows.gateways.ports import SOURCE_MARKER, TEMPORARY_PREFIX, DurableFiles

ENDINGS = ("jpg", "jp2", "png")
"""How the names of images end that are made of a page."""
MAX_PAGES = 1_000_000
"""No PDF has more pages; a marker that says so was not written here."""
MAX_MARKER_BYTES = 16_000_000
"""Enough for a note on each page that a PDF can have; a larger one would only fill the memory."""
_TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + r"pdf-[0-9a-f]{16}")
OWN_IMAGES = "the folder already holds images of its own"
PageOf = Callable[[str], int | None]
"""The number of the page that an image is, by the name of its file; None: its name is no number."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the images in a folder were made from. ``source``: the PDF, relative to the source documents; ``pages``: as
    many as it has, 0 when it cannot be opened; ``notes``: what was said of them, to be said again by each scan;
    ``meets``: nothing was made, since a person's images in the folder are some of its pages already; ``endings``: page
    -> how the name of its image ends, if not in ``jpg``."""

    source: str
    bytes: int
    modified_ns: int
    render: RenderSettings
    pages: int
    notes: tuple[Note, ...]
    meets: bool = False
    endings: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def images(self) -> set[str]:
        """The names of the images that were made."""
        if self.meets:
            return set()
        left_out = {note.page for note in self.notes if note.left_out}
        pages = (str(page) for page in range(1, self.pages + 1) if page not in left_out)
        return {f"{page}.{self.endings.get(page, 'jpg')}" for page in pages}


class FolderProblemError(Exception):
    """Why images cannot go into a folder, in a few words for a person."""


def find_folder(top: Path, fields: Sequence[str]) -> Path:
    """Where the images of a document lie or are to lie: below ``top``, each field a folder.

    A folder whose name is the same but for how its letters are coded is that folder. Raises FolderProblemError for one
    that is not really below ``top``.
    """
    folder = top
    for field in fields:
        folder = _child(folder, field)
    if folder.is_symlink():
        raise FolderProblemError(f"the folder of its images, {folder}, is a symbolic link")
    if not folder.parent.resolve().is_relative_to(top.resolve()):
        raise FolderProblemError(f"the folder of its images, {folder}, leads out of {top}")
    return folder


def names_in(folder: Path) -> set[str] | None:
    """What a folder holds; None if there is none. Raises FolderProblemError if it cannot be looked into."""
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names alone, of a million files
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderProblemError(f"the folder of its images, {folder}, is unreadable: {error.strerror}") from None


def own_pages(names: set[str], marker: Marker | None, page_of: PageOf) -> dict[int, str]:
    """The pages that a person's files in the folder are, each with the name of one: all but what was made."""
    made = marker.images() if marker is not None else set()
    own = sorted(name for name in names - made if not name.startswith("."))
    return {page: name for name in reversed(own) if (page := page_of(name)) is not None}


def check_meeting(own: Mapping[int, str], pages: int) -> None:
    """Raise FolderProblemError if a PDF of so many pages and a person's images have a page in common."""
    meeting = sorted(page for page in own if 1 <= page <= pages)
    if meeting:
        page = meeting[0]
        raise FolderProblemError(
            f"{OWN_IMAGES}: {own[page]} is page {page}, and so is page {page} of the PDF"
            + (f", like {len(meeting) - 1} more" if meeting[1:] else "")
        )


def read_marker(folder: Path, names: set[str] | None, page_of: PageOf) -> Marker | None:
    """The marker of a folder that holds ``names``; None if nothing was made there yet.

    Raises FolderProblemError for a folder whose marker cannot be understood, and for one without a marker in which
    a person's image is the first page, so that no PDF has to be opened to see that the two meet.
    """
    if names is None or SOURCE_MARKER not in names:
        check_meeting(own_pages(names or set(), None, page_of), 1)
        for name in sorted(names or ()):
            _check_file(folder, name)
        return None
    try:
        said: dict[str, Any] = json.loads(_text_of(folder / SOURCE_MARKER))
        notes = tuple(Note(**note) for note in said.pop("notes"))
        return _checked(Marker(render=RenderSettings(**said.pop("render")), notes=notes, **said))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FolderProblemError(
            f"the file {SOURCE_MARKER} in the folder of its images cannot be read; delete that folder, and they are "
            "made anew"
        ) from None


def _text_of(marker: Path) -> str:
    """Raises ValueError for what would never end, or fill the memory; OSError."""
    if not marker.is_file() or marker.stat().st_size > MAX_MARKER_BYTES:
        raise ValueError("not the marker of a PDF")
    return marker.read_text(encoding="utf-8")


def _checked(marker: Marker) -> Marker:
    """Raises ValueError unless the values are of their types, and no more pages are told of than there can be."""
    if not (isinstance(marker.endings, dict) and set(marker.endings.values()) <= set(ENDINGS)):
        raise ValueError("not the marker of a PDF")
    notes = all(isinstance(note.reason, str) and type(note.page) in (int, type(None)) for note in marker.notes)
    if not (notes and isinstance(marker.source, str) and type(marker.pages) is int and marker.pages <= MAX_PAGES):
        raise ValueError("not the marker of a PDF")
    return marker


def note_meeting(folder: Path, marker: Marker, *, files: DurableFiles, check: Callable[[], None]) -> None:
    """Leave a marker among a person's images, so that the PDF is not opened again by each scan."""
    text = json.dumps(asdict(marker), ensure_ascii=False, indent=1) + "\n"
    check()
    files.replace_file(folder / SOURCE_MARKER, lambda path: _write_text(path, text))


def make_temporary(folder: Path) -> Path:
    """A new folder beside ``folder``, to become it. Raises FolderProblemError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_beside(folder)
        temporary.mkdir()
    except OSError as error:
        raise FolderProblemError(f"the folder of its images, {folder}, cannot be made: {error.strerror}") from None
    return temporary


def replace_folder(
    folder: Path,
    temporary: Path,
    marker: Marker,
    before: Marker | None,
    *,
    files: DurableFiles,
    check: Callable[[], None],
) -> None:
    """Let ``temporary``, which holds the images of ``marker``, take the place of ``folder``, which held ``before``.

    An image that did not change keeps its file, with its time, and so does what a person added. ``check``: raises if
    we may not write any more. Raises FolderProblemError, OSError; then ``folder`` is as it was.
    """
    names = names_in(folder)
    if names is not None:
        _keep(folder, temporary, names - {SOURCE_MARKER}, marker.images(), before.images() if before else set())
    text = json.dumps(asdict(marker), ensure_ascii=False, indent=1) + "\n"
    # Last, and durable with the names of the images: a folder that has its marker is whole.
    files.replace_file(temporary / SOURCE_MARKER, lambda path: _write_text(path, text))
    check()
    old = None
    if names is not None:
        old = _temporary_beside(folder)
        folder.rename(old)
    # A crash here leaves two whole folders and none in place: `clear_leftovers` puts one there.
    temporary.rename(folder)
    files.sync_folder(folder.parent)
    if old is not None:
        shutil.rmtree(old)


def clear_leftovers(parent: Path, *, files: DurableFiles, check: Callable[[], None]) -> None:
    """Heal what a crash left in ``parent``, in which folders of PDFs lie: a whole folder whose place is empty is put
    there, all else that bears our name is removed. Raises OSError."""
    if not parent.is_dir():
        return
    for name in sorted(os.listdir(parent)):  # noqa: PTH208
        left = parent / name
        if not _TEMPORARY.fullmatch(name) or left.is_symlink() or not left.is_dir():
            continue
        check()
        marker = None
        with suppress(FolderProblemError):
            marker = read_marker(left, names_in(left), lambda name: None)
        place = _child(parent, unicodedata.normalize("NFC", Path(marker.source).stem)) if marker else None
        if place is not None and not os.path.lexists(place):
            left.rename(place)
            files.sync_folder(parent)
        else:
            shutil.rmtree(left)


def _keep(folder: Path, temporary: Path, names: set[str], new: set[str], old: set[str]) -> None:
    for name in sorted(names - old):
        if name in new:
            raise FolderProblemError(_not_made(name))
        _check_file(folder, name)
        _link(folder / name, temporary / name)
    for name in sorted(names & old & new):
        if (folder / name).is_file() and filecmp.cmp(folder / name, temporary / name, shallow=False):
            (temporary / name).unlink()
            _link(folder / name, temporary / name)


def _check_file(folder: Path, name: str) -> None:
    """A folder or a link in the folder of images would be lost when that is replaced."""
    if not (folder / name).is_file() or (folder / name).is_symlink():
        raise FolderProblemError(_not_made(name))


def _not_made(name: str) -> str:
    return f"the folder of its images holds {name}, which is not made from it; move it away"


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        # Not every share knows hard links.
        shutil.copy2(source, target)


def _child(parent: Path, field: str) -> Path:
    """``parent/field``, or the folder there that is called the same in another coding of its letters."""
    child = parent / field
    if field.isascii() or os.path.lexists(child):
        return child
    with suppress(OSError):
        for name in os.listdir(parent):  # noqa: PTH208
            if unicodedata.normalize("NFC", name) == field:
                return parent / name
    return child


def _temporary_beside(folder: Path) -> Path:
    return folder.with_name(f"{TEMPORARY_PREFIX}pdf-{secrets.token_hex(8)}")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
