"""The size of a plain JPEG or PNG, read off its first bytes by hand: a first scan looks at a million files, for which
Pillow takes ten times as long. What is not quite plain gets no answer here, and Pillow's: it is Pillow that decides
what is damaged.
"""

import zlib

PLAIN_BYTES = 16_384
"""So much of a file is looked at, in one read: there scanners have put a resolution, a camera's facts and a profile."""
_PNG = b"\x89PNG\r\n\x1a\n"

# Markers of JPEG, each behind 0xFF.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_DHT, _SOS, _DQT, _DRI, _COM, _APP0, _APP2, _APP14 = 0xC4, 0xDA, 0xDB, 0xDD, 0xFE, 0xE0, 0xE2, 0xEE
_PASSED_OVER = frozenset({_DHT, _DRI, _COM, *range(_APP0, _APP0 + 16)})
_NEEDED_BYTES = {_APP0: (b"JFIF", 7), _APP2: (b"ICC_PROFILE\0", 14), _APP14: (b"Adobe", 7)}
"""How such a segment begins, and how many bytes of it Pillow needs then."""

_PNG_KINDS = frozenset(
    {(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (2, 3), (4, 3), (8, 3), (8, 4), (8, 6), (16, 6)}
)
"""Bits of a sample, and PNG's number for what the samples are."""
_CHUNK_BYTES = {b"pHYs": 9, b"gAMA": 4, b"sRGB": 1, b"cHRM": 32, b"tIME": 0, b"bKGD": 0, b"sBIT": 0, b"PLTE": 0}
"""Chunks that change nothing of the size, and how long each is at least."""


def plain_size(head: bytes) -> tuple[str, int, int] | None:
    """MIME type, width and height in pixels; None: ask Pillow. ``head``: the first PLAIN_BYTES of a file, or all."""
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg_size(head)
    if head.startswith(_PNG):
        return _png_size(head)
    return None


def _jpeg_size(head: bytes) -> tuple[str, int, int] | None:
    at, end, width, height = 2, len(head), 0, 0
    while at + 4 <= end and head[at] == 0xFF:
        marker, behind = head[at + 1], at + 2 + (head[at + 2] << 8 | head[at + 3])
        start = at + 4
        if behind > end or behind < start:
            return None
        if marker in _FRAMES:
            layers = head[start + 5] if behind >= start + 6 else 0
            is_plain = not width and head[start] == 8 and layers in (1, 3, 4) and behind == start + 6 + 3 * layers
            height, width = head[start + 1] << 8 | head[start + 2], head[start + 3] << 8 | head[start + 4]
            if not is_plain or not width or not height:
                return None
        elif marker == _SOS:
            return ("image/jpeg", width, height) if width else None
        elif marker == _DQT:
            while start < behind:
                start += 65 if head[start] < 16 else 129
            if start != behind:
                return None
        elif marker not in _PASSED_OVER or _is_short(marker, head[start:behind]):
            return None
        at = behind
    return None


def _is_short(marker: int, segment: bytes) -> bool:
    beginning, needed = _NEEDED_BYTES.get(marker, (b"", 0))
    return len(segment) < needed and segment.startswith(beginning)


def _png_size(head: bytes) -> tuple[str, int, int] | None:
    at, width, height = 8, 0, 0
    while at + 8 <= len(head):
        length, name = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if name == b"IDAT":
            return ("image/png", width, height) if width else None
        behind = at + 8 + length
        if behind + 4 > len(head) or zlib.crc32(head[at + 4 : behind]) != int.from_bytes(
            head[behind : behind + 4], "big"
        ):
            return None
        if at == 8:
            data = head[at + 8 : behind]
            if name != b"IHDR" or length != 13 or (data[8], data[9]) not in _PNG_KINDS or data[11]:
                return None
            width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
            if not width or not height or max(width, height) >= 2**31:
                return None
        elif length < _CHUNK_BYTES.get(name, length + 1):
            return None
        at = behind + 4
    return None
