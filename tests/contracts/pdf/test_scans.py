"""PDFs that lie about their size: what counts is the image in the page, and not the paper. And pages that are one
image, taken out as they are."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import img2pdf
import numpy as np
import pikepdf
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from flows.gateways.images.preparing import prepare
from flows.gateways.ports import SOURCE_MARKER
from tests.contracts.pdf.shelf import Shelf
from tests.contracts.pdf.test_pixels import DOCUMENT, difference, size_of
from tests.damaged import page
from tests.images import Drawn, dithered, jpeg, jpeg_2000, tiff

DOCS = Path(__file__).parents[3] / "docs" / "collections.md"
BEGIN, END = "<!-- PDFs, by their test -->\n", "<!-- end of PDFs -->"
PLACE = f"{DOCUMENT}.pdf"
LETTER = (612.0, 792.0)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def drawn(width: int, height: int) -> Drawn:
    return page(width, height)


def scanned(shelf: Shelf, content: bytes, paper: tuple[float, float] = LETTER) -> Path:
    """A PDF of one page that is this image, on paper of so many points."""
    path = shelf.place(PLACE)
    path.write_bytes(img2pdf.convert(content, layout_fun=img2pdf.get_layout_fun(paper)))
    return path


def over(shelf: Shelf, content: bytes, *, text: str, mode: int) -> None:
    """The image on a letter, and a text over it, drawn in this mode: 0 seen, 3 not."""
    canvas = Canvas(str(shelf.place(PLACE)), pagesize=LETTER)
    canvas.drawImage(ImageReader(io.BytesIO(content)), 0, 0, *LETTER)
    words = canvas.beginText(72, 700)
    words.setTextRenderMode(mode)
    words.textLine(text)
    canvas.drawText(words)
    canvas.save()


def image_of(shelf: Shelf, name: str = "1.jpg") -> Path:
    return shelf.images / DOCUMENT / name


@pytest.mark.parametrize("paper", [(72, 100.8), (612, 856.8), (8000, 11_200)])
def test_a_scan_is_rendered_with_its_own_pixels_on_whatever_paper(shelf: Shelf, paper: tuple[float, float]) -> None:
    content = jpeg(drawn(1000, 1400), 90)
    scanned(shelf, content, paper)
    assert shelf.scan().problems == []
    assert size_of(image_of(shelf)) == (1000, 1400)
    assert difference(image_of(shelf), Image.open(io.BytesIO(content))) < 2


def test_a_scan_that_was_shrunk_to_less_than_half_is_told(shelf: Shelf) -> None:
    scanned(shelf, jpeg(drawn(1500, 2000), 80))
    shelf.settings = replace(shelf.settings, max_side_pixels=1500)
    assert shelf.scan().problems == []
    shelf.settings = replace(shelf.settings, max_side_pixels=1000)
    found = shelf.scan()
    assert found.left_out == {}
    assert found.notes == {
        f"{PLACE}, page 1": "rendered with 773 x 1000 pixels, and it holds an image of 1500 x 2000: "
        "render.max_side_pixels is 1000"
    }
    assert shelf.scan().notes == found.notes, "it is told again, without being made again"


def test_a_scan_of_few_pixels_is_not_made_more_of_and_told(shelf: Shelf) -> None:
    scanned(shelf, jpeg(drawn(612, 792), 80))
    assert shelf.scan().notes == {f"{PLACE}, page 1": "it has only 612 x 792 pixels, which may be too few to be read"}
    assert size_of(image_of(shelf)) == (612, 792)


def test_text_that_ocr_has_laid_over_a_scan_is_no_part_of_it_and_text_that_is_seen_is(shelf: Shelf) -> None:
    content = jpeg(drawn(765, 990), 90)
    over(shelf, content, text="found, not seen", mode=3)
    shelf.scan()
    assert size_of(image_of(shelf)) == (765, 990)
    over(shelf, content, text="seen", mode=0)
    shelf.scan()
    assert size_of(image_of(shelf)) == (850, 1100), "as render.dpi says: the letters need it"


def test_a_scan_in_strips_is_one(shelf: Shelf) -> None:
    """As some scanners write a page: each strip an image of its own."""
    whole = drawn(1000, 1400)
    canvas = Canvas(str(shelf.place(PLACE)), pagesize=(612, 856.8))
    for strip in range(10):
        content = jpeg(np.ascontiguousarray(whole[strip * 140 : (strip + 1) * 140]), 90)
        canvas.drawImage(ImageReader(io.BytesIO(content)), 0, 856.8 - (strip + 1) * 85.68, 612, 85.68)
    canvas.save()
    assert shelf.scan().problems == []
    assert size_of(image_of(shelf)) == (1000, 1400)


def lossless(shelf: Shelf) -> Any:
    shelf.settings = replace(shelf.settings, lossless=True)
    return shelf.scan()


def test_a_page_that_is_one_jpeg_is_taken_out_byte_by_byte(shelf: Shelf) -> None:
    content = jpeg(drawn(1000, 1294), 90)
    scanned(shelf, content)
    assert lossless(shelf).problems == []
    assert image_of(shelf).read_bytes() == content


def test_one_that_is_a_jpeg_2000_too(shelf: Shelf) -> None:
    content = jpeg_2000(drawn(1000, 1294))
    scanned(shelf, content)
    assert lossless(shelf).problems == []
    assert shelf.pages(DOCUMENT) == ["1.jp2"]
    assert image_of(shelf, "1.jp2").read_bytes() == content
    marker = json.loads((shelf.images / DOCUMENT / SOURCE_MARKER).read_text())
    assert marker["endings"] == {"1": "jp2"}
    assert shelf.scan().rendered == [], "nothing is made twice"


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_one_that_is_a_fax_keeps_each_dot_and_stands_upright(shelf: Shelf, turn: int) -> None:
    dots = dithered(drawn(1000, 1294))
    path = scanned(shelf, tiff(dots, compression="ccittfax4"))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].rotate(turn, relative=True)
        pdf.save()
    assert lossless(shelf).problems == []
    assert shelf.pages(DOCUMENT) == ["1.png"]
    with Image.open(image_of(shelf, "1.png")) as image:
        assert image.mode == "1"
        assert np.array_equal(np.asarray(image), np.rot90(dots, -turn // 90))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_jpeg_on_a_page_that_is_turned_goes_up_turned(shelf: Shelf, turn: int) -> None:
    content = jpeg(drawn(1000, 1294), 95)
    path = scanned(shelf, content)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].rotate(turn, relative=True)
        pdf.save()
    assert lossless(shelf).problems == []
    assert image_of(shelf).read_bytes().endswith(content[2:]), "the same data"
    sent = prepare(image_of(shelf), 0, max_side_pixels=None, jpeg_quality=95, max_pixels=10**8)
    (shelf.root / "sent.jpg").write_bytes(sent.source if isinstance(sent.source, bytes) else b"")
    expected = Image.open(io.BytesIO(content)).rotate(-turn, expand=True)
    assert size_of(shelf.root / "sent.jpg") == expected.size
    assert difference(shelf.root / "sent.jpg", expected) < 2


def test_whatever_is_more_than_one_image_is_rendered(shelf: Shelf) -> None:
    content = jpeg(drawn(1000, 1294), 90)

    def is_rendered() -> bool:
        assert lossless(shelf).left_out == {}
        return image_of(shelf).read_bytes() != content

    over(shelf, content, text="a stamp", mode=0)
    assert is_rendered()
    path = scanned(shelf, content)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].cropbox = pikepdf.Array([100, 100, 500, 600])
        pdf.save()
    assert is_rendered(), "only a part of it is seen"
    path = scanned(shelf, content)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        [image] = pdf.pages[0].Resources.XObject.values()
        image.Decode = pikepdf.Array([1, 0])
        pdf.save()
    assert is_rendered(), "the PDF turns black and white round"
    path = scanned(shelf, content)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        [image] = pdf.pages[0].Resources.XObject.values()
        mask = pikepdf.Stream(pdf, bytes(10 * 10))
        mask.update(
            {
                "/Type": pikepdf.Name.XObject,
                "/Subtype": pikepdf.Name.Image,
                "/Width": 10,
                "/Height": 10,
                "/ColorSpace": pikepdf.Name.DeviceGray,
                "/BitsPerComponent": 8,
            }
        )
        image.SMask = mask
        pdf.save()
    assert is_rendered(), "all of it is transparent"


def test_what_an_earlier_version_has_rendered_stays_as_it_is(shelf: Shelf) -> None:
    scanned(shelf, jpeg(drawn(1000, 1294), 90))
    shelf.scan()
    marker = shelf.images / DOCUMENT / SOURCE_MARKER
    said = json.loads(marker.read_text())
    del said["endings"], said["meets"], said["render"]["lossless"]
    marker.write_text(json.dumps(said))
    assert shelf.scan().rendered == []


@pytest.mark.parametrize("endings", [{"1": "../../1"}, ["png"], {"1": None}])
def test_a_marker_that_names_other_files_is_none(shelf: Shelf, endings: Any) -> None:
    scanned(shelf, jpeg(drawn(400, 500), 90))
    shelf.scan()
    marker = shelf.images / DOCUMENT / SOURCE_MARKER
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"endings": endings}))
    assert ".source.json in the folder of its images cannot be read" in shelf.scan().left_out[PLACE]


def rows(root: Path) -> str:
    """The table of docs/collections.md, at 200 dpi and at most 3,072 pixels."""
    scan, fax = jpeg(drawn(1240, 1754), 85), tiff(dithered(drawn(1240, 1754)), compression="ccittfax4")
    large = jpeg(drawn(3400, 4808), 75)
    usual, exact = {"dpi": 200, "max_side_pixels": 3072}, {"dpi": 200, "max_side_pixels": 3072, "lossless": True}
    a4, inch, metres = (595.2, 841.92), (72.0, 101.844), (5952.0, 8419.2)
    shelf_of: dict[str, tuple[bytes, tuple[float, float], dict[str, Any]]] = {
        "a scan of 1240 x 1754 on A4": (scan, a4, usual),
        "the same on paper of an inch": (scan, inch, usual),
        "the same on paper of three metres": (scan, metres, usual),
        "a scan of 3400 x 4808 on A4": (large, a4, usual),
        "a scan of 600 x 849 on A4": (jpeg(drawn(600, 849), 85), a4, usual),
        "a scan of 1240 x 1754 on A4, `render.lossless`": (scan, a4, exact),
        "a scan of 3400 x 4808 on A4, `render.lossless`": (large, a4, exact),
        "a fax of 1240 x 1754 on A4, `render.lossless`": (fax, a4, exact),
    }
    lines = ["| page | its image | told |", "|---|---|---|"]
    for at, (name, (content, paper, settings)) in enumerate(shelf_of.items()):
        shelf = Shelf(root / str(at))
        shelf.settings = replace(shelf.settings, **settings)
        scanned(shelf, content, paper)
        [note] = list(shelf.scan().notes.values()) or ["-"]
        [made] = shelf.pages(DOCUMENT)
        size = "{} x {}".format(*size_of(image_of(shelf, made)))
        lines.append(f"| {name} | `{made}`, {size} | {note} |")
    return "\n".join(lines) + "\n"


def test_what_becomes_of_scans_in_pdfs_is_what_the_page_says(tmp_path: Path) -> None:
    assert DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] == rows(tmp_path)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
        DOCS.write_text(before + BEGIN + rows(Path(folder)) + END + rest.partition(END)[2], encoding="utf-8")
