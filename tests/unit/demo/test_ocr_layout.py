"""From text boxes to blocks: order, columns, tables, paragraphs, what belongs to the margins."""

import math

from emulator.engines.ocr_layout import PageLayout, lay_out
from emulator.engines.ocr_lines import TextBox

GLYPH = 15


def box(x: float, y: float, text: str, glyph: float = GLYPH, skew_degrees: float = 0.0) -> TextBox:
    width, height = glyph * len(text), 30
    turn = math.radians(skew_degrees)
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return TextBox(
        tuple((a * math.cos(turn) - b * math.sin(turn), a * math.sin(turn) + b * math.cos(turn)) for a, b in corners),
        text,
        0.9,
    )


def kinds(page: PageLayout) -> list[str]:
    return [block.kind for block in page.blocks]


def page_of_prose(skew_degrees: float = 0.0) -> list[TextBox]:
    lines = [
        (500, 100, "A RUNNING HEAD"), (1000, 100, "12"),
        (145, 200, "The annual examination of the classes is held on the Tuesday"),
        (100, 242, "before the Commencement, and no student is advanced who has not"),
        (100, 284, "sustained it to the satisfaction of the Faculty and of the Com-"),
        (100, 326, "mittee."),
        (430, 400, "EXPENSES OF A YEAR."),
        (145, 470, "Bills are paid in advance, and nothing is returned to those who"),
        (100, 512, "leave in the middle of a term, unless it be for sickness of more"),
    ]  # fmt: skip
    return [box(x, y, text, skew_degrees=skew_degrees) for x, y, text in lines]


def test_prose_becomes_paragraphs_and_divided_words_are_joined() -> None:
    page = lay_out(page_of_prose())
    assert kinds(page) == ["running_head", "page_number", "paragraph", "heading", "paragraph"]
    assert page.page_number == "12"
    assert page.blocks[2].text.endswith("satisfaction of the Faculty and of the Committee.")
    assert not page.continues_previous
    assert page.continues_next


def test_skew_and_the_order_of_boxes_make_no_difference() -> None:
    straight = lay_out(page_of_prose())
    skewed = lay_out(list(reversed(page_of_prose(skew_degrees=1.5))))
    assert skewed.text == straight.text
    assert kinds(skewed) == kinds(straight)


def test_two_columns_of_names_are_read_one_after_the_other() -> None:
    left = [box(100, 200 + 40 * n, f"Amos Chapin, {town}.") for n, town in enumerate(("Dover", "Salem", "Troy"))]
    right = [box(600, 202 + 40 * n, f"Silas Strong, {town}.") for n, town in enumerate(("Goshen", "Canton"))]
    page = lay_out([*left, *right])
    assert kinds(page) == ["list", "list"]
    assert page.text.split("\n")[2:4] == ["Amos Chapin, Troy.", "Silas Strong, Goshen."]


def test_rows_with_leaders_become_a_table_without_dots() -> None:
    rows = [
        box(100, 200, "Tuition, per term ............ $12.50"),
        box(100, 242, "Fuel and lights"),
        box(400, 242, ". . . . . ."),
        box(600, 242, "$3.00"),
    ]
    page = lay_out(rows)
    assert kinds(page) == ["table"]
    assert page.text == "Tuition, per term\t$12.50\nFuel and lights\t$3.00"


def test_a_page_that_begins_and_ends_in_the_middle_says_so() -> None:
    lines = [
        "completed the regular course, and paid all their dues to the",
        "Treasurer, are admitted to the first degree, and those of the",
    ]
    page = lay_out([box(100, 200 + 42 * n, text) for n, text in enumerate(lines)])
    assert page.continues_previous
    assert page.continues_next


def test_no_boxes_are_an_empty_page() -> None:
    page = lay_out([])
    assert page.blocks == ()
    assert page.text == ""
    assert page.page_number is None
