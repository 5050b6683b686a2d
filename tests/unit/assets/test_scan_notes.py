"""What a scan tells of a collection as a whole."""

import pytest

from assets.context import ContextMode
from assets.domain.page_orders import AtGap
from assets.page_order import OrderRules
from assets.scan_notes import GapsOfKind, found_gaps, gaps_line, mode_notes, name_notes, order_notes
from tests.unit.assets.tables import manifest_of

A, B = "CA:Lincoln:1901", "CA:Lincoln:1902"


def test_gaps_are_counted_by_kind_with_the_first_of_each() -> None:
    table = manifest_of([f"{A}:{label}" for label in (1, 2, 5, 9, "9r", "10r")] + [f"{B}:7", f"{B}:8"])
    found = found_gaps(table)
    assert found == {"numbers": GapsOfKind(2, f"{A}:5"), "sides": GapsOfKind(1, f"{A}:10r")}
    said = f"gaps: 2 where numbers are missing (first before {A}:5), 1 where a side of a leaf is missing (first before "
    said += f"{A}:10r)"
    mode = ContextMode.PREVIOUS_RESULT
    follow = "the page before goes along all the same (context.at_gap: follow)"
    assert gaps_line(found, mode, AtGap.FOLLOW, is_allow_list=False) == f"{said}; {follow}"
    cut = "no page before goes along there (context.at_gap: break)"
    assert gaps_line(found, mode, AtGap.BREAK, is_allow_list=False) == f"{said}; {cut}"
    assert gaps_line(found, mode, AtGap.FOLLOW, is_allow_list=True).endswith("leaves open what lies between")
    assert gaps_line(found, ContextMode.NONE, AtGap.FOLLOW, is_allow_list=False) == said
    assert gaps_line({}, mode, AtGap.FOLLOW, is_allow_list=False) == ""
    assert found_gaps(manifest_of([])) == {}


def test_an_order_that_is_a_guess_is_told_once_with_a_way_out() -> None:
    table = manifest_of([f"{A}:{label}" for label in ("iv", 1)] + [f"{B}:{label}" for label in ("spine", 1, "i")])
    roman, words = order_notes(table, OrderRules())
    assert f"such as in {A}; record.page_order: roman_first has them first" in roman
    assert f"such as in {B}; record.page_order_names says which come first or last" in words
    assert order_notes(manifest_of([f"{A}:1", f"{A}:2"]), OrderRules()) == []
    assert order_notes(manifest_of([]), OrderRules()) == []


@pytest.mark.parametrize(
    ("keys", "at_gap", "mode", "why"),
    [
        (
            [f"{A}:1", f"{B}:1"],
            AtGap.FOLLOW,
            ContextMode.PREVIOUS_RESULT,
            "does record.document_fields name one folder",
        ),
        ([f"{A}:1", f"{A}:3"], AtGap.BREAK, ContextMode.PREVIOUS_IMAGE, "and context.at_gap is break"),
        ([f"{A}:1", f"{A}:3"], AtGap.FOLLOW, ContextMode.PREVIOUS_IMAGE, None),
        ([f"{A}:1", f"{B}:1"], AtGap.FOLLOW, ContextMode.NONE, None),
        ([f"{A}:1"], AtGap.FOLLOW, ContextMode.PREVIOUS_RESULT, None),
    ],
)
def test_a_mode_without_effect_is_told(keys: list[str], at_gap: AtGap, mode: ContextMode, why: str | None) -> None:
    notes = mode_notes(manifest_of(keys, at_gap=at_gap), mode, is_allow_list=False)
    assert len(notes) == (why is not None)
    assert why is None or why in notes[0]


def test_a_mode_without_effect_for_the_allow_list_is_told_so() -> None:
    keys = [f"{A}:1", f"{A}:3"]
    [note] = mode_notes(manifest_of(keys, allowed=set(keys)), ContextMode.PREVIOUS_RESULT, is_allow_list=True)
    assert note.endswith("as no page has a page before it: the allow list names no two that follow on each other")


def test_images_that_are_left_out_by_their_names_get_a_pattern() -> None:
    [note] = name_notes(["x/A/cover.jpg", "x/B/map-2.jpg"], "(?P<page>[0-9]+)", pages=9)
    assert note == (
        "images such as cover.jpg and map-2.jpg are left out by their names; these would be pages with "
        "record.page_pattern: '(?P<page>[0-9]+|cover|map-[0-9]+)'"
    )
    [note] = name_notes(["x/A/-.jpg"], "(?P<page>[0-9]+)", pages=9)
    assert note.endswith("are left out by their names: record.page_pattern says which names are pages")
    assert name_notes([], "(?P<page>[0-9]+)", pages=9) == []
