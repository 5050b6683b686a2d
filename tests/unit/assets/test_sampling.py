"""Pages drawn by chance: each with the same, spread over strata, the same for the same seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assets.sampling import decade_of, sample, strata_of


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=200), st.integers(1, 220), st.integers(0, 2**32))
def test_each_stratum_has_its_share_and_no_page_is_drawn_twice(strata: list[str], count: int, seed: int) -> None:
    drawn = sample(strata, count, seed=seed)
    assert len(set(drawn.tolist())) == len(drawn) == min(count, len(strata))
    assert drawn.tolist() == sorted(drawn.tolist()) == sample(strata, count, seed=seed).tolist()
    for each in strata_of(strata, drawn):
        assert abs(each.drawn - len(drawn) * each.pages / len(strata)) < 1 + 1e-9


def test_each_page_has_the_same_chance() -> None:
    strata = ["a"] * 3 + ["b"] * 17
    times = np.bincount(np.concatenate([sample(strata, 5, seed=seed) for seed in range(2000)]), minlength=20)
    assert times.sum() == 10_000
    assert abs(times - 500).max() < 100, "five deviations"


def test_a_decade_is_that_of_the_last_field_with_a_year() -> None:
    assert [decade_of(fields) for fields in (("CA", "1849"), ("1901", "v. 2"), ("May 12, 1798",), ("12345",), ())] == [
        *("1840s", "1900s", "1790s", "unknown", "unknown")
    ]
