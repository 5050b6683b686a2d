"""An image file read once, from its first byte to its last: its hash, and whether it is whole. What each kind of file
must be like stands in `structure`; what a TIFF must be like here, as that goes by its pages.
"""

import hashlib
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

from assets.domain.errors import ImageError
from flows.gateways.images.headers import BMP, GIF, HEAD_BYTES, JPEG, JPEG_2000, PNG, WEBP, Kind, OpenImage, kind_of
from flows.gateways.images.structure import (
    CUT_OFF,
    SHORTEST_RUN_BYTES,
    PngWalk,
    Run,
    check_bmp,
    check_gif,
    check_jpeg,
    check_jpeg_2000,
    check_png,
    check_webp,
    cut_off_at,
    damaged_at,
)

_PART_BYTES = 1 << 19
_of_thread = threading.local()
"""Its buffer: making one takes as long as looking into it."""
_BLOCK_BYTES = SHORTEST_RUN_BYTES // 2
"""A run that is long enough has one block of this size, at least, for itself."""
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325
_COMPRESSION, _ROWS_PER_STRIP, _UNCOMPRESSED = 259, 278, 1
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262
_CHECKS = {
    JPEG: check_jpeg,
    WEBP: check_webp,
    BMP: check_bmp,
    GIF: check_gif,
    JPEG_2000: check_jpeg_2000,
}


@dataclass(frozen=True, slots=True)
class FileRead:
    """``sha256``: in hex; ``problem``: why the file is not whole, or None; ``zeros``: its long runs of them; ``late``:
    the texts and the EXIF that a PNG has behind its pixels, as (name of the chunk, content)."""

    sha256: str
    size: int
    problem: str | None
    zeros: tuple[Run, ...]
    late: tuple[tuple[bytes, bytes], ...] = ()

    def expect_readable(self) -> None:
        """Raise ImageError unless the file is whole, or a look at its pixels has to say how much of it is."""
        if self.problem is not None and self.problem != CUT_OFF:
            raise ImageError(self.problem)


@lru_cache(maxsize=64)
def read_file(path: Path, size_bytes: int, modified_ns: int) -> FileRead:
    """The file as it is now; kept, since a book in one TIFF is asked for page by page. Raises ImageError, OSError."""
    digest, size, blocks = hashlib.sha256(), 0, list[npt.NDArray[np.int64]]()
    walk: PngWalk | None = None
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD_BYTES))
        walk = PngWalk(size_bytes) if kind is PNG else None
        for data in _parts(file):
            digest.update(data)
            if walk is not None:
                walk.feed(data)
            else:
                blocks += _zero_blocks(data, size)
            size += len(data)
        if walk is not None and not walk.is_whole:
            # Its checksums have told of zeros already: only where they begin is still to be seen.
            at = 0
            for data in _parts(file):
                blocks += _zero_blocks(data, at)
                at += len(data)
        zeros = _runs(file, size, np.concatenate(blocks)) if blocks else ()
        problem = _said_by_structure(file, kind, size, zeros, walk)
    return FileRead(digest.hexdigest(), size, problem, zeros, tuple(walk.late) if walk is not None else ())


def _parts(file: BufferedReader) -> Iterator[memoryview]:
    """The file from its first byte on; each part holds until the next one is asked for."""
    if not hasattr(_of_thread, "buffer"):
        _of_thread.buffer = memoryview(bytearray(_PART_BYTES))
    file.seek(0)
    while count := file.readinto(_of_thread.buffer):
        yield _of_thread.buffer[:count]


def _said_by_structure(
    file: IO[bytes], kind: Kind, size: int, zeros: Sequence[Run], walk: PngWalk | None
) -> str | None:
    try:
        if walk is not None:
            return check_png(walk, size, zeros)
        check = _CHECKS.get(kind)
        return check(file, size, zeros) if check is not None else None
    except (ValueError, IndexError, struct.error):
        # What cannot be understood is no evidence: what decodes the image says what it makes of it.
        return None


def _zero_blocks(data: memoryview, at: int) -> list[npt.NDArray[np.int64]]:
    """The numbers of the blocks of nothing but zeros, of a part that begins at the byte ``at`` of its file; [] for
    none."""
    # A long run has two of these bytes in a row in one of the parts, at least; hardly anything else has.
    if b"\0\0" not in data[:: _BLOCK_BYTES // 2].tobytes():
        return []
    whole = len(data) // _BLOCK_BYTES
    blocks = np.frombuffer(data, np.uint8, whole * _BLOCK_BYTES).reshape(whole, _BLOCK_BYTES)
    maybe = np.flatnonzero(blocks[:, 0] == 0)
    found = maybe[~blocks[maybe].any(axis=1)]
    return [found + at // _BLOCK_BYTES] if found.size else []


def _runs(file: IO[bytes], size: int, blocks: npt.NDArray[np.int64]) -> tuple[Run, ...]:
    """What the blocks of zeros are part of, to the byte."""
    breaks = np.flatnonzero(np.diff(blocks) > 1)
    firsts, lasts = np.append(0, breaks + 1), np.append(breaks, len(blocks) - 1)
    runs = []
    for first, last in zip(blocks[firsts].tolist(), blocks[lasts].tolist(), strict=True):
        before = max(0, first * _BLOCK_BYTES - _BLOCK_BYTES)
        file.seek(before)
        start = before + len(file.read(first * _BLOCK_BYTES - before).rstrip(b"\0"))
        file.seek((last + 1) * _BLOCK_BYTES)
        behind = file.read(_BLOCK_BYTES)
        stop = (last + 1) * _BLOCK_BYTES + len(behind) - len(behind.lstrip(b"\0"))
        if stop - start >= SHORTEST_RUN_BYTES or stop == size:
            runs.append(Run(start, stop))
    return tuple(runs)


def check_page(opened: OpenImage, read: FileRead) -> str | None:
    """Why the page at which ``opened`` stands is not whole, or None: of a TIFF, whose pages each have strips or tiles
    of their own, which its directory tells of."""
    if not isinstance(opened.image, TiffImageFile):
        return read.problem
    tags = opened.image.tag_v2
    offsets = _numbers(tags.get(_STRIP_OFFSETS, tags.get(_TILE_OFFSETS)))
    counts = _numbers(tags.get(_STRIP_BYTES, tags.get(_TILE_BYTES)))
    if not offsets.size or offsets.size != counts.size or not counts.sum():
        return None
    there = np.clip(read.size - offsets, 0, counts)
    if (there < counts).any():
        return cut_off_at(int(there.sum()), int(counts.sum()))
    is_plain = int(tags.get(_COMPRESSION, _UNCOMPRESSED)) == _UNCOMPRESSED
    for run in read.zeros:
        covered = np.clip(np.minimum(offsets + counts, run.stop) - np.maximum(offsets, run.start), 0, None)
        if not covered.any():
            continue
        before = int(counts[offsets + counts <= run.start].sum()) + int(
            np.clip(run.start - offsets, 0, counts)[covered > 0].sum()
        )
        what = f"{run.stop - run.start:,} bytes of zeros"
        if is_plain and not _is_hole_in_rows(opened, run, offsets, read.size):
            continue
        # What is compressed does not begin with zeros, whatever is in it: a code or a mark comes first.
        begins = (offsets >= run.start) & (offsets + np.minimum(counts, 16) <= run.stop) & (counts > 16)
        if is_plain or begins.any() or run.is_of_blocks(read.size):
            return damaged_at(before, int(counts.sum()), what)
    return None


def _is_hole_in_rows(opened: OpenImage, run: Run, offsets: npt.NDArray[np.int64], size: int) -> bool:
    """Black is written as zeros, too, but it begins and ends with a row of the page and not with a block of a disk."""
    tags = opened.image.tag_v2  # type: ignore[attr-defined]
    if int(tags.get(_PHOTOMETRIC, 1)) == _WHITE_IS_ZERO or not run.is_of_blocks(size):
        return False
    samples, bits = int(tags.get(277, 1)), tags.get(258, (1,))[0]
    row_bytes = max(1, (opened.size[0] * samples * int(bits) + 7) // 8)
    strip = offsets[offsets <= run.start]
    from_strip = run.start - int(strip.max()) if strip.size else 0
    return from_strip % row_bytes != 0


def _numbers(values: object) -> npt.NDArray[np.int64]:
    """``values``: of a tag, which is one number where there is one. Empty where they are none."""
    try:
        return np.atleast_1d(np.asarray(values, np.int64)) if values is not None else np.zeros(0, np.int64)
    except (TypeError, ValueError, OverflowError):
        return np.zeros(0, np.int64)
