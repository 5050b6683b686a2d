"""What goes up of a page image: the file as it is, if Gemini takes it so, else a JPEG or PNG made of it in memory. The
originals are never touched. How the pixels are changed stands in `pixels`, how the files are opened in `headers`.
"""

import hashlib
import io
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from assets.sources import check_sizes
from flows.gateways.images.headers import (
    BITS_PER_SAMPLE,
    JPEG,
    JPEG_2000,
    ORIENTATION,
    PNG,
    WEBP,
    Kind,
    OpenImage,
    open_page,
    reading,
)
from flows.gateways.images.pixels import has_transparency, shrunk_size, to_upload
from flows.gateways.ports import Prepared

PIXELS_AT_ONCE = 200_000_000
"""What all conversions of the process may hold together: with 4 bytes a pixel, before and after, about 1.6 GB at the
very most."""
JPEG_2000_WEIGHT = 3
"""Its decoder holds each sample in 4 bytes beside the image (openjpeg 2.5)."""
LONGEST_JPEG_SIDE = 65_000
"""A JPEG can have 65,535, and libjpeg stops a little earlier."""


class PixelBudget:
    """How many pixels may be held at once, first come, first served. What is larger than the whole goes alone."""

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Waits in its thread until there is room."""
        wanted, ticket = min(pixels, self._all), object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._free >= wanted)
            self._waiting.popleft()
            self._free -= wanted
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


_budget = PixelBudget(PIXELS_AT_ONCE)


def prepare(
    path: Path,
    frame: int,
    *,
    max_side_pixels: int | None,
    jpeg_quality: int,
    max_pixels: int,
    budget: PixelBudget = _budget,
) -> Prepared:
    """Page ``frame`` of the file as Gemini takes it: JPEG, PNG or WebP of 8 bits, upright, nothing transparent, its
    longest side at most ``max_side_pixels``. Blocks; to be run in a thread. Raises ImageError, OSError.

    An image that needs no change is not decoded: what is wrong with its pixels is for Gemini to say.
    """
    found = path.stat()
    sha256 = _sha256(path, found.st_size, found.st_mtime_ns)
    with open_page(path, frame) as opened:
        check_sizes([opened.size], max_pixels=max_pixels)
        with reading("its header"):
            changes = _changes(opened, max_side_pixels)
        if not changes and opened.kind in (JPEG, PNG, WEBP):
            return Prepared(
                path,
                opened.kind.mime_type,
                sha256,
                found.st_size,
                *opened.size,
                original_bytes=found.st_size,
                original_modified_ns=found.st_mtime_ns,
            )
        before = f"{opened.kind.name} {opened.size[0]} x {opened.size[1]}"
        if opened.kind is JPEG and max_side_pixels is not None:
            # libjpeg then decodes to an eighth, a quarter or a half, whatever is still large enough.
            opened.image.draft("", shrunk_size(opened.size, max_side_pixels))
        width, height = opened.image.size
        weight = JPEG_2000_WEIGHT if opened.kind is JPEG_2000 else 1
        with budget.hold(width * height * weight), reading("the image"):
            image = to_upload(opened, orientation=_orientation(opened), max_side_pixels=max_side_pixels)
            size = image.size
            content, kind = _encoded(image, jpeg_quality)
    after = f"{kind.name} {size[0]} x {size[1]}"
    return Prepared(
        content,
        kind.mime_type,
        sha256,
        len(content),
        *size,
        f"{', '.join([before, *changes])} -> {after}",
        found.st_size,
        found.st_mtime_ns,
    )


def _changes(opened: OpenImage, max_side_pixels: int | None) -> list[str]:
    """Why the image cannot go up as it is, apart from the kind of its file."""
    image = opened.image
    bits = _bits(opened)
    reasons = {
        f"{bits} bits": bits > 8,
        image.mode: image.mode not in ("1", "L", "P", "RGB", "I", "I;16", "I;16B", "F"),
        "transparent": has_transparency(image),
        "turned": _orientation(opened) != 1,
        "shrunk": max_side_pixels is not None and max(opened.size) > max_side_pixels,
        "animated": getattr(image, "is_animated", False) and not isinstance(image, TiffImageFile),
    }
    return [words for words, holds in reasons.items() if holds]


def _bits(opened: OpenImage) -> int:
    """Of one sample, in a file that can have more than 8."""
    if opened.kind is PNG:
        return opened.head[24]
    if isinstance(opened.image, TiffImageFile):
        return int(max(opened.image.tag_v2.get(BITS_PER_SAMPLE, (1,))))
    return 16 if opened.image.mode.startswith("I;16") else 8


def _orientation(opened: OpenImage) -> int:
    """As EXIF has it, 1 to 8; 1, upright, also where it says nothing or nonsense."""
    image = opened.image
    try:
        if isinstance(image, TiffImageFile):
            orientation = image.tag_v2.get(ORIENTATION, 1)
        else:
            exif = Image.Exif()
            exif.load(image.info.get("exif") or b"")
            orientation = exif.get(ORIENTATION, 1)
    except Exception:  # damaged EXIF is as good as none, and what it raises is anything
        return 1
    return orientation if orientation in range(1, 9) else 1


def _encoded(image: Image.Image, jpeg_quality: int) -> tuple[bytes, Kind]:
    """As PNG what is bilevel, as JPEG the rest. Nothing of the original's metadata goes along: it could say once more
    that the image is to be turned."""
    kind = PNG if image.mode == "1" or max(image.size) > LONGEST_JPEG_SIDE else JPEG
    image.info.clear()
    with io.BytesIO() as buffer:
        image.save(buffer, kind.name, quality=jpeg_quality)
        image.close()
        return buffer.getvalue(), kind


@lru_cache(maxsize=64)
def _sha256(path: Path, size_bytes: int, modified_ns: int) -> str:
    """Of a file as it is now; kept, since a book in one TIFF is asked for page by page."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
