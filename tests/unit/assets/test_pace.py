"""How fast a collection is read, and when it will be done."""

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from assets.pace import WINDOW, Pace, forecast, pace_of, read_by_time
from assets.spending import SUBMISSIONS_SCHEMA
from tests.unit.assets.tables import NOW


def submissions(*rows: tuple[datetime, datetime, int]) -> pa.Table:
    """Closed submissions: made, closed, good answers."""
    made = []
    for number, (created, closed, good) in enumerate(rows):
        row: dict[str, Any] = {field.name: None for field in SUBMISSIONS_SCHEMA}
        numbers = {field.name: 0 for field in SUBMISSIONS_SCHEMA if pa.types.is_integer(field.type)}
        row |= numbers | {"submission_id": f"{number:026}", "model": "m", "way_of_asking": "", "released": False}
        row |= {"was_posted": True, "was_sent": True, "created_at": created, "closed_at": closed, "succeeded": good}
        made.append(row)
    return pa.Table.from_pylist(made, schema=SUBMISSIONS_SCHEMA)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def test_the_pace_is_what_was_read_since_the_first_batch_of_the_last_days() -> None:
    old = (NOW - WINDOW - hours(3), NOW - WINDOW - hours(2), 9_999)
    pace = pace_of(submissions(old, (NOW - hours(10), NOW - hours(8), 300), (NOW - hours(4), NOW - hours(3), 200)), NOW)

    assert pace.pages_per_hour == 50
    assert pace.batch_seconds == 1.5 * 3600
    assert pace.end(NOW, pages=100, waves=1) == NOW + hours(2)
    assert pace.end(NOW, pages=100, waves=10) == NOW + hours(15), "ten rounds, one after the other"
    assert pace.end(NOW, pages=0, waves=0) == NOW


def test_without_an_answer_no_end_is_known() -> None:
    failed = submissions((NOW - hours(2), NOW - hours(1), 0))
    for pace in (pace_of(SUBMISSIONS_SCHEMA.empty_table(), NOW), pace_of(failed, NOW)):
        assert pace.end(NOW, pages=10, waves=1) is None


def test_an_end_is_told_for_each_mode_by_its_rounds_and_by_how_many_fit_at_once() -> None:
    pace = pace_of(submissions((NOW - hours(4), NOW - hours(2), 200)), NOW)
    waves = {"previous_result": 300, "previous_image": 1, "none": 0}

    found = forecast(waves, pace, NOW, pages=25_000, pages_a_round=10_000)

    assert found.batch_seconds == 2 * 3600
    ends = {"previous_result": NOW + hours(600), "previous_image": NOW + hours(6), "none": NOW}
    assert found.done_by == ends, "25,000 pages are three rounds of 10,000, whoever waits for whom"


def test_without_an_answer_no_mode_has_an_end() -> None:
    found = forecast({"none": 1}, Pace(None, None), NOW, pages=1, pages_a_round=500)
    assert (found.batch_seconds, found.done_by) == (None, {"none": None})


def test_an_end_that_no_calendar_holds_is_not_known() -> None:
    pace = pace_of(submissions((NOW - hours(160), NOW - hours(1), 1)), NOW)
    assert pace.end(NOW, pages=10**12, waves=1) is None


def test_what_was_read_by_when_begins_with_the_first_batch() -> None:
    table = submissions((NOW, NOW + hours(5), 3), (NOW, NOW + hours(2), 4), (NOW, NOW + hours(1), 0))
    assert read_by_time(table) == [(NOW, 0), (NOW + hours(2), 4), (NOW + hours(5), 7)]
    assert read_by_time(SUBMISSIONS_SCHEMA.empty_table()) == []
