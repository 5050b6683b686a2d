"""Page images as files: what their head says, read with Pillow and without a look at their pixels. What goes up is made
of them in `preparing`. Both have them opened here, and by nobody else.

Each kind of file is opened with its own class of Pillow's, chosen by the first bytes: ``Image.open`` would try dozens
of kinds, and would judge the size by a limit of the whole process.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import IO

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from assets.domain.errors import ImageError
from assets.sources import ImageHeader, check_sizes
from flows.gateways.images.plain_heads import PLAIN_BYTES, plain_size

HEAD_BYTES = 32
_JPEG_2000_HEAD_BYTES = 65_536
_MAX_REASON_CHARS = 100

# TIFF's numbers for its tags.
IMAGE_WIDTH, IMAGE_LENGTH, BITS_PER_SAMPLE, PHOTOMETRIC, ORIENTATION, SAMPLE_FORMAT = 256, 257, 258, 262, 274, 339
_NEW_SUBFILE_TYPE = 254
_NO_PAGE = 0b101
"""Bits of NewSubfileType: a smaller version of another image (a thumbnail, a level of a pyramid), a mask of another."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of image file. ``name``: as people write it."""

    name: str
    mime_type: str
    open: Callable[[IO[bytes]], ImageFile]


def _open_heic(file: IO[bytes]) -> ImageFile:
    """Pillow has no decoder of its own for it; the package that has one is 26 MB, and few collections need it."""
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        # Once it is installed, the file is as good as any.
        raise ImageError('a HEIC image, which needs a package more: pip install "quire[heic]"', passes=True) from None
    make: Callable[[IO[bytes]], ImageFile] = HeifImageFile
    return make(file)


JPEG = Kind("JPEG", "image/jpeg", JpegImageFile)
PNG = Kind("PNG", "image/png", PngImageFile)
WEBP = Kind("WebP", "image/webp", WebPImageFile)
TIFF = Kind("TIFF", "image/tiff", TiffImageFile)
JPEG_2000 = Kind("JPEG 2000", "image/jp2", Jpeg2KImageFile)
GIF = Kind("GIF", "image/gif", GifImageFile)
BMP = Kind("BMP", "image/bmp", BmpImageFile)
HEIC = Kind("HEIC", "image/heic", _open_heic)
AVIF = Kind("AVIF", "image/avif", AvifImageFile)

_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    *((beginning, TIFF) for beginning in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"BM", BMP),
)
_ENDED = ("Cannot read full", "Unexpected end of file")
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BRANDS = _AVIF_BRANDS | {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
"""What a file of the container HEIF says that it holds (ISO/IEC 23008-12)."""
_NO_IMAGES = (
    (b"%PDF-", "it is a PDF: paths.source_documents is for these"),
    (b"AT&TFORM", "it is a DjVu file: make a PDF of it (ddjvu -format=pdf), which paths.source_documents is for"),
)


@dataclass(frozen=True, slots=True)
class OpenImage:
    """An image file that is open, its pixels not read yet. ``head``: its first bytes."""

    kind: Kind
    image: ImageFile
    head: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as they are stored. Pillow's own size of a TIFF is that after a rotation."""
        if isinstance(self.image, TiffImageFile):
            return int(self.image.tag_v2[IMAGE_WIDTH]), int(self.image.tag_v2[IMAGE_LENGTH])
        return self.image.size


def read_header(path: str | Path, *, max_pixels: int) -> ImageHeader:
    """What the head of the file says of its pages. Raises ImageError, OSError."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a million times in a first scan
        beginning = file.read(PLAIN_BYTES)
        plain = plain_size(beginning)
        if plain is not None:
            mime_type, *size = plain
            sizes: tuple[tuple[int, int], ...] = ((size[0], size[1]),)
        else:
            head = beginning[:HEAD_BYTES]
            kind = kind_of(head)
            mime_type = kind.mime_type
            if kind is WEBP:
                # Pillow would read the whole file, over a network maybe.
                sizes = (_webp_size(head),)
            else:
                with _opened(io.BufferedReader(file), kind, head) as opened:
                    sizes = tuple(size for _, size in _pages(opened))
    check_sizes(sizes, max_pixels=max_pixels)
    return ImageHeader(mime_type, sizes)


@contextmanager
def open_page(path: Path, frame: int) -> Iterator[OpenImage]:
    """The file, open at its page ``frame``, counted from 0. Raises ImageError, OSError."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        with _opened(file, kind_of(head), head) as opened:
            for number, _ in _pages(opened):
                if number == frame:
                    break
            else:
                raise ImageError(f"it has no page {frame + 1} any more")
            yield opened


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever Pillow says of a file becomes an ImageError: its plugins raise of everything, and one bad file among a
    million must not stop a pass. An OSError of the system's (it has a number) stays one."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError("this machine has not the memory for it", passes=True) from None
    except Exception as error:  # what a damaged file makes Pillow raise is anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        ended_early = struct.error | IndexError | EOFError
        words = " ".join(str(error).split())[:_MAX_REASON_CHARS] or type(error).__name__
        # Pillow's and libheif's words for a file that ends too early, apart from the exceptions that they make then.
        says_so = any(text in words for text in ("runcated", "not identified by this driver", "but only got", *_ENDED))
        is_cut = says_so or isinstance(error.__cause__, ended_early | TypeError)
        if is_cut or isinstance(error, ended_early):
            raise ImageError(f"{what} is cut short or damaged") from None
        raise ImageError(f"{what} cannot be read: {words}") from None


@contextmanager
def _opened(file: IO[bytes], kind: Kind, head: bytes) -> Iterator[OpenImage]:
    # Our own limit decides, before any pixel is read; Pillow's is one for the whole process, and a warning.
    Image.MAX_IMAGE_PIXELS = None
    # What it finds odd in a file is nothing that a person could act upon.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    file.seek(0)
    with reading(f"its {kind.name} header"):
        image = kind.open(file)
        if kind is JPEG_2000 and image.mode not in ("L", "I;16") and _jpeg_2000_bits(file) > 8:
            # Pillow rounds its samples up to 256, which then stand there as 0 (13.0, its Jpeg2KDecode.c).
            raise ImageError("a JPEG 2000 in colour with more than 8 bits, of which Pillow would make white black")
    try:
        yield OpenImage(kind, image, head)
    finally:
        image.close()


def kind_of(head: bytes) -> Kind:
    """By content: a PNG that is called .jpg is what it is. Raises ImageError."""
    if not head:
        raise ImageError("it is empty")
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp" and (brands := {head[at : at + 4] for at in (8, *range(16, len(head), 4))}) & _BRANDS:
        return AVIF if brands & _AVIF_BRANDS else HEIC
    for beginning, words in _NO_IMAGES:
        if head.startswith(beginning):
            raise ImageError(words)
    raise ImageError("it does not begin like a JPEG, PNG, WebP, TIFF, JPEG 2000, GIF, BMP, HEIC or AVIF file")


def _pages(opened: OpenImage) -> Iterator[tuple[int, tuple[int, int]]]:
    """(number, size) of each page; while one is looked at, the image stands at it."""
    if not isinstance(opened.image, TiffImageFile):
        yield 0, opened.size
        return
    found: list[tuple[int, tuple[int, int]]] = []
    for at in count():
        with reading(f"page {at + 1} of the TIFF file"):
            try:
                opened.image.seek(at)
            except EOFError:
                break
            if at == 0 or not int(opened.image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & _NO_PAGE:
                found.append((at, opened.size))
    sizes = [size for _, size in found]
    if _is_pyramid(sizes):
        del found[1:]
    for number, (at, size) in enumerate(found):
        with reading(f"page {at + 1} of the TIFF file"):
            opened.image.seek(at)
        yield number, size


def _is_pyramid(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether each image is half of the one before: levels of a pyramid that do not say so, as ImageMagick writes
    them. At least three, since a page could by chance be half of another."""
    return len(sizes) >= 3 and all(
        abs(larger - 2 * smaller) <= 1
        for before, after in pairwise(sizes)
        for larger, smaller in zip(before, after, strict=True)
    )


def _jpeg_2000_bits(file: IO[bytes]) -> int:
    """The most bits that a sample has: it stands in the box of the image's header, else in the codestream's first
    segment."""
    file.seek(0)
    head = file.read(_JPEG_2000_HEAD_BYTES)
    box, stream = head.find(b"ihdr"), head.find(b"\xff\x4f\xff\x51")
    if box >= 0 and head[box + 14] != 0xFF:
        return (head[box + 14] & 0x7F) + 1
    if stream < 0:
        return 16
    components = int.from_bytes(head[stream + 40 : stream + 42], "big")
    return max((head[stream + 42 + 3 * at] & 0x7F) + 1 for at in range(components))


def _webp_size(head: bytes) -> tuple[int, int]:
    """The size in the head of a WebP file. Its first chunk is of one of three kinds (says WebP's specification)."""
    chunk = head[12:16]
    if chunk == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if chunk == b"VP8L" and len(head) >= 25 and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(head) >= 30 and head[23:26] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        if width and height:
            return width, height
    raise ImageError("its WebP header is cut short or damaged")
