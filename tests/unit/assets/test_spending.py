"""What was spent, and what can still be: from outcomes, and from what is open."""

from datetime import UTC, date, datetime, timedelta
from math import inf

import pyarrow as pa
import pytest

from assets.domain.batch import JobState
from assets.domain.money import Price
from assets.domain.outcome import OutcomeKind
from assets.outcomes import uniform_outcomes, with_counts
from assets.plain_rows import plain_rows
from assets.provenance import RESULTS_SCHEMA, latest_results, result_rows
from assets.spending import (
    SUBMISSIONS_SCHEMA,
    WINDOW,
    Cap,
    Spent,
    caps,
    room_of,
    sent_usd,
    spending,
    submission_row,
    tightest,
)
from tests.unit.assets.tables import NOW, PRICE, batch_of, facts, outcomes_of, verdicts

KEYS = ["A:b:c:1", "A:b:c:2", "A:b:c:3"]
USAGE = {"prompt_tokens": 1220, "output_tokens": 40, "thoughts_tokens": 10, "cached_tokens": 20, "total_tokens": 1270}
BOUND = 0.5 * ((1120 + 400) * 1.5 + 99 * 9) / 1e6
"""The most that a record of `batch_of` can cost."""


def row_of(outcomes: pa.Table, *, may_have_run: bool = True, **changes: object) -> dict[str, object]:
    told = facts(**changes)
    row = submission_row(
        batch_of(KEYS, **changes), with_counts(outcomes, {}), told, was_posted=True, may_have_run=may_have_run
    )
    assert pa.Table.from_pylist([row], schema=SUBMISSIONS_SCHEMA).num_rows == 1, "it fits its schema"
    return row


def test_what_was_answered_costs_what_its_usage_says_thinking_included() -> None:
    lines = verdicts({"record_key": KEYS[0], **USAGE}, {"record_key": KEYS[1], "kind": "blocked", **USAGE})
    row = row_of(outcomes_of(KEYS, lines))
    assert (row["records"], row["succeeded"], row["answers"]) == (3, 1, 2)
    assert (row["estimated_image_tokens"], row["estimated_text_tokens"]) == (2240, 200), "of those that were answered"
    one = 0.5 * (1200 * 1.5 + 20 * 0.5 + 50 * 9) / 1e6
    assert row["usd"] == pytest.approx(2 * one)
    assert row["unsure_usd"] == pytest.approx(BOUND), "of the third nobody knows"


@pytest.mark.parametrize(
    ("kind", "may_have_run", "unsure"),
    [
        (OutcomeKind.RELEASED, True, 3),
        (OutcomeKind.RELEASED, False, 0),
        (OutcomeKind.BATCH_CANCELLED, True, 3),
        (OutcomeKind.BATCH_FAILED, True, 0),
        (OutcomeKind.BATCH_EXPIRED, True, 0),
        (OutcomeKind.UPLOAD_REFUSED, False, 0),
    ],
)
def test_what_nobody_knows_counts_with_the_most_that_it_can_be(
    kind: OutcomeKind, may_have_run: bool, unsure: int
) -> None:
    outcomes = uniform_outcomes(KEYS, kind, messages="x", batch_id=None, facts=facts(), settled_at=NOW)
    row = row_of(outcomes, may_have_run=may_have_run)
    assert (row["answers"], row["usd"]) == (0, 0)
    assert row["unsure_usd"] == pytest.approx(unsure * BOUND)


def test_an_answer_whose_usage_does_not_add_up_counts_with_the_most_and_never_with_nothing() -> None:
    lines = verdicts(
        {"record_key": KEYS[0], **USAGE},
        {"record_key": KEYS[1], "unsure": True},
        {"record_key": KEYS[2], "kind": "api_error", "unsure": True},
    )
    row = row_of(outcomes_of(KEYS, lines))
    assert (row["answers"], row["unsure"]) == (1, 2)
    assert row["unsure_usd"] == pytest.approx(2 * BOUND)

    [spent] = spending(pa.Table.from_pylist([row], schema=SUBMISSIONS_SCHEMA), [], lambda model, day: None)
    assert (spent.open_usd, spent.unsure) == (0, 2), "it is not in flight any more"
    [cap] = caps([spent], {"max_usd_total": 1.0}, run_started_at=NOW, day=NOW.date())
    assert cap.room_usd == pytest.approx(1.0 - spent.usd - 2 * BOUND)


def test_each_answer_costs_what_the_model_that_gave_it_costs() -> None:
    lite = Price(0.3, 2.5, 0.3, 0.5)
    lines = verdicts(
        {"record_key": KEYS[0], **USAGE},
        {"record_key": KEYS[1], **USAGE, "model_version": "models/gemini-3.5-flash-001"},
        {"record_key": KEYS[2], **USAGE, "model_version": "gemini-3.5-flash-lite"},
    )
    one, other = (0.5 * (1200 * p.input_usd + 20 * p.cached_usd + 50 * p.output_usd) / 1e6 for p in (PRICE, lite))
    row = row_of(outcomes_of(KEYS, lines), prices={"gemini-3.5-flash-lite": lite})
    assert row["usd"] == pytest.approx(2 * one + other)
    assert row["answered_by"] == "gemini-3.5-flash-lite"
    assert row_of(outcomes_of(KEYS, lines))["usd"] == pytest.approx(3 * one), "no other price was known"
    assert row_of(outcomes_of(KEYS, lines), price=None, prices={"gemini-3.5-flash-lite": lite})["usd"] is None


def test_an_error_without_a_response_costs_nothing() -> None:
    row = row_of(outcomes_of(KEYS, verdicts(*({"record_key": key, "kind": "api_error"} for key in KEYS))))
    assert (row["usd"], row["unsure"], row["unsure_usd"]) == (0, 0, 0)


def test_what_was_sent_without_a_price_is_counted_at_that_of_its_day() -> None:
    row = row_of(outcomes_of(KEYS, verdicts({"record_key": KEYS[0], **USAGE})), price=None)
    assert (row["usd"], row["unsure_usd"]) == (None, None)
    closed = pa.Table.from_pylist([row], schema=SUBMISSIONS_SCHEMA)
    [spent] = spending(closed, [], lambda model, day: {NOW.date(): PRICE}.get(day))
    assert spent.usd == pytest.approx(0.5 * (1200 * 1.5 + 20 * 0.5 + 50 * 9) / 1e6)
    [unknown] = spending(closed, [], lambda model, day: None)
    assert unknown.usd == 0


def test_what_was_made_long_ago_is_one_sum_and_nothing_of_it_is_lost() -> None:
    row = row_of(outcomes_of(KEYS, verdicts({"record_key": KEYS[0], **USAGE}, {"record_key": KEYS[1], "unsure": True})))
    old = [{**row, "submission_id": f"s{n}", "created_at": NOW - timedelta(days=n)} for n in range(4)]
    known_late = {**old[3], "submission_id": "01jd0000000000000000000001", "released": True}
    late = {**old[3], "submission_id": "01jd0000000000000000000001.late", "unsure": 0, "unsure_usd": 0.0}
    unpriced = {**old[3], "submission_id": "u", "usd": None, "unsure_usd": None}
    closed = pa.Table.from_pylist([*old, known_late, late, unpriced], schema=SUBMISSIONS_SCHEMA)
    price_of = {NOW.date() - timedelta(days=3): PRICE}

    one_by_one, summed = (spending(closed, [], lambda _, day: price_of.get(day), since=since) for since in (None, NOW))

    assert [each.submission_id for each in summed] == ["", "s0", "u"]
    for name in ("usd", "open_usd", "unsure_usd", "unsure"):
        assert sum(getattr(each, name) for each in one_by_one) == pytest.approx(
            sum(getattr(each, name) for each in summed)
        )


def test_what_is_open_counts_with_the_most_that_it_can_cost() -> None:
    [spent] = spending(SUBMISSIONS_SCHEMA.empty_table(), [(facts(), batch_of(KEYS))], lambda model, day: None)
    assert spent.usd == 0
    assert spent.open_usd == pytest.approx(3 * BOUND)


def test_what_was_sent_in_the_last_10_minutes_is_counted_by_its_estimate() -> None:
    since = NOW - WINDOW
    outcomes = outcomes_of(KEYS, verdicts({"record_key": KEYS[0], **USAGE}))
    rows = [row_of(outcomes, created_at=since + timedelta(seconds=1)), row_of(outcomes, created_at=since)]
    nothing = uniform_outcomes(KEYS, OutcomeKind.RELEASED, messages="x", batch_id=None, facts=facts(), settled_at=NOW)
    rows.append(row_of(nothing, may_have_run=False, created_at=NOW))
    closed = pa.Table.from_pylist(rows, schema=SUBMISSIONS_SCHEMA)
    batch = batch_of(KEYS)
    one = sum(batch["estimated_usd"].to_pylist())
    in_flight = [(facts(created_at=NOW), batch), (facts(created_at=since), batch)]
    assert sent_usd(closed, in_flight, since=since) == pytest.approx(2 * one), "one closed and one open"
    assert sent_usd(SUBMISSIONS_SCHEMA.empty_table(), [], since=since) == 0
    of_a_wrong_clock = [(facts(created_at=NOW + timedelta(days=365)), batch)]
    assert sent_usd(closed, of_a_wrong_clock, since=since) == pytest.approx(one), "it holds nothing back for a year"


def test_a_cap_counts_what_belongs_to_it() -> None:
    day = datetime(2026, 11, 25, 9, tzinfo=UTC)
    spent = [
        Spent("a", day - timedelta(days=1), 1.0, 0.0),
        Spent("b", day - timedelta(hours=3), 2.0, 0.0, unsure_usd=0.5, unsure=1),
        Spent("c", day + timedelta(seconds=1), 4.0, 0.25),
    ]
    limits = {"max_usd_per_run": 5.0, "max_usd_per_day": 10.0, "max_usd_total": 8.0}
    found = caps(spent, limits, run_started_at=day, day=date(2026, 11, 25))
    assert found == [
        Cap("budget.max_usd_per_run", 5.0, 4.0, 0.25),
        Cap("budget.max_usd_per_day", 10.0, 6.0, 0.25, 0.5),
        Cap("budget.max_usd_total", 8.0, 7.0, 0.25, 0.5),
    ]
    tight = tightest(found)
    assert tight == found[2]
    assert 0.2499 < room_of(tight) < 0.25
    assert caps(spent, {}, run_started_at=day, day=day.date()) == []
    assert room_of(None) == inf


def test_what_was_sent_before_the_clock_was_set_back_over_midnight_counts_for_the_day() -> None:
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    spent = [Spent("a", midnight + timedelta(hours=1), 2.0), Spent("b", midnight + timedelta(days=1), 4.0)]
    [cap] = caps(spent, {"max_usd_per_day": 10.0}, run_started_at=midnight, day=date(2026, 11, 25))
    assert cap.spent_usd == 2.0, "of the day after tomorrow a clock was wrong that nobody asks any more"


def test_a_result_names_what_made_it_and_the_latest_submission_counts() -> None:
    lines = verdicts({"record_key": KEYS[0], **USAGE}, {"record_key": KEYS[1], "kind": "not_json"})
    outcomes = with_counts(outcomes_of(KEYS, lines, state=JobState.SUCCEEDED), {})
    first = result_rows(batch_of(KEYS), outcomes, facts())
    assert first.schema == RESULTS_SCHEMA
    [row] = plain_rows(first)
    assert (row["record_key"], row["image_sha256"], row["schema_name"]) == (KEYS[0], "2" * 64, "a:B")
    assert (row["prompt_hash"], row["response_schema_hash"]) == ("0" * 64, "1" * 64)

    later = first.set_column(1, RESULTS_SCHEMA.field(1), pa.array(["01je0000000000000000000000"]))
    for tables in ([first, later], [later, first], [later, first, later]):
        assert plain_rows(latest_results(tables)) == plain_rows(later)
    assert len(latest_results([])) == 0
