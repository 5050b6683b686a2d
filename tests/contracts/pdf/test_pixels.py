"""The image of a page is what was drawn on it, at the resolution that is configured."""

from dataclasses import replace
from pathlib import Path

import img2pdf
import numpy as np
import pikepdf
import pytest
from PIL import Image

from tests.contracts.pdf.shelf import SQUARE, Shelf, as_it_was_drawn, by_hand, jpegs, stream, typeset
from tests.images import blended, dithered, gradient, patches, tiff, write

DOCUMENT = "CA/Lincoln/1901"
SEEN_PIXELS = 120
"""Both are made this wide, so that how a reader smooths the edges of letters does not count."""


def difference(ours: Path, expected: Image.Image) -> float:
    """Mean absolute difference of two images in grey and small, from 0 to 255."""
    with Image.open(ours) as image:
        image.load()
    small = []
    for each in (image, expected):
        height = round(SEEN_PIXELS * each.height / each.width)
        small.append(np.asarray(each.convert("L").resize((SEEN_PIXELS, height), Image.Resampling.BOX), float))
    assert small[0].shape == small[1].shape
    return float(np.abs(small[0] - small[1]).mean())


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def check(shelf: Shelf, page: int, expected: Image.Image) -> None:
    ours = shelf.images / DOCUMENT / f"{page}.jpg"
    assert np.abs(np.subtract(size_of(ours), expected.size)).max() <= 1
    assert difference(ours, expected) < 2
    assert np.asarray(expected).std() > 10, "there is something to see"


@pytest.mark.parametrize("dpi", [72, 150, 200])
def test_pages_look_as_they_were_drawn(shelf: Shelf, dpi: int) -> None:
    typeset(shelf.place(f"{DOCUMENT}.pdf"), 3)
    shelf.settings = replace(shelf.settings, dpi=dpi)
    scanned = shelf.scan()
    assert scanned.left_out == {}
    too_few = "it has only 612 x 792 pixels, which may be too few to be read"
    assert list(scanned.notes.values()) == ([too_few] * 3 if dpi == 72 else [])
    assert shelf.pages(DOCUMENT) == jpegs(3)
    assert size_of(shelf.images / DOCUMENT / "1.jpg") == (612 * dpi // 72, 792 * dpi // 72)
    with Image.open(shelf.images / DOCUMENT / "1.jpg") as image:
        assert image.format == "JPEG"
        assert image.info["dpi"] == (dpi, dpi)
    for page in (1, 2, 3):
        check(shelf, page, as_it_was_drawn(f"Page {page}", dpi))


def test_landscape_and_rotated_pages_stand_upright(shelf: Shelf, tmp_path: Path) -> None:
    with pikepdf.open(typeset(tmp_path / "landscape.pdf", 4, size=(792, 612))) as pdf:
        for page in range(4):
            pdf.pages[page].rotate(page * 90, relative=True)
        pdf.save(shelf.place(f"{DOCUMENT}.pdf"))
    assert shelf.scan().problems == []
    sizes = [size_of(shelf.images / DOCUMENT / name) for name in jpegs(4)]
    assert sizes == [(1100, 850), (850, 1100), (1100, 850), (850, 1100)]
    for page in (1, 2, 3, 4):
        drawn = as_it_was_drawn(f"Page {page}", 100, size=(792, 612))
        check(shelf, page, drawn.rotate((1 - page) * 90, expand=True))
    with Image.open(shelf.images / DOCUMENT / "1.jpg") as first:
        assert difference(shelf.images / DOCUMENT / "3.jpg", first) > 10, "upside down is something else"


@pytest.mark.parametrize("kind", ["jpg", "tif", "jp2"])
def test_a_scan_in_a_pdf_keeps_its_picture(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    """As a JPEG, as bilevel Group 4 and as JPEG 2000, which are what scanners put into PDFs."""
    colours = blended(850, 1100, (255, 250, 230), (200, 40, 30))
    colours[300:400, 100:500] = patches((0, 0, 0), (20, 60, 120), (30, 130, 40), (120, 120, 120))
    drawn = dithered(gradient(850, 1100)) if kind == "tif" else colours
    path = tmp_path / f"scan.{kind}"
    path.write_bytes(tiff(drawn, compression="ccittfax4")) if kind == "tif" else write(path, drawn)
    layout = img2pdf.get_layout_fun((612, 792))
    shelf.place(f"{DOCUMENT}.pdf").write_bytes(img2pdf.convert(str(path), layout_fun=layout))
    assert shelf.scan().problems == []
    assert shelf.pages(DOCUMENT) == jpegs(1)
    check(shelf, 1, Image.fromarray(drawn).convert("L"))


def test_a_huge_page_is_rendered_smaller_and_told(shelf: Shelf) -> None:
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
