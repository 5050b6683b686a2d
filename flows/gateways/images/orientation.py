"""How a page is to be turned so that it is upright, wherever its file says so: EXIF, in whatever place the kind of file
has for it, or a packet of XMP."""

import io
import struct
import zlib
from collections.abc import Iterable

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from flows.gateways.images.headers import JPEG_2000, ORIENTATION, PNG, OpenImage
from flows.gateways.images.structure import boxes_of

_EXIF_BOX = b"JpgTiffExif->JP2"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_UUID_BYTES = 16
_MOST_BYTES = 1_000_000


def orientation_of(opened: OpenImage, late: Iterable[tuple[bytes, bytes]]) -> int:
    """As EXIF has it, 1 to 8; 1, upright, also where it says nothing or nonsense. ``late``: see `FileRead`. Decodes
    nothing."""
    image = opened.image
    try:
        if opened.kind is PNG and late:
            image.info = _late_info(late) | image.info
        elif opened.kind is JPEG_2000 and image.fp is not None:
            _add_boxes(opened)
        # Not the method of its own class: a PNG's decodes all pixels to get at what stands behind them.
        orientation = Image.Image.getexif(image).get(ORIENTATION, 1)
    except Exception:  # damaged EXIF is as good as none, and what it raises is anything
        return 1
    return orientation if orientation in range(1, 9) else 1


def _late_info(chunks: Iterable[tuple[bytes, bytes]]) -> dict[str | tuple[int, int], object]:
    """What these chunks of a PNG say, as Pillow reads it: of a PNG that holds nothing else."""
    head = (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (head, *chunks, (b"IDAT", b""), (b"IEND", b""))
    )
    with PngImageFile(io.BytesIO(content)) as image:
        return dict(image.info)


def _add_boxes(opened: OpenImage) -> None:
    """Pillow (13.0) passes over the boxes in which a JPEG 2000 file has EXIF and XMP."""
    file = opened.image.fp
    assert file is not None  # noqa: S101 - as the caller asks
    position = file.tell()
    for name, start, stop in boxes_of(file):
        if name != b"uuid" or stop - start > _MOST_BYTES:
            continue
        file.seek(start)
        content = file.read(stop - start)
        uuid, content = content[:_UUID_BYTES], content[_UUID_BYTES:]
        if uuid == _EXIF_BOX:
            opened.image.info.setdefault("exif", content)
        elif uuid == _XMP_BOX:
            opened.image.info.setdefault("xmp", content)
    file.seek(position)
