"""What of a collection is a state that somebody should hear of, and when it is told."""

from dataclasses import replace
from datetime import timedelta

import pytest
from ulid import ULID

from assets.alarms import EVENTS, FLAPPING, WEEK, Bounds, Condition, Standing, State, Told, conditions, due
from tests.unit.assets.tables import NOW

BOUNDS = Bounds(blocked_pages=10, stall_hours=30, overdue_hours=40)
CALM = Standing("ca", NOW, pages=100, done=40)
DAY = timedelta(hours=24)
BREAKER = Condition(State.BREAKER, "lasting, s1", "words")


def submission(*, hours_ago: float) -> str:
    return str(ULID.from_datetime(NOW - timedelta(hours=hours_ago))).lower()


def found(standing: Standing, bounds: Bounds = BOUNDS) -> dict[State, Condition]:
    return {each.state: each for each in conditions(standing, bounds)}


def test_a_collection_that_goes_on_has_nothing_to_tell() -> None:
    young = [submission(hours_ago=20), submission(hours_ago=1)]
    assert found(replace(CALM, in_flight=young, blocked=10)) == {}
    assert set(EVENTS) == set(State)


def test_what_waits_behind_dead_letters_counts_from_the_bound_on() -> None:
    [(state, condition)] = found(replace(CALM, blocked=11)).items()
    assert (state, condition.detail) == (State.BLOCKED, {"pages": 11})
    assert condition.message.startswith("Collection ca: 11 pages wait behind")
    assert found(replace(CALM, blocked=11), replace(BOUNDS, blocked_pages=None)) == {}


@pytest.mark.parametrize(("in_flight_for", "closed", "stalls"), [(31, 29, False), (31, 31, True), (29, 50, False)])
def test_nothing_finishes_since_the_last_end_or_since_something_is_in_flight(
    in_flight_for: float, closed: float, stalls: bool
) -> None:
    standing = replace(
        CALM, in_flight=[submission(hours_ago=in_flight_for)], last_closed_at=NOW - timedelta(hours=closed)
    )
    assert (State.STALLED in found(standing)) is stalls
    assert State.STALLED not in found(replace(standing, in_flight=[]))
    assert State.STALLED not in found(standing, replace(BOUNDS, stall_hours=None))


def test_an_overdue_batch_is_another_state_than_the_next_one() -> None:
    oldest, next_one = submission(hours_ago=45.5), submission(hours_ago=41)
    both = found(replace(CALM, in_flight=[oldest, next_one, submission(hours_ago=1)], last_closed_at=NOW))
    assert set(both) == {State.OVERDUE}
    assert both[State.OVERDUE].of == oldest
    assert both[State.OVERDUE].detail == {"submissions": [oldest, next_one], "batches": 2}
    assert "2 batches not finished yet, the oldest of them for 45 hours." in both[State.OVERDUE].message
    assert found(replace(CALM, in_flight=[next_one], last_closed_at=NOW))[State.OVERDUE].of == next_one
    assert found(replace(CALM, in_flight=[oldest], last_closed_at=NOW), replace(BOUNDS, overdue_hours=None)) == {}


def test_words_of_others_are_in_no_message() -> None:
    standing = replace(CALM, breaker="lasting, s1", cap="budget.max_usd_total", stopped="<!channel> [x](y)")
    for state in (State.BREAKER, State.BUDGET):
        condition = found(standing)[state]
        assert "channel" not in condition.message
        assert condition.detail == {"reason": "<!channel> [x](y)"}
    waits = replace(CALM, waits=[("3 dead letters", "dead letter"), ("1 held page", "held page")])
    assert found(waits)[State.PERSON].of == "dead letter, held page", "of the kinds, not of how many"


def test_done_is_told_once_and_again_when_more_came() -> None:
    done = Standing("", NOW, pages=5, done=5)
    assert found(done)[State.DONE].message == "The collection: all 5 pages are done."
    assert State.DONE not in found(Standing("", NOW, pages=0, done=0))
    told = {State.DONE: Told("5", NOW)}
    assert due(conditions(done, BOUNDS), told, moment=NOW + 30 * DAY, remind=DAY)[0] == []
    more = conditions(replace(done, pages=6, done=6), BOUNDS)
    assert due(more, told, moment=NOW, remind=DAY)[0] == more


def test_a_state_that_lasts_is_told_when_it_begins_and_once_a_day() -> None:
    told: dict[State, Told] = {}
    rung = []
    for minutes in range(0, 3 * 24 * 60, 10):
        tell, told = due([BREAKER], told, moment=NOW + timedelta(minutes=minutes), remind=DAY)
        rung += [minutes // 60] * len(tell)
    assert rung == [0, 24, 48]


def test_a_state_of_something_else_is_told_at_once() -> None:
    _, told = due([BREAKER], {}, moment=NOW, remind=DAY)
    other = replace(BREAKER, of="lasting, s2")
    tell, told = due([other], told, moment=NOW + timedelta(minutes=10), remind=DAY)
    assert (tell, told[State.BREAKER]) == ([other], Told("lasting, s2", NOW + timedelta(minutes=10)))


def test_one_that_comes_and_goes_is_one_and_one_that_has_ended_begins_anew() -> None:
    _, told = due([BREAKER], {}, moment=NOW, remind=DAY)
    for minutes in (10, 20):
        tell, told = due([], told, moment=NOW + timedelta(minutes=minutes), remind=DAY)
        assert (tell, told[State.BREAKER].over_at) == ([], NOW + timedelta(minutes=10))
    back, flapped = due([BREAKER], told, moment=NOW + timedelta(minutes=30), remind=DAY)
    assert (back, flapped) == ([], {State.BREAKER: Told(BREAKER.of, NOW)})

    _, ended = due([], told, moment=NOW + timedelta(minutes=10) + FLAPPING, remind=DAY)
    assert ended == {}
    assert due([BREAKER], ended, moment=NOW + 2 * FLAPPING, remind=DAY)[0] == [BREAKER]


def test_the_end_of_a_model_is_told_by_the_week_and_a_clock_that_was_set_back_holds_nothing_back() -> None:
    ends = Condition(State.RETIRING, "gemini-x", "words")
    told = {State.RETIRING: Told("gemini-x", NOW)}
    assert due([ends], told, moment=NOW + 6 * DAY, remind=DAY)[0] == []
    assert due([ends], told, moment=NOW + WEEK, remind=DAY)[0] == [ends]
    assert due([ends], told, moment=NOW - DAY, remind=DAY)[0] == [ends]
