"""Record keys: what is one, what is none and why, their order, and ranges of them."""

import pytest

from assets.domain.errors import RecordKeyError
from assets.domain.labels import MAX_PAGE
from assets.domain.record import (
    MAX_FIELD_BYTES,
    RecordKey,
    check_field,
    decode_range,
    decode_ranges,
    document_of,
    encode_ranges,
    entry_of,
    label_of,
    parse_key,
    sort_key,
)


def test_a_key_is_its_fields_and_its_page() -> None:
    key = parse_key("TX:Peñón High:1901:3")
    assert key == RecordKey(("TX", "Peñón High", "1901"), "3")
    assert key.document == "TX:Peñón High:1901"
    assert str(key) == "TX:Peñón High:1901:3"
    assert document_of(str(key)) == key.document
    assert label_of(str(key)) == "3"


def test_any_number_of_document_fields_can_be_configured() -> None:
    assert parse_key("box 1:7", field_count=1) == RecordKey(("box 1",), "7")
    assert parse_key("a:b:c:d:7", field_count=4).label == "7"
    with pytest.raises(
        RecordKeyError, match="'a:b:7' is no record key: it has 2 document fields, this collection has 3"
    ):
        parse_key("a:b:7", field_count=3)
    with pytest.raises(RecordKeyError, match="it names no document"):
        parse_key("7")


def test_leading_zeros_of_a_page_do_not_count() -> None:
    assert str(parse_key("CA:Lincoln:2023:0010")) == "CA:Lincoln:2023:10"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (".", "a way out of the folder"),
        ("..", "a way out of the folder"),
        ("a/b", "the path separator '/'"),
        ("a\\b", "the path separator"),
        ("a:b", "a ':'"),
        ("a\0b", "the control character"),
        ("a\nb", "the control character"),
        ("a\x7fb", "the control character"),
        ("a\u2028b", "the control character"),
        ("a\u202eb", "the control character"),
        ("a\ud800b", "the control character"),
        ("x" * (MAX_FIELD_BYTES + 1), "longer than 255 bytes"),
        ("é" * 128, "longer than 255 bytes"),
    ],
)
def test_what_cannot_be_a_safe_file_name(text: str, reason: str) -> None:
    with pytest.raises(RecordKeyError, match=reason) as raised:
        check_field(text)
    assert raised.value.text == text
    str(raised.value).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["Peñón High", "東京", "...", " spaced ", "a-b", "St. Mary's", '"quoted"', "a.b", "é" * 127]
)
def test_what_may_be_a_field(text: str) -> None:
    assert check_field(text) == text


def test_fields_are_composed() -> None:
    assert str(parse_key("TX:Pen\u0303o\u0301n:1901:3")) == "TX:Peñón:1901:3"


def test_page_10_comes_after_page_9_and_text_order_rules_the_rest() -> None:
    keys = ["CA:Lincoln:2023:10", "CA:Lincoln:2023:9", "CA:Lincoln A:2023:1", "AL:Z:1:1"]
    ordered = ["AL:Z:1:1", "CA:Lincoln:2023:9", "CA:Lincoln:2023:10", "CA:Lincoln A:2023:1"]
    assert sorted(keys, key=sort_key) == ordered
    assert [str(key) for key in sorted(map(parse_key, keys))] == ordered


def test_keys_become_ranges() -> None:
    keys = [f"CA:Lincoln:2023:{page}" for page in (4, 1, 2, 10, 9, 2)] + ["AL:A:1:5"]
    assert encode_ranges(keys) == ["AL:A:1:5", "CA:Lincoln:2023:1-2", "CA:Lincoln:2023:4", "CA:Lincoln:2023:9-10"]
    assert encode_ranges([]) == []


def test_a_dash_in_a_field_is_no_range() -> None:
    assert decode_range("CA:Winston-Salem:1901-02:3-4") == ["CA:Winston-Salem:1901-02:3", "CA:Winston-Salem:1901-02:4"]
    assert decode_range("CA:Winston-Salem:1901-02:3") == ["CA:Winston-Salem:1901-02:3"]


def test_ranges_are_read_as_people_type_them() -> None:
    assert decode_ranges(["CA:Lincoln:2023:01-003", "CA:Lincoln:2023:07-7"]) == [
        "CA:Lincoln:2023:1",
        "CA:Lincoln:2023:2",
        "CA:Lincoln:2023:3",
        "CA:Lincoln:2023:7",
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("CA:Lincoln:2023:9-3", "the range ends before it begins"),
        ("CA:Lincoln:2023:9v-9r", "the range ends before it begins"),
        ("CA:Lincoln:2023:1-", "the page label '1-' ends with '-'"),
        ("CA:Lincoln:2023:-4", "the page label '-4' begins with '-'"),
        (f"CA:Lincoln:2023:{MAX_PAGE}-{MAX_PAGE + 1}", f"a page number in a range is at most {MAX_PAGE}"),
        ("CA:Lincoln:2023:1-1000001", "more than 1000000 pages"),
        ("CA:..:2023:1-2", "a way out of the folder"),
        ("CA:Lincoln:1-2", "it has 2 document fields, this collection has 3"),
    ],
)
def test_what_is_no_range(entry: str, reason: str) -> None:
    with pytest.raises(RecordKeyError, match=reason) as raised:
        decode_range(entry, field_count=3)
    assert raised.value.text == entry


def test_leaves_stand_in_runs_and_other_labels_alone() -> None:
    keys = [f"CA:Lincoln:2023:{label}" for label in ("13r", "12r", "12v", "iv", "12a", "cover", "2", "1", "12-13")]
    entries = ["1-2", "12r-13r", "=12-13", "12a", "iv", "cover"]
    assert encode_ranges(keys) == [f"CA:Lincoln:2023:{each}" for each in entries]
    assert sorted(decode_ranges(encode_ranges(keys))) == sorted(keys)


def test_a_page_that_reads_like_a_range_is_written_otherwise_beside_ranges() -> None:
    assert entry_of("CA:Lincoln:2023:12-13") == "CA:Lincoln:2023:=12-13"
    assert entry_of("CA:Lincoln:2023:12v-13r") == "CA:Lincoln:2023:=12v-13r"
    assert entry_of("CA:Lincoln:2023:12a-13") == "CA:Lincoln:2023:12a-13", "no range: it needs no other way"
    assert decode_range("CA:Lincoln:2023:=012-013") == ["CA:Lincoln:2023:12-13"]
    assert str(parse_key("CA:Lincoln:2023:=12-13")) == str(parse_key("CA:Lincoln:2023:12-13"))


def test_a_number_that_is_too_great_for_a_run_is_a_label_like_a_word() -> None:
    dates = [f"CA:Lincoln:2023:{each}" for each in (20231124120000, 20231124120001)]
    assert encode_ranges(dates) == dates
