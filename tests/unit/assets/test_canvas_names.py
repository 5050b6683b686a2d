"""What fetched images are called: labels for a whole document, or its places."""

import re

import pytest

from assets.canvas_names import page_stems
from assets.domain.labels import USUAL_PAGES
from assets.domain.page_names import PageNames
from assets.domain.page_orders import PAGE_ORDER_NAMES, PageOrder
from assets.fetching import Canvas
from assets.page_order import OrderRules
from flows.gateways.files.image_files import label_by


def stems(
    labels: list[str], *, names: PageNames = PageNames.LABEL, pattern: str = USUAL_PAGES, order: str = "natural"
) -> tuple[list[str], str]:
    canvases = [Canvas(number, label, f"c{number}", "image") for number, label in enumerate(labels, start=1)]
    compiled = re.compile(pattern)
    rules = OrderRules(PageOrder(order), PAGE_ORDER_NAMES)
    found, why = page_stems(canvases, names, label_of=lambda stem: label_by(compiled, stem), order=rules)
    assert list(found) == list(range(1, len(labels) + 1))
    return list(found.values()), why


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["f. 1r", "f. 1v", "f. 2r"], ["0001r", "0001v", "0002r"]),
        (["[1 recto]", "1 verso", "2"], ["0001r", "0001v", "0002"]),
        (["Page 9", "p. 10", "11"], ["0009", "0010", "0011"]),
        (["S. 12", "12-13", "Bl. 14"], ["0012", "0012-0013", "0014"]),
        (["1", "2", "i", "ii"], ["0001", "0002", "i", "ii"]),
    ],
)
def test_labels_become_names_that_any_program_lists_in_their_order(labels: list[str], found: list[str]) -> None:
    assert stems(labels) == (found, "")


def test_roman_numbers_and_words_where_the_settings_have_them_so() -> None:
    front = ["i", "ii", "1", "2"]
    assert stems(front)[0] == ["0001", "0002", "0003", "0004"]
    assert stems(front)[1] == "ii stands before 1 in the manifest, and behind it by record.page_order"
    assert stems(front, order="roman_first") == (["i", "ii", "0001", "0002"], "")
    words = ["cover", "1r", "1v", "back"]
    pattern = f"(?:{USUAL_PAGES})|(?:x)".replace("(?:x)", "cover|back")
    assert "is no page label" in stems(words)[1]
    assert stems(words, pattern=r"(?P<page>.+)") == (["cover", "0001r", "0001v", "back"], "")
    assert "is no page label" in stems(words, pattern=pattern)[1], "a pattern whose group is empty names no page"


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["1", "1"], "the pages 1 and 2 are both called 1"),
        (["1", "01"], "the pages 1 and 2 are both called 1"),
        (["1a", "1A"], "the pages 1 and 2 are both called 1A"),
        (["2", "1"], "2 stands before 1 in the manifest, and behind it by record.page_order"),
        (["1", ""], "page 2 is called '', which is no page label by record.page_pattern"),
        (["1", "../2"], "page 2 is called '../2', which is no page label by record.page_pattern"),
        (["1", "a\x1b"], "page 2 is called 'a\\x1b', which is no page label by record.page_pattern"),
    ],
)
def test_what_cannot_be_names_is_said_and_places_are_taken(labels: list[str], why: str) -> None:
    assert stems(labels) == (["0001", "0002"], why)


def test_places_by_default() -> None:
    assert stems(["f. 1r", "f. 1v"], names=PageNames.NUMBER) == (["0001", "0002"], "")
