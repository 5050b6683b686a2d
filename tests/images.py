"""Image files for tests, made by other tools than Pillow (imagecodecs, or byte by byte), so that what reads them is not
what wrote them. What is drawn is an array, so a test knows what must be seen.

The arrays: (height, width) gray or (height, width, 3 or 4) in colour, the last of 4 being what is opaque.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pillow_heif

Drawn = npt.NDArray[Any]
ORIENTATION = 274


def gradient(width: int, height: int, kind: str = "u1") -> Drawn:
    """White above, black below, in gray. ``kind`` of number: the whole range of it, or 0 to 1 of fractions."""
    dtype = np.dtype(kind)
    white = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    column = np.linspace(white, 0, height)
    return np.tile((column if dtype.kind == "f" else np.rint(column)).astype(dtype)[:, None], (1, width))


def blended(width: int, height: int, above: tuple[int, int, int], below: tuple[int, int, int]) -> Drawn:
    """One colour above, the other below."""
    column = np.linspace(above, below, height)
    return np.tile(np.rint(column).astype(np.uint8)[:, None, :], (1, width, 1))


def patches(*colours: tuple[int, int, int], side: int = 100) -> Drawn:
    """Squares of these colours, side by side."""
    return np.repeat(np.repeat(np.array([colours], np.uint8), side, axis=0), side, axis=1)


def noise(width: int, height: int, kind: str = "u1") -> Drawn:
    """Gray that no compression makes small."""
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max, (height, width), kind)


def dithered(gray: Drawn) -> Drawn:
    """Black and white, as dense as the gray of 8 bits is dark: True is white."""
    return np.less(np.random.default_rng(1).random(gray.shape) * 255, gray)


def cmyk(rgb: Drawn) -> Drawn:
    """How much of each ink, from 0 to 255, without a profile."""
    light = rgb.astype(float) / 255
    brightest = light.max(axis=2, keepdims=True)
    inks = np.where(brightest > 0, 1 - light / np.where(brightest > 0, brightest, 1), 0)
    found: Drawn = np.rint(np.concatenate([inks, 1 - brightest], axis=2) * 255).astype(np.uint8)
    return found


def deep(drawn: Drawn) -> Drawn:
    """The same with 16 bits instead of 8."""
    samples: Drawn = drawn.astype(np.uint16) * 257
    return samples


def write(path: Path, drawn: Drawn, **options: Any) -> Path:
    """The image as the kind of file that its name says. ``options``: of the encoder."""
    encode: dict[str, Any] = {
        ".jpg": jpeg,
        ".png": imagecodecs.png_encode,
        ".webp": webp,
        ".tif": tiff,
        ".jp2": jpeg_2000,
        ".j2k": jpeg_2000_codestream,
        ".gif": imagecodecs.gif_encode,
        ".bmp": imagecodecs.bmp_encode,
        ".heic": heic,
        ".avif": avif,
    }
    path.write_bytes(encode[path.suffix](np.ascontiguousarray(drawn), **options))
    return path


def jpeg(drawn: Drawn, level: int = 98) -> bytes:
    """Four channels are inks, written as Adobe's programs do: the more, the darker, and that inverted."""
    if drawn.ndim == 3 and drawn.shape[2] == 4:
        return bytes(imagecodecs.jpeg8_encode(255 - drawn, level, colorspace="CMYK", outcolorspace="CMYK"))
    return bytes(imagecodecs.jpeg8_encode(drawn, level))


def webp(drawn: Drawn, *, lossless: bool = False) -> bytes:
    if drawn.ndim == 2:
        drawn = np.dstack([drawn] * 3)
    return bytes(imagecodecs.webp_encode(drawn, 80, lossless=lossless))


def heic(drawn: Drawn) -> bytes:
    """By the library that reads it, too: no other that is installed by a package alone writes any."""
    colours = np.dstack([drawn] * 3) if drawn.ndim == 2 else drawn
    with io.BytesIO() as file:
        size = colours.shape[1], colours.shape[0]
        pillow_heif.from_bytes("RGB", size, np.ascontiguousarray(colours).tobytes()).save(file, quality=95)
        return file.getvalue()


def avif(drawn: Drawn) -> bytes:
    return bytes(imagecodecs.avif_encode(np.dstack([drawn] * 3) if drawn.ndim == 2 else drawn, 95))


def jpeg_2000(drawn: Drawn) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(drawn, 0, codecformat="jp2"))


def jpeg_2000_codestream(drawn: Drawn) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(drawn, 0, codecformat="j2k"))


def tiff(*pages: Drawn, **options: Any) -> bytes:
    """A TIFF of these pages, by libtiff."""
    written = bytes(imagecodecs.tiff_encode(pages[0], **options))
    for page in pages[1:]:
        written = bytes(imagecodecs.tiff_encode(page, appendto=written, **options))
    return written


def pyramid(drawn: Drawn) -> bytes:
    """A TIFF of levels, each half of the one before, that do not say what they are, as ImageMagick writes them."""
    levels = [np.ascontiguousarray(drawn[:: 2**level, :: 2**level]) for level in range(4)]
    return tiff(*levels, tile=(64, 64))


def with_tag(content: bytes, tag: int, value: int) -> bytes:
    """A TIFF of one page, little-endian, with one more tag, of two bytes."""
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    old = [content[start + 2 + 12 * at :][:12] for at in range(count)]
    entries = sorted([*old, struct.pack("<HHIHH", tag, 3, 1, value, 0)], key=lambda entry: entry[:2][::-1])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return content[:4] + struct.pack("<I", len(content)) + content[8:] + directory


def gif(drawn: Drawn, colours: Drawn, *, transparent: int | None = None) -> bytes:
    """``drawn``: the number of a colour for each pixel; ``transparent``: the one that is none."""
    content = bytes(imagecodecs.gif_encode(drawn, colormap=colours))
    if transparent is None:
        return content
    # The block that says so stands before the image, behind the head and the table of colours.
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:start] + b"\x21\xf9\x04\x01\0\0" + bytes([transparent, 0]) + content[start:]


def png(drawn: Drawn, *, bits: int = 8, palette: Drawn | None = None, transparent: int | None = None) -> bytes:
    """What imagecodecs does not write: 1 bit a pixel, or the numbers of colours. ``transparent``: the colour that is
    none."""
    rows = np.packbits(drawn, axis=1) if bits == 1 else drawn.astype(np.uint8)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBB", *drawn.shape[::-1], bits, 0 if palette is None else 3) + bytes(3))
        + (b"" if palette is None else png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        + (b"" if transparent is None else png_chunk(b"tRNS", bytes([255] * transparent + [0])))
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def png_of(width: int, height: int, *, bits: int = 1) -> bytes:
    """A PNG whose header says so; its one data chunk holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff_of(width: int, height: int, *, bits: int = 1, content: bytes = bytes(4)) -> bytes:
    """A gray TIFF whose one strip is ``content``."""
    sizes = [(256, width), (257, height), (258, bits), (259, 1), (262, 1)]
    tags = [*sizes, (273, 8), (277, 1), (278, height), (279, len(content))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<I", 8 + len(content))
    return b"II*\0" + start + content + struct.pack("<H", len(tags)) + entries + bytes(4)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that says so."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def small_jpeg(*, comment: bytes = b"") -> bytes:
    """The smallest JPEG: 8 x 8 gray pixels, byte by byte, with a comment that makes it longer."""
    quantization = b"\xff\xdb\0\x43\0" + bytes([1] * 64)
    frame = b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0"
    tables = b"".join(b"\xff\xc4\0\x14" + kind + b"\x01" + bytes(15) + b"\0" for kind in (b"\0", b"\x10"))
    scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + b"\x3f"
    note = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment if comment else b""
    return b"\xff\xd8" + note + quantization + frame + tables + scan + b"\xff\xd9"


def small_webp(width: int = 60, height: int = 80) -> bytes:
    """The head of a WebP file of one lossy image."""
    chunk = b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(20)
    return b"RIFF" + struct.pack("<I", len(chunk) + 12) + b"WEBPVP8 " + struct.pack("<I", len(chunk)) + chunk
