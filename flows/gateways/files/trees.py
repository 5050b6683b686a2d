"""Page images and the allow list in their trees. What an entry says is validated here, where the path is known; what is
made of it stands in `assets`.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Protocol

from assets.copies import settle
from assets.domain.errors import RecordKeyError
from assets.domain.image_kinds import ImageKind
from assets.domain.labels import canonical_label
from assets.domain.record import check_field
from assets.file_pages import FilePages, page_labels
from assets.sources import PageImage, SourceProblem, join_key
from flows.gateways.files.folder_times import side_by_side
from flows.gateways.files.image_files import (
    NUMBER,
    ImageFile,
    ImageRules,
    KnownImages,
    NamedFrames,
    Unsure,
    doubled,
    image_file,
    is_number,
    label_in,
    naming_rule,
    pages_of,
)
from flows.gateways.files.listing import Listing, listing_of
from flows.gateways.files.presence import is_there
from flows.gateways.files.walking import Tree
from flows.gateways.ports import FETCHED_FOLDER, SOURCE_MARKER, ReadHeader

_RULES = (FilePages.COUNTED, FilePages.SUFFIX)

Document = tuple[tuple[str, ...], str]
"""Its fields, and the path of its folder."""


class KnownDocuments(Protocol):
    """What is known of the files of a document, from its fields and the place of its folder: see `walk_images`."""

    def images(self, fields: tuple[str, ...], place: str) -> KnownImages: ...

    def named(self, fields: tuple[str, ...]) -> NamedFrames: ...


@dataclass(frozen=True, slots=True)
class KnownFiles:
    """The same of all documents in two tables."""

    all_images: KnownImages = field(default_factory=dict)
    all_named: NamedFrames = field(default_factory=dict)

    def images(self, fields: tuple[str, ...], place: str) -> KnownImages:
        return self.all_images

    def named(self, fields: tuple[str, ...]) -> NamedFrames:
        return self.all_named


class SeenDocuments(Protocol):
    """What was seen of documents before."""

    def to_look_at(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Those of ``documents``, all that there are, whose folders may hold something else than before."""
        ...

    def is_as_it_was(self, fields: tuple[str, ...], listing: Listing) -> bool:
        """Whether the folder that was listed again holds what it held; called from several threads."""
        ...


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """What the folder of a document holds. ``place``: its path, relative to the project's root; ``images``,
    ``problems``, ``copies``: see `ImageWalk`; ``listing``: None where what was found hangs on more than what was
    listed, such as a file that could not be read now."""

    fields: tuple[str, ...]
    place: str
    images: list[PageImage]
    problems: list[SourceProblem]
    copies: list[tuple[PageImage, PageImage]]
    listing: Listing | None


@dataclass(frozen=True, slots=True)
class ImageWalk:
    """``documents``: those that were looked into, None for one that holds what it held; ``above``: what is wrong above
    the documents' folders; ``order``: the fields of all documents, in the order of the walk."""

    documents: Mapping[tuple[str, ...], FoundDocument | None]
    above: list[SourceProblem]
    order: list[tuple[str, ...]]

    @property
    def found(self) -> list[FoundDocument]:
        return [each for each in self.documents.values() if each is not None]

    @property
    def images(self) -> list[PageImage]:
        """In the order of the walk."""
        return [image for each in self.found for image in each.images]

    @property
    def problems(self) -> list[SourceProblem]:
        """One for each file."""
        return self.above + [problem for each in self.found for problem in each.problems]

    @property
    def copies(self) -> list[tuple[PageImage, PageImage]]:
        """Of pages with several files, the one that is among the images and each other."""
        return [pair for each in self.found for pair in each.copies]


def walk_images(
    folder: Path,
    *,
    root: Path,
    depth: int,
    known: KnownDocuments,
    read_header: ReadHeader,
    page_pattern: str,
    max_pixels: int,
    file_pages: FilePages = FilePages.AUTO,
    wants: Callable[[tuple[str, ...]], bool] = lambda fields: True,
    allowed: Set[str] | None = None,
    apart: Collection[Path] = (),
    fixed: tuple[str, ...] = (),
    prefer: Sequence[ImageKind] = (),
    is_unfit: Callable[[PageImage], bool] = lambda image: False,
    seen: SeenDocuments | None = None,
    on_document: Callable[[], None] = lambda: None,
) -> ImageWalk:
    """All page images under ``folder``, whose first ``depth`` levels are the document's fields; with a depth of 0 they
    are one document, whose fields are ``fixed``.

    A file is opened, with ``read_header``, only if ``known`` does not have it. Paths are relative to ``root``.
    ``page_pattern``: a regular expression with the group ``page``, which matches the whole name without its ending;
    ``max_pixels``: an image with more is left out. A TIFF file of several pages is as many, which are called as
    ``file_pages`` says; AUTO keeps to what a file's page is called already, by ``known``: path -> (number in the file,
    from 0; label). ``wants``: whether the documents with these fields are looked into; ``allowed``: the record
    keys that are, or None for all: what nobody wants is not opened in each scan. ``apart``: see `Tree`. Images of a
    PDF, and what was fetched, bear plain numbers, whatever the pattern is. ``prefer``, ``is_unfit``: which of several
    files of a page is its image, see `assets.copies`; beside the images of a PDF that is for a person to say.
    ``seen``: tells which documents need no look; with it, folders are looked into side by side where that helps, and
    else one by one, each after ``wants`` was asked for it. ``on_document``: called for each that was looked into.
    """
    pattern = re.compile(page_pattern)
    rules = ImageRules(read_header, pattern, max_pixels, file_pages, allowed, prefer, is_unfit)
    tree = Tree(folder, root=root, apart=apart)
    order: list[tuple[str, ...]] = []

    def wanted() -> Iterator[Document]:
        for folders, directory in tree.documents(depth):
            fields = folders or fixed
            if wants(fields):
                order.append(fields)
                yield fields, directory

    def look(document: Document) -> FoundDocument | None:
        on_document()
        fields, directory = document
        alone = tree.apart_from_others()
        entries = alone.listed(directory)
        listing = None
        if seen is not None and entries is not None:
            listing = listing_of(entries)
            if seen.is_as_it_was(fields, listing):
                return None
        return _look_into(alone, document, entries or [], listing, rules, known)

    if seen is None:
        documents = {document[0]: look(document) for document in wanted()}
    else:
        chosen = seen.to_look_at(list(wanted()))
        fields_of = [fields for fields, _ in chosen]
        documents = dict(zip(fields_of, side_by_side(look, chosen), strict=True))
    return ImageWalk(documents, tree.problems, order)


def _look_into(
    tree: Tree,
    document: Document,
    listed: Sequence[os.DirEntry[str]],
    listing: Listing | None,
    rules: ImageRules,
    known: KnownDocuments,
) -> FoundDocument:
    fields, directory = document
    place = tree.place(directory)
    is_numbered = rules.pattern.pattern != NUMBER.pattern and any(
        is_there(os.path.join(directory, name))  # noqa: PTH118 - a million files
        for name in (SOURCE_MARKER, FETCHED_FOLDER)
    )
    images = known.images(fields, place)
    files: list[ImageFile] = []
    own_labels: set[str] = set()
    for entry in tree.looked_at(directory, listed):
        pattern = NUMBER if is_numbered and is_number(entry.name) else rules.pattern
        file = image_file(entry, fields, f"{place}/{entry.name}", rules, pattern, images, own_labels)
        if isinstance(file, Unsure):
            listing = None
            file = file.problem
        if isinstance(file, SourceProblem):
            tree.problems.append(file)
        elif file is not None:
            files.append(file)
    several = [file for file in files if len(file.header.sizes) > 1]
    rule = naming_rule(several, own_labels, rules.file_pages, known.named(fields) if several else {})
    found, unnamed = pages_of(files, fields, rule)
    copies: list[tuple[PageImage, PageImage]] = []
    if any(len(each) > 1 for each in found.values()) and not is_there(os.path.join(directory, SOURCE_MARKER)):  # noqa: PTH118
        found, copies = settle(found, rules.prefer, rules.is_unfit)
    pages = [each[0] for each in found.values() if len(each) == 1]
    return FoundDocument(fields, place, pages, [*tree.problems, *unnamed, *doubled(found)], copies, listing)


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
    label, _ = label_in(name.rpartition(".")[0] or name, page_pattern)
    try:
        fields = tuple(check_field(field) for field in above[top:]) or fixed
        # How many pages the file has is not known: the first one may be its only one.
        ways = product((frame + 1, frame + 2), _RULES if label is not None else ())
        return {join_key(fields, page_labels(label or "", pages, rule)[frame]) for pages, rule in ways}
    except RecordKeyError:
        return set()
