"""``quire export alto|page|hocr``: valid by the formats' schemas, and each block where its answer says."""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from PIL import Image

from assets.domain.errors import QuireError
from tests.unit.exports.shelf import Shelf, block, files_in, transcript
from tests.unit.exports.test_text import HOSTILE

BOXES: dict[str, Any] = {"schema_options": {"boxes": True}}
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
PAGE = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"
XHTML = "{http://www.w3.org/1999/xhtml}"
SCHEMAS = Path(__file__).parent / "schemas"
KINDS = (
    *("paragraph", "heading", "list", "table", "caption", "running_head", "page_number"),
    *("footnote", "marginalia", "illustration", "other"),
)
Valid = Callable[[etree._Element], None]


@cache
def schema(name: str) -> etree.XMLSchema | etree.RelaxNG:
    """page.xsd: PAGE 2019-07-15, as PRImA publishes it (Apache 2.0). alto.rng: of the elements that are written, by the
    words of ALTO 4.2 (which refers to a schema of other addresses, and a test does not ask the network)."""
    if name == "page":
        return etree.XMLSchema(etree.fromstring(gzip.decompress((SCHEMAS / "page.xsd.gz").read_bytes())))
    return etree.RelaxNG(etree.parse(SCHEMAS / "alto.rng"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, ("book",), **BOXES)


def read(shelf: Shelf, name: str, at: str) -> etree._Element:
    shelf.export(name, shelf.root / f"out-{name}")
    root = etree.parse(shelf.root / f"out-{name}" / at).getroot()
    if name != "hocr":
        schema(name).assertValid(root)
    return root


FIRST = transcript(
    block("Chapter I", "heading", level=1, box_2d=[100, 200, 150, 800]),
    block("Of the\nhouse & <garden>", box_2d=[200, 0, 1000, 1000]),
    block("without a place"),
    block("empty", box_2d=[5, 5, 5, 5]),
    language="de",
    printed_page_number="7",
)


def test_alto(shelf: Shelf) -> None:
    shelf.add("b", {"12r": FIRST, "12v": None})

    root = read(shelf, "alto", "b/12r.xml")

    assert list(files_in(shelf.root / "out-alto")) == ["b/12r.xml"], "a page without a result has no file"
    blocks = root.findall(f".//{ALTO}TextBlock")
    found = [[int(each.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] for each in blocks]
    assert found == [[60, 40, 180, 20], [0, 80, 300, 320]]
    lines = [[each.get("CONTENT") for each in line.iter(f"{ALTO}String")] for line in root.iter(f"{ALTO}TextLine")]
    assert lines == [["Chapter", "I"], ["Of", "the"], ["house", "&", "<garden>"]]
    page = root.find(f".//{ALTO}Page")
    assert page is not None
    assert [page.get(name) for name in ("WIDTH", "HEIGHT", "PHYSICAL_IMG_NR", "PRINTED_IMG_NR")] == [
        "300",
        "400",
        "1",
        "7",
    ]
    assert root.findtext(f".//{ALTO}processingStepSettings") == "gemini-3.5-flash, prompt page_transcript v1"


def test_page(shelf: Shelf) -> None:
    shelf.add("b", {"1": FIRST})

    root = read(shelf, "page", "b/1.xml")

    regions = root.findall(f".//{PAGE}TextRegion")
    assert [each.get("type") for each in regions] == ["heading", "paragraph"]
    assert [each.findtext(f".//{PAGE}Unicode") for each in regions] == ["Chapter I", "Of the\nhouse & <garden>"]
    points = [each.get("points") for each in root.iter(f"{PAGE}Coords")]
    assert points == ["60,40 240,40 240,60 60,60", "0,80 300,80 300,400 0,400"]
    order = [each.get("regionRef") for each in root.iter(f"{PAGE}RegionRefIndexed")]
    assert order == [each.get("id") for each in regions]
    assert root.findtext(f".//{PAGE}Created") == "2026-11-25T12:00:00Z"


def test_hocr(shelf: Shelf) -> None:
    shelf.add("b", {"1": FIRST, "2": transcript(block("two", box_2d=[0, 0, 10, 10]))})

    root = read(shelf, "hocr", "b.hocr")

    pages = root.findall(f".//{XHTML}div[@class='ocr_page']")
    assert [str(each.get("title")) for each in pages] == [
        f'image "dataset/page_images/b/{label}.jpg"; bbox 0 0 300 400; ppageno {at}; lpageno {label}'
        for at, label in enumerate(("1", "2"))
    ]
    found = [(each.get("title"), "".join(each.itertext())) for each in pages[0].iter(f"{XHTML}p")]
    assert found == [("bbox 60 40 240 60", "Chapter I"), ("bbox 0 80 300 400", "Of thehouse & <garden>")]


@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_any_kind_of_block_and_hostile_text_are_valid_and_show_as_text(shelf: Shelf, name: str) -> None:
    box = {"box_2d": [1, 1, 999, 999]}
    pages = {kind.replace("_", "-"): transcript(*(block(text, kind, **box) for text in HOSTILE)) for kind in KINDS}
    shelf.add('a"b', {**pages, "blank": transcript()})

    shelf.export(name, shelf.root / "out")

    files = files_in(shelf.root / "out")
    assert len(files) == (1 if name == "hocr" else len(pages) + 1)
    for content in files.values():
        root = etree.fromstring(content)
        if name != "hocr":
            schema(name).assertValid(root)
        shown = etree.tostring(root, encoding="unicode")
        assert "<script" not in shown
        assert "\x1b" not in shown


def test_boxes_are_those_of_the_upright_image(shelf: Shelf) -> None:
    shelf.add("b", {"1": FIRST})
    path = shelf.root / "dataset/page_images/b/1.jpg"
    with Image.open(path) as image:
        exif = image.getexif()
        exif[274] = 6
        image.save(path, exif=exif)

    root = read(shelf, "alto", "b/1.xml")

    (page,) = root.iter(f"{ALTO}Page")
    assert (page.get("WIDTH"), page.get("HEIGHT")) == ("400", "300")
    assert root.find(f".//{ALTO}TextBlock").get("HPOS") == "80"


@pytest.mark.parametrize("name", ["alto", "page", "hocr"])
def test_without_boxes_it_is_refused_with_the_way_to_get_them(tmp_path: Path, name: str) -> None:
    shelf = Shelf(tmp_path, ("book",))
    shelf.add("b", {"1": FIRST})
    with pytest.raises(QuireError, match=rf"no boxes \(box_2d\), without which {name} .* schema_options: {{boxes:"):
        shelf.export(name, tmp_path / "out")


def test_pages_that_were_read_before_there_were_boxes_are_counted(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add("b", {"1": transcript(block("one")), "2": FIRST})
    assert "1 page of whose result nothing has a box" in shelf.export("alto", tmp_path / "out").text()
    assert "1 page of whose result nothing has a box" in shelf.export("hocr", tmp_path / "out-hocr").text()
