"""What the record manifest says of image files, so that a walk opens only those that are new."""

import pyarrow as pa

from assets.sources import ImageHeader
from flows.gateways.files.trees import KnownImages

_NAMES = ("image_path", "image_bytes", "image_modified_at", "image_mime_type")
_SIZES = ("image_frame", "image_frames", "image_width", "image_height")


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
