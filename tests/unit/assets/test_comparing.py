"""Which pages are drawn, how a comparison is put into a line, and what of two texts is marked."""

import numpy as np
import pytest

from assets.comparing import advice, compared, drawn, marked
from assets.domain.errors import QuireError
from assets.variants import parse_pairs

TEXT = "know all men by these presents that the lot is sold"


def test_the_same_seed_draws_the_same_and_what_a_person_knows_comes_first() -> None:
    everyone, known = np.arange(1000), np.array([7, 500, 999])
    found = drawn(everyone, known, 20, seed=3)
    assert set(known) <= set(found.tolist())
    assert len(set(found.tolist())) == 20
    assert np.array_equal(found, drawn(everyone, known, 20, seed=3))
    assert not np.array_equal(found, drawn(everyone, known, 20, seed=4))
    assert set(drawn(everyone, known, 2, seed=0).tolist()) < set(known.tolist())
    assert len(drawn(everyone, known, 5000, seed=0)) == 1000


def test_the_advice_says_what_is_known_and_no_more() -> None:
    readings = [{str(page): TEXT for page in range(6)}, {str(page): TEXT.replace("men", "mem") for page in range(6)}]
    truth = {str(page): TEXT for page in range(5)}
    said = advice(compared(readings, truth), [0.001, 0.0038])
    assert said == (
        "B costs 3.8 times as much and makes 1.96 more errors in 100 characters (1.96% against 0.00%; significant at 5 "
        "pages)"
    )
    assert "not significant at 2 pages" in advice(compared(readings, {"1": TEXT, "2": TEXT}), [1, 1])
    said = advice(compared(readings, {}), [None, 0.1])
    assert said.startswith("B costs what is not known beside A, and differs from A in 1.96% of the characters; which")
    assert "no page was read by both" in advice(compared([{"1": TEXT}, {}], truth), [1, 1])
    assert "makes as many errors" in advice(compared([readings[0], readings[0]], truth), [1, 1])


def test_what_differs_is_marked_word_by_word_and_nothing_is_lost() -> None:
    after = "know all  mem by these\npresents, the lot is not sold"
    parts = list(marked(TEXT, after))
    assert "".join(now for _, _, now in parts) == after
    assert "".join(was if kind == "other" else now for kind, was, now in parts).split() == TEXT.split()
    assert ("other", "men ", "mem ") in parts


def test_pairs_are_settings() -> None:
    assert parse_pairs("model=gemini-3.5-flash-lite, prompt=deeds:v2,schema_options.boxes=true") == {
        "model": {"name": "gemini-3.5-flash-lite"},
        "prompt": {"version": "v2", "name": "deeds"},
        "schema_options": {"boxes": True},
    }
    assert parse_pairs("model.generation_config.temperature=0.4") == {
        "model": {"generation_config": {"temperature": 0.4}}
    }
    with pytest.raises(QuireError, match=r"budget\.max_usd_total is no setting"):
        parse_pairs("budget.max_usd_total=5")
