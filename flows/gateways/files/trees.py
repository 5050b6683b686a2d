"""Walks of the folder trees: page images, allow list, output results. ``os.scandir`` all the way: a collection has a
million pages, and a walk is made in every pass.

What a walk finds is validated here, where the path is known; what is made of it stands in `assets`.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from assets.domain.errors import ImageError, ManifestError, RecordKeyError
from assets.domain.record import MAX_PAGE, check_field, parse_page
from assets.sources import IMAGE_SUFFIXES, ImageHeader, PageImage, SourceProblem, check_sizes, join_key
from flows.gateways.ports import SOURCE_MARKER, ReadHeader

PASSED_OVER = frozenset({"thumbs.db", "desktop.ini"})
"""What systems leave in folders, in small letters; beside it all names that begin with a dot."""
_NUMBER = re.compile(r"(?P<page>[0-9]+)")
_SEVERAL_PAGES = frozenset({"tif", "tiff"})
NO_NUMBER = "no page: its name is not a page number of 1 or more"

KnownImages = Mapping[tuple[str, int, int], ImageHeader]
"""(path, bytes, modified_ns) -> header, of images that were looked into before and have not changed since."""


@dataclass(frozen=True, slots=True)
class ImageWalk:
    """``images``: in no promised order; ``problems``: in the order of the walk, one for each file."""

    images: list[PageImage]
    problems: list[SourceProblem]


@dataclass(frozen=True, slots=True)
class _ImageRules:
    """How a file becomes pages: see `walk_images`."""

    known: KnownImages
    read_header: ReadHeader
    pattern: re.Pattern[str]
    max_pixels: int
    allowed: Set[str] | None


def walk_images(
    folder: Path,
    *,
    root: Path,
    depth: int,
    known: KnownImages,
    read_header: ReadHeader,
    page_pattern: str,
    max_pixels: int,
    wants: Callable[[tuple[str, ...]], bool] = lambda fields: True,
    allowed: Set[str] | None = None,
) -> ImageWalk:
    """All page images under ``folder``, whose first ``depth`` levels are the document's fields.

    A file is opened, with ``read_header``, only if ``known`` does not have it. Paths are relative to ``root``.
    ``page_pattern``: a regular expression with the group ``page``, which matches the whole name without its ending;
    ``max_pixels``: an image with more is left out. A TIFF file of several pages is as many, counted from the number in
    its name. ``wants``: whether the documents with these fields are looked into; ``allowed``: the record keys that are,
    or None for all: what nobody wants is not opened in each scan. The images of a PDF bear plain numbers, whatever the
    pattern is.
    """
    rules = _ImageRules(known, read_header, re.compile(page_pattern), max_pixels, allowed)
    of_pdf = replace(rules, pattern=_NUMBER)
    images: list[PageImage] = []
    problems: list[SourceProblem] = []
    for fields, directory in _documents(folder, depth, problems, root):
        if not wants(fields):
            continue
        place = _place(directory, root)
        found: dict[int, list[PageImage]] = {}
        is_of_pdf = page_pattern != _NUMBER.pattern and os.path.exists(os.path.join(directory, SOURCE_MARKER))  # noqa: PTH110, PTH118
        for entry in _entries(directory, problems, root):
            pages = _pages(entry, fields, f"{place}/{entry.name}", of_pdf if is_of_pdf else rules)
            if isinstance(pages, SourceProblem):
                problems.append(pages)
                continue
            for image in pages:
                found.setdefault(image.page, []).append(image)
        images += [each[0] for each in found.values() if len(each) == 1]
        problems += _doubled(found)
    return ImageWalk(images, problems)


def walk_results(folder: Path, *, depth: int) -> list[str]:
    """Record keys that have a non-empty ``{page}.json`` under ``folder``: the records that are done.

    What no record key can name (a folder of somebody's, ``004.json``) is passed over. A result lies under its
    fields' names in NFC and nowhere else: that is where it is looked for when it is needed. Raises ManifestError for a
    symbolic link that leads out of ``folder``: before anything is sent of which the answer could not be written.
    """
    keys: list[str] = []
    for fields, directory in _documents(folder, depth, [], folder, in_nfc=True, links_stay_inside=True):
        document = ":".join(fields)
        for entry in _entries(directory, [], folder):
            page, dot, suffix = entry.name.partition(".")
            if entry.is_symlink():
                check_inside(Path(entry.path), folder)
            if dot and suffix == "json" and _is_canonical(page) and _has_bytes(entry):
                keys.append(f"{document}:{page}")
    return keys


def walk_allowed(folder: Path, *, root: Path, depth: int) -> tuple[set[str], list[SourceProblem]]:
    """Record keys that have a file ``{document}/{page}.json`` in the allow list; leading zeros do not count. The
    problems' paths are relative to ``root``."""
    allowed: set[str] = set()
    problems: list[SourceProblem] = []
    for fields, directory in _documents(folder, depth, problems, root):
        for entry in _entries(directory, problems, root):
            stem, _, suffix = entry.name.rpartition(".")
            try:
                page = parse_page(stem if suffix.lower() == "json" else entry.name)
            except RecordKeyError:
                place = _place(entry.path, root)
                problems.append(SourceProblem(place, "allow list: not a page number of 1 or more and .json"))
            else:
                allowed.add(join_key(fields, page))
    return allowed, problems


def check_inside(path: Path, folder: Path) -> None:
    """Raise ManifestError if ``path`` leads out of ``folder`` by a symbolic link; ``folder`` itself may be one."""
    real, top = os.path.realpath(path), os.path.realpath(folder)
    if not real.startswith(os.path.join(top, "")):  # noqa: PTH118 - for each result of a batch
        raise ManifestError(path, f"a symbolic link leads out of {folder} here; put a folder or a file in its place")


def _documents(
    folder: Path,
    depth: int,
    problems: list[SourceProblem],
    root: Path,
    *,
    in_nfc: bool = False,
    links_stay_inside: bool = False,
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(fields, path) of every folder ``depth`` levels down. ``in_nfc``: the path is made of the fields, whatever the
    coding in which the file system tells its names; what is not there under that path is not found.
    ``links_stay_inside``: raise ManifestError for a link that leads elsewhere."""
    inside = folder if links_stay_inside else None
    yield from _descend(os.fspath(folder), depth, (), problems, root, in_nfc, inside)


def _descend(
    directory: str,
    depth: int,
    fields: tuple[str, ...],
    problems: list[SourceProblem],
    root: Path,
    in_nfc: bool,
    inside: Path | None,
) -> Iterator[tuple[tuple[str, ...], str]]:
    if depth == 0:
        yield fields, directory
        return
    seen: set[str] = set()
    for entry in _entries(directory, problems, root):
        place = _place(entry.path, root)
        if inside is not None and entry.is_symlink():
            # First of all: a link to what is not there is no folder, and becomes one when somebody makes its target.
            check_inside(Path(entry.path), inside)
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
        yield from _descend(below, depth - 1, (*fields, field), problems, root, in_nfc, inside)


def _entries(directory: str, problems: list[SourceProblem], root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            wanted = [each for each in found if each.name[0] != "." and each.name.lower() not in PASSED_OVER]
    except FileNotFoundError:
        # Removed while we walked, or an output folder that nothing was written to yet.
        return []
    except OSError as error:
        problems.append(SourceProblem(_place(directory, root), f"unreadable folder: {error.strerror}"))
        return []
    return sorted(wanted, key=lambda entry: entry.name)


def _pages(
    entry: os.DirEntry[str], fields: tuple[str, ...], path: str, rules: _ImageRules
) -> list[PageImage] | SourceProblem:
    """The pages in one file, or why there are none."""
    stem, _, suffix = entry.name.rpartition(".")
    if suffix.lower() not in IMAGE_SUFFIXES:
        reason = f"no page image: its name does not end in .{', .'.join(sorted(IMAGE_SUFFIXES))}"
        return SourceProblem(_sayable(path), reason)
    first = _page_number(stem, rules.pattern)
    if isinstance(first, str):
        return SourceProblem(_sayable(path), first)
    if (
        rules.allowed is not None
        and suffix.lower() not in _SEVERAL_PAGES
        and join_key(fields, first) not in rules.allowed
    ):
        return []
    try:
        found = entry.stat()
        if not entry.is_file():
            return SourceProblem(path, "no page image: it is no file")
        header = rules.known.get((path, found.st_size, found.st_mtime_ns))
        if header is None:
            header = rules.read_header(entry.path, max_pixels=rules.max_pixels)
        else:
            check_sizes(header.sizes, max_pixels=rules.max_pixels)
    except OSError as error:
        return SourceProblem(path, f"unreadable: {error.strerror}")
    except ImageError as error:
        return SourceProblem(path, f"unreadable: {error.reason}")
    frames = len(header.sizes)
    if first + frames - 1 > MAX_PAGE:
        return SourceProblem(path, NO_NUMBER)
    mime_type, size, modified_ns = header.mime_type, found.st_size, found.st_mtime_ns
    return [
        PageImage(fields, first + frame, path, frame, mime_type, size, modified_ns, width, height, frames)
        for frame, (width, height) in enumerate(header.sizes)
    ]


def _page_number(stem: str, pattern: re.Pattern[str]) -> int | str:
    """The page that a name stands for, or why it stands for none."""
    match = pattern.fullmatch(stem)
    if match is None:
        return "no page: its name does not match record.page_pattern"
    if not stem.isprintable() and any(unicodedata.category(each) in ("Cc", "Cs") for each in stem):
        return "no page: its name holds a control character, or is not in UTF-8"
    try:
        return parse_page(match["page"] or "")
    except RecordKeyError:
        return NO_NUMBER


def _doubled(found: Mapping[int, list[PageImage]]) -> list[SourceProblem]:
    """The files of pages that have several images. Which one is meant is for a person to say: a guess could pay for
    the wrong image."""
    counts: dict[str, dict[int, int]] = {}
    for page, images in found.items():
        if len(images) > 1:
            for image in images:
                counts.setdefault(image.path, {})[page] = len(images)
    problems = []
    for path, pages in counts.items():
        first, last = min(pages), max(pages)
        if first == last:
            problems.append(SourceProblem(path, f"page {first} has {pages[first]} images; keep one"))
        else:
            words = f"{len(pages)} of its pages ({first} to {last}) have more than one image; keep one of each"
            problems.append(SourceProblem(path, words))
    return problems


def _place(path: str | Path, root: Path) -> str:
    """``path`` from ``root``, with forward slashes."""
    return _sayable(os.path.relpath(path, root).replace(os.sep, "/"))


def _sayable(path: str) -> str:
    """A name that is not in UTF-8 cannot stand in a table: what is wrong with it is escaped."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()


def _is_canonical(page: str) -> bool:
    return page.isascii() and page.isdigit() and page[0] != "0"


def _has_bytes(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() and entry.stat().st_size > 0
    except OSError:
        return False
