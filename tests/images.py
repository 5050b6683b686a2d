"""Image files for tests, made by other tools than Pillow (ImageMagick, or byte by byte), so that what reads them is not
what wrote them."""

import struct
import subprocess
import zlib
from functools import cache
from pathlib import Path

import pytest

CONVERT = Path("/usr/bin/convert-im6.q16")
needs_imagemagick = pytest.mark.skipif(not CONVERT.exists(), reason="needs Debian's imagemagick-6.q16")


@cache
def _writes_jpeg_2000() -> bool:
    listed = subprocess.run([CONVERT, "-list", "format"], check=True, capture_output=True, text=True).stdout
    return "JPEG-2000 File Format" in listed


def convert(*arguments: object) -> None:
    """ImageMagick; its arguments end with the file to write."""
    if str(arguments[-1]).endswith((".jp2", ".j2k")) and not _writes_jpeg_2000():
        pytest.skip("this ImageMagick was built without JPEG 2000")
    subprocess.run([CONVERT, *map(str, arguments)], check=True, capture_output=True, timeout=120)


def pixel_of(path: Path, x: int, y: int) -> tuple[int, int, int]:
    """A pixel in sRGB with 8 bits, as ImageMagick sees it."""
    text = subprocess.run(
        [CONVERT, path, "-colorspace", "sRGB", "-depth", "8", "-crop", f"1x1+{x}+{y}", "rgb:-"],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    return text[0], text[1], text[2]


def png_of(width: int, height: int, *, bits: int = 1) -> bytes:
    """A PNG whose header says so; its one data chunk holds nothing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


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
