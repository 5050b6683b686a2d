"""What holds for any record keys."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from assets.domain.errors import RecordKeyError
from assets.domain.labels import NUMBERS, canonical_label, is_canonical, label_at, natural_key, place_of
from assets.domain.record import (
    decode_ranges,
    decode_span,
    document_of,
    encode_ranges,
    entry_of,
    parse_key,
    sort_key,
    span_of,
)
from assets.plain_rows import plain_rows
from tests.properties.keys import clustered_keys, keys, labels
from tests.unit.assets.tables import manifest_of


@given(keys)
def test_a_key_survives_parsing(key: str) -> None:
    assert str(parse_key(key, field_count=3)) == key


@given(st.one_of(clustered_keys, st.lists(keys, max_size=30)))
def test_ranges_round_trip_for_any_set_of_keys(some: list[str]) -> None:
    ranges = encode_ranges(some)
    decoded = decode_ranges(ranges, field_count=3)
    assert sorted(decoded, key=sort_key) == sorted(set(some), key=sort_key)
    numbers = [key for key in decoded if span_of(key).series == NUMBERS]
    assert numbers == sorted(numbers, key=sort_key), "plain numbers in natural order"
    assert len(ranges) <= len(set(some))


@given(clustered_keys)
def test_ranges_are_as_few_as_can_be_and_do_not_depend_on_order(some: list[str]) -> None:
    places = [span_of(key) for key in some]
    neighbours = {(each.document, each.series, each.first + 1) for each in places}
    starts = [each for each in places if (each.document, each.series, each.first) not in neighbours]
    assert len(encode_ranges(some)) == len(starts)
    assert encode_ranges(some) == encode_ranges(reversed(some))


@given(keys, keys)
def test_the_order_of_texts_is_that_of_parsed_keys(one: str, other: str) -> None:
    assert (sort_key(one) < sort_key(other)) == (parse_key(one) < parse_key(other))


@given(labels)
def test_a_label_has_one_way_to_be_written_and_one_place(label: str) -> None:
    assert canonical_label(label) == label
    assert is_canonical(label)
    assert label_at(*place_of(label)) == label
    assert entry_of(f"A:{label}") == decode_span(entry_of(f"A:{label}")).entry
    assert decode_span(entry_of(f"A:{label}")).holds(label)


@given(labels, labels)
def test_two_labels_are_never_one_file_one_place_or_one_entry(one: str, other: str) -> None:
    same = one == other
    assert (f"{one}.json" == f"{other}.json") is same
    assert (place_of(one) == place_of(other)) is same
    assert (entry_of(f"A:{one}") == entry_of(f"A:{other}")) is same
    assert (natural_key(one) == natural_key(other)) is same, "the order is total"
    assert decode_span(entry_of(f"A:{one}")).holds(other) is same


@given(st.text(max_size=12))
def test_what_is_made_of_a_name_is_a_label_or_refused(text: str) -> None:
    try:
        label = canonical_label(text)
    except RecordKeyError:
        return
    assert canonical_label(label) == label
    assert "/" not in label
    assert not label.startswith((".", "="))


@given(st.lists(labels, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_labels_does_not_depend_on_where_they_come_from(some: list[str], chance: Random) -> None:
    ordered = sorted(some, key=natural_key)
    chance.shuffle(some)
    assert sorted(some, key=natural_key) == ordered


@given(st.lists(st.tuples(st.sampled_from(["A:x:1", "B:x:1"]), labels), unique=True, max_size=15), st.data())
def test_the_manifest_does_not_depend_on_the_order_of_the_walk(
    pages: list[tuple[str, str]], data: st.DataObject
) -> None:
    found = manifest_of(f"{document}:{label}" for document, label in pages)
    again = manifest_of(f"{document}:{label}" for document, label in data.draw(st.permutations(pages)))
    assert again.equals(found)
    before: dict[str, str] = {}
    for row in plain_rows(found):
        document = document_of(row["record_key"])
        assert row["predecessor"] == before.get(document)
        before[document] = row["record_key"]
