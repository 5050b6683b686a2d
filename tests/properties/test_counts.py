"""Runs of counts against a plain mapping: whatever is put in and cut out, both say the same."""

from hypothesis import given
from hypothesis import strategies as st

from assets.domain.counts import Counts, Run
from assets.domain.record import Span, sort_key

DOCUMENTS = st.sampled_from(["CA:Lincoln:2023", "CA:Lincoln 2:2023", "TX:A:1"])
spans = st.tuples(DOCUMENTS, st.integers(1, 20), st.integers(0, 8)).map(lambda each: (each[0], each[1], sum(each[1:])))
steps = st.lists(st.tuples(spans, st.one_of(st.none(), st.integers(0, 2))), max_size=30)
"""What is done to some pages, one after the other: they get a count, or (None) are cut out."""


def made_by(done: list[tuple[tuple[str, int, int], int | None]]) -> tuple[Counts, dict[str, int]]:
    counts, plain = Counts(), dict[str, int]()
    for (document, first, last), count in done:
        keys = [f"{document}:{page}" for page in range(first, last + 1)]
        if count is None:
            counts.cut(Span(document, first, last))
            for key in keys:
                plain.pop(key, None)
        else:
            counts.put(Run(document, first, last, count))
            plain |= dict.fromkeys(keys, count)
    return counts, plain


@given(steps)
def test_they_hold_what_a_mapping_holds_in_natural_order_and_few_runs(
    done: list[tuple[tuple[str, int, int], int | None]],
) -> None:
    counts, plain = made_by(done)

    assert counts == plain
    assert list(counts) == sorted(plain, key=sort_key)
    assert all(counts[key] == count for key, count in plain.items())
    assert counts == Counts.of(plain), "however they came about"
    assert counts.without_zeros() == {key: count for key, count in plain.items() if count}
    runs = list(counts.runs())
    neighbours = [(each.document, each.last + 1, each.count) for each in runs]
    followers = {(each.document, each.first, each.count) for each in runs}
    assert not followers.intersection(neighbours), "neighbours with one count are one run"


@given(steps, steps)
def test_two_of_them_are_compared_by_pages(
    done: list[tuple[tuple[str, int, int], int | None]], others: list[tuple[tuple[str, int, int], int | None]]
) -> None:
    (counts, plain), (other, other_plain) = made_by(done), made_by(others)

    assert counts.restricted_to(other) == {key: count for key, count in plain.items() if key in other_plain}
    left = counts.copy()
    left.cut_all(other)
    assert left == {key: count for key, count in plain.items() if key not in other_plain}
    left.put_all(other)
    assert left == plain | other_plain
    assert counts == plain, "a copy is a copy"


@given(steps, st.integers(0, 100))
def test_a_split_is_by_records_in_natural_order(done: list[tuple[tuple[str, int, int], int | None]], keys: int) -> None:
    counts, plain = made_by(done)
    ordered = sorted(plain, key=sort_key)

    head, tail = counts.split(keys)

    assert list(head) == ordered[:keys]
    assert list(tail) == ordered[keys:]
    assert {**head, **tail} == plain
