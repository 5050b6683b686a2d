"""Pixels of page images, changed so that Gemini takes them: 8 bits, gray or RGB, white where nothing is, upright, not
too large. Which images need it stands in `preparing`.

Done in strips: beside the image and what it becomes, only a few million pixels are held.
"""

import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from flows.gateways.images.headers import BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, OpenImage

STRIP_PIXELS = 4_000_000
_DEEP = ("I", "I;16", "I;16B", "F")
_UNSIGNED = 1
_BIG_ENDIAN = re.compile(r"(;16|;32)B(S|F)?$")
"""Of Pillow's names of how samples are stored, such as "F;32BF"."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
Samples = npt.NDArray[np.float64]


def to_upload(opened: OpenImage, *, orientation: int, max_side_pixels: int | None) -> Image.Image:
    """The pixels in mode 1, L or RGB. ``orientation``: as EXIF has it. Raises whatever Pillow does."""
    image: Image.Image = opened.image
    to_gray = _gray_of(opened)
    if isinstance(opened.image, TiffImageFile):
        _expect_native_order(opened.image)
    opened.image.load()
    if isinstance(opened.image, TiffImageFile):
        orientation = 1  # Pillow has turned a TIFF when it is loaded
    if image.mode in _DEEP:
        image = _by_strips(image, "L", to_gray(image))
    elif image.mode in ("LA", "La"):
        image = _by_strips(image, "L", lambda strip: _on_white(strip.convert("LA"), "L"))
    elif has_transparency(image):
        image = _by_strips(image, "RGB", lambda strip: _on_white(strip.convert("RGBA"), "RGB"))
    elif image.mode not in ("1", "L", "RGB"):
        image = _by_strips(image, "RGB", lambda strip: strip.convert("RGB"))
    if max_side_pixels is not None and max(image.size) > max_side_pixels:
        if image.mode == "1":
            # Thin strokes would break if they had to stay black or white.
            image = _by_strips(image, "L", lambda strip: strip.convert("L"))
        image = image.resize(shrunk_size(image.size, max_side_pixels), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _expect_native_order(image: TiffImageFile) -> None:
    """libtiff hands samples over in the order of this machine, of which Pillow (13.0) thinks only for unsigned ones of
    16 bits: numbers in a compressed file with the other order would be read backwards."""
    image.tile = [
        tile._replace(args=(_BIG_ENDIAN.sub(r"\1N\2", tile.args[0]), *tile.args[1:]))
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple)
        else tile
        for tile in image.tile
    ]


def shrunk_size(size: tuple[int, int], max_side_pixels: int) -> tuple[int, int]:
    """``size``, in proportion, with a longest side of at most ``max_side_pixels``."""
    factor = min(1.0, max_side_pixels / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def has_transparency(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _by_strips(image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """What ``convert`` makes of each strip, put together; ``image`` is used up."""
    result = Image.new(mode, image.size)
    for box in _strips(image.size):
        result.paste(convert(image.crop(box)), box)
    image.close()
    return result


def _strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    width, height = size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def _on_white(strip: Image.Image, mode: str) -> Image.Image:
    """``strip`` has its alpha in its last channel."""
    white = Image.new(mode, strip.size, "white")
    white.paste(strip.convert(mode), mask=strip.getchannel("A"))
    return white


def _gray_of(opened: OpenImage) -> Callable[[Image.Image], Callable[[Image.Image], Image.Image]]:
    """How samples of more than 8 bits become 8: the whole range of what they can be onto the whole range of these.
    Pillow's own conversion would cut off whatever is above 255.

    Reads the tags now, since Pillow closes the file after it has loaded the pixels.
    """
    bits, is_unsigned, white_is_zero = 16, True, False
    if isinstance(opened.image, TiffImageFile):
        tags = opened.image.tag_v2
        bits = int(tags.get(BITS_PER_SAMPLE, (16,))[0])
        is_unsigned = int(tags.get(SAMPLE_FORMAT, (_UNSIGNED,))[0]) == _UNSIGNED
        white_is_zero = int(tags.get(PHOTOMETRIC, 1)) == 0
    nothing_there = opened.image.info.get("transparency")

    def samples(strip: Image.Image) -> Samples:
        array = np.asarray(strip)
        # Pillow holds what has 32 bits as signed, whatever it is.
        return (array.view(np.uint32) if array.dtype == np.int32 and bits == 32 and is_unsigned else array).astype(
            np.float64
        )

    def converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
        if image.mode == "F":
            top = _float_top(max(float(np.nanmax(samples(image.crop(box)), initial=0)) for box in _strips(image.size)))
        else:
            top = 2.0**bits - 1 if is_unsigned else 2.0 ** (bits - 1) - 1

        def to_gray(strip: Image.Image) -> Image.Image:
            values = samples(strip)
            gray = np.nan_to_num(np.clip(values, 0, top) * (255 / top), nan=0.0)
            if white_is_zero:
                gray = 255 - gray
            if isinstance(nothing_there, int):
                gray[values == nothing_there] = 255
            return Image.fromarray(np.rint(gray).astype(np.uint8))

        return to_gray

    return converter


def _float_top(largest: float) -> float:
    """What white is in an image of fractions, of which no tag tells the range: the next of the usual ones."""
    return next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest)
