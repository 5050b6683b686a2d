"""Notes of results that a person wants read again: each means one result, known by its content."""

import pyarrow as pa
import pytest

from assets.reruns import (
    RERUN_SCHEMA,
    RESULT_FILE_SCHEMA,
    answers_rerun,
    is_as_it_was,
    with_reruns,
    without_answered,
    without_reruns,
)


def notes(*rows: tuple[str, str, str]) -> pa.Table:
    """``rows``: key, rerun id, hash."""
    full = [
        {"record_key": key, "rerun_id": rerun, "result_bytes": 9, "result_modified_at": 5, "result_sha256": sha256}
        for key, rerun, sha256 in rows
    ]
    return pa.Table.from_pylist(full, schema=RERUN_SCHEMA)


def told(table: pa.Table) -> list[tuple[str, str, str]]:
    return [(row["record_key"], row["rerun_id"], row["result_sha256"]) for row in table.select(
        ["record_key", "rerun_id", "result_sha256"]
    ).to_pylist()]  # fmt: skip


def test_who_asks_twice_for_the_same_result_has_asked_at_first() -> None:
    both = with_reruns(
        notes(("b", "1", "B"), ("c", "1", "C")), notes(("a", "2", "A"), ("b", "2", "B"), ("c", "2", "c"))
    )
    assert told(both) == [("a", "2", "A"), ("b", "1", "B"), ("c", "2", "c")]
    assert with_reruns(both, notes()).equals(both)
    assert told(with_reruns(notes(), notes(("a", "1", "A")))) == [("a", "1", "A")]


def test_a_wish_that_is_taken_back_is_forgotten() -> None:
    assert told(without_reruns(notes(("a", "1", "A"), ("b", "1", "B")), ["b", "x"])) == [("a", "1", "A")]


@pytest.mark.parametrize(
    ("note", "written", "moot", "is_left"),
    [
        (("a", "1", "old"), {"a": "new"}, {}, False),
        (("a", "1", "same"), {"a": "same"}, {}, False),  # asked before, read again, and it came out the same
        (("a", "3", "new"), {"a": "new"}, {}, True),  # asked for after that very result was written
        (("a", "3", "old"), {"a": "new"}, {}, False),  # in flight when it was asked for once more
        (("a", "1", "old"), {"b": "new"}, {}, True),
        (("a", "1", "old"), {}, {"a": "old"}, False),  # another result lies there than was meant
        (("a", "3", "older"), {}, {"a": "old"}, True),
        (("a", "1", "old"), {}, {}, True),
    ],
)
def test_a_wish_ends_with_its_answer(
    note: tuple[str, str, str], written: dict[str, str], moot: dict[str, str], is_left: bool
) -> None:
    left = without_answered(notes(note, ("z", "9", "Z")), written, moot, "2")
    assert told(left) == ([note] if is_left else []) + [("z", "9", "Z")]


def test_a_late_answer_counts_where_it_was_sent_after_the_wish() -> None:
    assert answers_rerun("1", "2", is_awaited=False)
    assert not answers_rerun("3", "2", is_awaited=False)
    assert answers_rerun("3", "2", is_awaited=True)


def test_a_file_is_what_it_was_by_size_and_time_and_only_another_time_leaves_a_doubt() -> None:
    def files(*rows: tuple[int, int]) -> pa.Table:
        columns = {"record_key": ["a"] * len(rows), "result_bytes": [each[0] for each in rows]}
        return pa.table(columns | {"result_modified_at": pa.array([each[1] for each in rows], pa.int64())}).cast(
            RESULT_FILE_SCHEMA
        )

    then = files((9, 1), (9, 1), (9, 1), (9, 1))
    assert is_as_it_was(then, files((9, 1), (9, 2), (8, 1), (8, 2))).to_pylist() == [True, None, False, False]
