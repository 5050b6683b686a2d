"""The graph of assets as a picture: every asset and arrow is in it, and words of others stay words."""

import re
from xml.etree import ElementTree

from assets.catalog import CATALOG
from assets.graph_picture import LOOKS, MAX_LINE_CHARS, Box, graph_svg

HOSTILE = '<script>alert(1)</script>"&\x1b[2J\n' + "x" * 100
SVG = "{http://www.w3.org/2000/svg}"


def drawn(line: str = "412 records") -> ElementTree.Element:
    # Our own text, which a hostile one must not have broken.
    return ElementTree.fromstring(graph_svg(CATALOG, {name: Box("stands", line) for name in CATALOG}))  # noqa: S314


def test_each_asset_has_a_box_and_each_lineage_an_arrow() -> None:
    picture = drawn()

    texts = [each.text for each in picture.iter(f"{SVG}text")]
    assert [text for text in texts if text in CATALOG] == list(CATALOG)
    assert texts.count("412 records") == len(CATALOG)
    assert set(LOOKS) <= set(texts)
    arrows = [each for each in picture.iter(f"{SVG}path") if each.get("marker-end")]
    assert len(arrows) == len(CATALOG.edges())


def test_nothing_lies_outside_and_no_two_boxes_meet() -> None:
    picture = drawn()
    width, height = float(picture.get("width", "")), float(picture.get("height", ""))
    boxes = [
        (
            float(each.get("x", "")),
            float(each.get("y", "")),
            float(each.get("width", "")),
            float(each.get("height", "")),
        )
        for each in picture.iter(f"{SVG}rect")
        if each.get("rx")
    ]
    assert len(boxes) == len(CATALOG)
    assert all(x >= 0 and y >= 0 and x + wide <= width and y + high <= height for x, y, wide, high in boxes)
    for at, (x, y, wide, high) in enumerate(boxes):
        for other_x, other_y, *_ in boxes[:at]:
            assert abs(x - other_x) >= wide or abs(y - other_y) >= high


def test_words_of_others_stay_words_and_are_cut() -> None:
    shown = [each.text or "" for each in drawn(HOSTILE).iter(f"{SVG}text")]

    (line,) = {text for text in shown if "script" in text}
    assert line.startswith("<script>alert(1)</script>")
    assert len(line) == MAX_LINE_CHARS
    assert not re.search(r"[\x00-\x1f]", "".join(shown))
