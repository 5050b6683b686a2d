"""Walks of the folder trees: page images, allow list, output results. ``os.scandir`` all the way: a collection has a
million pages, and a walk is made in every pass.

What a walk finds is validated here, where the path is known; what is made of it stands in `assets`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from assets.domain.errors import RecordKeyError
from assets.domain.record import check_field, parse_page
from assets.sources import PageImage, SourceProblem, join_key
from flows.gateways.files import SOURCE_MARKER, TEMPORARY_PREFIX

IMAGE_SUFFIXES = {"jpg", "jpeg", "png", "webp"}
_HEAD_BYTES = 16

KnownImages = Mapping[tuple[str, int, int], str]
"""(path, bytes, modified_ns) -> MIME type, of images that were looked into before and have not changed since."""


@dataclass(frozen=True, slots=True)
class ImageWalk:
    """``images``: in no promised order; ``problems``: in the order of the walk."""

    images: list[PageImage]
    problems: list[SourceProblem]


def walk_images(folder: Path, *, root: Path, depth: int, known: KnownImages) -> ImageWalk:
    """All page images under ``folder``, whose first ``depth`` levels are the document's fields.

    Looks into a file (its first 16 bytes) only if ``known`` does not have it. Paths are relative to ``root``.
    """
    images: list[PageImage] = []
    problems: list[SourceProblem] = []
    prefix = os.path.relpath(folder, root)
    for fields, directory in _documents(folder, depth, problems):
        place = "/".join([prefix.replace(os.sep, "/"), *Path(os.path.relpath(directory, folder)).parts])
        pages: dict[int, PageImage] = {}
        doubled: dict[int, list[str]] = {}
        for entry in _entries(directory, problems, folder):
            image = _image(entry, fields, f"{place}/{entry.name}", known)
            if isinstance(image, SourceProblem):
                problems.append(image)
            elif image.page in pages:
                doubled.setdefault(image.page, [pages[image.page].path]).append(image.path)
            else:
                pages[image.page] = image
        for page, paths in doubled.items():
            # Which one is meant is for a person to say: a guess could pay for the wrong image.
            del pages[page]
            problems += [SourceProblem(path, f"page {page} has {len(paths)} images; keep one") for path in paths]
        images += pages.values()
    return ImageWalk(images, problems)


def walk_results(folder: Path, *, depth: int) -> list[str]:
    """Record keys that have a non-empty ``{page}.json`` under ``folder``: the records that are done.

    What no record key can name (a folder of somebody's, ``004.json``) is passed over. A result lies under its
    fields' names in NFC and nowhere else: that is where it is looked for when it is needed.
    """
    keys: list[str] = []
    for fields, directory in _documents(folder, depth, [], in_nfc=True):
        document = ":".join(fields)
        for entry in _entries(directory, [], folder):
            page, dot, suffix = entry.name.partition(".")
            if dot and suffix == "json" and _is_canonical(page) and _has_bytes(entry):
                keys.append(f"{document}:{page}")
    return keys


def walk_allowed(folder: Path, *, depth: int) -> tuple[set[str], list[SourceProblem]]:
    """Record keys that have a file ``{document}/{page}.json`` in the allow list; leading zeros do not count."""
    allowed: set[str] = set()
    problems: list[SourceProblem] = []
    for fields, directory in _documents(folder, depth, problems):
        for entry in _entries(directory, problems, folder):
            stem, _, suffix = entry.name.rpartition(".")
            try:
                page = parse_page(stem if suffix.lower() == "json" else entry.name)
            except RecordKeyError:
                place = os.path.relpath(entry.path, folder)
                problems.append(SourceProblem(place, "allow list: not a page number of 1 or more and .json"))
            else:
                allowed.add(join_key(fields, page))
    return allowed, problems


def _documents(
    folder: Path, depth: int, problems: list[SourceProblem], *, in_nfc: bool = False
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(fields, path) of every folder ``depth`` levels down. ``in_nfc``: the path is made of the fields, whatever the
    coding in which the file system tells its names; what is not there under that path is not found."""
    yield from _descend(os.fspath(folder), os.fspath(folder), depth, (), problems, in_nfc)


def _descend(
    top: str, directory: str, depth: int, fields: tuple[str, ...], problems: list[SourceProblem], in_nfc: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    if depth == 0:
        yield fields, directory
        return
    seen: set[str] = set()
    for entry in _entries(directory, problems, Path(top)):
        place = os.path.relpath(entry.path, top)
        if not entry.is_dir():
            problems.append(SourceProblem(place, f"a file where folders of {depth} more levels are expected"))
            continue
        try:
            field = check_field(entry.name)
        except RecordKeyError as error:
            problems.append(SourceProblem(place, error.reason))
            continue
        if field in seen:
            problems.append(SourceProblem(place, "the same name as another folder, but for how its letters are coded"))
            continue
        seen.add(field)
        below = os.path.join(directory, field) if in_nfc else entry.path  # noqa: PTH118 - a walk of a million files
        yield from _descend(top, below, depth - 1, (*fields, field), problems, in_nfc)


def _entries(directory: str | Path, problems: list[SourceProblem], top: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            kept = [entry for entry in found if not entry.name.startswith((TEMPORARY_PREFIX, SOURCE_MARKER))]
            return sorted(kept, key=lambda entry: entry.name)
    except FileNotFoundError:
        # Removed while we walked, or an output folder that nothing was written to yet.
        return []
    except OSError as error:
        problems.append(SourceProblem(os.path.relpath(directory, top), f"unreadable folder: {error.strerror}"))
        return []


def _image(
    entry: os.DirEntry[str], fields: tuple[str, ...], path: str, known: KnownImages
) -> PageImage | SourceProblem:
    stem, _, suffix = entry.name.rpartition(".")
    if suffix.lower() not in IMAGE_SUFFIXES:
        return SourceProblem(path, f"no page image: its name does not end in .{', .'.join(sorted(IMAGE_SUFFIXES))}")
    try:
        page = parse_page(stem)
    except RecordKeyError:
        return SourceProblem(path, "no page: its name is not a page number of 1 or more")
    try:
        found = entry.stat()
        if not entry.is_file():
            return SourceProblem(path, "no page image: it is no file")
        mime_type = known.get((path, found.st_size, found.st_mtime_ns)) or _mime_type(entry.path)
    except OSError as error:
        return SourceProblem(path, f"unreadable: {error.strerror}")
    if mime_type is None:
        reason = "it is empty" if found.st_size == 0 else "it does not begin like a JPEG, PNG or WebP file"
        return SourceProblem(path, f"unreadable: {reason}")
    with Image.open(entry.path) as opened:
        width, height = opened.size
    return PageImage(fields, page, path, 0, mime_type, found.st_size, found.st_mtime_ns, width, height)


def _mime_type(path: str) -> str | None:
    """By content: a PNG that is called .jpg goes up as what it is."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a million times in a first scan
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _is_canonical(page: str) -> bool:
    return page.isascii() and page.isdigit() and page[0] != "0"


def _has_bytes(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() and entry.stat().st_size > 0
    except OSError:
        return False
