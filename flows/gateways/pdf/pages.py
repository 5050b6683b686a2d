"""A program of its own that makes the pages of PDFs into images. It takes its limit of memory in bytes as its argument
and each `Order` as a line of JSON on standard input, and tells what happens in lines of JSON on standard output.

A PDF is somebody else's program: it can eat the memory, run for ever, or break whatever reads it. So only this process
ever opens one, and it imports nothing of Quire. Its other end is `pdf.worker`, where the lines are read and where it is
decided what an end before the last line means.
"""

import io
import json
import math
import os
import queue
import resource
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageChops, ImageStat

MAX_FORM_LEVELS = 64
"""pdfium itself follows forms in forms less far than this."""
MAX_PAGES = 20_000
"""A damaged file can say that it has any number of pages."""
_POINTS_PER_INCH = 72
_SCAN_SHARE, _COVER_SHARE, _LARGE_SHARE = 0.8, 0.95, 0.01
"""So much of a page its pictures cover if it is a scan; and if they hide what was drawn before; what is less than the
last is an ornament."""
_ENOUGH_SHARE = 0.5
_FEW_PIXELS = 1_000
_INVISIBLE = 3
"""How text is drawn that is there to be found and not to be seen (PDF 1.7, 9.3.6)."""
_SEEN_PIXELS, _AFAR_PIXELS = 200, 30
_MEAN_OFF, _MOST_OFF = 8.0, 40
"""By so many shades of 255 what is seen from afar may differ: as two programs shrink it."""
_HEAD_BYTES = 200_000
_ORIENTATIONS = {0: 1, 90: 6, 180: 3, 270: 8}
_TRANSPOSES = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
# pdfium does not tell these apart.
_DAMAGED = "it is damaged, has no pages, or is no PDF"
_OPENING_FAILED = {
    pdfium_c.FPDF_ERR_PASSWORD: "it is encrypted, and opens with a password only",
    pdfium_c.FPDF_ERR_SECURITY: "it is encrypted in a way that cannot be read",
}

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Order:
    """``pdf``: the file; ``folder``: where ``{page}.jpg`` is written, or with another ending; ``first_page``: the pages
    before it are there already; ``last_page``: None for all. The rest is as in the settings."""

    pdf: str
    folder: str
    first_page: int
    last_page: int | None
    dpi: int
    max_side_pixels: int
    jpeg_quality: int
    max_image_pixels: int
    lossless: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on a page. ``image``: pdfium's; ``size``: in pixels; ``matrix``: what makes of the unit square the place
    on the page where it lies, in points."""

    image: Any
    size: tuple[int, int]
    matrix: tuple[float, float, float, float, float, float]

    @property
    def pixels_per_point(self) -> float:
        a, b, c, d, _, _ = self.matrix
        return max(self.size[0] / math.hypot(a, b), self.size[1] / math.hypot(c, d))

    @property
    def area(self) -> float:
        a, b, c, d, _, _ = self.matrix
        return abs(a * d - b * c)


class Look(NamedTuple):
    """What is on a page: its pictures, and whether anything else can be seen, as text or lines over them."""

    pictures: list[Picture]
    has_else: bool


class PageLeftOutError(Exception):
    """Why a page cannot be an image, in a few words."""


def main() -> None:
    """Limit ourselves, and carry out orders until the input ends."""
    limit_bytes = int(sys.argv[1])
    # Not the address space: what libraries only reserve is no memory.
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Whatever a library prints must not come among the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def tell(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    tell(ready=True)
    # Our own limit decides, before any pixel is read.
    Image.MAX_IMAGE_PIXELS = None
    threading.Thread(target=_take_orders, args=[orders := queue.SimpleQueue[Order]()], daemon=True).start()
    while True:
        order, is_good = orders.get(), False
        try:
            is_good = render(order, tell)
        except OSError as error:
            tell(disk=[error.errno, error.strerror, error.filename or order.folder])
        tell(end="good" if is_good else "bad")


def render(order: Order, tell: Tell) -> bool:
    """Tell ``pages`` and make each, or tell ``failed`` or ``unreadable``; whether nothing was wrong. Raises OSError for
    trouble with the disk that is written to."""
    try:
        with Path(order.pdf).open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        tell(unreadable=error.strerror)
        return False
    if is_empty:
        tell(failed="it is empty")
        return False
    try:
        pdf = pdfium.PdfDocument(Path(order.pdf))
        # What was filled into a form is drawn only with this.
        pdf.init_forms()
    except pdfium.PdfiumError as error:
        tell(failed=_OPENING_FAILED.get(error.err_code, _DAMAGED))
        return False
    if not 1 <= (pages := len(pdf)) <= MAX_PAGES:
        tell(failed=f"it says that it has {pages} pages; the most is {MAX_PAGES}" if pages > 1 else _DAMAGED)
        return False
    is_whole = pdfium_c.FPDF_DocumentHasValidCrossReferenceTable(pdf)
    tell(pages=pages, mended=not is_whole)
    for page in range(order.first_page, min(pages, order.last_page or pages) + 1):
        try:
            ending, note = _make_page(pdf, page, order)
        except (PageLeftOutError, pdfium.PdfiumError) as problem:
            is_whole = False
            reason = str(problem) if isinstance(problem, PageLeftOutError) else "it is damaged"
            tell(page=page, reason=reason, left_out=True)
        else:
            tell(page=page, reason=note, left_out=False, ending=ending)
    pdf.close()
    return bool(is_whole)


def _make_page(pdf: Any, number: int, order: Order) -> tuple[str, str | None]:
    """Write the page's image; the ending of its name, and what a person should know of it, or None."""
    page = pdf[number - 1]
    try:
        look = _look_at(page, order)
        if order.lossless and (taken := _taken_out(page, look)) is not None:
            content, ending, size = taken
            _write(Path(order.folder, f"{number}.{ending}"), content)
            return ending, _too_small(size)
        return "jpg", _render(page, number, look, order)
    finally:
        page.close()


def _look_at(page: Any, order: Order) -> Look:
    pictures, is_over, is_behind = list[Picture](), False, False
    for each in page.get_objects(max_depth=MAX_FORM_LEVELS):
        if each.type == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            size = each.get_px_size()
            if size[0] * size[1] > order.max_image_pixels:
                of = f"{size[0]} x {size[1]} pixels; safety.max_image_pixels is {order.max_image_pixels}"
                raise PageLeftOutError(f"it holds an image of {of}")
            picture = Picture(each, size, _matrix_on_page(each))
            pictures += [picture] if picture.area > 0 and all(size) else []
        elif each.type == pdfium_c.FPDF_PAGEOBJ_TEXT:
            # The text that OCR adds to a scan is not seen, or stands behind it.
            is_seen = pdfium_c.FPDFTextObj_GetTextRenderMode(each) != _INVISIBLE
            is_over, is_behind = is_over or (is_seen and bool(pictures)), is_behind or (is_seen and not pictures)
        elif each.type != pdfium_c.FPDF_PAGEOBJ_FORM:
            # What was drawn before a picture is behind it, as white paper is.
            is_over = is_over or bool(pictures)
    is_covered = sum(each.area for each in pictures) >= _COVER_SHARE * math.prod(page.get_size())
    return Look(pictures, is_over or (is_behind and not is_covered))


def _matrix_on_page(each: Any) -> tuple[float, float, float, float, float, float]:
    matrix, around = each.get_matrix(), each.container
    while around is not None:
        matrix, around = matrix.multiply(around.get_matrix()), around.container
    return matrix.get()  # type: ignore[no-any-return]


def _render(page: Any, number: int, look: Look, order: Order) -> str | None:
    """Write the page as a JPEG. A scan counts with its own pixels, whatever size of paper it is said to lie on."""
    width, height = page.get_size()
    # pdfium rounds up: what is a whole number but for the last bit must not get a row more.
    usual = order.dpi / _POINTS_PER_INCH * (1 - 1e-7)
    large = [each for each in look.pictures if each.area >= _LARGE_SHARE * width * height]
    finest = max(large, key=lambda each: each.pixels_per_point, default=None)
    own = finest.pixels_per_point * (1 - 1e-7) if finest is not None else 0.0
    is_scan = sum(each.area for each in large) >= _SCAN_SHARE * width * height
    wanted = usual if look.has_else and not is_scan else own if is_scan and not look.has_else else max(own, usual)
    # Half a pixel less gives just the longest side that is allowed.
    scale = min(wanted, (order.max_side_pixels - 0.5) / max(width, height))
    # Four bytes a pixel in just this order: Pillow takes them as they are, and need not copy them.
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True, limit_image_cache=True)
    dpi = max(1, round(scale * _POINTS_PER_INCH))
    image, size, buffer = bitmap.to_pil(), (bitmap.width, bitmap.height), io.BytesIO()
    image.save(buffer, "JPEG", quality=order.jpeg_quality, dpi=(dpi, dpi))
    _write(Path(order.folder, f"{number}.jpg"), buffer.getvalue())
    bitmap.close()
    if finest is not None and (scale / own) ** 2 < _ENOUGH_SHARE:
        limit = f"render.max_side_pixels is {order.max_side_pixels}" if scale < wanted else f"render.dpi is {order.dpi}"
        there = " x ".join(map(str, finest.size))
        return f"rendered with {size[0]} x {size[1]} pixels, and it holds an image of {there}: {limit}"
    if dpi * 2 < order.dpi and finest is None:
        return f"rendered at {dpi} dpi instead of {order.dpi}, as render.max_side_pixels is {order.max_side_pixels}"
    return _too_small(size)


def _too_small(size: tuple[int, int]) -> str | None:
    words = f"it has only {size[0]} x {size[1]} pixels, which may be too few to be read"
    return words if max(size) < _FEW_PIXELS else None


def _taken_out(page: Any, look: Look) -> tuple[bytes, str, tuple[int, int]] | None:
    """The one image that the page is, as it lies in the file: content, ending, size. None: the page is anything else.

    Only what looks like the rendered page: an image can have a mask, other colours or a clip, which pdfium does not all
    tell.
    """
    if len(look.pictures) != 1 or look.has_else:
        return None
    [picture] = look.pictures
    turn = _turn(picture, page)
    filters = picture.image.get_filters(skip_simple=True)
    if turn is None or len(filters) != 1 or not _covers(picture, page):
        return None
    try:
        match filters[0]:
            case "DCTDecode":
                content, ending = _upright(bytes(picture.image.get_data(decode_simple=True)), turn), "jpg"
            case "JPXDecode" if turn == 0:
                content, ending = bytes(picture.image.get_data(decode_simple=True)), "jp2"
            case "CCITTFaxDecode":
                content, ending = _bilevel(picture, turn), "png"
            case _:
                return None
        size, looks = _as_seen(content, turn if ending == "jpg" else 0)
    except Exception:  # what cannot be taken out is rendered
        return None
    expected = picture.size if ending == "jpg" or turn % 180 == 0 else picture.size[::-1]
    return (content, ending, size) if size == expected and _is_alike(page, looks) else None


def _is_alike(page: Any, looks: Image.Image) -> bool:
    """Whether the page, rendered, looks like this image, both seen from afar: programs shrink in ways of their own."""
    bitmap = page.render(scale=_SEEN_PIXELS / max(page.get_size()), grayscale=True, limit_image_cache=True)
    rendered = bitmap.to_pil().convert("L")
    rendered.thumbnail((_AFAR_PIXELS, _AFAR_PIXELS), Image.Resampling.BOX)
    differs = ImageStat.Stat(ImageChops.difference(rendered, looks.resize(rendered.size, Image.Resampling.BOX)))
    return bool(differs.mean[0] <= _MEAN_OFF and differs.extrema[0][1] <= _MOST_OFF)


def _turn(picture: Picture, page: Any) -> int | None:
    """By how many degrees, clockwise, the image is to be turned so that it lies as on the page: 0, 90, 180 or 270.
    None: by another angle, or it is mirrored."""
    a, b, c, d, _, _ = picture.matrix
    small = 1e-3 * (abs(a) + abs(b))
    for turned, (right, up) in enumerate(((a, d), (-b, c), (-a, -d), (b, -c))):
        others = (b, c) if turned % 2 == 0 else (a, d)
        if right > 0 and up > 0 and max(map(abs, others)) <= small:
            return (90 * turned + int(page.get_rotation())) % 360
    return None


def _covers(picture: Picture, page: Any) -> bool:
    """Whether the image lies just on the page, but for a fiftieth of its sides."""
    a, b, c, d, e, f = picture.matrix
    left, bottom, right, top = page.get_bbox()
    found = (min(e, e + a, e + c), min(f, f + b, f + d), max(e, e + a, e + c), max(f, f + b, f + d))
    slack = 0.02 * max(right - left, top - bottom)
    return all(abs(one - other) <= slack for one, other in zip(found, (left, bottom, right, top), strict=True))


def _upright(jpeg: bytes, turn: int) -> bytes:
    """The JPEG with a word on how it is to be turned, if it needs one: a PDF knows nothing of what else it says."""
    if turn == 0 and b"Exif\0\0" not in jpeg[:_HEAD_BYTES] and b"tiff:Orientation" not in jpeg[:_HEAD_BYTES]:
        return jpeg
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, _ORIENTATIONS[turn], 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def _bilevel(picture: Picture, turn: int) -> bytes:
    """A fax's black and white as a PNG, pixel by pixel: no other program reads its data without what the PDF says."""
    bitmap = picture.image.get_bitmap()
    image = bitmap.to_pil().convert("L").point(lambda shade: 255 * (shade > 127)).convert("1", dither=Image.Dither.NONE)
    bitmap.close()
    buffer = io.BytesIO()
    (image.transpose(_TRANSPOSES[turn]) if turn else image).save(buffer, "PNG")
    return buffer.getvalue()


def _as_seen(content: bytes, turn: int) -> tuple[tuple[int, int], Image.Image]:
    """Its size as it is stored, and what it looks like, in gray and small. Raises for what does not go up as it
    looks."""
    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in ("1", "L", "RGB"):
            raise ValueError(image.mode)
        size = image.size
        if image.format == "JPEG2000":
            image.reduce = max(0, math.floor(math.log2(max(1.0, max(size) / _SEEN_PIXELS))) - 1)  # type: ignore[assignment]
        image.draft("L", (_SEEN_PIXELS, _SEEN_PIXELS))
        seen = image.convert("L")
    seen.thumbnail((_SEEN_PIXELS, _SEEN_PIXELS), Image.Resampling.BOX)
    return size, seen.transpose(_TRANSPOSES[turn]) if turn else seen


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_orders(orders: "queue.SimpleQueue[Order]") -> None:
    """A worker whose parent was killed must not go on writing into a folder that the next pass clears away."""
    with os.fdopen(os.dup(0), "rb", buffering=0) as lines:
        for line in lines:
            orders.put(Order(**json.loads(line)))
    os._exit(1)


if __name__ == "__main__":
    main()
