"""The order of a document's pages, the page before, and what is missing between two."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.domain.page_orders import PAGE_ORDER_NAMES, AtGap, PageOrder
from assets.manifest import numbers_of, record_manifest
from assets.page_order import Gap, Guesses, OrderRules, gap_between, gaps, guesses
from assets.sources import PageImage, page_images

DOCUMENT = "CA:Lincoln:2023"
FIELDS = ("volume",)


def manifest(labels: Sequence[str], *, files: Sequence[str] = (), volume: str = "a", **settings: Any) -> pa.Table:
    """Of one document, its pages in another order than any."""
    names = files or [f"{label}.jpg" for label in labels]
    images = [
        PageImage((volume,), label, f"images/{volume}/{name}", 0, "image/jpeg", 1, 1, 1, 1)
        for label, name in zip(labels, names, strict=True)
    ]
    return record_manifest(
        page_images(None, images=images[::-1], document_fields=FIELDS), document_fields=FIELDS, **settings
    )


def ordered(labels: Sequence[str], *, rules: OrderRules = OrderRules(), **settings: Any) -> list[str]:  # noqa: B008 - frozen
    found: list[str] = manifest(labels, order=rules, **settings)["page_label"].to_pylist()
    return found


def test_natural_order_is_the_default() -> None:
    labels = ["1", "2", "10", "12", "12-13", "12a", "12r", "12v", "13", "ii", "x", "map-2", "map-10"]
    assert ordered(labels) == labels
    table = manifest(labels)
    assert table["page_position"].to_pylist() == list(range(1, 14))
    assert table["page"].to_pylist() == [1, 2, 10, 12, None, None, None, None, 13, None, None, None, None]
    assert table["predecessor"].to_pylist() == [None, *(f"a:{label}" for label in labels[:-1])]


def test_roman_front_matter_can_come_first() -> None:
    labels = ["iv", "ix", "x", "1", "2"]
    assert ordered(labels, rules=OrderRules(PageOrder.ROMAN_FIRST)) == labels
    assert ordered(labels) == ["1", "2", "iv", "ix", "x"]


def test_covers_stand_where_they_are_told() -> None:
    labels = ["front", "cover", "cover-2", "i", "1", "2", "map-1", "spine", "back", "back_2"]
    names = {"front": "first", "cover": "first", "spine": "last", "back": "last"}
    assert ordered(labels, rules=OrderRules(PageOrder.ROMAN_FIRST, names)) == labels  # type: ignore[arg-type]
    assert ordered(["Cover", "1", "backwards"], rules=OrderRules(names=PAGE_ORDER_NAMES)) == ["Cover", "1", "backwards"]


def test_a_row_of_letters_is_no_row_of_roman_numbers() -> None:
    assert ordered(["a", "b", "c", "d", "i"]) == ["a", "b", "c", "d", "i"]
    assert ordered(["1", "c", "i"]) == ["1", "i", "c"]


def test_the_order_can_be_that_of_the_files() -> None:
    labels, files = ["iv", "3", "1", "2"], ["img_2_iv.jpg", "IMG_10_3.jpg", "img_11_1.jpg", "img_100_2.jpg"]
    assert ordered(labels, files=files, rules=OrderRules(PageOrder.FILE_NAME)) == labels


def test_documents_do_not_meddle_with_each_other() -> None:
    images = [
        PageImage((volume,), label, f"{volume}/{label}.jpg", 0, "image/jpeg", 1, 1, 1, 1)
        for volume, label in (("b", "iv"), ("a", "2"), ("b", "1"), ("a", "1"), ("c", "d"), ("c", "c"))
    ]
    table = record_manifest(page_images(None, images=images, document_fields=FIELDS), document_fields=FIELDS)
    assert table["record_key"].to_pylist() == ["a:1", "a:2", "b:1", "b:iv", "c:c", "c:d"]
    assert table["page_position"].to_pylist() == [1, 2, 1, 2, 1, 2]
    assert table["predecessor"].to_pylist() == [None, "a:1", None, "b:1", None, "c:c"]


@pytest.mark.parametrize(
    ("before", "after", "gap"),
    [
        ("2", "3", None),
        ("2", "4", Gap.NUMBERS),
        ("2-3", "4-5", None),
        ("2-3", "5", Gap.NUMBERS),
        ("12", "12a", None),
        ("12a", "13", None),
        ("12.1", "12.2", None),
        ("12.2", "13.1", None),
        ("12r", "12v", None),
        ("12v", "13r", None),
        ("12r", "13r", Gap.SIDES),
        ("12v", "13v", Gap.SIDES),
        ("12r", "14r", Gap.NUMBERS),
        ("12v-13r", "13v-14r", None),
        ("iv", "v", None),
        ("iv-v", "vi", None),
        ("iv", "vi", Gap.NUMBERS),
        ("xii", "1", None),
        ("xii", "13", None),
        ("xii", "5", Gap.SERIES),
        ("A3", "A4", None),
        ("A3", "A5", Gap.NUMBERS),
        ("A8", "B1", None),
        ("A8", "B3", Gap.SERIES),
        ("cover", "1", None),
        ("cover", "7", None),
        ("300", "map-1", None),
        ("0", "1", None),
        ("20231124101500", "20231124101730", None),
    ],
)
def test_what_is_missing_between_two_pages(before: str, after: str, gap: Gap | None) -> None:
    assert gap_between(before, after) is gap


def test_gaps_are_followed_or_cut_the_chain() -> None:
    labels = ["1", "2-3", "4", "6", "7r", "8r", "9"]
    cut = manifest(labels, at_gap=AtGap.BREAK)["predecessor"].to_pylist()
    assert cut == [None, "a:1", "a:2-3", None, "a:6", None, "a:8r"]
    allowed = {f"a:{label}" for label in labels}
    assert manifest(labels, allowed=allowed)["predecessor"].to_pylist() == cut, "who knows what lies between"


def test_gaps_are_found_in_arrays() -> None:
    table = pa.concat_tables([manifest(["1", "2", "5"]), manifest(["3", "12r", "13r", "iv", "1"], volume="b")])
    starts = np.array([True, False, False, True, *[False] * 4])
    found = [None if at < 0 else list(Gap)[at] for at in gaps(table, starts)]
    assert table["page_label"].to_pylist()[3:] == ["1", "3", "12r", "13r", "iv"]
    assert found == [None, None, Gap.NUMBERS, None, Gap.NUMBERS, Gap.NUMBERS, Gap.SIDES, Gap.SERIES]


@pytest.mark.parametrize(
    ("labels", "rules", "found"),
    [
        (["1", "2"], OrderRules(), Guesses()),
        (["12r", "12v", "12a"], OrderRules(), Guesses()),
        (["i", "ii"], OrderRules(), Guesses()),
        (["A1", "A2", "B1"], OrderRules(), Guesses()),
        (["i", "1"], OrderRules(), Guesses(roman=1, roman_example="a")),
        (["i", "1"], OrderRules(PageOrder.ROMAN_FIRST), Guesses()),
        (["i", "1", "cover"], OrderRules(PageOrder.FILE_NAME), Guesses()),
        (["1", "cover"], OrderRules(), Guesses(words=1, words_example="a")),
        (["1", "cover"], OrderRules(names={"cover": "first"}), Guesses()),
        (["1", "A3"], OrderRules(), Guesses(words=1, words_example="a")),
        (["spine", "binding"], OrderRules(), Guesses(words=1, words_example="a")),
        (["spine"], OrderRules(), Guesses()),
    ],
)
def test_where_the_order_is_a_guess(labels: Sequence[str], rules: OrderRules, found: Guesses) -> None:
    table = manifest(labels, order=rules)
    names, documents = numbers_of(table["volume"])
    assert guesses(table, documents, names, rules) == found


def test_a_collection_without_pages_has_no_order() -> None:
    table = manifest([])
    assert len(table) == 0
    assert len(gaps(table, np.zeros(0, dtype=bool))) == 0
