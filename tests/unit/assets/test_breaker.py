"""When the breaker opens, and when it does not."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from assets.breaker import LEAST_WINDOW, BreakerRules, Open, Reset, open_breaker
from assets.spending import SUBMISSIONS_SCHEMA
from tests.unit.assets.tables import NOW

RULES = BreakerRules(max_failed_batches_in_a_row=3, max_failure_rate=0.5, window_records=20, records=1000)


def closed(*batches: tuple[int, int] | tuple[int, int, int] | None, apart: int = 1) -> pa.Table:
    """(records, successes, faults of the service) of each submission, oldest first, which ended ``apart`` minutes after
    each other and was made half a minute before; None: one that was never sent."""
    rows = []
    for number, batch in enumerate(batches):
        row: dict[str, object] = {field.name: None if field.nullable else 0 for field in SUBMISSIONS_SCHEMA}
        records, succeeded, faults = (*(batch or (5, 0)), 0)[:3]
        row |= {
            # By their end, not by their id.
            "submission_id": f"s{99 - number}",
            "created_at": NOW + timedelta(minutes=number * apart, seconds=-30),
            "closed_at": NOW + timedelta(minutes=number * apart),
            "settlement": number + 1,
            "model": "m",
            "way_of_asking": "[]",
            "released": False,
            "was_posted": batch is not None,
            "was_sent": batch is not None,
            "records": records,
            "succeeded": succeeded,
            "service_errors": faults,
            "cause": None if records == succeeded else "not_json (words)",
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SUBMISSIONS_SCHEMA)


def breaker(
    table: pa.Table, rules: BreakerRules = RULES, *, reset: Reset | None = None, again: Collection[str] = ()
) -> Open | None:
    """Of batches that have no record in common, but for the failures of the submissions ``again``: those were tried
    again in the newest one, and are its failures."""
    kinds = []
    for row in table.to_pylist():
        failed = row["records"] - row["succeeded"] - row["service_errors"]
        kinds += [
            (row["submission_id"], kind)
            for kind, count in (
                ("success", row["succeeded"]),
                ("service_error", row["service_errors"]),
                ("not_json", 0 if row["submission_id"] in again else failed),
            )
            for _ in range(count)
        ]
    answers: dict[str, tuple[int, int]] = {}
    for submission_id, kind in kinds:
        if kind != "service_error":
            of_it, failed_of_it = answers.get(submission_id, (0, 0))
            answers[submission_id] = of_it + 1, failed_of_it + (kind != "success")
    return open_breaker(table, lambda ids: {each: answers[each] for each in ids if each in answers}, rules, reset=reset)


def opened(table: pa.Table, rules: BreakerRules = RULES) -> Open:
    found = breaker(table, rules)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "batches",
    [
        (),
        ((10, 0, 10), (9, 0, 9)),
        ((30, 0, 30), (5, 4, 1)),
        ((10, 5, 5), (10, 5, 5)),
        ((5, 0), (5, 0)),
        ((4, 0), (4, 0), (4, 1), (3, 0), (4, 0)),
        ((5, 0), None, (5, 0), None),
        ((10, 5), (10, 5)),
        ((90, 90), (1, 0), (1, 0)),
    ],
)
def test_it_stays_closed(batches: tuple[tuple[int, int] | None, ...]) -> None:
    assert breaker(closed(*batches), RULES, reset=None) is None


def test_batches_in_a_row_without_a_success_open_it() -> None:
    found = opened(closed((5, 5), (1, 0), None, (1, 0), (1, 0)))
    assert not found.passes
    assert found.reason == (
        "safety.max_failed_batches_in_a_row: the last 3 batches had not one success, the newest is s95, "
        "most often not_json (words); quire reset-breaker lets go"
    )


def test_a_share_of_failures_over_a_full_window_opens_it() -> None:
    assert breaker(closed((9, 1), (10, 1)), RULES, reset=None) is None, "too few to say"
    reason = opened(closed((100, 100), (10, 4), (10, 5))).reason
    assert reason.startswith("safety.max_failure_rate: 11 of the last 20 records failed, most often not_json (words)")
    assert "20 of the last 25 records failed, most often not_json" in opened(closed((20, 0), (5, 5))).reason


def test_a_record_counts_once_however_often_it_has_failed() -> None:
    """Four pages of twenty that nobody can read are the last tries of a collection, again and again."""
    tried_again = closed((20, 16), (4, 0), (4, 0))
    assert breaker(tried_again, again=("s99", "s98")) is None, "4 of 20"
    assert breaker(closed((20, 9), (11, 0)), again=("s99",)) is not None, "11 of 20"


def test_what_a_person_has_let_go_of_does_not_count() -> None:
    table = closed((5, 0), (5, 0), (5, 0), (5, 0))
    assert breaker(table, RULES, reset=Reset(NOW, 2)) is None
    assert breaker(table, RULES, reset=Reset(NOW, 1)) is not None


def test_a_clock_that_was_set_back_makes_no_old_batch_the_latest_and_no_reset_void() -> None:
    at = pa.array(
        [NOW + timedelta(hours=hours) for hours in (9, 9, 9, 1, 1)], SUBMISSIONS_SCHEMA.field("closed_at").type
    )
    table = closed((1, 0), (1, 0), (1, 0), (1, 1), (1, 0)).set_column(2, "closed_at", at)
    assert breaker(table, RULES, reset=None) is None, "the three were before the success"
    failures = table.filter(pa.array([True, True, True, False, False]))
    assert breaker(failures, RULES, reset=Reset(NOW + timedelta(hours=1), 3)) is None
    assert breaker(failures, RULES, reset=Reset(NOW + timedelta(hours=10), 0)) is not None


def test_what_an_earlier_release_has_noted_goes_by_its_times() -> None:
    table = closed((1, 0), (1, 0), (1, 0), (1, 1), (1, 0))
    old = table.set_column(3, "settlement", pa.array([None, None, None, 1, 2], pa.int64()))
    assert breaker(old.slice(0, 3), RULES, reset=Reset(NOW + timedelta(minutes=3), None)) is None
    assert breaker(old.slice(0, 3), RULES, reset=Reset(NOW - timedelta(minutes=1), None)) is not None
    assert breaker(old.slice(0, 3), RULES, reset=Reset(NOW, 0)) is None, "all of them are older"
    assert breaker(old, RULES, reset=None) is None, "what has a number came later"
    a_day_later = Reset(NOW + timedelta(days=1), None)
    numbered = closed((1, 0), (1, 0), (1, 0))
    assert breaker(numbered, RULES, reset=a_day_later) is not None, "a later release settled these, whatever time"


def test_in_a_small_collection_a_window_of_its_own_size_is_enough() -> None:
    rules = BreakerRules(max_failed_batches_in_a_row=5, max_failure_rate=0.5, window_records=200, records=30)
    assert opened(closed((30, 10)), rules).reason.startswith("safety.max_failure_rate: 20 of the last 30 records")
    assert breaker(closed((29, 0)), rules, reset=None) is None, "a whole window"
    tiny = replace(rules, records=3)
    assert breaker(closed((3, 0)), tiny, reset=None) is None, "three bad pages say nothing"
    assert opened(closed(*[(3, 0)] * 3, (LEAST_WINDOW - 9, 0)), tiny).reason.startswith("safety.max_failure_rate")


def test_faults_of_the_service_open_it_for_a_while_and_need_no_person() -> None:
    found = opened(closed((30, 0, 30)))
    assert found.passes
    assert found.reason == (
        "the service answers with faults that pass: 30 of the last 30 records, most often not_json (words)"
    )
    at_once = opened(closed((1, 0, 1), (1, 0, 1), (1, 0, 1)))
    assert at_once.passes, "batches in a row, however small"
    both = opened(closed((30, 5, 5), (30, 0, 20)))
    assert not both.passes, "what fails beside them is looked at by itself"
    assert both.reason.startswith("safety.max_failure_rate: 30 of the last 35 records failed")


def test_what_is_on_its_way_is_told_by_the_last_fault_that_was_noted_and_by_the_submission_that_was_made_last() -> None:
    found = opened(closed((30, 0, 30), (5, 0, 5)))
    assert found.noted_at == NOW + timedelta(minutes=1)
    assert found.newest == "s99", "it was made last, though it ended first"


def test_it_waits_longer_after_each_round_and_a_day_at_most() -> None:
    waits = []
    for rounds in range(1, 12):
        found = opened(closed((30, 0, 30), *[(5, 0, 5)] * (rounds - 1)))
        assert found.rounds == rounds
        at = found.tries_at(backoff_seconds=300, at=found.noted_at)
        assert at is not None
        waits.append((at - found.noted_at).total_seconds())
        assert found.tries_at(backoff_seconds=300, at=at) is None, "then it tries"
    assert waits[:4] == [300, 600, 1200, 2400]
    assert waits[-1] == 86_400
    together = opened(closed(*[(10, 0, 10)] * 4, apart=0))
    assert together.rounds == 1, "batches that were there at the same time are one round"


def test_rounds_count_on_after_a_clock_was_set_back() -> None:
    table = closed((30, 0, 30), *[(5, 0, 5)] * 3)
    for name in ("created_at", "closed_at"):
        times = [table[name][0].as_py(), *(each - timedelta(days=3) for each in table[name].to_pylist()[1:])]
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(times, table.schema.field(at).type))
    found = opened(table)
    assert (found.rounds, found.noted_at) == (3, NOW - timedelta(days=3) + timedelta(minutes=3))


def test_a_fault_that_is_dated_far_ahead_is_not_waited_for() -> None:
    found = opened(closed((30, 0, 30)))
    assert found.tries_at(backoff_seconds=300, at=NOW - timedelta(days=400)) is None
