"""What a record has been through, and what follows from it: smaller batches, records that are held."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from assets import history as histories
from assets.domain.outcome import OutcomeKind
from assets.history import (
    HISTORY_SCHEMA,
    batch_size,
    failed_jobs_of,
    has_succeeded,
    is_plain,
    service_errors_since,
    unjudged_records,
    with_outcomes,
)
from assets.places import with_places

A, B = "A:b:c:1", "A:b:c:2"


NOW = datetime(2026, 11, 1, tzinfo=UTC)


def held_records(
    table: pa.Table,
    *,
    max_retries: int = 9,
    max_service_errors: int = 9,
    let_go: Mapping[str, int] | None = None,
    let_go_unjudged: Mapping[str, int] | None = None,
    let_go_service: Mapping[str, int] | None = None,
) -> list[str]:
    return histories.held_records(
        table,
        max_retries=max_retries,
        max_service_errors=max_service_errors,
        let_go=let_go or {},
        let_go_unjudged=let_go_unjudged or {},
        let_go_service=let_go_service or {},
    )


def outcomes(submission_id: str, **kinds: OutcomeKind) -> pa.Table:
    """``kinds``: of A and B, as ``a`` and ``b``."""
    keys = {"a": A, "b": B}
    return pa.table(
        {
            "record_key": [keys[name] for name in kinds],
            "submission_id": [submission_id] * len(kinds),
            "kind": [kind.value for kind in kinds.values()],
            "settled_at": pa.array([NOW] * len(kinds), pa.timestamp("us", tz="UTC")),
            "message": [f"{submission_id}: {kind}" for kind in kinds.values()],
            "output_tokens": pa.array([10] * len(kinds), pa.int64()),
            "thoughts_tokens": pa.array([None] * len(kinds), pa.int64()),
        }
    )


def history(*kinds: OutcomeKind, may_have_run: bool = True) -> pa.Table:
    """Of A alone, after these outcomes."""
    table = HISTORY_SCHEMA.empty_table()
    for number, kind in enumerate(kinds):
        table = with_outcomes(table, outcomes(f"s{number}", a=kind), may_have_run=may_have_run)
    return table


def counts(table: pa.Table) -> tuple[int, int]:
    [row] = table.to_pylist()
    return row["failed_jobs"], row["unanswered"]


FAILED, EXPIRED, CANCELLED = OutcomeKind.BATCH_FAILED, OutcomeKind.BATCH_EXPIRED, OutcomeKind.BATCH_CANCELLED


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([FAILED], (1, 0)),
        ([FAILED, FAILED, OutcomeKind.FAILED_ALONE], (3, 0)),
        ([EXPIRED, CANCELLED, OutcomeKind.RELEASED], (0, 3)),
        ([FAILED, EXPIRED, FAILED], (2, 1)),
        ([FAILED, EXPIRED, OutcomeKind.SUCCESS], (0, 0)),
        ([FAILED, EXPIRED, OutcomeKind.NOT_JSON], (0, 0)),
        ([FAILED, EXPIRED, OutcomeKind.MISSING, FAILED], (1, 0)),
        ([FAILED, OutcomeKind.UPLOAD_REFUSED], (1, 0)),
    ],
)
def test_an_answer_sets_both_counts_back_and_nothing_else_does(
    kinds: list[OutcomeKind], expected: tuple[int, int]
) -> None:
    assert counts(history(*kinds)) == expected


def test_what_was_released_before_there_was_a_job_is_no_batch_without_an_answer() -> None:
    assert counts(history(OutcomeKind.RELEASED, may_have_run=False)) == (0, 0)
    assert counts(history(OutcomeKind.RELEASED)) == (0, 1)


def test_records_are_kept_apart() -> None:
    table = with_outcomes(HISTORY_SCHEMA.empty_table(), outcomes("s1", a=FAILED, b=EXPIRED), may_have_run=True)
    table = with_outcomes(table, outcomes("s2", b=OutcomeKind.SUCCESS), may_have_run=True)
    assert with_places(table).cast(HISTORY_SCHEMA).schema == HISTORY_SCHEMA
    assert is_plain(table).to_pylist() == [False, True]
    assert {row["record_key"]: (row["submission_id"], row["kind"]) for row in table.to_pylist()} == {
        A: ("s1", "batch_failed"),
        B: ("s2", "success"),
    }
    assert has_succeeded(table).to_pylist() == [False, True]
    assert failed_jobs_of(table, pa.chunked_array([[B, "X:y:z:1", A]])).tolist() == [0, 0, 1]


@pytest.mark.parametrize(("failed", "size"), [(0, 500), (1, 250), (2, 125), (8, 1), (9, 1), (400, 1)])
def test_batches_halve_with_each_failed_job(failed: int, size: int) -> None:
    assert batch_size(500, failed) == size


def test_a_record_is_held_after_so_many_batches_without_an_answer_and_let_go_by_a_person() -> None:
    table = history(EXPIRED, CANCELLED)
    assert held_records(table, max_retries=2) == []
    assert held_records(table, max_retries=1) == [A]
    assert held_records(table, max_retries=1, let_go={A: 2}) == [], "it counts from there"
    again = history(EXPIRED, CANCELLED, EXPIRED, EXPIRED)
    assert held_records(again, max_retries=1, let_go={A: 2}) == [A]
    answered = history(EXPIRED, EXPIRED, EXPIRED, OutcomeKind.SUCCESS, EXPIRED, EXPIRED)
    assert held_records(answered, max_retries=1, let_go={A: 3}) == [A], "what was let go of is over"


def test_a_record_whose_answer_no_validator_could_judge_is_held_until_a_person_lets_go_of_just_that_answer() -> None:
    failed = OutcomeKind.VALIDATOR_ERROR
    once, twice = history(failed), history(failed, OutcomeKind.SUCCESS, failed)
    assert held_records(once) == [A]
    assert unjudged_records(once) == {A: 1}
    assert held_records(once, max_retries=9, let_go_unjudged={A: 1}) == []
    assert held_records(twice, max_retries=9, let_go_unjudged={A: 1}) == [A], "that was another answer"
    assert held_records(history(failed, EXPIRED)) == []
    assert counts(history(FAILED, EXPIRED, failed)) == (0, 0), "it is an answer"


SERVICE = OutcomeKind.SERVICE_ERROR


def test_faults_of_the_service_in_a_row_hold_a_record_and_any_other_answer_ends_the_row() -> None:
    thrice = history(SERVICE, EXPIRED, SERVICE, SERVICE)
    assert service_errors_since(thrice, {}) == {A: (3, NOW)}
    assert held_records(thrice, max_service_errors=4) == []
    assert held_records(thrice, max_service_errors=3) == [A]
    assert held_records(thrice, max_service_errors=3, let_go_service={A: 3}) == [], "it counts from there"
    assert service_errors_since(thrice, {A: 3}) == {}, "and waits for nothing"
    assert service_errors_since(history(SERVICE, SERVICE, OutcomeKind.NOT_JSON, SERVICE), {}) == {A: (1, NOW)}
    assert counts(history(FAILED, EXPIRED, SERVICE)) == (0, 0), "its job has written a result"


def repaired(*kinds: OutcomeKind) -> tuple[int, int, int, str | None]:
    [row] = history(*kinds).to_pylist()
    return row["cut_short"], row["recitations"], row["refusals"], row["problem"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([OutcomeKind.CUT_SHORT, SERVICE, OutcomeKind.CUT_SHORT], (2, 0, 0, None)),
        ([OutcomeKind.RECITATION, OutcomeKind.NOT_JSON, OutcomeKind.RECITATION], (0, 2, 0, "s1: not_json")),
        ([OutcomeKind.NOT_JSON, OutcomeKind.SCHEMA_MISMATCH], (0, 0, 0, "s1: schema_mismatch")),
        ([OutcomeKind.BLOCKED, EXPIRED, OutcomeKind.REFUSED], (0, 0, 2, None)),
        ([OutcomeKind.BLOCKED, OutcomeKind.EMPTY, OutcomeKind.BLOCKED], (0, 0, 1, None)),
        ([OutcomeKind.CUT_SHORT, OutcomeKind.NOT_JSON, OutcomeKind.SUCCESS], (0, 0, 0, None)),
    ],
)
def test_what_can_be_repaired_is_counted_until_an_answer_is_good(
    kinds: list[OutcomeKind], expected: tuple[int, int, int, str | None]
) -> None:
    assert repaired(*kinds) == expected
