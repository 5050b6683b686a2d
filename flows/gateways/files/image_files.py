"""One file among the images of a document: what page it is, by its name and its head. How they are walked stands in
`trees`.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from assets.domain.errors import ImageError, RecordKeyError
from assets.domain.image_kinds import ImageKind
from assets.domain.labels import canonical_label, natural_key
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
from flows.gateways.files.walking import sayable
from flows.gateways.ports import ReadHeader

NUMBER = re.compile(r"(?P<page>[0-9]+)")
_SEVERAL_PAGES = frozenset({"tif", "tiff"})
_UNREADABLE = "unreadable: "
NO_MATCH = "no page: its name does not match record.page_pattern"

KnownImages = Mapping[tuple[str, int, int], ImageHeader]
"""(path, bytes, modified_ns) -> header, of images that were looked into before and have not changed since."""
NamedFrames = Mapping[str, tuple[int, str]]
"""Path -> (number of a page in the file, from 0; its label), of files of several pages."""


@dataclass(frozen=True, slots=True)
class ImageRules:
    """How a file becomes pages: see `trees.walk_images`."""

    read_header: ReadHeader
    pattern: re.Pattern[str]
    max_pixels: int
    file_pages: FilePages
    allowed: Set[str] | None
    prefer: Sequence[ImageKind]
    is_unfit: Callable[[PageImage], bool]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file that can be read. ``label``: what its name says."""

    label: str
    path: str
    header: ImageHeader
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Unsure:
    """A problem that may be gone by the next look, though the file is as it was."""

    problem: SourceProblem


def image_file(
    entry: os.DirEntry[str],
    fields: tuple[str, ...],
    path: str,
    rules: ImageRules,
    pattern: re.Pattern[str],
    known: KnownImages,
    own_labels: set[str],
) -> ImageFile | SourceProblem | Unsure | None:
    """A file, looked into; why it is no page image; None for one that nobody wants. ``own_labels`` gets what its name
    says, whatever becomes of it."""
    stem, dot, suffix = entry.name.rpartition(".")
    if suffix.lower() not in IMAGE_SUFFIXES and (reason := _no_image(entry, suffix.lower() if dot else None)):
        problem = SourceProblem(sayable(path), reason)
        return Unsure(problem) if reason.startswith(_UNREADABLE) else problem
    label, reason = label_in(stem or suffix, pattern)
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
        header = known.get((path, found.st_size, found.st_mtime_ns))
        if header is None:
            header = rules.read_header(entry.path, max_pixels=rules.max_pixels)
        else:
            check_sizes(header.sizes, max_pixels=rules.max_pixels)
    except OSError as error:
        return Unsure(SourceProblem(path, f"{_UNREADABLE}{error.strerror}"))
    except ImageError as error:
        problem = SourceProblem(path, f"{_UNREADABLE}{error.reason}")
        return Unsure(problem) if error.passes else problem
    return ImageFile(label, path, header, found.st_size, found.st_mtime_ns)


def naming_rule(
    several: Sequence[ImageFile], own_labels: Set[str], file_pages: FilePages, named: NamedFrames
) -> FilePages:
    """What the pages of ``several``, the files of several pages, are called. ``own_labels``: what the names of all
    images of the document say, those left out among them. What they are called already stays, whatever comes beside
    them: under other names all of them would be read, and paid for, again."""
    for file in several if file_pages is FilePages.AUTO else ():
        if file.path in named and (was := rule_of(file.label, len(file.header.sizes), *named[file.path])) is not None:
            return was
    return rule_for({file.label: len(file.header.sizes) for file in several}, own_labels, file_pages)


def pages_of(
    files: Sequence[ImageFile], fields: tuple[str, ...], rule: FilePages
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
    return label_in(stem, pattern)[0]


def label_in(stem: str, pattern: re.Pattern[str]) -> tuple[str | None, str]:
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
        return f"{_UNREADABLE}{error.strerror}"
    if suffix is None:
        return ""
    return OTHER_KINDS.get(suffix) or f"no page image: its name does not end in .{', .'.join(sorted(IMAGE_SUFFIXES))}"


def is_number(name: str) -> bool:
    return NUMBER.fullmatch(name.rpartition(".")[0] or name) is not None


def doubled(found: Mapping[str, Sequence[PageImage]]) -> list[SourceProblem]:
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
