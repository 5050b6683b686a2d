"""A page as a picture for a person, upright and with 8 bits: as it goes up, of a page of a spread the whole image with
the cut in red and the other page pale; or the page alone, as a browser can show it."""

import io
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from assets.sources import check_sizes
from flows.gateways.images.depth import sample_bits
from flows.gateways.images.headers import JPEG, open_page, reading
from flows.gateways.images.orientation import orientation_of
from flows.gateways.images.pixels import shrunk_size, to_upload
from flows.gateways.images.preparing import ALL_CONVERSIONS, encoded, weight
from flows.gateways.images.whole import read_file

_RED, _PALE = (220, 0, 0), 0.6


def picture_of(
    path: Path, frame: int, columns: tuple[int, int] | None, *, max_pixels: int, max_side_pixels: int, ending: str
) -> bytes:
    """Content of a picture file whose name ends in ``ending``, ``.png`` or else a JPEG's. ``columns``: see `prepare`.
    Raises ImageError, OSError."""
    found = path.stat()
    read = read_file(path, found.st_size, found.st_mtime_ns)
    with open_page(path, frame) as opened:
        check_sizes([opened.size], max_pixels=max_pixels)
        with reading("the image"):
            image = to_upload(
                opened,
                bits=sample_bits(opened),
                orientation=orientation_of(opened, read.late),
                max_side_pixels=None,
                reopen=partial(open_page, path, frame),
            ).convert("RGB")
    if columns is not None:
        image = _with_cut(image, columns)
    image.thumbnail((max_side_pixels, max_side_pixels))
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG" if ending.lower() == ".png" else "JPEG", quality=90)
        return buffer.getvalue()


def page_picture(
    path: Path,
    frame: int,
    columns: tuple[int, int] | None,
    *,
    max_pixels: int,
    max_side_pixels: int,
    jpeg_quality: int,
) -> tuple[bytes, str]:
    """The page alone: content of a JPEG or PNG, its longest side at most ``max_side_pixels``, and its MIME type. What
    all threads hold of pixels is bounded. ``columns``: see `prepare`. Blocks. Raises ImageError, OSError."""
    found = path.stat()
    read = read_file(path, found.st_size, found.st_mtime_ns)
    with open_page(path, frame) as opened:
        check_sizes([opened.size], max_pixels=max_pixels)
        with reading("its header"):
            orientation, bits = orientation_of(opened, read.late), sample_bits(opened)
        if opened.kind is JPEG and columns is None:
            opened.image.draft("", shrunk_size(opened.size, max_side_pixels))
        with ALL_CONVERSIONS.hold(weight(opened, bits)), reading("the image"):
            image = to_upload(
                opened,
                bits=bits,
                orientation=orientation,
                max_side_pixels=max_side_pixels,
                reopen=partial(open_page, path, frame),
                columns=columns,
            )
            content, kind = encoded(image, jpeg_quality)
    return content, kind.mime_type


def _with_cut(image: Image.Image, columns: tuple[int, int]) -> Image.Image:
    left, right = columns
    pale = Image.blend(image, Image.new("RGB", image.size, "white"), _PALE)
    pale.paste(image.crop((left, 0, right, image.height)), (left, 0))
    at, wide = left or right, max(2, image.width // 400)
    ImageDraw.Draw(pale).line([(at, 0), (at, image.height)], fill=_RED, width=wide)
    return pale
