"""What goes up of a page image: the file as it is, if Gemini takes it so, else a JPEG or PNG made of it in memory. The
originals are never touched. How the pixels are changed stands in `pixels`, how the files are opened in `headers`.
"""

import io
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from assets.domain.errors import ImageError, UnfitImageError
from assets.image_checks import BLANK, BROKEN
from assets.sources import check_sizes
from flows.gateways.images.blank import begins_written, blank_words, may_be_blank
from flows.gateways.images.depth import has_deep_colour, sample_bits
from flows.gateways.images.headers import HEIC, JPEG, JPEG_2000, PNG, WEBP, Kind, OpenImage, open_page, reading
from flows.gateways.images.looking import BlankPageError, check_end, look, with_share
from flows.gateways.images.orientation import orientation_of
from flows.gateways.images.pixels import has_transparency, shrunk_size, to_upload
from flows.gateways.images.whole import FileRead, check_page, read_file
from flows.gateways.ports import Prepared

PIXELS_AT_ONCE = 200_000_000
"""What all conversions of the process may hold together: with 4 bytes a pixel, before and after, about 1.6 GB at the
very most."""
JPEG_2000_WEIGHT = 3
"""Its decoder holds each sample in 4 bytes beside the image (openjpeg 2.5)."""
GUTTER_SHARE = 0.06
"""So far from the edges of a page of a spread its gutter may be seen."""
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


ALL_CONVERSIONS = PixelBudget(PIXELS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _How:
    """What is asked for: see `prepare`."""

    max_side_pixels: int | None
    jpeg_quality: int
    decodes: bool
    send_blank: bool
    columns: tuple[int, int] | None
    budget: PixelBudget


def prepare(
    path: Path,
    frame: int,
    *,
    max_side_pixels: int | None,
    jpeg_quality: int,
    max_pixels: int,
    decodes: bool = False,
    send_blank: bool = False,
    columns: tuple[int, int] | None = None,
    budget: PixelBudget = ALL_CONVERSIONS,
) -> Prepared:
    """Page ``frame`` of the file as Gemini takes it: JPEG, PNG or WebP of 8 bits, upright, nothing transparent, its
    longest side at most ``max_side_pixels``. Blocks; to be run in a thread.

    The file is read once, and must be whole by its structure. An image that needs no change is decoded only with
    ``decodes``, or where it is so small for its pixels that there may be nothing on it. ``columns``: of the image as it
    stands upright, the first one that is the page, and the one behind the last; None: all are. ``send_blank``: also a
    page with nothing on it. Raises UnfitImageError for what stays so as long as the file is as it is, ImageError,
    OSError.
    """
    found = path.stat()
    how = _How(max_side_pixels, jpeg_quality, decodes, send_blank, columns, budget)
    try:
        read = read_file(path, found.st_size, found.st_mtime_ns)
        read.expect_readable()
        with open_page(path, frame) as opened:
            check_sizes([opened.size], max_pixels=max_pixels)
            _expect_whole(opened, read, budget)
            with reading("its header"):
                orientation = orientation_of(opened, read.late)
                changes = _changes(opened, orientation, max_side_pixels) + ["cut"] * (columns is not None)
            if changes or opened.kind not in (JPEG, PNG, WEBP):
                again = partial(open_page, path, frame)
                content, kind, size, words = _converted(opened, orientation, changes, how, again)
                made = (kind.mime_type, read.sha256, len(content), *size, words)
                return Prepared(content, *made, found.st_size, found.st_mtime_ns)
            _look_at(opened, path, found.st_size, how)
            as_it_is = (opened.kind.mime_type, read.sha256, found.st_size, *opened.size, "")
            return Prepared(path, *as_it_is, found.st_size, found.st_mtime_ns)
    except ImageError as error:
        if error.passes:
            raise
        why = BLANK if isinstance(error, BlankPageError) else BROKEN
        unfit = UnfitImageError(error.reason, kind=why, size_bytes=found.st_size, modified_ns=found.st_mtime_ns)
        raise unfit from None


def _expect_whole(opened: OpenImage, read: FileRead, budget: PixelBudget) -> None:
    """Raise ImageError for a page that is not all there by the structure of its file."""
    problem = check_page(opened, read)
    if problem is not None:
        with budget.hold(weight(opened)):
            raise ImageError(with_share(problem, opened))


def _look_at(opened: OpenImage, path: Path, size_bytes: int, how: _How) -> None:
    """A page that goes up as it is: decoded only where that is asked for, or where there may be nothing on it. Raises
    ImageError."""
    may_be = how.decodes or may_be_blank(opened, size_bytes, bits=sample_bits(opened))
    if opened.kind is PNG and not may_be and not how.send_blank:
        with how.budget.hold(weight(opened)), reading("the image"):
            may_be = not begins_written(partial(open_page, path, 0))
    if how.decodes or (may_be and not how.send_blank):
        with how.budget.hold(weight(opened)):
            look(opened, decodes=how.decodes, send_blank=how.send_blank)


def _converted(
    opened: OpenImage,
    orientation: int,
    changes: Sequence[str],
    how: _How,
    reopen: Callable[[], AbstractContextManager[OpenImage]],
) -> tuple[bytes, Kind, tuple[int, int], str]:
    """What is made of a page that cannot go up as it is: content, kind, size, and what was done, in words. Raises
    ImageError."""
    bits, max_side_pixels = sample_bits(opened), how.max_side_pixels
    before = f"{opened.kind.name} {opened.size[0]} x {opened.size[1]}"
    if opened.kind is JPEG and max_side_pixels is not None and how.columns is None:
        # libjpeg then decodes to an eighth, a quarter or a half, whatever is still large enough.
        opened.image.draft("", shrunk_size(opened.size, max_side_pixels))
    with how.budget.hold(weight(opened, bits)), reading("the image"):
        image = to_upload(
            opened,
            bits=bits,
            orientation=orientation,
            max_side_pixels=max_side_pixels,
            reopen=reopen,
            check=check_end if how.decodes else None,
            columns=how.columns,
        )
        # At the edge of a page of a spread there is the gutter's shadow.
        judged = image if how.columns is None else _without_edges(image)
        if not how.send_blank and (words := blank_words(judged)) is not None:
            raise BlankPageError(words)
        size = image.size
        content, kind = encoded(image, how.jpeg_quality)
    after = f"{kind.name} {size[0]} x {size[1]}"
    return content, kind, size, f"{', '.join([before, *changes])} -> {after}"


def weight(opened: OpenImage, bits: int = 8) -> int:
    """How much of the budget a page takes, as it is decoded now."""
    width, height = opened.image.size
    if opened.kind is JPEG_2000:
        return width * height * JPEG_2000_WEIGHT
    # libheif holds the pixels beside those of the image.
    return width * height * (2 if opened.kind is HEIC or has_deep_colour(opened, bits) else 1)


def _changes(opened: OpenImage, orientation: int, max_side_pixels: int | None) -> list[str]:
    """Why the image cannot go up as it is, apart from the kind of its file."""
    image = opened.image
    bits = sample_bits(opened)
    reasons = {
        f"{bits} bits": bits > 8,
        image.mode: image.mode not in ("1", "L", "P", "RGB", "I", "I;16", "I;16B", "F"),
        "transparent": has_transparency(image),
        "turned": orientation != 1,
        "shrunk": max_side_pixels is not None and max(opened.size) > max_side_pixels,
        "animated": getattr(image, "is_animated", False) and not isinstance(image, TiffImageFile),
    }
    return [words for words, holds in reasons.items() if holds]


def _without_edges(image: Image.Image) -> Image.Image:
    edge = round(GUTTER_SHARE * image.width)
    return image.crop((edge, 0, image.width - edge, image.height))


def encoded(image: Image.Image, jpeg_quality: int) -> tuple[bytes, Kind]:
    """As PNG what is bilevel, as JPEG the rest. Nothing of the original's metadata goes along: it could say once more
    that the image is to be turned."""
    kind = PNG if image.mode == "1" or max(image.size) > LONGEST_JPEG_SIDE else JPEG
    image.info.clear()
    with io.BytesIO() as buffer:
        image.save(buffer, kind.name, quality=jpeg_quality)
        image.close()
        return buffer.getvalue(), kind
