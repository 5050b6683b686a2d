"""Which records a person means: keys, ranges, documents, and what they have in common."""

import pyarrow as pa
import pytest

from assets.domain.errors import QuireError, RecordKeyError
from assets.domain.outcome import OutcomeKind
from assets.selection import among, as_meant, named, pages_among, parse_entry, parse_kind, parse_prompt

KNOWN = pa.chunked_array([[f"North:7:12:{page}" for page in range(1, 13)], ["North:7:120:1", "South:7:12:1"]])


@pytest.mark.parametrize(
    ("entries", "pages"),
    [
        (["North:7:12:4"], [4]),
        (["North:7:12:3-5", "North:7:12:4"], [3, 4, 5]),
        (["North:7:12:11-40"], [11, 12]),
        (["North:7:12"], list(range(1, 13))),
    ],
)
def test_keys_ranges_and_documents_name_the_records_that_there_are(entries: list[str], pages: list[int]) -> None:
    assert named(pages_among(KNOWN), entries, field_count=3) == [f"North:7:12:{page}" for page in pages]


@pytest.mark.parametrize("entry", ["North:7:12:13", "North:7:12:20-30", "North:7:13", "East:7:12", "South:7:12:2"])
def test_what_names_nothing_is_an_error_though_other_entries_name_something(entry: str) -> None:
    with pytest.raises(QuireError, match=f"^{entry}: there is no such record here; nothing is done$"):
        named(pages_among(KNOWN), ["North:7:12:1", entry], field_count=3)


@pytest.mark.parametrize("entry", ["North:7", "North:..:12", "North:7:12:.x", "North:7:12:5-3", "North:7:12:4:4", ""])
def test_what_is_no_key_and_no_document_is_an_error(entry: str) -> None:
    with pytest.raises(RecordKeyError):
        parse_entry(entry, field_count=3)


def test_a_page_that_reads_like_a_range_is_meant_where_there_is_no_range() -> None:
    known = pa.chunked_array([["N:12-13", "N:14", "N:20r", "N:20v", "N:21r"]])
    assert named(pages_among(known), ["N:12-13"], field_count=1) == ["N:12-13"], "as status writes its key"
    assert named(pages_among(known), ["N:=012-013"], field_count=1) == ["N:12-13"]
    assert named(pages_among(known), ["N:20v-21r"], field_count=1) == ["N:20v", "N:21r"]
    assert named(pages_among(known), ["N"], field_count=1) == known.to_pylist()
    assert as_meant(["N:12-13", "N:20v-21r"], ["N:12-13", "N:20v", "N:21r"]) == ["N:=12-13", "N:20v-21r"]


def test_nobody_guesses_whether_a_page_or_a_range_is_meant() -> None:
    known = pa.chunked_array([["N:12-13", "N:13"]])
    told = "^N:12-13: this is a page and a range of pages here: N:=12-13 is the page, "
    with pytest.raises(QuireError, match=told):
        named(pages_among(known), ["N:12-13"], field_count=1)
    assert named(pages_among(known), ["N:=12-13"], field_count=1) == ["N:12-13"]


def test_a_document_of_one_field_is_told_from_a_page() -> None:
    known = pa.chunked_array([["North:1", "North:2", "7:1"]])
    assert named(pages_among(known), ["North"], field_count=1) == ["North:1", "North:2"]
    assert named(pages_among(known), ["7"], field_count=1) == ["7:1"]
    assert named(pages_among(known), ["North:2"], field_count=1) == ["North:2"]


def test_conditions_narrow_what_is_named_and_without_names_what_there_is() -> None:
    assert among(["a", "b", "c", "b"], {"b", "c"}, {"a", "b"}) == ["b"]
    assert among(None, ["c", "b"], {"b", "c", "d"}) == ["c", "b"]
    assert among(["a", "b"]) == ["a", "b"]


def test_prompts_and_kinds_are_read_from_what_a_person_types() -> None:
    assert parse_prompt("page_transcript:v1") == ("page_transcript", "v1")
    assert parse_kind("blocked") is OutcomeKind.BLOCKED
    for wrong in ("page_transcript", ":v1", "name:", ""):
        with pytest.raises(QuireError, match="is no prompt"):
            parse_prompt(wrong)
    with pytest.raises(QuireError, match="'hidden' is no kind of outcome; there are success, "):
        parse_kind("hidden")
