"""``quire export tei``: valid by TEI's own schema, with nothing lost of what a result says."""

import gzip
import json
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from tests.unit.exports.shelf import Shelf, block, transcript
from tests.unit.exports.test_text import GOES_ON, GOES_ON_FROM, HOSTILE

TEI = "{http://www.tei-c.org/ns/1.0}"
RNG = "{http://relaxng.org/ns/structure/1.0}"
WRITTEN = frozenset(
    "TEI teiHeader fileDesc titleStmt title publicationStmt p sourceDesc bibl idno note encodingDesc appInfo "  # noqa: SIM905
    "application label editorialDecl facsimile surface graphic text body div head ab list item table row cell figure "
    "fw pb lb gap".split()
)
ID = "{http://www.w3.org/XML/1998/namespace}id"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
KINDS = (
    *("paragraph", "list", "table", "caption", "running_head", "page_number"),
    *("footnote", "marginalia", "illustration", "other"),
)


@cache
def schema() -> etree.RelaxNG:
    """TEI P5 4.3.0, tei_all, as the TEI Consortium publishes it (BSD-2-Clause), less the elements that are never
    written: what is valid without them is valid with them, and libxml2 takes a quarter of a minute for them."""
    packed = Path(__file__).parent / "schemas" / "tei_all.rng.gz"
    grammar = etree.fromstring(gzip.decompress(packed.read_bytes()))
    for element in list(grammar.iter(f"{RNG}element")):
        parent = element.getparent()
        if parent is not None and parent.tag == f"{RNG}define" and element.get("name") not in WRITTEN:
            parent.replace(element, etree.Element(f"{RNG}notAllowed"))
    return etree.RelaxNG(grammar)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, ("book",))


def tei_of(shelf: Shelf) -> etree._Element:
    shelf.export("tei", shelf.root / "out")
    (path,) = (shelf.root / "out").glob("[!.]*")
    root = etree.parse(path).getroot()
    schema().assertValid(root)
    return root


def texts(root: etree._Element, name: str) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{TEI}{name}")]


def test_headings_paragraphs_tables_and_lists(shelf: Shelf) -> None:
    first = transcript(
        block("Before", "paragraph"),
        block("Part", "heading", level=1),
        block("Chapter", "heading", level=2),
        block("One\nline", "paragraph"),
        block("a\tb\nc", "table"),
        block("x\ny", "list"),
        language="de",
    )
    second = transcript(block("Chapter", "heading", level=2), block("Part", "heading", level=1))
    shelf.add("b", {"1": first, "2": second})

    root = tei_of(shelf)

    body = root.find(f"{TEI}text/{TEI}body")
    assert body is not None
    top = [each.findtext(f"{TEI}head") for each in body]
    assert top == [None, "Part", "Part"]
    assert [each.findtext(f"{TEI}head") for each in body[1].findall(f"{TEI}div")] == ["Chapter", "Chapter"]
    assert texts(root, "cell") == ["a", "b", "c"]
    assert texts(root, "item") == ["x", "y"]
    assert [each.get(LANG) for each in root.iter(f"{TEI}list")] == ["de"]


def test_page_breaks_point_to_their_images(shelf: Shelf) -> None:
    first = transcript(block("Of the gar-"), block("1 A note.", "footnote"), **GOES_ON)
    shelf.add("b", {"12v": first, "13r": transcript(block("den."), **GOES_ON_FROM), "14": None})

    root = tei_of(shelf)

    breaks = list(root.iter(f"{TEI}pb"))
    images = {each.get(ID): each.find(f"{TEI}graphic") for each in root.iter(f"{TEI}surface")}
    assert [each.get("n") for each in breaks] == ["12v", "13r", "14"]
    found = [images[str(each.get("facs")).removeprefix("#")] for each in breaks]
    assert [each.get("url") for each in found if each is not None] == [
        f"dataset/page_images/b/{label}.jpg" for label in ("12v", "13r", "14")
    ]
    assert breaks[1].get("break") == "no"
    assert texts(root, "p")[-1] == "Of the garden."
    assert len(list(root.iter(f"{TEI}gap"))) == 1


def test_the_header_says_what_made_it_and_whose_it_is(shelf: Shelf) -> None:
    shelf.add("b", {"1": transcript(block("one"))})
    notes = shelf.root / "dataset/page_images/b/.iiif"
    notes.mkdir()
    said = {"label": "A <book>", "rights": "CC0", "id": "https://example.org/iiif/b"}
    (notes / "document.json").write_text(json.dumps(said))
    page = {"page": 1, "file": "1.jpg", "label": "", "canvas": "https://example.org/c/1", "sha256": "0", "bytes": 1}
    page |= {"image": "https://example.org/i/1/full/max/0/default.jpg", "width": 1, "height": 1, "etag": ""}
    page |= {"max_side_pixels": None, "last_modified": "", "fetched_at": "2026-01-01"}
    (notes / "pages.jsonl").write_text(json.dumps(page) + "\n")

    root = tei_of(shelf)

    assert texts(root, "title") == ["A <book>"]
    assert texts(root, "idno") == ["b", "https://example.org/iiif/b"]
    assert texts(root, "note") == ["CC0"]
    assert "1 pages by gemini-3.5-flash, prompt page_transcript v1." in texts(root, "p")
    assert [each.get("url") for each in root.iter(f"{TEI}graphic")] == [page["image"]]


@pytest.mark.parametrize("kind", ["heading", *KINDS])
def test_each_kind_of_block_is_valid_alone_and_hostile_text_shows_as_text(shelf: Shelf, kind: str) -> None:
    shelf.add("b", {"1": transcript(*(block(text, kind) for text in HOSTILE)), "2": transcript(block("x", kind))})

    root = tei_of(shelf)

    shown = "".join(root.find(f"{TEI}text").itertext())
    assert "<script>alert(1)</script>" in shown
    assert "\ufffd[31mred\ufffd" in shown


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_on_over_a_page_or_does_not_and_is_valid(shelf: Shelf, kind: str) -> None:
    pages = {"1": transcript(block("one", kind), **GOES_ON), "2": transcript(block("two", kind), **GOES_ON_FROM)}
    shelf.add("b", pages)
    assert len(list(tei_of(shelf).iter(f"{TEI}pb"))) == 2


def test_blank_pages_are_valid(shelf: Shelf) -> None:
    shelf.add("b", {"1": transcript(), "2": None})
    assert len(list(tei_of(shelf).iter(f"{TEI}pb"))) == 2
