"""Page images and the allow list in their trees. What an entry says is validated here, where the path is known; what is
made of it stands in `assets`.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from assets.domain.errors import ImageError, RecordKeyError
from assets.domain.labels import canonical_label, label_of_frame, natural_key
from assets.domain.record import check_field
from assets.sources import (
    IMAGE_SUFFIXES,
    OTHER_KINDS,
    OUT_OF_TIME,
    ImageHeader,
    PageImage,
    SourceProblem,
    check_sizes,
    is_time,
    join_key,
)
from flows.gateways.files.presence import is_there
from flows.gateways.files.walking import Tree, sayable
from flows.gateways.ports import FETCHED_FOLDER, SOURCE_MARKER, ReadHeader

_NUMBER = re.compile(r"(?P<page>[0-9]+)")
_SEVERAL_PAGES = frozenset({"tif", "tiff"})
TOO_DEEP = "a folder where images are expected: what lies in it is too deep for record.document_fields"
NO_MATCH = "no page: its name does not match record.page_pattern"

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
    apart: Collection[Path] = (),
    fixed: tuple[str, ...] = (),
) -> ImageWalk:
    """All page images under ``folder``, whose first ``depth`` levels are the document's fields; with a depth of 0 they
    are one document, whose fields are ``fixed``.

    A file is opened, with ``read_header``, only if ``known`` does not have it. Paths are relative to ``root``.
    ``page_pattern``: a regular expression with the group ``page``, which matches the whole name without its ending;
    ``max_pixels``: an image with more is left out. A TIFF file of several pages is as many, see
    `labels.label_of_frame`. ``wants``: whether the documents with these fields are looked into; ``allowed``: the record
    keys that are, or None for all: what nobody wants is not opened in each scan. ``apart``: see `Tree`. Images of a
    PDF, and what was fetched, bear plain numbers, whatever the pattern is.
    """
    rules = _ImageRules(known, read_header, re.compile(page_pattern), max_pixels, allowed)
    numbered = replace(rules, pattern=_NUMBER)
    tree = Tree(folder, root=root, apart=apart)
    images: list[PageImage] = []
    for folders, directory in tree.documents(depth):
        fields = folders or fixed
        if not wants(fields):
            continue
        place = tree.place(directory)
        found: dict[str, list[PageImage]] = {}
        is_numbered = page_pattern != _NUMBER.pattern and any(
            is_there(os.path.join(directory, name))  # noqa: PTH118 - a million files
            for name in (SOURCE_MARKER, FETCHED_FOLDER)
        )
        for entry in tree.entries(directory):
            rule = numbered if is_numbered and _is_number(entry.name) else rules
            pages = _pages(entry, fields, f"{place}/{entry.name}", rule)
            if isinstance(pages, SourceProblem):
                tree.problems.append(pages)
                continue
            for image in pages:
                found.setdefault(image.label, []).append(image)
        images += [each[0] for each in found.values() if len(each) == 1]
        tree.problems += _doubled(found)
    return ImageWalk(images, tree.problems)


def walk_allowed(
    folder: Path, *, root: Path, depth: int, fixed: tuple[str, ...] = ()
) -> tuple[set[str], list[SourceProblem]]:
    """Record keys that have a file ``{document}/{label}.json`` in the allow list; leading zeros do not count. The
    problems' paths are relative to ``root``."""
    tree = Tree(folder, root=root)
    allowed: set[str] = set()
    for folders, directory in tree.documents(depth):
        fields = folders or fixed
        for entry in tree.entries(directory):
            stem, dot, suffix = entry.name.rpartition(".")
            if dot and suffix.lower() != "json":
                tree.tell(entry.path, "allow list: not a page's label and .json")
                continue
            try:
                allowed.add(join_key(fields, canonical_label(stem if dot else entry.name)))
            except RecordKeyError as error:
                tree.tell(entry.path, f"allow list: {error.reason}")
    return allowed, tree.problems


def key_by_name(
    path: str,
    frame: int,
    *,
    folder: str,
    depth: int,
    page_pattern: re.Pattern[str],
    fixed: tuple[str, ...] = (),
) -> str | None:
    """The record whose image page ``frame`` of the file ``path`` is, by place and name alone; None: no record's, or one
    of a PDF's pages, of which only a walk can tell. ``path``, ``folder``: that of all images, relative to the root,
    with forward slashes; ``depth``, ``page_pattern``, ``fixed``: see `walk_images`."""
    *above, name = path.split("/")
    top = len(above) - depth
    if top < 0 or "/".join(above[:top]) != folder:
        return None
    label, _ = _label(name.rpartition(".")[0] or name, page_pattern)
    try:
        fields = tuple(check_field(field) for field in above[top:]) or fixed
        return None if label is None else join_key(fields, label_of_frame(label, frame))
    except RecordKeyError:
        return None


def _pages(
    entry: os.DirEntry[str], fields: tuple[str, ...], path: str, rules: _ImageRules
) -> list[PageImage] | SourceProblem:
    """The pages in one file, or why there are none."""
    stem, dot, suffix = entry.name.rpartition(".")
    if suffix.lower() not in IMAGE_SUFFIXES and (reason := _no_image(entry, suffix.lower() if dot else None)):
        return SourceProblem(sayable(path), reason)
    first, reason = _label(stem or suffix, rules.pattern)
    if first is None:
        return SourceProblem(sayable(path), reason)
    if (
        rules.allowed is not None
        and suffix.lower() not in _SEVERAL_PAGES
        and dot
        and join_key(fields, first) not in rules.allowed
    ):
        return []
    try:
        found = entry.stat()
        if not entry.is_file():
            return SourceProblem(path, "no page image: it is no file")
        if not is_time(found.st_mtime_ns):
            return SourceProblem(path, OUT_OF_TIME)
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
    try:
        labels = [label_of_frame(first, frame) for frame in range(frames)]
    except RecordKeyError as error:
        return SourceProblem(path, f"no page: {error.reason}")
    mime_type, size, modified_ns = header.mime_type, found.st_size, found.st_mtime_ns
    return [
        PageImage(fields, label, path, frame, mime_type, size, modified_ns, width, height, frames)
        for frame, (label, (width, height)) in enumerate(zip(labels, header.sizes, strict=True))
    ]


def _label(stem: str, pattern: re.Pattern[str]) -> tuple[str | None, str]:
    """The label of the page that a name stands for, or None and why it stands for none."""
    match = pattern.fullmatch(stem)
    if match is None:
        return None, NO_MATCH
    if not stem.isprintable() and any(unicodedata.category(each) in ("Cc", "Cs") for each in stem):
        return None, "no page: its name holds a control character, or is not in UTF-8"
    try:
        return canonical_label(match["page"] or ""), ""
    except RecordKeyError as error:
        return None, f"no page: {error.reason}"


def _no_image(entry: os.DirEntry[str], suffix: str | None) -> str:
    """Why what lies among the images of a document is none, by its name; "" where only its content can tell.
    ``suffix``: None where the name has none."""
    try:
        if entry.is_dir():
            return TOO_DEEP
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if suffix is None:
        return ""
    return OTHER_KINDS.get(suffix) or f"no page image: its name does not end in .{', .'.join(sorted(IMAGE_SUFFIXES))}"


def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name.rpartition(".")[0] or name) is not None


def _doubled(found: Mapping[str, list[PageImage]]) -> list[SourceProblem]:
    """The files of pages that have several images. Which one is meant is for a person to say: a guess could pay for
    the wrong image."""
    counts: dict[str, dict[str, int]] = {}
    for label, images in found.items():
        if len(images) > 1:
            for image in images:
                counts.setdefault(image.path, {})[label] = len(images)
    problems = []
    for path, pages in counts.items():
        first, last = min(pages, key=natural_key), max(pages, key=natural_key)
        if first == last:
            problems.append(SourceProblem(path, f"page {first} has {pages[first]} images; keep one"))
        else:
            words = f"{len(pages)} of its pages ({first} to {last}) have more than one image; keep one of each"
            problems.append(SourceProblem(path, words))
    return problems
