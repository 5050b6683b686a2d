"""Whether an image file is whole, as far as its structure tells without a look at its pixels: the end that its kind
has, the lengths and checksums that stand in it, and runs of zeros where no program writes any. What reads a file and
hands its parts to these functions is `whole`.

Each function says in a few words what is wrong, or None. A run of zeros is what is left of a copy that was broken off,
of a disk that was full, or of a damaged sector: it begins and ends where blocks do.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from zlib_ng import zlib_ng

SECTOR_BYTES = 512
"""What disks, file systems and shares lose or leave out is a whole number of these."""
SHORTEST_RUN_BYTES = 4_096
CUT_OFF = "cut off: its end is missing"
"""For a file of which nothing says how long it was: how much of its picture is there tells only its decoding."""
_NATURAL_ZEROS = 64
"""What is whole may end with some."""
_LATE_CHUNK_BYTES = 1_000_000
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_HEAD, _CHUNK_END = struct.Struct(">I4s"), struct.Struct(">II4s")
_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Run:
    """Zeros in a file, from the byte ``start`` to the one before ``stop``."""

    start: int
    stop: int

    def is_of_blocks(self, size: int) -> bool:
        """Whether it begins and ends where blocks do, give or take a zero that belongs there."""
        begins = -self.start % SECTOR_BYTES <= 2
        return begins and (self.stop % SECTOR_BYTES <= 2 or self.stop == size)


def cut_off_at(part: int, whole: int) -> str:
    """In words, how much of a file or a picture is there."""
    return f"cut off at {_percent(part, whole)} %"


def damaged_at(part: int, whole: int, what: str) -> str:
    return f"damaged at {_percent(part, whole)} %: {what}"


def _percent(part: int, whole: int) -> int:
    return min(99, round(100 * part / max(1, whole)))


def trailing(runs: Sequence[Run], size: int) -> Run | None:
    """The zeros with which the file ends, if they are many."""
    return runs[-1] if runs and runs[-1].stop == size else None


def _hole(runs: Sequence[Run], size: int, *, start: int, is_sure: bool) -> str | None:
    """The first run behind ``start`` that cannot have been written. ``is_sure``: of any run that is so."""
    for run in runs:
        if run.start >= start and (is_sure or run.is_of_blocks(size)):
            return damaged_at(run.start, size, f"{run.stop - run.start:,} bytes of zeros")
    return None


def check_jpeg(file: IO[bytes], size: int, runs: Sequence[Run]) -> str | None:
    """A JPEG's data end with a mark of their own, and hold no other mark of that kind: 0xFF in them has a zero behind
    it (ITU T.81, B.1.1)."""
    found = _jpeg_head(file)
    if found is None:
        return CUT_OFF
    scan_at, is_never_zero = found
    file.seek(-2, 2)
    end = size
    if file.read(2) != _END_OF_IMAGE:
        file.seek(scan_at)
        data = file.read()
        end = scan_at + data.rfind(_END_OF_IMAGE)
        if end < scan_at:
            zeros = trailing(runs, size)
            return f"{cut_off_at(zeros.start, size)}: the rest is zeros" if zeros is not None else CUT_OFF
    return _hole([run for run in runs if run.stop <= end], size, start=scan_at, is_sure=is_never_zero)


def _jpeg_head(file: IO[bytes]) -> tuple[int, bool] | None:
    """Where the data of the first scan begin; and whether many zeros among them mean nothing: the code of zeros alone
    is not that of a block without any detail. None: the file ends before that."""
    position, is_sequential, first_codes = 2, False, list[int]()
    while True:
        file.seek(position)
        head = file.read(4)
        if len(head) < 4:
            return None
        if head[0] != 0xFF:
            # What Pillow makes of such a file is its matter.
            return position, False
        if head[1] == 0xFF:
            position += 1
            continue
        length = int.from_bytes(head[2:4], "big")
        if head[1] == 0xC4:
            first_codes += _first_of_ac_tables(file.read(length - 2))
        elif head[1] in (0xC0, 0xC1):
            is_sequential = True
        position += 2 + length
        if head[:2] == _SCAN:
            return position, is_sequential and bool(first_codes) and first_codes[0] != 0


def _first_of_ac_tables(tables: bytes) -> list[int]:
    """What the code of zeros alone stands for, in each table of Huffman codes for detail: 0 is "no more of it"."""
    found, at = [], 0
    while at + 17 < len(tables):
        if tables[at] >> 4 == 1:
            found.append(tables[at + 17])
        at += 17 + sum(tables[at + 1 : at + 17])
    return found


class PngWalk:
    """The chunks of a PNG, as its bytes come by. ``problem``: the first that does not fit, in words; ``late``: the
    chunks with texts or EXIF behind the pixels, ``ended``: whether its last chunk was seen."""

    def __init__(self, size: int) -> None:
        self.problem: str | None = None
        self.ended = False
        self.late: list[tuple[bytes, bytes]] = []
        self._size = size
        self._position = 0
        self._has_pixels = False
        # What is known of a chunk that lies across two parts: its first bytes, and what else of it is to come.
        self._head = bytearray()
        self._needs = len(_PNG_SIGNATURE)
        self._name = _PNG_SIGNATURE
        self._left = 0
        self._sum = 0
        self._kept: bytearray | None = None

    @property
    def is_whole(self) -> bool:
        return self.ended and self.problem is None

    def feed(self, data: memoryview) -> None:
        at = 0
        while at < len(data) and not self.ended and self.problem is None:
            at = self._whole_chunks(data, at) if not self._name and not self._head else at
            before = at
            if self._left:
                part = data[at : at + self._left]
                self._sum = zlib_ng.crc32(part, self._sum)
                if self._kept is not None:
                    self._kept += part
                self._left -= len(part)
                at += len(part)
            else:
                part = data[at : at + self._needs - len(self._head)]
                self._head += part
                at += len(part)
            self._position += at - before
            if not self._left and len(self._head) == self._needs:
                self._next()

    def _whole_chunks(self, data: memoryview, at: int) -> int:
        """Past all chunks of pixels that lie in ``data`` from ``at`` on: nearly all of a file, in a few steps each."""
        start, size, crc32, unpack = at, len(data), zlib_ng.crc32, _CHUNK_END.unpack_from
        length, name = _CHUNK_HEAD.unpack_from(data, at) if size - at >= 8 else (0, b"")
        # The next one's head has to be there, too, which is read with this one's checksum.
        while name == b"IDAT" and (stop := at + 12 + length) + 8 <= size:
            found = crc32(data[at + 4 : stop - 4])
            said, length, name = unpack(data, stop - 4)
            if found != said:
                break  # told where chunks are looked at one by one
            self._has_pixels = True
            at = stop
        self._position += at - start
        return at

    def _next(self) -> None:
        """``_head`` is there: the signature, a chunk's length and name, or its checksum."""
        head, name = bytes(self._head), self._name
        self._head.clear()
        if name and name != _PNG_SIGNATURE:
            # What a reader may pass over, as texts, it may pass over damaged.
            if name[:1].isupper() and self._sum != int.from_bytes(head, "big"):
                what = f"the checksum of its chunk {name.decode()} does not fit"
                self.problem = damaged_at(self._position, self._size, what)
            elif self._kept is not None:
                self.late.append((name, bytes(self._kept)))
            self.ended = name == b"IEND"
        if not name:
            self._begin(head)
        else:
            self._name, self._needs = b"", 8

    def _begin(self, head: bytes) -> None:
        name = head[4:]
        if not name.isalpha():
            self.problem = damaged_at(self._position, self._size, "no PNG chunk begins where one should")
            return
        self._name, self._left, self._needs = name, int.from_bytes(head[:4], "big"), 4
        self._has_pixels = self._has_pixels or name == b"IDAT"
        self._sum = zlib_ng.crc32(name)
        is_text = name in (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
        self._kept = bytearray() if self._has_pixels and is_text and self._left <= _LATE_CHUNK_BYTES else None


def check_png(walk: PngWalk, size: int, runs: Sequence[Run]) -> str | None:
    if walk.is_whole:
        return None
    if (zeros := trailing(runs, size)) is not None:
        return f"{cut_off_at(zeros.start, size)}: the rest is zeros"
    return walk.problem or CUT_OFF


def check_webp(file: IO[bytes], size: int, runs: Sequence[Run]) -> str | None:
    """Its head says how long it is (RIFF)."""
    file.seek(4)
    return _of_said_length(int.from_bytes(file.read(4), "little") + 8, size, runs)


def check_bmp(file: IO[bytes], size: int, runs: Sequence[Run]) -> str | None:
    """Its head says where the pixels begin; black ones are zeros, so a run of them says nothing."""
    file.seek(2)
    said = int.from_bytes(file.read(4), "little")
    return cut_off_at(size, said) if size < said else None


def _of_said_length(said: int, size: int, runs: Sequence[Run]) -> str | None:
    if size < said:
        return cut_off_at(size, said)
    if (zeros := trailing(runs, size)) is not None and zeros.start < said - _NATURAL_ZEROS:
        return f"{cut_off_at(zeros.start, said)}: the rest is zeros"
    return _hole(runs, size, start=0, is_sure=False)


def check_gif(file: IO[bytes], size: int, runs: Sequence[Run]) -> str | None:
    """Its last byte is a mark; whether all pixels are there tells its decoding, which it needs anyway."""
    zeros = trailing(runs, size)
    return f"{cut_off_at(zeros.start, size)}: the rest is zeros" if zeros is not None else None


def check_jpeg_2000(file: IO[bytes], size: int, runs: Sequence[Run]) -> str | None:
    """The parts of its codestream say how long they are (ITU T.800, A.4.2); whether the mark of its end follows, most
    readers do not ask."""
    start = _codestream_at(file)
    if start is None:
        return CUT_OFF
    if (zeros := trailing(runs, size)) is not None:
        return f"{cut_off_at(zeros.start, size)}: the rest is zeros"
    position, is_last = start + 2, False
    while not is_last:
        file.seek(position)
        head = file.read(12)
        mark, length = head[:2], int.from_bytes(head[2:4], "big")
        if mark == b"\xff\x90" and len(head) == 12:
            part = int.from_bytes(head[6:10], "big")
            # A part without a length goes on to the end of the stream.
            is_last = part == 0
            length = part - 2
        elif mark == _END_OF_IMAGE:
            break
        elif len(mark) < 2 or mark[0] != 0xFF or length < 2:
            return CUT_OFF if len(mark) < 2 and position == start + 2 else None
        position += 2 + length
        if position > size:
            return cut_off_at(size, position)
    # Packets without content are zeros, too: a blank page can have thousands in a row.
    return _hole(runs, size, start=start, is_sure=False)


def _codestream_at(file: IO[bytes]) -> int | None:
    """Where it begins: in a file of boxes, in the one of its name."""
    file.seek(0)
    if file.read(2) == b"\xff\x4f":
        return 0
    return next((start for name, start, _ in boxes_of(file) if name == b"jp2c"), None)


def boxes_of(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a JPEG 2000 file (ITU T.800, I.4): name, first byte of the content, and the one behind its last."""
    size = file.seek(0, 2)
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, name, inside = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, inside = int.from_bytes(head[8:16], "big"), 16
        # Without a length it goes on to the end of the file.
        stop = position + length if length else size
        if stop < position + inside:
            return
        yield name, position + inside, min(stop, size)
        position = stop
