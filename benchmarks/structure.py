"""What it costs to tell by the structure of an image's file whether it is whole: CPU, as ratios, side by side in one
run.

    python -m benchmarks.structure [rounds]

Each page is prepared for its upload, once as it is and once with the structure unlooked at; the best of the rounds
counts. A ratio of 1.05 means: a twentieth more CPU. It ends with 1 where a kind takes more than a tenth. What is
prepared are pages of 8.7 million pixels, 300 dpi, of each kind.
"""

import hashlib
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from flows.gateways.images import preparing
from flows.gateways.images.headers import OpenImage
from flows.gateways.images.whole import FileRead, read_file

AT_MOST = 1.1
SIZE = (2480, 3508)
KINDS = {
    "JPEG": {"format": "JPEG", "quality": 85},
    "PNG": {"format": "PNG"},
    "WebP": {"format": "WEBP", "quality": 85, "method": 0},
    "TIFF": {"format": "TIFF", "compression": "tiff_lzw"},
    "JPEG 2000": {"format": "JPEG2000"},
}


def main(rounds: int) -> int:
    above = []
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder))
        sums = [0.0, 0.0]
        for name, path in files.items():
            best = [float("inf"), float("inf")]
            for _ in range(rounds):
                for at, prepare in enumerate((hash_only, looked_at)):
                    best[at] = min(best[at], cpu(lambda path=path, prepare=prepare: prepare(path)))  # type: ignore[misc]
            sums = [before + now for before, now in zip(sums, best, strict=True)]
            megabytes, milliseconds = path.stat().st_size / 1e6, [1000 * seconds for seconds in best]
            said = f"{milliseconds[0]:7.1f} ms -> {milliseconds[1]:7.1f} ms  {best[1] / best[0]:.3f} x"
            print(f"{name:<10} {megabytes:5.1f} MB  {said}")
            above += [name] if best[1] > AT_MOST * best[0] else []
        print(f"{'together':<20} {1000 * sums[0]:7.1f} ms -> {1000 * sums[1]:7.1f} ms  {sums[1] / sums[0]:.3f} x")
        print(f"more than {AT_MOST} x: {', '.join(above)}" if above else f"none takes more than {AT_MOST} x")
        return 1 if above else 0


def make_files(folder: Path) -> dict[str, Path]:
    """A page of text with the grain of paper, as each kind of file."""
    chance = np.random.default_rng(1)
    drawn = chance.normal(235, 4, (SIZE[1], SIZE[0]))
    for top in range(200, SIZE[1] - 200, 50):
        for left in range(200, SIZE[0] - 200, 24):
            drawn[top : top + 24, left : left + 4] = 40
    image = Image.fromarray(np.clip(np.rint(drawn), 0, 255).astype(np.uint8))
    found = {}
    for name, options in KINDS.items():
        found[name] = folder / f"{name}.img"
        image.save(found[name], **options)  # type: ignore[arg-type]
    found["PNG, 8 KB"] = folder / "chunks.img"
    found["PNG, 8 KB"].write_bytes(in_small_chunks(found["PNG"].read_bytes()))
    return found


def in_small_chunks(content: bytes) -> bytes:
    """The PNG as libpng writes it: its pixels in chunks of 8 KB."""
    pixels, at, chunks = b"", 8, b""
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        pixels += content[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    for start in range(0, len(pixels), 8192):
        part = b"IDAT" + pixels[start : start + 8192]
        chunks += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    head, end = content[:33], content[-12:]
    return head + chunks + end


def looked_at(path: Path) -> None:
    """As every upload does it."""
    read_file.cache_clear()
    preparing.prepare(path, 0, max_side_pixels=None, jpeg_quality=90, max_pixels=10**9, send_blank=True)


def hash_only(path: Path) -> None:
    """The same, but that the bytes are only hashed."""
    with patch.object(preparing, "read_file", _hashed), patch.object(preparing, "check_page", _nothing):
        preparing.prepare(path, 0, max_side_pixels=None, jpeg_quality=90, max_pixels=10**9, send_blank=True)


def _hashed(path: Path, size_bytes: int, modified_ns: int) -> FileRead:
    with path.open("rb") as file:
        return FileRead(hashlib.file_digest(file, "sha256").hexdigest(), size_bytes, None, ())


def _nothing(opened: OpenImage, read: FileRead) -> None:
    return None


def cpu(work: Callable[[], None]) -> float:
    """Seconds of CPU of this process, all of its threads."""
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
