"""What the record manifest says of image files, so that a walk opens only those that are new."""

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.sources import ImageHeader
from flows.gateways.files.trees import KnownImages, NamedFrames

_NAMES = ("image_path", "image_bytes", "image_modified_at", "image_mime_type")
_SIZES = ("image_frame", "image_frames", "image_width", "image_height")


def named_frames(before: pa.Table | None) -> NamedFrames:
    """What a page of each file of several pages was called by ``before``, the last record manifest: path -> (number of
    the page in the file, from 0; its label). No page of a spread that was cut: its label has the half's number."""
    if before is None:
        return {}
    wanted = pc.greater(before["image_frames"], 1)
    if "image_left" in before.column_names:
        wanted = pc.and_(wanted, pc.and_(before["image_left"].is_null(), before["image_right"].is_null()))
    rows = before.select(["image_path", "image_frame", "record_key"]).filter(wanted)
    columns = (rows[name].to_pylist() for name in rows.column_names)
    return {path: (frame, key.rpartition(SEPARATOR)[2]) for path, frame, key in zip(*columns, strict=True)}


def known_images(before: pa.Table | None, checks: pa.Table | None = None) -> KnownImages:
    """What is known of each file: ``before``, the last record manifest, and ``checks``, the images that are not sent
    (`assets.image_checks.IMAGE_CHECK_SCHEMA`). A file of which not all pages are in either is not known: nothing there
    tells how large the others are."""
    if before is None:
        return {}
    if checks is not None and len(checks):
        wanted = [*_NAMES, *_SIZES]
        before = pa.concat_tables([before.select(wanted), checks.select(wanted)])
    columns = [
        before["image_path"].to_pylist(),
        before["image_bytes"].to_pylist(),
        before["image_modified_at"].cast(pa.int64()).to_pylist(),
    ]
    names = ("image_mime_type", "image_frame", "image_frames", "image_width", "image_height")
    files: dict[tuple[str, int, int], ImageHeader] = {}
    pages: dict[tuple[str, int, int], dict[int, tuple[int, int]]] = {}
    headers: dict[tuple[str, int, int], ImageHeader] = {}  # most scans of a book are alike
    for file, mime_type, frame, frames, width, height in zip(
        zip(*columns, strict=True), *(before[name].to_pylist() for name in names), strict=True
    ):
        if frames == 1:
            kind = (mime_type, width, height)
            files[file] = headers.get(kind) or headers.setdefault(kind, ImageHeader(mime_type, ((width, height),)))
            continue
        sizes = pages.setdefault(file, {})
        sizes[frame] = (width, height)
        if len(sizes) == frames:
            files[file] = ImageHeader(mime_type, tuple(sizes[each] for each in range(frames)))
    return files
