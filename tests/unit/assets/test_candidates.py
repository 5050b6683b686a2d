"""Who can run now, and why the others cannot: examples. That it holds for any collection, against a model that counts
by hand, stands in tests/properties/test_candidates.py."""

from collections.abc import Collection, Mapping

import pytest

from assets.candidates import (
    RecordState,
    RunRules,
    States,
    blocked_successors,
    count_states,
    in_running_order,
    record_states,
    runnable_records,
    waves_left,
)
from assets.context import ContextMode
from tests.unit.assets.tables import ledger_of, records_of, results_of, table_of

DOCUMENT = "CA:Lincoln:2023"


def rules(*, max_retries: int = 1, mode: ContextMode = ContextMode.PREVIOUS_RESULT, on_dead: str = "wait") -> RunRules:
    return RunRules(max_retries=max_retries, context_mode=mode, on_dead_dependency=on_dead)


def states_of(
    pages: Collection[int],
    *,
    done: Collection[int] = (),
    counts: Mapping[int, int] | None = None,
    inflight: Collection[int] = (),
    held: Collection[int] = (),
    by: RunRules | None = None,
) -> States:
    """The states of one document's pages."""
    return record_states(
        records_of(f"{DOCUMENT}:{page}" for page in pages),
        results_of(f"{DOCUMENT}:{page}" for page in done),
        ledger_of({f"{DOCUMENT}:{page}": count for page, count in (counts or {}).items()}),
        inflight=[f"{DOCUMENT}:{page}" for page in inflight],
        held=[f"{DOCUMENT}:{page}" for page in held],
        rules=by or rules(),
    )


def words(states: States) -> str:
    return " ".join(table_of(states)["state"].to_pylist())


def test_a_page_waits_until_the_page_before_it_is_done() -> None:
    assert words(states_of([1, 2, 3])) == "runnable waiting waiting"
    assert words(states_of([1, 2, 3], done=[1])) == "done runnable waiting"
    assert words(states_of([1, 2, 3], inflight=[1])) == "inflight waiting waiting"
    assert words(states_of([1, 2, 4, 5])) == "runnable waiting waiting waiting", "also where one is missing"


def test_without_context_nobody_waits() -> None:
    for mode in (ContextMode.NONE, ContextMode.PREVIOUS_IMAGE):
        assert words(states_of([1, 2, 3], counts={1: 9}, by=rules(mode=mode))) == "dead runnable runnable"


def test_a_record_is_dead_when_its_count_is_greater_than_max_retries() -> None:
    assert words(states_of([1], counts={1: 1}, by=rules(max_retries=1))) == "runnable"
    assert words(states_of([1], counts={1: 2}, by=rules(max_retries=1))) == "dead"
    assert words(states_of([1], counts={1: 1}, by=rules(max_retries=0))) == "dead"


def test_behind_a_dead_letter_pages_wait_or_proceed_as_configured() -> None:
    assert words(states_of([1, 2, 3], counts={1: 2})) == "dead waiting waiting"
    assert words(states_of([1, 2, 3], counts={1: 2}, by=rules(on_dead="proceed"))) == "dead runnable waiting"


def test_the_first_reason_counts() -> None:
    everything = states_of([1, 2, 3, 4], done=[1], inflight=[1, 2], counts={1: 9, 2: 9, 3: 9}, held=[1, 2, 3, 4])
    assert words(everything) == "done inflight dead held"


def test_failures_and_what_is_left_of_each_chain_are_told() -> None:
    states = table_of(states_of([1, 2, 3, 7, 8], done=[2], counts={1: 1, 8: 2}))
    assert states["failures"].to_pylist() == [1, 0, 0, 0, 2]
    assert states["remaining"].to_pylist() == [4, 3, 3, 2, 1]


def test_the_longest_chain_goes_first_then_the_manifests_order() -> None:
    records = records_of([*(f"A:b:c:{n}" for n in (1, 2)), *(f"B:b:c:{n}" for n in (1, 2, 3)), "C:b:c:9", "C:b:c:10"])
    found = runnable_records(records, results_of([]), ledger_of(), inflight=[], rules=rules())
    assert found.rows()["record_key"].to_pylist() == ["B:b:c:1", "A:b:c:1", "C:b:c:9"]


def test_without_waiting_neighbours_stay_together() -> None:
    records = records_of([*(f"A:b:c:{n}" for n in (1, 2)), *(f"B:b:c:{n}" for n in (9, 10, 11))])
    for mode in (ContextMode.NONE, ContextMode.PREVIOUS_IMAGE):
        found = runnable_records(records, results_of([]), ledger_of(), inflight=[], rules=rules(mode=mode))
        assert found.numbers.tolist() == list(range(5))


def test_nothing_to_do_is_no_error() -> None:
    states = record_states(
        records_of([]), results_of(["A:b:c:1"]), ledger_of({"A:b:c:1": 1}), inflight=[], rules=rules()
    )
    assert len(states) == len(in_running_order(states, context_mode=ContextMode.PREVIOUS_RESULT)) == 0
    assert waves_left(states, context_mode=ContextMode.PREVIOUS_RESULT) == 0
    assert blocked_successors(states) == {}
    assert set(count_states(states)) == set(RecordState)


@pytest.mark.parametrize(
    ("states", "waves"),
    [
        (states_of([1, 2, 3]), 3),
        (states_of([1, 2, 3], done=[1]), 2),
        (states_of([1, 2, 3], inflight=[1]), 3),
        (states_of([1, 2, 3], done=[1, 2, 3]), 0),
        (states_of([1, 2, 3], counts={2: 2}), 1),
        (states_of([1, 2, 3, 4], counts={1: 2}, done=[2]), 2),
        (states_of([1, 2, 3], counts={1: 2}, by=rules(on_dead="proceed")), 2),
        (states_of([1, 2, 3, 5, 6], done=[2], held=[5]), 1),
    ],
    ids=[
        "a chain",
        "its rest",
        "its first page in flight",
        "all done",
        "behind a dead letter nothing comes",
        "a page done behind a dead letter lets its successors go on",
        "a dead letter that is passed over holds up nobody",
        "chains run side by side",
    ],
)
def test_waves_are_the_longest_line_that_can_still_go(states: States, waves: int) -> None:
    assert waves_left(states, context_mode=ContextMode.PREVIOUS_RESULT) == waves
    assert waves_left(states, context_mode=ContextMode.NONE) == min(1, waves)


def test_who_blocks_how_many_is_told_for_dead_and_held_records() -> None:
    assert blocked_successors(states_of([1, 2, 3, 4], counts={2: 2})) == {f"{DOCUMENT}:2": 2}
    assert blocked_successors(states_of([1, 2, 4, 5, 6], held=[4])) == {f"{DOCUMENT}:4": 2}
    assert blocked_successors(states_of([1, 2, 3, 4], counts={1: 2}, done=[2])) == {}, "page 3 goes on behind page 2"
    assert blocked_successors(states_of([1, 2], counts={2: 2})) == {}


def test_counts_name_every_state() -> None:
    found = count_states(states_of([1, 2, 3], done=[1]))
    assert {state.value: count for state, count in found.items()} == {
        "done": 1,
        "inflight": 0,
        "dead": 0,
        "held": 0,
        "waiting": 1,
        "postponed": 0,
        "runnable": 1,
    }
