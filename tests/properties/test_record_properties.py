"""What holds for any record keys."""

from hypothesis import given
from hypothesis import strategies as st

from assets.domain.record import decode_ranges, encode_ranges, parse_key, sort_key
from tests.properties.keys import clustered_keys, keys


@given(keys)
def test_a_key_survives_parsing(key: str) -> None:
    assert str(parse_key(key, field_count=3)) == key


@given(st.one_of(clustered_keys, st.lists(keys, max_size=30)))
def test_ranges_round_trip_for_any_set_of_keys(some: list[str]) -> None:
    ranges = encode_ranges(some)
    assert decode_ranges(ranges, field_count=3) == sorted(set(some), key=sort_key)
    assert len(ranges) <= len(set(some))


@given(clustered_keys)
def test_ranges_are_as_few_as_can_be_and_do_not_depend_on_order(some: list[str]) -> None:
    neighbours = {(parse_key(key).document, parse_key(key).page + 1) for key in some}
    starts = [key for key in some if (parse_key(key).document, parse_key(key).page) not in neighbours]
    assert len(encode_ranges(some)) == len(starts)
    assert encode_ranges(some) == encode_ranges(reversed(some))


@given(keys, keys)
def test_the_order_of_texts_is_that_of_parsed_keys(one: str, other: str) -> None:
    assert (sort_key(one) < sort_key(other)) == (parse_key(one) < parse_key(other))
