"""Pixels of page images, changed so that Gemini takes them: 8 bits, gray or RGB, white where nothing is, upright, not
too large. Which images need it stands in `preparing`.

Done in strips: beside the image and what it becomes, only a few million pixels are held.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from flows.gateways.images.depth import DEEP_GRAY, colour_of, gray_of, has_deep_colour, strips
from flows.gateways.images.headers import OpenImage

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


def to_upload(
    opened: OpenImage,
    *,
    bits: int,
    orientation: int,
    max_side_pixels: int | None,
    reopen: Callable[[], AbstractContextManager[OpenImage]],
    check: Callable[[OpenImage], None] | None = None,
    columns: tuple[int, int] | None = None,
) -> Image.Image:
    """The pixels in mode 1, L or RGB. ``bits``: of a sample; ``orientation``: as EXIF has it; ``reopen``: opens the
    same page once more; ``check``: is called when the pixels are loaded; ``columns``: of the image as it stands
    upright, the first one and the one behind the last of what is wanted. Raises whatever Pillow does."""
    to_gray = gray_of(opened)
    colour = colour_of(opened, reopen) if has_deep_colour(opened, bits) else None
    if isinstance(opened.image, TiffImageFile):
        expect_native_order(opened.image)
    image: Image.Image = opened.image
    if colour is not None:
        image = colour()
    else:
        opened.image.load()
    if check is not None:
        check(opened)
    if isinstance(opened.image, TiffImageFile):
        orientation = 1  # Pillow has turned a TIFF when it is loaded
    if image.mode in DEEP_GRAY:
        image = _by_strips(image, "L", to_gray(image))
    elif image.mode in ("LA", "La"):
        image = _by_strips(image, "L", lambda strip: _on_white(strip.convert("LA"), "L"))
    elif has_transparency(image):
        image = _by_strips(image, "RGB", lambda strip: _on_white(strip.convert("RGBA"), "RGB"))
    elif image.mode not in ("1", "L", "RGB"):
        image = _by_strips(image, "RGB", lambda strip: strip.convert("RGB"))
    if columns is not None:
        image = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
        image, orientation = image.crop((columns[0], 0, columns[1], image.height)), 1
    if max_side_pixels is not None and max(image.size) > max_side_pixels:
        if image.mode == "1":
            # Thin strokes would break if they had to stay black or white.
            image = _by_strips(image, "L", lambda strip: strip.convert("L"))
        image = image.resize(shrunk_size(image.size, max_side_pixels), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def expect_native_order(image: TiffImageFile) -> None:
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
    for box in strips(image.size):
        result.paste(convert(image.crop(box)), box)
    image.close()
    return result


def _on_white(strip: Image.Image, mode: str) -> Image.Image:
    """``strip`` has its alpha in its last channel."""
    white = Image.new(mode, strip.size, "white")
    white.paste(strip.convert(mode), mask=strip.getchannel("A"))
    return white
