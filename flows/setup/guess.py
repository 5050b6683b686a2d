"""What a collection looks like, guessed from the names of its files. The files are listed in `look`, what is made of
the guess stands in `starter`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from assets.domain.errors import RecordKeyError
from assets.domain.labels import USUAL_PAGES, canonical_label

MAX_FIELDS = 8
"""Of a document, as the settings allow."""
PLAIN = "(?P<page>[0-9]+)"
_LABEL_AT_END = re.compile("[0-9]+[A-Za-z]?(-[0-9]+[A-Za-z]?)?$")
_NAMES_OF_TREES = frozenset(
    {"scans", "scan", "images", "image", "pages", "page_images", "pdf", "pdfs", "source_documents", "dataset", "data"}
)
_FETCH = "looks like a IIIF manifest: quire fetch, with its path, fetches the images"
ONE_DOCUMENT = "document"
"""The name of a document whose images lie in no folder, as the settings have it."""
_FIELDS = ("archive", "series", "volume")
_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Listing:
    """Paths relative to the folder that was looked at. ``iiif``: IIIF manifests; ``is_cut``: there is more than was
    looked at."""

    images: Sequence[PurePosixPath] = ()
    pdfs: Sequence[PurePosixPath] = ()
    iiif: Sequence[PurePosixPath] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """``page_images``, ``source_documents``: folders, relative to the one that was looked at; None: there are none.
    ``document_fields``: names for the levels of folders below, outermost first; ``pages``, ``documents``: what the
    images are by this guess; ``pdfs``: how many fit; ``example``: an image and its record key; ``pdf_example``:
    likewise a PDF and its document; ``notes``: what does not fit, and what to do."""

    document_fields: tuple[str, ...]
    page_pattern: str
    page_images: PurePosixPath | None
    source_documents: PurePosixPath | None
    pages: int
    documents: int
    pdfs: int
    example: tuple[PurePosixPath, str] | None
    pdf_example: tuple[PurePosixPath, str] | None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Notes:
    lines: list[str] = field(default_factory=list)

    def about(self, paths: Sequence[PurePosixPath], what: str) -> None:
        if paths:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            self.lines.append(f"{paths[0]}{more}: {what}")


def guess(listing: Listing) -> Guess | None:
    """The guess, or None if neither an image nor a PDF lies anywhere."""
    notes = _Notes()
    images = [path for path in listing.images if len(path.parts) > 1]
    if not images and not listing.pdfs:
        return _one_document(listing) if listing.images else None
    top = _common_top([path.parent for path in images])
    depth = _most(len(path.parent.relative_to(top).parts) for path in images) if images else 0
    if not depth:
        # PDFs alone: their names are the last field.
        source_top = _common_top([path.parent for path in listing.pdfs], least=0)
        depth = _most(len(path.relative_to(source_top).parts) for path in listing.pdfs)
    depth = min(depth, MAX_FIELDS)
    fitting = [path for path in images if len(path.parent.relative_to(top).parts) == depth]
    below = "/".join(["*"] * depth)
    notes.about(
        sorted(set(listing.images) - set(fitting)),
        f"left out: an image lies in a folder for its document, {_shown(top)}{below}/",
    )
    source, pdfs = _source_documents(listing.pdfs, depth)
    notes.about(
        sorted(set(listing.pdfs) - set(pdfs)),
        f"left out: with {depth} {'field' if depth == 1 else 'fields'} to a document a PDF lies in "
        f"{_shown(source or PurePosixPath('pdfs'))}{'*/' * (depth - 1)}",
    )
    if source is not None and fitting and source == top:
        notes.lines.append(
            f"PDFs and images lie in one tree, {_shown(top)}: each scan would list the ones among the others as left "
            "out. Move the PDFs into a folder of their own"
        )
    notes.about(listing.iiif, _FETCH)
    if listing.is_cut:
        notes.lines.append("there are more files than were looked at: this goes by the first of them")
    pattern, keys = _page_pattern(fitting, top)
    documents = [path.parent.relative_to(top).parts for path in fitting]
    documents += [path.relative_to(source).with_suffix("").parts for path in pdfs] if source is not None else []
    return Guess(
        document_fields=_fields(documents, depth),
        page_pattern=pattern,
        page_images=top if fitting else None,
        source_documents=source,
        pages=len(set(keys.values())),
        documents=len({path.parent for path in fitting}),
        pdfs=len(pdfs),
        example=next(iter(sorted(keys.items())), None),
        pdf_example=(pdfs[0], ":".join(pdfs[0].relative_to(source).with_suffix("").parts))
        if pdfs and source is not None
        else None,
        notes=tuple(notes.lines),
    )


def _one_document(listing: Listing) -> Guess:
    """Images that lie in no folder: a collection of one document."""
    notes = _Notes()
    pattern, labels = _page_pattern(listing.images, PurePosixPath())
    notes.about(
        sorted(set(listing.images) - set(labels)),
        "left out: its name is no page's, or another's, too; record.page_pattern says which are",
    )
    notes.about(listing.iiif, _FETCH)
    keys = {path: f"{ONE_DOCUMENT}:{label}" for path, label in labels.items()}
    return Guess(
        document_fields=(),
        page_pattern=pattern,
        page_images=PurePosixPath(),
        source_documents=None,
        pages=len(keys),
        documents=1,
        pdfs=0,
        example=next(iter(sorted(keys.items())), None),
        pdf_example=None,
        notes=tuple(notes.lines),
    )


def collection_name(folder_name: str) -> str:
    """A name for the collection, of small letters, digits, ``_`` and ``-``, made from that of its folder."""
    plain = unicodedata.normalize("NFKD", folder_name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "_", plain).strip("_-")[:60] or "scans"


def _common_top(folders: Sequence[PurePosixPath], least: int = 1) -> PurePosixPath:
    """The folder under which the documents lie: what all have in common and is called like a tree of scans, or else
    their one outermost folder. ``least``: so many levels stay below it."""
    everywhere = [folder.parts for folder in folders]
    room = min((len(parts) for parts in everywhere), default=0) - least
    common = 0
    while common < room and len({parts[common] for parts in everywhere}) == 1:
        common += 1
    known = 0
    while known < common and everywhere[0][known].lower() in _NAMES_OF_TREES:
        known += 1
    return PurePosixPath(*everywhere[0][: known or min(common, 1)]) if everywhere else PurePosixPath()


def _source_documents(pdfs: Sequence[PurePosixPath], depth: int) -> tuple[PurePosixPath | None, list[PurePosixPath]]:
    """The folder that most PDFs lie in, ``depth`` levels down, their names being the last; and those PDFs."""
    tops = {path: PurePosixPath(*path.parts[:-depth]) for path in pdfs if len(path.parts) >= depth}
    if not tops:
        return None, []
    counts = Counter(tops.values())
    top = min(counts, key=lambda each: (-counts[each], each))
    return top, sorted(path for path, each in tops.items() if each == top)


def _page_pattern(images: Sequence[PurePosixPath], top: PurePosixPath) -> tuple[str, dict[PurePosixPath, str]]:
    """The pattern by which most images have a page of their own, and the record keys of those."""
    candidates = [USUAL_PAGES]
    stems = [path.stem for path in images]
    fronts = {_LABEL_AT_END.sub("", stem) for stem in stems}
    if len(fronts) == 1 and (front := fronts.pop()):
        escaped = re.escape(front).replace(r"\-", "-").replace(r"\_", "_")
        candidates += [escaped + PLAIN, escaped + USUAL_PAGES]
    candidates += [f"(.*[^0-9])?{PLAIN}", f"{PLAIN}([^0-9].*)?"]
    best: tuple[str, dict[PurePosixPath, str]] = (USUAL_PAGES, {})
    for pattern in candidates:
        keys = _keys(images, top, re.compile(pattern))
        if len(keys) > len(best[1]):
            best = pattern, keys
    return best


def _keys(images: Sequence[PurePosixPath], top: PurePosixPath, pattern: re.Pattern[str]) -> dict[PurePosixPath, str]:
    found: dict[PurePosixPath, str] = {}
    for path in images:
        match = pattern.fullmatch(path.stem)
        with suppress(RecordKeyError):
            if match is not None:
                found[path] = ":".join([*path.parent.relative_to(top).parts, canonical_label(match["page"] or "")])
    files: dict[str, list[PurePosixPath]] = {}
    for path, key in found.items():
        files.setdefault(key, []).append(path)
    # A master and its access copy are one page; two files of one kind are a question.
    return {paths[0]: key for key, paths in files.items() if len({path.suffix.lower() for path in paths}) == len(paths)}


def _fields(documents: Iterable[tuple[str, ...]], depth: int) -> tuple[str, ...]:
    """Names for the levels: neutral ones, and ``year`` where all names are years."""
    levels = list(zip(*documents, strict=True))
    names = [f"level_{place + 1}" for place in range(max(depth - len(_FIELDS), 0))] + list(_FIELDS[-depth:])
    years = [place for place, values in enumerate(levels) if all(_YEAR.fullmatch(value) for value in values)]
    if years and depth > 1:
        names[years[-1]] = "year"
    return tuple(names)


def _most(counts: Iterable[int]) -> int:
    found = Counter(counts)
    return min(found, key=lambda each: (-found[each], each))


def _shown(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath() else f"{folder}/"
