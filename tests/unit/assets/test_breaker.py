"""When the breaker opens, and when it does not."""

from datetime import timedelta

import pyarrow as pa
import pytest

from assets.breaker import BreakerRules, Reset, open_breaker
from assets.spending import SUBMISSIONS_SCHEMA
from tests.unit.assets.tables import NOW

RULES = BreakerRules(max_failed_batches_in_a_row=3, max_failure_rate=0.5, window_records=20)


def closed(*batches: tuple[int, int] | None) -> pa.Table:
    """(records, successes) of each submission, oldest first; None: one that was never sent."""
    rows = []
    for number, batch in enumerate(batches):
        row: dict[str, object] = {field.name: None if field.nullable else 0 for field in SUBMISSIONS_SCHEMA}
        records, succeeded = batch or (5, 0)
        row |= {
            # By their end, not by their id.
            "submission_id": f"s{99 - number}",
            "created_at": NOW,
            "closed_at": NOW + timedelta(minutes=number),
            "settlement": number + 1,
            "model": "m",
            "way_of_asking": "[]",
            "released": False,
            "was_posted": batch is not None,
            "was_sent": batch is not None,
            "records": records,
            "succeeded": succeeded,
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SUBMISSIONS_SCHEMA)


@pytest.mark.parametrize(
    "batches",
    [
        (),
        ((5, 0), (5, 0)),
        ((4, 0), (4, 0), (4, 1), (3, 0), (4, 0)),
        ((5, 0), None, (5, 0), None),
        ((10, 5), (10, 5)),
        ((90, 90), (1, 0), (1, 0)),
    ],
)
def test_it_stays_closed(batches: tuple[tuple[int, int] | None, ...]) -> None:
    assert open_breaker(closed(*batches), RULES, reset=None) is None


def test_batches_in_a_row_without_a_success_open_it() -> None:
    reason = open_breaker(closed((5, 5), (1, 0), None, (1, 0), (1, 0)), RULES, reset=None)
    assert reason == (
        "safety.max_failed_batches_in_a_row: the last 3 batches had not one success, the newest is s95; "
        "quire reset-breaker lets go"
    )


def test_a_share_of_failures_over_a_full_window_opens_it() -> None:
    assert open_breaker(closed((9, 1), (10, 1)), RULES, reset=None) is None, "too few to say"
    reason = open_breaker(closed((100, 100), (10, 4), (10, 5)), RULES, reset=None)
    assert (reason or "").startswith("safety.max_failure_rate: 11 of the last 20 records failed; quire reset-breaker")


def test_what_a_person_has_let_go_of_does_not_count() -> None:
    table = closed((5, 0), (5, 0), (5, 0), (5, 0))
    assert open_breaker(table, RULES, reset=Reset(NOW, 2)) is None
    assert open_breaker(table, RULES, reset=Reset(NOW, 1)) is not None


def test_a_clock_that_was_set_back_makes_no_old_batch_the_latest_and_no_reset_void() -> None:
    at = pa.array(
        [NOW + timedelta(hours=hours) for hours in (9, 9, 9, 1, 1)], SUBMISSIONS_SCHEMA.field("closed_at").type
    )
    table = closed((1, 0), (1, 0), (1, 0), (1, 1), (1, 0)).set_column(2, "closed_at", at)
    assert open_breaker(table, RULES, reset=None) is None, "the three were before the success"
    failures = table.filter(pa.array([True, True, True, False, False]))
    assert open_breaker(failures, RULES, reset=Reset(NOW + timedelta(hours=1), 3)) is None
    assert open_breaker(failures, RULES, reset=Reset(NOW + timedelta(hours=10), 0)) is not None


def test_what_an_earlier_release_has_noted_goes_by_its_times() -> None:
    table = closed((1, 0), (1, 0), (1, 0), (1, 1), (1, 0))
    old = table.set_column(3, "settlement", pa.array([None, None, None, 1, 2], pa.int64()))
    assert open_breaker(old.slice(0, 3), RULES, reset=Reset(NOW + timedelta(minutes=3), None)) is None
    assert open_breaker(old.slice(0, 3), RULES, reset=Reset(NOW - timedelta(minutes=1), None)) is not None
    assert open_breaker(old.slice(0, 3), RULES, reset=Reset(NOW, 0)) is None, "all of them are older"
    assert open_breaker(old, RULES, reset=None) is None, "what has a number came later"
