"""Samples of more than 8 bits, made into 8: what white is in a page is told by its tags, or by what is in it, and never
by how many bits there are for a sample. A camera or scanner with 12 bits writes them into 16, of which its white is the
sixteenth part.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from flows.gateways.images.headers import BITS_PER_SAMPLE, PHOTOMETRIC, PNG, SAMPLE_FORMAT, OpenImage

STRIP_PIXELS = 4_000_000
DEEP_GRAY = ("I", "I;16", "I;16B", "F")
_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 281, 341
_UNSIGNED, _WHITE_IS_ZERO = 1, 0
_BRIGHTEST_SHARE = 0.001
"""So much of a page may be above its white: a hot pixel of a camera's, a glint. Such are cut off."""
_RAW_MODE = re.compile(r"(RGBA?X?|CMYK);16([BLN])$")
"""Of Pillow's names of how samples are stored, those of which it takes the higher byte and leaves the lower one."""
Samples = npt.NDArray[np.float64]
Convert = Callable[[Image.Image], Image.Image]


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of some million pixels that make up a page of ``size``."""
    width, height = size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def sample_bits(opened: OpenImage) -> int:
    """Of the image's samples, as many as its file has room for."""
    if isinstance(opened.image, TiffImageFile):
        return int(max(opened.image.tag_v2.get(BITS_PER_SAMPLE, (1,))))
    if opened.kind is PNG:
        return opened.head[24]
    return 16 if opened.image.mode.startswith("I;16") else 8


def gray_of(opened: OpenImage) -> Callable[[Image.Image], Convert]:
    """How samples of gray become 8 bits: black stays black, and what is white in the page becomes white. Pillow's own
    conversion would cut off whatever is above 255.

    Reads the tags now, since Pillow closes the file after it has loaded the pixels.
    """
    bits, is_unsigned, white_is_zero = 16, True, False
    if isinstance(opened.image, TiffImageFile):
        tags = opened.image.tag_v2
        bits = int(tags.get(BITS_PER_SAMPLE, (16,))[0])
        is_unsigned = int(tags.get(SAMPLE_FORMAT, (_UNSIGNED,))[0]) == _UNSIGNED
        white_is_zero = int(tags.get(PHOTOMETRIC, 1)) == _WHITE_IS_ZERO
    nothing_there = opened.image.info.get("transparency")
    most = 2.0**bits - 1 if is_unsigned else 2.0 ** (bits - 1) - 1
    said = _said_top(opened, most)

    def samples(strip: Image.Image) -> npt.NDArray[Any]:
        array = np.asarray(strip)
        # Pillow holds what has 32 bits as signed, whatever it is.
        return array.view(np.uint32) if array.dtype == np.int32 and bits == 32 and is_unsigned else array

    def converter(image: Image.Image) -> Convert:
        pieces = (samples(image.crop(box)) for box in strips(image.size))
        if image.mode == "F":
            top = _float_top(max(float(np.nanmax(piece, initial=0)) for piece in pieces))
        else:
            share = 0.0 if white_is_zero else _BRIGHTEST_SHARE
            top = _integer_top(pieces, most, above=share * image.width * image.height, said=said)

        def to_gray(strip: Image.Image) -> Image.Image:
            values = samples(strip).astype(np.float64)
            gray = np.nan_to_num(np.clip(values, 0, top) * (255 / top), nan=0.0)
            if white_is_zero:
                gray = 255 - gray
            if isinstance(nothing_there, int):
                gray[values == nothing_there] = 255
            return Image.fromarray(np.rint(gray).astype(np.uint8))

        return to_gray

    return converter


def has_deep_colour(opened: OpenImage, bits: int) -> bool:
    """Whether `lower_bytes` are there for what Pillow reads of the image. ``bits``: of one sample."""
    return bits == 16 and opened.image.mode in ("RGB", "RGBA", "RGBX", "CMYK")


def colour_of(opened: OpenImage, reopen: Callable[[], AbstractContextManager[OpenImage]]) -> Callable[[], Image.Image]:
    """For an image with `has_deep_colour`: a function that loads it and gives it with 8 bits a sample. ``reopen``:
    opens the same page once more. Reads the tags now."""
    image, most = opened.image, 65_535.0
    said = _said_top(opened, most)

    def load() -> Image.Image:
        image.load()
        colours = 3 if image.mode != "CMYK" else 4
        share = _BRIGHTEST_SHARE if image.mode != "CMYK" else 0.0
        above = share * image.width * image.height * colours
        pieces = (np.asarray(image.crop(box))[..., :colours] for box in strips(image.size))
        # Of the higher bytes alone: where they reach the upper half of what there is room for, nothing else is needed.
        higher = _integer_top(pieces, 255.0, above=above)
        if higher >= 255:
            return image
        lower = lower_bytes(reopen)
        top = _integer_top(_wide(image, lower, colours), most, above=above, said=said)
        found = Image.new(image.mode, image.size)
        for box, values in zip(strips(image.size), _wide(image, lower, None), strict=True):
            scaled = np.rint(np.clip(values, 0, top) * (255 / top)).astype(np.uint8)
            found.paste(Image.fromarray(scaled, image.mode), box)
        return found

    return load


def lower_bytes(reopen: Callable[[], AbstractContextManager[OpenImage]]) -> Image.Image | None:
    """The lower byte of each sample of 16 bits: Pillow takes the other one if it is told that the bytes stand the other
    way round. None for the few forms that it cannot read so."""
    with reopen() as opened:
        image = opened.image
        changed = []
        for tile in image.tile:
            args = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
            match = _RAW_MODE.match(str(args[0]))
            if match is None:
                return None
            native = "L" if sys.byteorder == "little" else "B"
            order = {"L": "B", "B": "L"}[match[2] if match[2] != "N" else native]
            other = f"{match[1]};16{order}"
            changed.append(tile._replace(args=other if isinstance(tile.args, str) else (other, *args[1:])))
        image.tile = changed
        image.load()
        return image.copy()


def _wide(image: Image.Image, lower: Image.Image | None, colours: int | None) -> Iterator[Samples]:
    """Samples of 16 bits, strip by strip, of ``colours`` of the channels. Without the lower bytes they are in the
    middle of what they can be."""
    for box in strips(image.size):
        values = np.asarray(image.crop(box))[..., :colours].astype(np.float64) * 256
        yield values + (np.asarray(lower.crop(box))[..., :colours] if lower is not None else 128)


def _said_top(opened: OpenImage, most: float) -> float | None:
    """What white is by the tags of a TIFF; None where they do not say, or say no more than how many bits there are."""
    if not isinstance(opened.image, TiffImageFile):
        return None
    for tag in (_S_MAX_SAMPLE_VALUE, _MAX_SAMPLE_VALUE):
        values = opened.image.tag_v2.get(tag, 0)
        try:
            said = float(max(values) if isinstance(values, tuple) else values)
        except (TypeError, ValueError):
            continue
        if 1 < said < most:
            return said
    return None


def _integer_top(pieces: Iterator[npt.NDArray[Any]], most: float, *, above: float, said: float | None = None) -> float:
    """White: what the tags say it is, or else the largest number that has as many bits as the samples need, but for
    ``above`` of them, as whoever has fewer bits than there is room for writes it. ``most``: the largest that there is
    room for. Tags that say less than what is in the page are wrong."""
    # How many samples need just so many bits.
    counts = np.zeros(66, np.int64)
    for piece in pieces:
        if piece.dtype.kind == "u" and piece.dtype.itemsize <= 2:
            each = np.bincount(piece.ravel())
            needed, weights = np.frexp(np.arange(len(each), dtype=np.float64))[1], each
            counts += np.bincount(needed, weights, minlength=66).astype(np.int64)
        else:
            positive = np.clip(piece, 0, most).astype(np.float64)
            counts += np.bincount(np.frexp(positive)[1].ravel(), minlength=66)
    needing_more = counts.sum() - np.cumsum(counts)
    bits = int(np.flatnonzero(needing_more <= above)[0])
    if said is not None and said > 2.0 ** (bits - 1):
        return said
    return min(most, max(2.0**bits - 1, 255.0 if most > 255 else 1.0))


def _float_top(largest: float) -> float:
    """What white is in an image of fractions, of which no tag tells the range: the next of the usual ones."""
    return next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest)
