"""``quire export iiif``: read by IIIF's own library of models."""

import json
from pathlib import Path
from typing import Any

import pytest
from iiif_prezi3 import Manifest

from assets.domain.errors import QuireError
from tests.unit.exports.shelf import HEIGHT, WIDTH, Shelf, block, transcript
from tests.unit.exports.test_text import HOSTILE

BASE = "https://books.example/scans"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, ("state", "book"))


def manifest_of(shelf: Shelf, at: str) -> tuple[Any, dict[str, Any]]:
    """As IIIF's library reads it, and as it is written."""
    shelf.export("iiif", shelf.root / "out", base_url=BASE + "/")
    text = (shelf.root / "out" / at / "manifest.json").read_text(encoding="utf-8")
    return Manifest.model_validate_json(text), json.loads(text)


def test_the_text_of_each_page_supplements_its_image(shelf: Shelf) -> None:
    first = transcript(
        block("Boxed", box_2d=[100, 200, 300, 600]),
        block("Free"),
        block("12", "page_number"),
        language="de",
    )
    shelf.add("CA:a b", {"12r": first, "12v": None, "13": transcript(block("x"))})

    read, written = manifest_of(shelf, "CA/a b")

    assert read.id == f"{BASE}/CA/a%20b/manifest.json"
    assert [canvas.label["none"] for canvas in read.items] == [["12r"], ["12v"], ["13"]]
    canvas = written["items"][0]
    assert (canvas["width"], canvas["height"]) == (WIDTH, HEIGHT)
    image = canvas["items"][0]["items"][0]
    assert image["target"] == canvas["id"]
    assert image["body"]["id"] == f"{BASE}/dataset/page_images/CA/a%20b/12r.jpg"
    annotations = canvas["annotations"][0]["items"]
    assert [each["motivation"] for each in annotations] == ["supplementing", "supplementing"]
    assert annotations[0]["target"] == f"{canvas['id']}#xywh=60,40,120,80"
    assert annotations[0]["body"] | {"type": ""} == {
        **{"type": "", "value": "Boxed", "format": "text/plain", "language": "de"}
    }
    assert (annotations[1]["target"], annotations[1]["body"]["value"]) == (canvas["id"], "Free")
    assert "annotations" not in written["items"][1], "a page that is not read"


def test_what_was_fetched_is_named_where_it_came_from(shelf: Shelf) -> None:
    shelf.add("CA:b", {"1": transcript(block("one"))})
    notes = shelf.root / "dataset/page_images/CA/b/.iiif"
    notes.mkdir()
    said = {"label": "A <book>", "rights": "http://creativecommons.org/publicdomain/zero/1.0/"}
    (notes / "document.json").write_text(json.dumps({**said, "id": "https://example.org/iiif/b"}))
    page = {"page": 1, "file": "1.jpg", "label": "", "canvas": "https://example.org/c/1", "sha256": "0", "bytes": 1}
    page |= {"image": "https://example.org/i/1/full/max/0/default.jpg", "width": 1, "height": 1, "etag": ""}
    page |= {"max_side_pixels": None, "last_modified": "", "fetched_at": "2026-01-01"}
    (notes / "pages.jsonl").write_text(json.dumps(page) + "\n")

    read, written = manifest_of(shelf, "CA/b")

    assert read.label == {"none": ["A <book>"]}
    assert str(written["rights"]) == said["rights"]
    assert written["seeAlso"][0]["id"] == "https://example.org/iiif/b"
    assert written["items"][0]["items"][0]["items"][0]["body"]["id"] == page["image"]


def test_hostile_text_is_text(shelf: Shelf) -> None:
    shelf.add("CA:<b>x", {"1": transcript(*(block(text) for text in HOSTILE))})

    read, written = manifest_of(shelf, "CA/%3Cb%3Ex")

    assert read.id == f"{BASE}/CA/%253Cb%253Ex/manifest.json"
    assert written["metadata"][0]["value"] == {"none": ["CA:<b>x"]}
    bodies = [each["body"] for each in written["items"][0]["annotations"][0]["items"]]
    assert {body["format"] for body in bodies} == {"text/plain"}
    assert "\\u001b" not in json.dumps(written)


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("", "iiif names its own addresses: say with --base-url where the files will stand"),
        ("books.example", "is no address such as https://example.org/books"),
        ("javascript:alert(1)", "is no address such as"),
    ],
)
def test_without_an_address_it_is_refused(shelf: Shelf, base: str, said: str) -> None:
    shelf.add("CA:b", {"1": transcript()})
    with pytest.raises(QuireError, match=said):
        shelf.export("iiif", shelf.root / "out", base_url=base)
