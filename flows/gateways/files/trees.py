"""Page images and the allow list in their trees. What an entry says is validated here, where the path is known; what is
made of it stands in `assets`.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import MappingProxyType

from assets.copies import settle
from assets.domain.errors import ImageError, RecordKeyError
from assets.domain.image_kinds import ImageKind
from assets.domain.labels import canonical_label, natural_key
from assets.domain.record import check_field
from assets.file_pages import FilePages, page_labels, rule_for, rule_of
from assets.misplaced import TOO_DEEP
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
_RULES = (FilePages.COUNTED, FilePages.SUFFIX)
NO_MATCH = "no page: its name does not match record.page_pattern"

KnownImages = Mapping[tuple[str, int, int], ImageHeader]
NamedFrames = Mapping[str, tuple[int, str]]
"""(path, bytes, modified_ns) -> header, of images that were looked into before and have not changed since."""


@dataclass(frozen=True, slots=True)
class ImageWalk:
    """``images``: in no promised order; ``problems``: in the order of the walk, one for each file; ``copies``: of pages
    with several files, the one that is among the images and each other."""

    images: list[PageImage]
    problems: list[SourceProblem]
    copies: list[tuple[PageImage, PageImage]] = field(default_factory=list)


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
    file_pages: FilePages = FilePages.AUTO,
    named: NamedFrames = MappingProxyType({}),
    wants: Callable[[tuple[str, ...]], bool] = lambda fields: True,
    allowed: Set[str] | None = None,
    apart: Collection[Path] = (),
    fixed: tuple[str, ...] = (),
    prefer: Sequence[ImageKind] = (),
    is_unfit: Callable[[PageImage], bool] = lambda image: False,
) -> ImageWalk:
    """All page images under ``folder``, whose first ``depth`` levels are the document's fields; with a depth of 0 they
    are one document, whose fields are ``fixed``.

    A file is opened, with ``read_header``, only if ``known`` does not have it. Paths are relative to ``root``.
    ``page_pattern``: a regular expression with the group ``page``, which matches the whole name without its ending;
    ``max_pixels``: an image with more is left out. A TIFF file of several pages is as many, which are called as
    ``file_pages`` says; AUTO keeps to what a file's page is called already, by ``named``: path -> (number in the file,
    from 0; label). ``wants``: whether the documents with these fields are looked into; ``allowed``: the record
    keys that are, or None for all: what nobody wants is not opened in each scan. ``apart``: see `Tree`. Images of a
    PDF, and what was fetched, bear plain numbers, whatever the pattern is. ``prefer``, ``is_unfit``: which of several
    files of a page is its image, see `assets.copies`; beside the images of a PDF that is for a person to say.
    """
    rules = _ImageRules(known, read_header, re.compile(page_pattern), max_pixels, allowed)
    numbered = replace(rules, pattern=_NUMBER)
    tree = Tree(folder, root=root, apart=apart)
    images: list[PageImage] = []
    copies: list[tuple[PageImage, PageImage]] = []
    for folders, directory in tree.documents(depth):
        fields = folders or fixed
        if not wants(fields):
            continue
        place = tree.place(directory)
        files: list[_File] = []
        own_labels: set[str] = set()
        is_numbered = page_pattern != _NUMBER.pattern and any(
            is_there(os.path.join(directory, name))  # noqa: PTH118 - a million files
            for name in (SOURCE_MARKER, FETCHED_FOLDER)
        )
        for entry in tree.entries(directory):
            known_by = numbered if is_numbered and _is_number(entry.name) else rules
            file = _file(entry, fields, f"{place}/{entry.name}", known_by, own_labels)
            if isinstance(file, SourceProblem):
                tree.problems.append(file)
            elif file is not None:
                files.append(file)
        rule = _rule(files, own_labels, file_pages, named)
        found, unnamed = _pages(files, fields, rule)
        if any(len(each) > 1 for each in found.values()) and not is_there(os.path.join(directory, SOURCE_MARKER)):  # noqa: PTH118
            found, beside = settle(found, prefer, is_unfit)
            copies += beside
        images += [each[0] for each in found.values() if len(each) == 1]
        tree.problems += [*unnamed, *_doubled(found)]
    return ImageWalk(images, tree.problems, copies)


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


def keys_by_name(
    path: str,
    frame: int,
    *,
    folder: str,
    depth: int,
    page_pattern: re.Pattern[str],
    fixed: tuple[str, ...] = (),
) -> set[str]:
    """The records whose image page ``frame`` of the file ``path`` can be, by place and name alone; none: of none, or of
    a PDF's page, of which only a walk can tell. ``path``, ``folder``: that of all images, relative to the root,
    with forward slashes; ``depth``, ``page_pattern``, ``fixed``: see `walk_images`."""
    *above, name = path.split("/")
    top = len(above) - depth
    if top < 0 or "/".join(above[:top]) != folder:
        return set()
    label, _ = _label(name.rpartition(".")[0] or name, page_pattern)
    try:
        fields = tuple(check_field(field) for field in above[top:]) or fixed
        # How many pages the file has is not known: the first one may be its only one.
        ways = product((frame + 1, frame + 2), _RULES if label is not None else ())
        return {join_key(fields, page_labels(label or "", pages, rule)[frame]) for pages, rule in ways}
    except RecordKeyError:
        return set()


@dataclass(frozen=True, slots=True)
class _File:
    """An image file that can be read. ``label``: what its name says."""

    label: str
    path: str
    header: ImageHeader
    bytes: int
    modified_ns: int


def _file(
    entry: os.DirEntry[str], fields: tuple[str, ...], path: str, rules: _ImageRules, own_labels: set[str]
) -> _File | SourceProblem | None:
    """A file, looked into; why it is no page image; None for one that nobody wants. ``own_labels`` gets what its name
    says, whatever becomes of it."""
    stem, dot, suffix = entry.name.rpartition(".")
    if suffix.lower() not in IMAGE_SUFFIXES and (reason := _no_image(entry, suffix.lower() if dot else None)):
        return SourceProblem(sayable(path), reason)
    label, reason = _label(stem or suffix, rules.pattern)
    if label is None:
        return SourceProblem(sayable(path), reason)
    own_labels.add(label)
    if (
        rules.allowed is not None
        and suffix.lower() not in _SEVERAL_PAGES
        and dot
        and join_key(fields, label) not in rules.allowed
    ):
        return None
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
    return _File(label, path, header, found.st_size, found.st_mtime_ns)


def _rule(files: Sequence[_File], own_labels: Set[str], file_pages: FilePages, named: NamedFrames) -> FilePages:
    """What the pages of files of several are called. ``own_labels``: what the names of all images of the document say,
    those left out among them. What they are called already stays, whatever comes beside them: under other names all
    of them would be read, and paid for, again."""
    several = [file for file in files if len(file.header.sizes) > 1]
    for file in several if file_pages is FilePages.AUTO else ():
        if file.path in named and (was := rule_of(file.label, len(file.header.sizes), *named[file.path])) is not None:
            return was
    return rule_for({file.label: len(file.header.sizes) for file in several}, own_labels, file_pages)


def _pages(
    files: Sequence[_File], fields: tuple[str, ...], rule: FilePages
) -> tuple[Mapping[str, Sequence[PageImage]], list[SourceProblem]]:
    """Label -> images of that page, and the files whose pages cannot be called anything."""
    found: dict[str, list[PageImage]] = {}
    unnamed = []
    for file in files:
        sizes = file.header.sizes
        try:
            labels = page_labels(file.label, len(sizes), rule)
        except RecordKeyError as error:
            unnamed.append(SourceProblem(file.path, f"no page: {error.reason}"))
            continue
        facts = file.header.mime_type, file.bytes, file.modified_ns
        for frame, (label, (width, height)) in enumerate(zip(labels, sizes, strict=True)):
            image = PageImage(fields, label, file.path, frame, *facts, width, height, len(sizes))
            found.setdefault(label, []).append(image)
    return found, unnamed


def label_by(pattern: re.Pattern[str], stem: str) -> str | None:
    """The label of the page that a name without its ending stands for, by ``record.page_pattern``; None for none."""
    return _label(stem, pattern)[0]


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


def _doubled(found: Mapping[str, Sequence[PageImage]]) -> list[SourceProblem]:
    """The files of pages that have several images. Which one is meant is for a person to say: a guess could pay for
    the wrong image."""
    counts: dict[str, dict[str, int]] = {}
    of_several = set()
    for label, images in found.items():
        if len(images) > 1:
            is_of_several = any(image.frames > 1 for image in images)
            for image in images:
                counts.setdefault(image.path, {})[label] = len(images)
                of_several |= {image.path} if is_of_several else set()
    problems = []
    for path, pages in counts.items():
        first, last = min(pages, key=natural_key), max(pages, key=natural_key)
        if first == last:
            words = f"page {first} has {pages[first]} images; keep one"
        else:
            words = f"{len(pages)} of its pages ({first} to {last}) have more than one image; keep one of each"
        other_way = ", or call pages of one file 1.1, 1.2: record.file_pages: suffix"
        problems.append(SourceProblem(path, words + other_way * (path in of_several)))
    return problems
