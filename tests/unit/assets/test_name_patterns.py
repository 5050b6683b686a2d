"""Patterns for names that the one in force does not take."""

import re
from collections.abc import Sequence

import pytest

from assets.domain.labels import USUAL_PAGES
from assets.name_patterns import pattern_for

NUMBERS = "(?P<page>[0-9]+)"


@pytest.mark.parametrize(
    ("stems", "pattern", "others", "found"),
    [
        (["cover"], NUMBERS, 10, "(?P<page>[0-9]+|cover)"),
        (["map-1", "map-02", "cover"], NUMBERS, 10, "(?P<page>[0-9]+|map-[0-9]+|cover)"),
        (["A3", "B12"], NUMBERS, 10, "(?P<page>[0-9]+|[A-Z][0-9]+)"),
        (["a (1)"], NUMBERS, 10, r"(?P<page>[0-9]+|a \([0-9]+\))"),
        (["cover"], f"(page-)?{NUMBERS}", 10, "(page-)?(?P<page>[0-9]+|cover)"),
        (["cover"], f"page-{NUMBERS}x", 10, "(?:page-)?(?P<page>[0-9]+|cover)(?:x)?"),
        (["IMG_0012", "IMG_0013"], NUMBERS, 0, f"IMG_{USUAL_PAGES}"),
        (["1_left", "2_left"], NUMBERS, 0, "(?P<page>[0-9]+)_left"),
    ],
)
def test_each_name_gets_a_page_of_its_own(stems: Sequence[str], pattern: str, others: int, found: str) -> None:
    suggested = pattern_for(stems, pattern, others=others)
    assert suggested == (found, True)
    for stem in stems:
        assert re.fullmatch(found, stem)


def test_the_usual_names_go_on_to_be_pages() -> None:
    suggested = pattern_for(["cover", "map-2"], USUAL_PAGES, others=5)
    assert suggested is not None
    assert suggested[1]
    for name in ("12", "012r", "012-013", "iv", "cover", "map-7"):
        assert re.fullmatch(suggested[0], name)


def test_what_can_be_no_page_is_left_out_of_it() -> None:
    assert pattern_for(["map-2", "map-02"], NUMBERS, others=5) == ("(?P<page>[0-9]+|map-[0-9]+)", False)
    assert pattern_for(["-5", "cover"], NUMBERS, others=5) == ("(?P<page>[0-9]+|-[0-9]+|cover)", False)
    assert pattern_for(["-5"], NUMBERS, others=5) is None
