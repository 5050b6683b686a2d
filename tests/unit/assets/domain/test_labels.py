"""Page labels: how a name becomes one, what is none and why, and their natural order."""

import re

import pytest

from assets.domain.errors import RecordKeyError
from assets.domain.labels import (
    MAX_LABEL_BYTES,
    MAX_PAGE,
    USUAL_PAGES,
    canonical_label,
    is_range_like,
    natural_key,
    number_of,
    roman_value,
)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("4", "4"),
        ("0004", "4"),
        ("0000", "0"),
        ("012r", "12r"),
        ("012-013", "12-13"),
        ("012v-013r", "12v-13r"),
        ("A003", "A3"),
        ("map-02", "map-2"),
        ("007.01", "7.1"),
        ("box 007 page 010", "box 7 page 10"),
        ("iv", "iv"),
        ("cover", "cover"),
        ("n\u0303", "ñ"),
        ("100", "100"),
        ("9" * 12, "9" * 12),
    ],
)
def test_a_label_has_no_leading_zeros_and_composed_letters(text: str, label: str) -> None:
    assert canonical_label(text) == label
    assert canonical_label(label) == label


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the page has no label"),
        ("a/b", "the page label 'a/b' holds the path separator '/'"),
        ("a\\b", "holds the path separator"),
        ("a:b", "holds a ':', which separates the fields of a key"),
        ("a\nb", "holds the control character"),
        ("a\ud800", "holds the control character"),
        ("a\u202eb", "holds the control character"),
        (".5", "the page label '.5' begins with '.'"),
        ("=12-13", "begins with '='"),
        ("-5", "begins with '-'"),
        ("5-", "ends with '-'"),
        (" 5", "begins or ends with a blank"),
        ("9" * (MAX_LABEL_BYTES + 1), f"is longer than {MAX_LABEL_BYTES} bytes"),
        ("é" * 101, f"is longer than {MAX_LABEL_BYTES} bytes"),
    ],
)
def test_what_is_no_label_is_told_in_terms_of_it(text: str, reason: str) -> None:
    with pytest.raises(RecordKeyError, match=re.escape(reason)) as raised:
        canonical_label(text)
    str(raised.value).encode()


def test_the_natural_order() -> None:
    ordered = ["0", "2", "10", "12", "12-13", "12.1", "12.2", "12.10", "12a", "12r", "12v", "12v-13r", "13", "20231124"]
    ordered += ["i", "ii", "iii", "iiii", "iv", "iv-v", "IX", "xl", "A3", "A10", "cover", "map-2", "map-10"]
    assert sorted(set(ordered), key=natural_key) == ordered


def test_a_single_letter_is_a_roman_number_unless_it_stands_in_a_row_of_letters() -> None:
    assert sorted("abcd", key=natural_key) == ["c", "a", "b", "d"]
    assert sorted("abcd", key=lambda each: natural_key(each, letters=True)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("i", 1), ("iv", 4), ("iiii", 4), ("VIII", 8), ("xlix", 49), ("ccxcix", 299), ("vx", None), ("mix", None)],
)
def test_roman_numbers(text: str, value: int | None) -> None:
    assert roman_value(text) == value


def test_a_number_is_one_that_a_column_can_hold() -> None:
    assert [number_of(each) for each in ("0", str(MAX_PAGE), str(MAX_PAGE + 1), "12r")] == [0, MAX_PAGE, None, None]


def test_what_reads_like_a_range() -> None:
    assert [each for each in ("12-13", "12v-13r", "12-13r", "12a-13a", "iv-v", "map-2") if is_range_like(each)] == [
        "12-13",
        "12v-13r",
    ]


@pytest.mark.parametrize("name", ["4", "0004", "12r", "012v-013r", "12a", "12A", "012-013", "iv", "XII", "0000"])
def test_the_usual_names_are_pages(name: str) -> None:
    match = re.fullmatch(USUAL_PAGES, name)
    assert match is not None
    assert match["page"] == name


@pytest.mark.parametrize("name", ["cover", "map-2", "A3", "page-12", "12ab", "mix", "ill", "", "-3", "٤", "12-", "İ"])
def test_other_names_need_a_pattern(name: str) -> None:
    assert re.fullmatch(USUAL_PAGES, name) is None
