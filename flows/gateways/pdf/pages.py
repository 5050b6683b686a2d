"""A program of its own that makes the pages of one PDF into images. It takes its limit of memory in bytes as its
argument and an `Order` as a line of JSON on standard input, and tells what happens in lines of JSON on standard output.

A PDF is somebody else's program: it can eat the memory, run for ever, or break whatever reads it. So only this process
ever opens one, and it imports nothing of Quire. Its other end is `pdf.worker`, where the lines are read and where it is
decided what an end before the last line means.
"""

import json
import os
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

MAX_FORM_LEVELS = 64
"""pdfium itself follows forms in forms less far than this."""
MAX_PAGES = 20_000
"""A damaged file can say that it has any number of pages."""

_POINTS_PER_INCH = 72
# pdfium does not tell these apart.
_DAMAGED = "it is damaged, has no pages, or is no PDF"
_OPENING_FAILED = {
    pdfium_c.FPDF_ERR_PASSWORD: "it is encrypted, and opens with a password only",
    pdfium_c.FPDF_ERR_SECURITY: "it is encrypted in a way that cannot be read",
}

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Order:
    """``pdf``: the file; ``folder``: where ``{page}.jpg`` is written; ``first_page``: the pages before it are there
    already; ``last_page``: None for all. The rest is as in the settings."""

    pdf: str
    folder: str
    first_page: int
    last_page: int | None
    dpi: int
    max_side_pixels: int
    jpeg_quality: int
    max_image_pixels: int


class PageLeftOutError(Exception):
    """Why a page cannot be an image, in a few words."""


def main() -> None:
    """Limit ourselves, read the order, and carry it out."""
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
    with os.fdopen(os.dup(0), "rb", buffering=0) as orders:
        order = Order(**json.loads(orders.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        render(order, tell)
    except OSError as error:
        tell(disk=[error.errno, error.strerror, error.filename or order.folder])
    tell(end=True)
    # Without the interpreter's own end: a thread still waits for the parent's.
    os._exit(0)


def render(order: Order, tell: Tell) -> None:
    """Tell ``pages`` and make each, or tell ``failed`` or ``unreadable``. Raises OSError for trouble with the disk that
    is written to."""
    try:
        with Path(order.pdf).open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        tell(unreadable=error.strerror)
        return
    if is_empty:
        tell(failed="it is empty")
        return
    try:
        pdf = pdfium.PdfDocument(Path(order.pdf))
        # What was filled into a form is drawn only with this.
        pdf.init_forms()
    except pdfium.PdfiumError as error:
        tell(failed=_OPENING_FAILED.get(error.err_code, _DAMAGED))
        return
    pages = len(pdf)
    if pages > MAX_PAGES:
        tell(failed=f"it says that it has {pages} pages; the most is {MAX_PAGES}")
        return
    if pages < 1:
        tell(failed=_DAMAGED)
        return
    tell(pages=pages, mended=not pdfium_c.FPDF_DocumentHasValidCrossReferenceTable(pdf))
    for page in range(order.first_page, min(pages, order.last_page or pages) + 1):
        try:
            note = _render_page(pdf, page, order)
        except PageLeftOutError as problem:
            tell(page=page, reason=str(problem), left_out=True)
        except pdfium.PdfiumError:
            tell(page=page, reason="it is damaged", left_out=True)
        else:
            tell(page=page, reason=note, left_out=False)


def _render_page(pdf: Any, number: int, order: Order) -> str | None:
    """Write the page's image; what a person should know of it, or None."""
    page = pdf[number - 1]
    try:
        for image in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=MAX_FORM_LEVELS):
            width, height = image.get_px_size()
            if width * height > order.max_image_pixels:
                raise PageLeftOutError(
                    f"it holds an image of {width} x {height} pixels; safety.max_image_pixels is "
                    f"{order.max_image_pixels}"
                )
        longest = max(page.get_size())
        # pdfium rounds up: what is a whole number but for the last bit must not get a row more.
        scale = order.dpi / _POINTS_PER_INCH * (1 - 1e-7)
        if longest * scale > order.max_side_pixels:
            # Half a pixel less gives just the longest side that is allowed.
            scale = (order.max_side_pixels - 0.5) / longest
        bitmap = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True)
        dpi = max(1, round(scale * _POINTS_PER_INCH))
        with Path(order.folder, f"{number}.jpg").open("wb") as file:
            bitmap.to_pil().save(file, "JPEG", quality=order.jpeg_quality, dpi=(dpi, dpi))
            file.flush()
            os.fsync(file.fileno())
        bitmap.close()
    finally:
        page.close()
    if dpi * 2 < order.dpi:
        return f"rendered at {dpi} dpi instead of {order.dpi}, as render.max_side_pixels is {order.max_side_pixels}"
    return None


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing into a folder that the next pass clears away."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
