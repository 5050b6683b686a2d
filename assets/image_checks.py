"""What was found of images whose bytes were read: those that are not sent as long as their bytes are what they are.
Kept by file, size and time, so that nothing is read twice to find it again, and a file that changes is looked at anew.
Who reads the bytes, and what is done with this, stands in the flows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from assets.sources import PageImage

BROKEN, BLANK, SMALL = "broken", "blank", "small"
UNFIT = (BROKEN, BLANK, SMALL)
"""Why an image is not sent: it is not whole; there is nothing on it; it is too small to be read."""
COPY = "copy"
"""Of an image that is not sent, as another file of its page is: kept so that it is not opened by each scan."""

IMAGE_CHECK_SCHEMA = pa.schema(
    [
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_frame", pa.int32(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("image_frames", pa.int32(), nullable=False),
        pa.field("image_mime_type", pa.string(), nullable=False),
        pa.field("image_width", pa.int32(), nullable=False),
        pa.field("image_height", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("image_left", pa.int32()),
    ]
)

DECODED_SCHEMA = pa.schema([IMAGE_CHECK_SCHEMA.field(at) for at in range(4)])
"""Pages that were decoded once and are whole, with `images.verify: decode`."""

_COLUMNS = DECODED_SCHEMA.names
Stamp = tuple[str, int, int, int]
"""A page of a file as it was: path, frame, bytes, and when it was changed in nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """``fit``: the images that can be sent, ``unfit``: the others, each with its kind and the reason in words;
    ``checks``: IMAGE_CHECK_SCHEMA, what is known of images by now."""

    fit: list[PageImage]
    unfit: list[tuple[PageImage, str, str]]
    checks: pa.Table


def stamps(table: pa.Table) -> list[Stamp]:
    """Of each row of a table that has the columns of an image."""
    columns = [table[name] for name in _COLUMNS[:3]] + [table[_COLUMNS[3]].cast(pa.int64())]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def sort_out(images: Sequence[PageImage], checks: pa.Table, *, min_side_pixels: int, send_blank: bool) -> Sorted:
    """Tell the images that can be sent from those that cannot, by what was found of their bytes and by their size.

    ``checks``: IMAGE_CHECK_SCHEMA. What stands there of a file that has another size or time now is dropped.
    """
    found = zip(checks["kind"].to_pylist(), checks["reason"].to_pylist(), strict=True)
    known = dict(zip(zip(stamps(checks), checks["image_left"].to_pylist(), strict=True), found, strict=True))
    fit, unfit, small = list[PageImage](), list[tuple[PageImage, str, str]](), list[PageImage]()
    if not known and not any(max(image.width, image.height) < min_side_pixels for image in images):
        return Sorted(list(images), [], checks)
    for image in images:
        stamp = (image.path, image.frame, image.bytes, image.modified_ns)
        kind, reason = known.get((stamp, image.left), ("", ""))
        if kind == BROKEN or (kind == BLANK and not send_blank):
            unfit.append((image, kind, reason))
        elif max(image.width, image.height) < min_side_pixels:
            words = f"{image.width} x {image.height} pixels, fewer than images.min_side_pixels ({min_side_pixels})"
            unfit.append((image, SMALL, f"too small to be read: {words}"))
            if not kind:
                small.append(image)
        else:
            fit.append(image)
    rows = [check_row(image, SMALL, "too small to be read") for image in small]
    return Sorted(fit, unfit, with_rows(_still_so(checks, images), rows))


def unfit_by(checks: pa.Table) -> Callable[[PageImage], bool]:
    """Tells an image of which ``checks``, IMAGE_CHECK_SCHEMA, say that it is not whole."""
    kinds = zip(stamps(checks), checks["kind"].to_pylist(), strict=True)
    broken = {stamp for stamp, kind in kinds if kind == BROKEN}
    return lambda image: (image.path, image.frame, image.bytes, image.modified_ns) in broken


def with_copies(checks: pa.Table, copies: Iterable[PageImage]) -> pa.Table:
    """``checks`` with these images, of which other files are sent, unless something is known of them already."""
    known = set(stamps(checks))
    rows = [
        check_row(image, COPY, "another file of its page is sent")
        for image in copies
        if (image.path, image.frame, image.bytes, image.modified_ns) not in known
    ]
    return with_rows(checks, rows)


def check_row(image: PageImage, kind: str, reason: str) -> dict[str, Any]:
    """A row of IMAGE_CHECK_SCHEMA."""
    return {
        "image_path": image.path,
        "image_frame": image.frame,
        "image_bytes": image.bytes,
        "image_modified_at": image.modified_ns,
        "image_frames": image.frames,
        "image_mime_type": image.mime_type,
        "image_width": image.width,
        "image_height": image.height,
        "kind": kind,
        "reason": reason,
        "image_left": image.left,
    }


def with_rows(table: pa.Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """``table``, of IMAGE_CHECK_SCHEMA, with these rows, each page of a file once: what was found last counts. Sorted
    by path and frame."""
    if not rows:
        return table
    columns = {name: [row[name] for row in rows] for name in table.column_names}
    columns["image_modified_at"] = pa.array(columns["image_modified_at"], pa.int64())
    added = pa.table(columns).cast(table.schema)
    is_new = {(row["image_path"], row["image_frame"], row["image_left"]) for row in rows}
    columns_of = (table[name].to_pylist() for name in ("image_path", "image_frame", "image_left"))
    kept = [page not in is_new for page in zip(*columns_of, strict=True)]
    both = pa.concat_tables([table.filter(pa.array(kept, pa.bool_())), added])
    return both.sort_by([("image_path", "ascending"), ("image_frame", "ascending")]).combine_chunks()


def _still_so(checks: pa.Table, images: Iterable[PageImage]) -> pa.Table:
    """Without the rows of files that were found with another size or time. Of a file that was not found nothing is
    known: its folder may not be mounted."""
    paths = set(checks["image_path"].to_pylist())
    there = {image.path: (image.bytes, image.modified_ns) for image in images if image.path in paths}
    kept = [there.get(path, tuple(stamp)) == tuple(stamp) for path, _, *stamp in stamps(checks)]
    return checks if all(kept) else checks.filter(pa.array(kept, pa.bool_())).combine_chunks()
