"""The image of a page is what other readers of PDFs see, at the resolution that is configured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from tests.contracts.pdf.shelf import (
    SQUARE,
    Shelf,
    as_pdftoppm_sees_it,
    by_hand,
    imagemagick,
    jpegs,
    qpdf,
    run,
    stream,
    typeset,
)

DOCUMENT = "CA/Lincoln/1901"
SEEN_PIXELS = 120
"""Both are made this wide, so that how a reader smooths the edges of letters does not count."""


def difference(ours: Path, theirs: Path) -> float:
    """Mean absolute difference of two images in grey and small, from 0 to 255."""
    small = []
    for path in (ours, theirs):
        with Image.open(path) as image:
            height = round(SEEN_PIXELS * image.height / image.width)
            small.append(np.asarray(image.convert("L").resize((SEEN_PIXELS, height), Image.Resampling.BOX), float))
    assert small[0].shape == small[1].shape
    return float(np.abs(small[0] - small[1]).mean())


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def check_against_pdftoppm(shelf: Shelf, page: int, dpi: int, folder: Path) -> None:
    ours = shelf.images / DOCUMENT / f"{page}.jpg"
    theirs = as_pdftoppm_sees_it(shelf.sources / f"{DOCUMENT}.pdf", page, dpi, folder)
    assert np.abs(np.subtract(size_of(ours), size_of(theirs))).max() <= 1
    assert difference(ours, theirs) < 2
    with Image.open(theirs) as image:
        assert ImageChops.invert(image.convert("L")).getbbox() is not None, "there is something to see"


@pytest.mark.parametrize("dpi", [72, 150, 200])
def test_pages_look_as_pdftoppm_sees_them(shelf: Shelf, tmp_path: Path, dpi: int) -> None:
    typeset(shelf.place(f"{DOCUMENT}.pdf"), 3)
    shelf.settings = replace(shelf.settings, dpi=dpi)
    scanned = shelf.scan()
    assert scanned.problems == []
    assert shelf.pages(DOCUMENT) == jpegs(3)
    assert size_of(shelf.images / DOCUMENT / "1.jpg") == (612 * dpi // 72, 792 * dpi // 72)
    with Image.open(shelf.images / DOCUMENT / "1.jpg") as image:
        assert image.format == "JPEG"
        assert image.info["dpi"] == (dpi, dpi)
    for page in (1, 2, 3):
        check_against_pdftoppm(shelf, page, dpi, tmp_path)


def test_landscape_and_rotated_pages_stand_upright(shelf: Shelf, tmp_path: Path) -> None:
    plain = typeset(tmp_path / "landscape.pdf", 4, size=(792, 612))
    qpdf("--rotate=+90:2", "--rotate=+180:3", "--rotate=+270:4", plain, shelf.place(f"{DOCUMENT}.pdf"))
    assert shelf.scan().problems == []
    sizes = [size_of(shelf.images / DOCUMENT / name) for name in jpegs(4)]
    assert sizes == [(1100, 850), (850, 1100), (1100, 850), (850, 1100)]
    for page in (1, 2, 3, 4):
        check_against_pdftoppm(shelf, page, 100, tmp_path)
    first, turned = (shelf.images / DOCUMENT / name for name in ("1.jpg", "3.jpg"))
    assert difference(first, turned) > 10, "upside down is something else"


def test_a_scan_in_a_pdf_keeps_its_picture(shelf: Shelf, tmp_path: Path) -> None:
    # ImageMagick may not write PDFs where Debian's policy holds, so its JPEG is put into one by hand.
    scanned = tmp_path / "scan.jpg"
    run(imagemagick(), "-size", "1000x1400", "-seed", "1", "plasma:red-white", scanned)
    head = "/Type /XObject /Subtype /Image /Width 1000 /Height 1400 /BitsPerComponent 8 /ColorSpace /DeviceRGB"
    by_hand(
        shelf.place(f"{DOCUMENT}.pdf"),
        [stream("", b"q 612 0 0 792 0 0 cm /X0 Do Q")],
        [stream(f"{head} /Filter /DCTDecode", scanned.read_bytes())],
    )
    assert shelf.scan().problems == []
    assert shelf.pages(DOCUMENT) == jpegs(1)
    check_against_pdftoppm(shelf, 1, 100, tmp_path)


def test_a_huge_page_is_rendered_smaller_and_told(shelf: Shelf, tmp_path: Path) -> None:
    typeset(shelf.place(f"{DOCUMENT}.pdf"), 1, size=(8400, 6000))
    shelf.settings = replace(shelf.settings, dpi=200)
    scanned = shelf.scan()
    assert scanned.left_out == {}
    assert scanned.notes == {
        f"{DOCUMENT}.pdf, page 1": "rendered at 26 dpi instead of 200, as render.max_side_pixels is 3072"
    }
    width, height = size_of(shelf.images / DOCUMENT / "1.jpg")
    assert width == 3072
    assert height == pytest.approx(3072 * 6000 / 8400, abs=1)
    assert shelf.scan().notes == scanned.notes, "it is told again, without being made again"


def test_a_page_that_is_only_somewhat_smaller_is_not_worth_a_line(shelf: Shelf) -> None:
    typeset(shelf.place(f"{DOCUMENT}.pdf"), 1, size=(1200, 1700))
    shelf.settings = replace(shelf.settings, dpi=200)
    assert shelf.scan().problems == []
    assert max(size_of(shelf.images / DOCUMENT / "1.jpg")) == 3072


def test_what_was_filled_into_a_form_is_seen(shelf: Shelf) -> None:
    # A field whose look is a black square; that is drawn by the form and not by the page.
    path = by_hand(
        shelf.place(f"{DOCUMENT}.pdf"),
        [SQUARE],
        [
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /F 4 /Rect [300 500 400 600] /AP << /N 4 0 R >> >>",
            stream("/Type /XObject /Subtype /Form /BBox [0 0 100 100]", b"0 g 0 0 100 100 re f"),
        ],
    )
    text = path.read_bytes()
    text = text.replace(b"/Catalog /Pages 2 0 R", b"/Catalog /Pages 2 0 R /AcroForm << /Fields [3 0 R] >>")
    path.write_bytes(text.replace(b"/Type /Page /Parent", b"/Type /Page /Annots [3 0 R] /Parent"))
    assert shelf.scan().left_out == {}
    with Image.open(shelf.images / DOCUMENT / "1.jpg") as image:
        middle = (round(350 * 100 / 72), round((792 - 550) * 100 / 72))
        assert max(image.convert("RGB").getpixel(middle)) < 40  # type: ignore[arg-type]  # three numbers
