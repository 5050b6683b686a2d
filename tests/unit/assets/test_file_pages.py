"""What pages of one file are called."""

import pytest

from assets.domain.labels import MAX_PAGE
from assets.file_pages import FilePages, page_labels, rule_for, rule_of

COUNTED, SUFFIX, AUTO = FilePages.COUNTED, FilePages.SUFFIX, FilePages.AUTO


@pytest.mark.parametrize(
    ("label", "pages", "rule", "labels"),
    [
        ("5", 1, COUNTED, ["5"]),
        ("5", 1, SUFFIX, ["5"]),
        ("5", 3, COUNTED, ["5", "6", "7"]),
        ("5", 3, SUFFIX, ["5.1", "5.2", "5.3"]),
        ("5r", 3, COUNTED, ["5r", "5v", "6r"]),
        ("iv", 2, COUNTED, ["iv.1", "iv.2"]),
        ("12-13", 2, COUNTED, ["12-13.1", "12-13.2"]),
        (str(MAX_PAGE), 2, COUNTED, [f"{MAX_PAGE}.1", f"{MAX_PAGE}.2"]),
    ],
)
def test_pages_are_counted_on_or_have_a_number_behind_the_files_label(
    label: str, pages: int, rule: FilePages, labels: list[str]
) -> None:
    assert page_labels(label, pages, rule) == labels


@pytest.mark.parametrize(
    ("several", "others", "found"),
    [
        ({"1": 300}, [], COUNTED),
        ({"1": 10, "11": 10}, [], COUNTED),
        ({"1": 2, "3": 2, "5": 2}, [], COUNTED),
        ({"1": 2, "2": 2}, [], SUFFIX),
        ({"1": 2, "2": 2, "3": 2}, ["4"], SUFFIX),
        ({"1": 2, "3": 2}, ["2", "4"], SUFFIX),
        ({"1": 3, "8": 3, "9": 3, "20": 3, "30": 3}, [], COUNTED),
        ({"1": 300}, [str(page) for page in range(2, 301)], COUNTED),
        ({"1": 2}, ["2"], COUNTED),
        ({"5": 3, "10": 2}, ["11"], COUNTED),
        ({"1": 10, "2": 12}, ["13"], SUFFIX),
        ({}, ["1"], COUNTED),
    ],
)
def test_sheets_are_told_from_books(several: dict[str, int], others: list[str], found: FilePages) -> None:
    assert rule_for(several, others, AUTO) is found
    assert rule_for(several, others, SUFFIX) is SUFFIX, "a person's word counts"


@pytest.mark.parametrize(
    ("label", "pages", "frame", "was", "rule"),
    [
        ("5", 3, 1, "6", COUNTED),
        ("5", 3, 0, "5", COUNTED),
        ("5", 3, 2, "5.3", SUFFIX),
        ("5r", 2, 1, "5v", COUNTED),
        ("iv", 2, 1, "iv.2", None),
        ("5", 3, 1, "9", None),
        ("5", 3, 7, "12", None),
    ],
)
def test_the_rule_is_known_by_what_a_page_was_called(
    label: str, pages: int, frame: int, was: str, rule: FilePages | None
) -> None:
    assert rule_of(label, pages, frame, was) is rule
