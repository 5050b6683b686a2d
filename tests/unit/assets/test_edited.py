"""Which results were edited: by size and time where these say it, by what was read where only that can."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.edited import RESULT_CHECK_SCHEMA, compared, edited_by_content, not_as_written
from assets.numbering import Pages
from assets.places import PLACE, with_places
from assets.provenance import RESULTS_SCHEMA
from assets.reruns import RESULT_FILE_SCHEMA
from assets.result_files import DocumentResults, ResultFiles
from tests.unit.assets.tables import NOW


def results(*rows: tuple[str, int | None, int | None, str | None]) -> pa.Table:
    """What was written: key, bytes, time, hash."""
    usual: dict[str, Any] = dict.fromkeys(RESULTS_SCHEMA.names, "x") | {"settled_at": NOW, "image_frame": 0}
    usual |= {"image_bytes": 1, "image_modified_at": 1, "settlement": None, "page": None}
    names = ("record_key", "result_bytes", "result_modified_at", "result_sha256")
    return pa.Table.from_pylist([usual | dict(zip(names, row, strict=True)) for row in rows], schema=RESULTS_SCHEMA)


def files(*rows: tuple[str, int, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(RESULT_FILE_SCHEMA.names, row, strict=True)) for row in rows], schema=RESULT_FILE_SCHEMA
    )


def checks(*rows: tuple[str, int, int, str, str | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(RESULT_CHECK_SCHEMA.names, row, strict=True)) for row in rows], schema=RESULT_CHECK_SCHEMA
    )


WRITTEN = results(("a", 9, 1, "A"), ("b", 9, 1, "B"), ("c", 9, 1, "C"), ("old", None, None, None))


def test_a_file_as_it_was_written_is_not_read_and_any_other_is_read_once() -> None:
    there = files(("a", 9, 1), ("b", 8, 1), ("c", 9, 2), ("mine", 9, 1), ("old", 9, 1))
    found = compared(there, WRITTEN, checks())
    assert found.unread["record_key"].to_pylist() == ["b", "c", "mine", "old"]
    assert (found.edited, len(found.problems)) == ([], 0), "not known yet"

    read = checks(
        ("b", 8, 1, "b", "is no JSON"), ("c", 9, 2, "C", None), ("mine", 9, 1, "M", None), ("old", 9, 1, "O", None)
    )
    found = compared(there, WRITTEN, read)
    assert len(found.unread) == 0
    assert found.edited == ["b", "mine"], "one that was touched is as it was; of an old one nothing is known"
    assert found.problems["record_key"].to_pylist() == ["b"]


def test_what_was_read_of_a_file_that_is_another_by_now_counts_for_nothing() -> None:
    read = checks(("b", 8, 1, "b", "is no JSON"), ("gone", 8, 1, "g", "is no JSON"))
    found = compared(files(("b", 8, 2)), WRITTEN, read)
    assert (found.edited, len(found.problems), len(found.checks)) == ([], 0, 0)
    assert found.unread["record_key"].to_pylist() == ["b"]
    found = compared(files(("b", 9, 1)), WRITTEN, read)
    assert (found.edited, len(found.unread), len(found.checks)) == ([], 0, 0), "it is what was written again"


def test_edited_is_told_by_content_alone_where_it_was_read() -> None:
    rows = [("a", "A"), ("b", "other"), ("mine", "M"), ("old", "O")]
    table = pa.table({"record_key": [key for key, _ in rows], "result_sha256": [each for _, each in rows]})
    assert edited_by_content(table, WRITTEN).to_pylist() == [False, True, True, False]


def test_of_all_results_those_that_are_not_as_they_were_written_are_found_by_number() -> None:
    labels, sizes, times = ["1", "2", "10", "12r", "index"], [9, 8, 9, 9, 5], [1, 1, 2, 1, 1]
    there = ResultFiles.of(
        [DocumentResults(("N",), labels, sizes, times), DocumentResults(("M",), ["7", "8"], [9, 9], [1, 1])]
    )
    pages = Pages.of_keys(there.record_keys)
    written = [("N:12r", 9, 1, "r"), ("N:1", 9, 1, "a"), ("N:2", 9, 1, "b"), ("N:10", 9, 1, "c"), ("M:8", 9, 1, "d")]
    table = results(*written, ("M:7", None, None, None), ("gone:1", 9, 1, "e"))
    table = with_places(table.drop_columns(list(PLACE)))

    found = pages.take(not_as_written(there, pages, table)).keys().to_pylist()
    assert found == ["M:7", "N:2", "N:10", "N:index"]
    all_files = there.table()
    few = all_files.filter(pc.is_in(all_files["record_key"], value_set=pa.array(found)))
    by_few, by_all = (compared(files, table, checks()) for files in (few, all_files))
    assert by_few.unread.equals(by_all.unread)
