"""Images with something wrong in their pixels or their files, for tests: cut off, with holes, deep, blank, turned. What
is not damaged is written by other tools than those that read it (`tests.images`)."""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np

from tests.images import Drawn, jpeg, jpeg_2000, png_chunk, tiff, webp


@cache
def page(width: int = 900, height: int = 1200) -> Drawn:
    """A page of text in gray, with the grain of paper."""
    chance = np.random.default_rng(1)
    drawn = chance.normal(235, 5, (height, width))
    for top in range(80, height - 80, 28):
        for left in range(80, width - 80, 12):
            if chance.random() < 0.8:
                drawn[top : top + 14, left : left + 3] = 30
                drawn[top + 5 : top + 8, left : left + 8] = 40
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def blank(shade: int, width: int = 800, height: int = 1000, *, grain: float = 1.5) -> Drawn:
    """Paper without anything on it but its grain."""
    noise = np.random.default_rng(2).normal(shade, grain, (height, width))
    return np.clip(np.rint(noise), 0, 255).astype(np.uint8)


def cut(content: bytes, share: float = 0.5) -> bytes:
    return content[: int(len(content) * share)]


def zeros_at_the_end(content: bytes, share: float = 0.5) -> bytes:
    """As a copy that was broken off leaves it, of which the whole file had been laid out."""
    there = int(len(content) * share) // 4096 * 4096
    return content[:there] + bytes(len(content) - there)


def hole(content: bytes, share: float = 0.5, size: int = 8192) -> bytes:
    """Some blocks of a disk in the middle are zeros."""
    start = int(len(content) * share) // 4096 * 4096
    return content[:start] + bytes(size) + content[start + size :]


def flipped(content: bytes, share: float = 0.5) -> bytes:
    """One bit is another."""
    at = int(len(content) * share)
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def lost(content: bytes, share: float = 0.5) -> bytes:
    """The second part of the data is not there, the end is: as whatever mends files writes them."""
    return cut(content, share) + content[-2:]


def png(drawn: Drawn, *, chunk_bytes: int = 8192) -> bytes:
    """As libpng writes it: pixels in chunks of 8 KB."""
    return in_chunks(bytes(imagecodecs.png_encode(drawn)), chunk_bytes)


def in_chunks(content: bytes, chunk_bytes: int, late: bytes = b"") -> bytes:
    """The PNG with its pixels in such chunks. ``late``: a chunk that stands behind them."""
    head, pixels = b"", b""
    for name, data in _chunks(content):
        if name == b"IDAT":
            pixels += data
        elif name != b"IEND":
            head += png_chunk(name, data)
    parts = [pixels[at : at + chunk_bytes] for at in range(0, len(pixels), chunk_bytes)]
    body = b"".join(png_chunk(b"IDAT", part) for part in parts)
    return content[:8] + head + body + late + png_chunk(b"IEND", b"")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += 12 + length


def exif(orientation: int) -> bytes:
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def xmp(orientation: int) -> bytes:
    about = f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>'
    return b"<x:xmpmeta><rdf:RDF>" + about.encode() + b"</rdf:RDF></x:xmpmeta>"


def turned(drawn: Drawn, orientation: int) -> dict[str, bytes]:
    """The same image in each place that a file has for its orientation: what it is -> content."""
    plain, sheet = bytes(imagecodecs.png_encode(drawn)), jpeg(drawn)
    hexed = (b"Exif\0\0" + exif(orientation)).hex()
    profile = f"\nexif\n{len(hexed) // 2:8}\n{hexed}\n".encode()
    packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp(orientation)
    box = jpeg_2000(drawn)
    return {
        "PNG, EXIF behind the pixels": in_chunks(plain, 8192, png_chunk(b"eXIf", exif(orientation))),
        "PNG, a text chunk of ImageMagick's": in_chunks(
            plain, 8192, png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
        ),
        "PNG, XMP": in_chunks(plain, 8192, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(orientation))),
        "JPEG, XMP": sheet[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + sheet[2:],
        "WebP, EXIF": _webp_with(webp(drawn), drawn, b"EXIF", exif(orientation)),
        "JPEG 2000, EXIF": box + _uuid(b"JpgTiffExif->JP2", exif(orientation)),
        "JPEG 2000, XMP": box + _uuid(bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), xmp(orientation)),
    }


def _uuid(uuid: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 24) + b"uuid" + uuid + content


def _webp_with(content: bytes, drawn: Drawn, name: bytes, data: bytes) -> bytes:
    height, width = int(drawn.shape[0]), int(drawn.shape[1])
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0x08, 0, 0, 0]) + sizes
    chunk = name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    body = b"WEBP" + extended + content[12:] + chunk
    head: bytes = b"RIFF" + struct.pack("<I", len(body))
    return head + body


def front_tiff(drawn: Drawn, *, rows: int = 16) -> bytes:
    """A plain TIFF in gray whose directory stands before its strips, as scanners write it."""
    height, width = drawn.shape
    count = -(-height // rows)
    starts = 8 + 2 + 10 * 12 + 4
    offsets_at, counts_at = starts, starts + 4 * count
    data_at = counts_at + 4 * count
    sizes = [min(rows, height - at * rows) * width for at in range(count)]
    offsets = [data_at + sum(sizes[:at]) for at in range(count)]
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1)]
    tags += [(273, offsets_at), (277, 1), (278, rows), (279, counts_at), (296, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, count if tag in (273, 279) else 1, value) for tag, value in tags)
    return (
        b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
        + struct.pack(f"<{count}I", *offsets) + struct.pack(f"<{count}I", *sizes) + drawn.tobytes()
    )  # fmt: skip


KINDS: dict[str, Callable[[Drawn], bytes]] = {
    "JPEG": lambda drawn: jpeg(drawn, 85),
    "PNG": png,
    "WebP": webp,
    "TIFF": front_tiff,
    "TIFF, LZW": lambda drawn: tiff(drawn, rowsperstrip=16, compression="lzw"),
    "JPEG 2000": jpeg_2000,
    "GIF": lambda drawn: bytes(imagecodecs.gif_encode(drawn)),
    "BMP": lambda drawn: bytes(imagecodecs.bmp_encode(drawn)),
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half of it": cut,
    "zeros at the end": zeros_at_the_end,
    "a hole of 8 KB": hole,
}


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
