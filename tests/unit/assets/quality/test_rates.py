"""Edits between texts, rates over pages, and the intervals around them."""

import numpy as np
import pytest

from assets.quality.agreement import agreement_of
from assets.quality.errors import edits_of, rates
from assets.quality.intervals import difference_of, rate_of, shares
from assets.quality.normal import Normalization

PLAIN = Normalization()


def test_edits_are_counted_in_characters_and_words_page_by_page() -> None:
    found = edits_of(["The quick fox", "", "one two"], ["The qu1ck fox jumps", "noise", ""], PLAIN)
    assert found.char_edits.tolist() == [7, 5, 7]
    assert found.chars.tolist() == [13, 0, 7]
    assert found.word_edits.tolist() == [2, 1, 2]
    assert found.words.tolist() == [3, 0, 2]
    assert rates(found.word_edits, found.words).round(3).tolist() == [0.667, 1.0, 1.0]
    assert len(found.take(np.array([0, 2]))) == 2


@pytest.mark.parametrize(
    ("first", "second", "normalization", "edits"),
    [
        ("Cafe\u0301  au\nlait", "Café au lait", PLAIN, 0),
        ("exam-\n  ination of the Fresh\u00adman", "examination of the Freshman", PLAIN, 0),
        ("mother-in-law", "mother-in-law", PLAIN, 0),
        ("a -\nb", "a - b", PLAIN, 0),
        ("1849-\n1850", "1849-1850", PLAIN, 1),
        ("The Fox.", "the fox", PLAIN, 3),
        ("The Fox.", "the fox", Normalization(case=False, punctuation=False), 0),
        ("Straße", "STRASSE", Normalization(case=False), 0),
        ("l'été, dit-il", "l été dit il", Normalization(punctuation=False), 0),
    ],
)
def test_what_the_normalization_takes_away_is_no_error(
    first: str, second: str, normalization: Normalization, edits: int
) -> None:
    assert edits_of([first], [second], normalization).char_edits.tolist() == [edits]


def test_the_normalization_is_stated() -> None:
    said = "Unicode NFC, white space as one blank, words divided at the end of a line joined"
    assert PLAIN.in_words() == said
    assert Normalization(case=False, punctuation=False).in_words() == f"{said}, without case and punctuation"


def test_a_long_page_weighs_more_and_few_pages_have_no_interval() -> None:
    found = rate_of(np.array([0, 10]), np.array([900, 100]))
    assert (found.rate, found.low, found.high, found.pages) == (0.01, None, None, 2)
    assert rate_of(np.array([], np.int64), np.array([], np.int64)).rate is None


def test_the_interval_holds_the_rate_of_all_pages_and_is_the_same_each_time() -> None:
    chance, held = np.random.default_rng(7), 0
    units = chance.integers(200, 3000, 500)
    edits = chance.binomial(units, np.minimum(chance.gamma(0.8, 0.03, 500), 0.9))
    for draw in range(100):
        at = chance.choice(500, 20, replace=False)
        found = rate_of(edits[at], units[at], seed=draw)
        assert found == rate_of(edits[at], units[at], seed=draw)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= edits.sum() / units.sum() <= found.high
    assert held >= 88, "95 of 100 are promised; of 20 pages with errors this uneven some fewer are had"


def test_two_readings_of_the_same_pages_are_told_apart_where_they_differ() -> None:
    chance = np.random.default_rng(3)
    units = chance.integers(500, 1500, 40)
    hard = chance.gamma(1.0, 0.02, 40)
    worse, better = chance.binomial(units, hard + 0.01), chance.binomial(units, hard)
    found = difference_of(worse, better, units)
    assert found.low is not None
    assert found.low > 0
    same = difference_of(better, better, units)
    assert (same.rate, same.low, same.high) == (0, 0, 0)


def test_agreement_is_the_same_both_ways() -> None:
    first, second = ["the quick fox", "", "a b c d"], ["the quick fox", "", "a b"]
    found, other = agreement_of(first, second), agreement_of(second, first)
    assert found.by_page.round(3).tolist() == [1.0, 1.0, 0.429] == other.by_page.round(3).tolist()
    assert found.words == other.words
    assert found.words.rate == 5 / 7
    assert found.characters.rate == 16 / 20
    assert found.characters.pages == 3


def test_shares_of_pages_have_intervals_too() -> None:
    found = shares(np.array([1.0, 1.0, 0.0, 1.0]))
    assert found.rate == 0.75
    assert found.low == 0
    assert found.high == 1
