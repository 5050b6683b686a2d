"""What comes in from outside: page images, finished results, the ledger. Each is observed by the shell (which walks the
folders and reads the Variables) and takes its shape here. What is made of them stands in the modules further down.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ImageError
from assets.domain.labels import MAX_PAGE
from assets.domain.ledger import Ledger
from assets.domain.record import SEPARATOR
from assets.graph import Check, asset
from assets.numbering import Pages

IMAGE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "jpe", "jfif", "jif", "png", "webp", "tif", "tiff", "jp2", "j2k", "j2c", "jpc", "jpx", "jpf"}
    | {"gif", "bmp", "dib", "heic", "heif", "hif", "avif"}
)
"""How the name of a page image can end, in small letters; a name without any ending can be one, too. What a file is,
its first bytes say."""
OTHER_KINDS: Mapping[str, str] = {
    "pdf": "a PDF, and no page image: paths.source_documents is for PDFs, which quire scan makes page images of",
    **dict.fromkeys(
        ("djvu", "djv"),
        "a DjVu file, and no page image: make a PDF of it (ddjvu -format=pdf), which paths.source_documents is for",
    ),
}
"""What to say of a file among the page images, by its ending."""

OUT_OF_TIME = "its time of change is beyond what can be noted, from 1677 to 2262: set it with touch"


def is_time(modified_ns: int) -> bool:
    """Whether a file's time can stand in a table: nanoseconds since 1970 in 64 bits."""
    return abs(modified_ns) < 2**63


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """What a person should know of a file. ``path``: relative to the project's root; ``reason``: a few words;
    ``left_out``: it cannot be a page, or the pages of a PDF cannot be images; else it is one all the same; ``kind``:
    one of `assets.image_checks.UNFIT`, of an image that can be read and is not sent; ``record_key``: the page that it
    would be, where that is known."""

    path: str
    reason: str
    left_out: bool = True
    kind: str | None = None
    record_key: str | None = None


@dataclass(frozen=True, slots=True)
class SourcePdf:
    """A PDF of one document. ``path``: relative to the source documents, with forward slashes, as the file system tells
    it; ``modified_ns``: nanoseconds since 1970, UTC."""

    fields: tuple[str, ...]
    path: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the head of an image file says. ``mime_type``: by its content, not by its name; ``sizes``: width and height
    in pixels of each of its frames, one for all files but a TIFF of several pages."""

    mime_type: str
    sizes: tuple[tuple[int, int], ...]


def check_sizes(sizes: Iterable[tuple[int, int]], *, max_pixels: int) -> None:
    """Raise ImageError if one of them is too large. ``sizes``: width and height in pixels."""
    for width, height in sizes:
        if width * height > max_pixels:
            raise ImageError(f"{width} x {height} pixels, more than safety.max_image_pixels")


@dataclass(frozen=True, slots=True)
class PageImage:
    """A readable image of one page. ``label``: the page's, see `assets.domain.labels`; ``path``: relative to the
    project's root, with forward slashes; ``frame``: which page of the file, from 0, of ``frames`` in all; ``bytes``: of
    the whole file; ``modified_ns``: nanoseconds since 1970, UTC; ``width``, ``height``: pixels, as the header says,
    before any rotation; ``left``, ``right``: of a page of a spread, its first column of the image as it stands upright,
    and the one behind its last."""

    fields: tuple[str, ...]
    label: str
    path: str
    frame: int
    mime_type: str
    bytes: int
    modified_ns: int
    width: int
    height: int
    frames: int = 1
    left: int | None = None
    right: int | None = None


IMAGE_COLUMNS = (
    "page",
    "page_label",
    "image_path",
    "image_frame",
    "image_frames",
    "image_mime_type",
    "image_bytes",
    "image_modified_at",
    "image_width",
    "image_height",
    "image_left",
    "image_right",
)
_IMAGE_TYPES = {
    "page": pa.int32(),
    "page_label": pa.string(),
    "image_path": pa.string(),
    "image_frame": pa.int32(),
    "image_frames": pa.int32(),
    "image_mime_type": pa.string(),
    "image_bytes": pa.int64(),
    "image_modified_at": pa.timestamp("ns", tz="UTC"),
    "image_width": pa.int32(),
    "image_height": pa.int32(),
    "image_left": pa.int32(),
    "image_right": pa.int32(),
}


_NULLABLE = frozenset({"page", "page_label", "image_left", "image_right"})
"""``image_left`` and ``image_right`` are of pages of spreads alone, and came later. ``page`` is null for a label that
is no number; ``page_label`` came later, and is null in a file of before."""


def image_schema(document_fields: Sequence[str]) -> pa.Schema:
    """The document fields as text, then IMAGE_COLUMNS."""
    fields = [pa.field(name, pa.string(), nullable=False) for name in document_fields]
    own = [pa.field(name, _IMAGE_TYPES[name], nullable=name in _NULLABLE) for name in IMAGE_COLUMNS]
    return pa.schema(fields + own)


SOURCE_SCHEMA = pa.schema(
    [
        pa.field("source_path", pa.string(), nullable=False),
        pa.field("source_bytes", pa.int64(), nullable=False),
        pa.field("source_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("pages", pa.int32()),
    ]
)


@asset(observed=True)
def source_documents(*, documents: Sequence[tuple[SourcePdf, int | None]] = ()) -> pa.Table:
    """PDFs that page images are made from, one row each; optional.

    ``documents``: each with its number of pages, 0 if it cannot be opened, None if that is not known. Columns:
    SOURCE_SCHEMA, in the order of ``documents``.
    """
    columns = {
        "source_path": [pdf.path for pdf, _ in documents],
        "source_bytes": [pdf.bytes for pdf, _ in documents],
        "source_modified_at": pa.array([pdf.modified_ns for pdf, _ in documents], pa.int64()),
        "pages": [pages for _, pages in documents],
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SOURCE_SCHEMA]
    return pa.table(arrays, schema=SOURCE_SCHEMA)


@asset()
def page_images(
    source_documents: pa.Table | None, *, images: Sequence[PageImage] = (), document_fields: Sequence[str] = ()
) -> pa.Table:
    """One row for each readable page image.

    ``source_documents``: what some of the images were made from; their rows are like all others. Columns: the document
    fields, then IMAGE_COLUMNS; in the order of ``images``.
    """
    columns = {name: [image.fields[at] for image in images] for at, name in enumerate(document_fields)}
    labels = pa.array([image.label for image in images], pa.string())
    return pa.table(
        {
            **columns,
            "page": _numbers(labels),
            "page_label": labels,
            "image_path": [image.path for image in images],
            "image_frame": [image.frame for image in images],
            "image_frames": [image.frames for image in images],
            "image_mime_type": [image.mime_type for image in images],
            "image_bytes": [image.bytes for image in images],
            "image_modified_at": [image.modified_ns for image in images],
            "image_width": [image.width for image in images],
            "image_height": [image.height for image in images],
            "image_left": [image.left for image in images],
            "image_right": [image.right for image in images],
        }
        if images
        else {field.name: pa.array([], field.type) for field in image_schema(document_fields)}
    ).cast(image_schema(document_fields))


def _numbers(labels: pa.Array) -> pa.Array:
    """`assets.domain.labels.number_of` of each of good labels."""
    is_number = pc.match_substring_regex(labels, "^[0-9]{1,10}$")
    numbers = pc.if_else(is_number, labels, None).cast(pa.int64())
    return pc.if_else(pc.less_equal(numbers, MAX_PAGE), numbers, None)


LEFT_OUT_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("left_out", pa.bool_(), nullable=False),
        pa.field("kind", pa.string()),
        pa.field("record_key", pa.string()),
    ]
)


def left_out(problems: Iterable[SourceProblem]) -> pa.Table:
    """What a scan left out, sorted, each file with its reason once. Columns: LEFT_OUT_SCHEMA."""
    found = {(each.path, each.reason, each.left_out, each.kind or "", each.record_key or "") for each in problems}
    rows = [(*row[:3], *(text or None for text in row[3:])) for row in sorted(found)]
    columns = [[row[at] for row in rows] for at in range(len(LEFT_OUT_SCHEMA))]
    types = LEFT_OUT_SCHEMA.types
    return pa.table([pa.array(*each) for each in zip(columns, types, strict=True)], schema=LEFT_OUT_SCHEMA)


def _unique_results(pages: Pages) -> str | None:
    return "a record has two results" if pages.have_twins() else None


@asset(observed=True, checks=(Check("unique keys", _unique_results),))
def existing_results(*, pages: Pages) -> Pages:
    """The records that are done: those with a non-empty output result."""
    return pages


@asset(observed=True)
def ledger(*, state: Ledger) -> Ledger:
    """What the four Prefect Variables said when the pass read them."""
    return state


def join_key(fields: Sequence[str], label: str) -> str:
    """The record key of fields and a label that are known to be good."""
    return f"{SEPARATOR.join(fields)}{SEPARATOR}{label}"
