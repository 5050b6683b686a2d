"""The word error rate: what it counts, and what it does not forgive."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schemas.page_transcript import BlockKind, PageTranscript, TextBlock
from flows.demo.accuracy import WordErrors, measure, pooled, transcript_text, word_error_rate, word_errors, words_of

WORDS = st.lists(st.text("abé", min_size=1, max_size=2), max_size=8)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "edits"),
    [
        ("the rising bell rings", "the rising bell rings", 0),
        ("the rising bell rings", "the rising\n\t bell  rings", 0),
        ("the rising bell rings", "the rising ball rings", 1),
        ("the rising bell rings", "the bell rings", 1),
        ("the rising bell rings", "the rising bell bell rings", 1),
        ("the rising bell rings", "therising bell rings", 2),
        ("the bell", "The bell.", 2),
        ("one two three four", "three four one two", 4),
        ("Pe\u00f1\u00f3n", "Pen\u0303o\u0301n", 0),
    ],
)
def test_edits_are_counted_in_words(reference: str, hypothesis: str, edits: int) -> None:
    assert word_errors(reference, hypothesis) == WordErrors(edits, len(reference.split()))


def test_an_empty_reference_has_no_finite_rate_unless_nothing_was_read() -> None:
    assert word_error_rate("", "") == 0.0
    assert math.isinf(word_error_rate("", "a word"))


@given(WORDS, WORDS)
def test_the_distance_is_a_metric_between_its_bounds(left: list[str], right: list[str]) -> None:
    one, other = " ".join(left), " ".join(right)
    edits = word_errors(one, other).edits
    assert edits == word_errors(other, one).edits
    assert (edits == 0) == (words_of(one) == words_of(other))
    assert abs(len(left) - len(right)) <= edits <= max(len(left), len(right))


@given(WORDS, WORDS, WORDS)
def test_a_detour_is_never_shorter(first: list[str], second: list[str], third: list[str]) -> None:
    a, b, c = " ".join(first), " ".join(second), " ".join(third)
    assert word_errors(a, c).edits <= word_errors(a, b).edits + word_errors(b, c).edits


def test_pages_are_pooled_by_their_words_and_unread_pages_are_left_out() -> None:
    references = {"a": "one two three", "b": "four", "c": "never read"}
    assert measure(references, {"a": "one two three", "b": "five"}) == WordErrors(1, 4)
    assert pooled([WordErrors(1, 4), WordErrors(0, 6)]).rate == 0.1
    with pytest.raises(KeyError):
        measure(references, {"d": "unknown"})


def test_the_text_of_a_transcript_is_its_blocks_in_order() -> None:
    transcript = PageTranscript(
        printed_page_number="7",
        language="en",
        continues_previous_page=False,
        continues_on_next_page=False,
        headings=[],
        blocks=[
            TextBlock(kind=BlockKind.PAGE_NUMBER, text="7"),
            TextBlock(kind=BlockKind.TABLE, text="Tuition\t$12.50\nFuel\t$3.00"),
        ],
    )
    text = transcript_text(transcript.model_dump(mode="json"))
    assert words_of(text) == ["7", "Tuition", "$12.50", "Fuel", "$3.00"]
