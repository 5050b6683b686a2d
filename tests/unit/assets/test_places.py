"""Places of records: the newest row of each is found as by its key, whatever its page is called."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from assets.domain.labels import MAX_PAGE
from assets.places import documents_of, in_order, latest_rows, with_places, without

LABELS = st.sampled_from(["0", "1", "2", "10", "12r", "12v", "iv", str(MAX_PAGE), str(MAX_PAGE + 1), "4294967295"])
KEYS = st.builds(lambda document, label: f"{document}:{label}", st.sampled_from(["a:b", "a:c", "b", "é:z"]), LABELS)


def table(rows: dict[str, int]) -> pa.Table:
    columns = {"record_key": pa.array(rows, pa.string()), "value": pa.array(rows.values(), pa.int64())}
    return in_order(with_places(pa.table(columns)))


@given(st.lists(st.dictionaries(KEYS, st.integers(0, 9)), min_size=1, max_size=4))
def test_the_last_table_that_has_a_record_counts(rows: list[dict[str, int]]) -> None:
    found = latest_rows([table(each) for each in rows])
    expected: dict[str, int] = {}
    for each in rows:
        expected |= each
    assert dict(zip(found["record_key"].to_pylist(), found["value"].to_pylist(), strict=True)) == expected
    assert len(found) == len(expected)
    assert found["record_key"].to_pylist() == in_order(found)["record_key"].to_pylist()


@given(st.dictionaries(KEYS, st.just(1)), st.dictionaries(KEYS, st.just(1)))
def test_without_others(rows: dict[str, int], others: dict[str, int]) -> None:
    found = without(table(rows), table(others))
    assert set(found["record_key"].to_pylist()) == set(rows) - set(others)


def test_places_are_documents_and_numbers_of_pages() -> None:
    rows = with_places(pa.table({"record_key": ["CA:b:12", "CA:b:iv", f"CA:a:{MAX_PAGE}", f"CA:a:{MAX_PAGE + 1}"]}))
    assert rows["page"].to_pylist() == [12, None, MAX_PAGE, None]
    assert in_order(rows)["document"].to_pylist() == ["CA:a", "CA:a", "CA:b", "CA:b"]
    assert documents_of(["CA:b:1", "CA:b:2", "X:1"]) == ["CA:b", "X"]
    assert documents_of([]) == []
