"""Record states of any collection, against a model that goes page by page."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from assets.candidates import (
    RecordState,
    RunRules,
    blocked_successors,
    count_states,
    in_running_order,
    record_states,
    runnable_records,
    waves_left,
)
from assets.context import ContextMode
from assets.domain.page_orders import AtGap
from tests.unit.assets.tables import ledger_of, records_of, results_of, table_of

Page = tuple[str, int]


@dataclass(frozen=True)
class World:
    """Pages of documents A and B, and what is known of each; also of pages that are not (any more) in the manifest."""

    pages: frozenset[Page]
    done: frozenset[Page]
    inflight: frozenset[Page]
    held: frozenset[Page]
    postponed: frozenset[Page]
    counts: dict[Page, int]
    rules: RunRules
    at_gap: AtGap

    def before(self, page: Page) -> Page | None:
        """The page that is before it in its document."""
        document, number = page
        if self.at_gap is AtGap.BREAK:
            return (document, number - 1) if (document, number - 1) in self.pages else None
        return max((each for each in self.pages if each[0] == document and each[1] < number), default=None)

    def is_cut_before(self, page: Page) -> bool:
        """Whether its chain is cut before this page, which has one before it."""
        place, each = 0, self.before(page)
        while each is not None:
            place, each = place + 1, self.before(each)
        waits, most = self.rules.context_mode is ContextMode.PREVIOUS_RESULT, self.rules.max_chain
        return waits and most is not None and place > 0 and place % most == 0

    def takes_image(self, page: Page) -> bool:
        before = self.before(page)
        if self.rules.context_mode is ContextMode.PREVIOUS_IMAGE:
            return before is not None
        return self.is_cut_before(page) and before not in self.done

    def after(self, page: Page) -> Page | None:
        return next((each for each in self.pages if self.before(each) == page), None)


places = st.tuples(st.sampled_from(["A:x:1", "B:x:1"]), st.integers(1, 12))
some = st.frozensets(places, max_size=14)
worlds = st.builds(
    World,
    pages=st.frozensets(places, max_size=24),
    done=some,
    inflight=st.frozensets(places, max_size=4),
    held=st.frozensets(places, max_size=3),
    postponed=st.frozensets(places, max_size=5),
    counts=st.dictionaries(places, st.integers(0, 4), max_size=10),
    rules=st.builds(
        RunRules,
        max_retries=st.integers(0, 3),
        context_mode=st.sampled_from(ContextMode),
        on_dead_dependency=st.sampled_from(["wait", "proceed"]),
        max_chain=st.none() | st.integers(1, 5),
    ),
    at_gap=st.sampled_from(AtGap),
)


GOING = (RecordState.RUNNABLE, RecordState.POSTPONED, RecordState.INFLIGHT)


def state_by_hand(world: World, page: Page) -> RecordState:
    before = world.before(page)
    if page in world.done:
        return RecordState.DONE
    if page in world.inflight:
        return RecordState.INFLIGHT
    if world.counts.get(page, 0) > world.rules.max_retries:
        return RecordState.DEAD
    if page in world.held:
        return RecordState.HELD
    could_run = RecordState.POSTPONED if page in world.postponed else RecordState.RUNNABLE
    if world.rules.context_mode is not ContextMode.PREVIOUS_RESULT or before is None or before in world.done:
        return could_run
    if world.is_cut_before(page):
        return could_run
    is_dead_before = world.counts.get(before, 0) > world.rules.max_retries
    proceeds = is_dead_before and world.rules.on_dead_dependency == "proceed"
    return could_run if proceeds else RecordState.WAITING


def remaining_by_hand(world: World, page: Page) -> int:
    left, each = 0, page if page in world.pages else None
    while each is not None:
        left += each not in world.done
        each = world.after(each)
        each = None if each is not None and world.is_cut_before(each) else each
    return left


def waves_by_hand(world: World, states: dict[Page, RecordState]) -> int:
    """Let everything that can go succeed, round by round, until nobody can."""
    if world.rules.context_mode is not ContextMode.PREVIOUS_RESULT:
        return int(any(state in GOING for state in states.values()))
    waves, left = 0, dict(states)
    while going := [page for page, state in left.items() if state in GOING]:
        waves += 1
        for page in going:
            left[page] = RecordState.DONE
        for page in going:
            after = world.after(page)
            if after is not None and left[after] is RecordState.WAITING:
                left[after] = RecordState.RUNNABLE
    return waves


def blocked_by_hand(world: World, states: dict[Page, RecordState]) -> dict[Page, int]:
    blocked = {}
    for page, state in states.items():
        if state in (RecordState.DEAD, RecordState.HELD):
            behind, each = 0, world.after(page)
            while each is not None and states[each] is RecordState.WAITING:
                behind, each = behind + 1, world.after(each)
            if behind:
                blocked[page] = behind
    return blocked


def key(page: Page) -> str:
    return f"{page[0]}:{page[1]}"


@given(worlds)
def test_states_order_waves_and_who_blocks_are_as_counted_by_hand(world: World) -> None:
    facts = (
        records_of((key(page) for page in world.pages), at_gap=world.at_gap),
        results_of(key(page) for page in world.done),
    )
    ledger = ledger_of({key(page): count for page, count in world.counts.items()})
    states = record_states(
        *facts,
        ledger,
        inflight=[key(page) for page in world.inflight],
        held=[key(page) for page in world.held],
        postponed=[key(page) for page in world.postponed],
        rules=world.rules,
    )

    expected = {page: state_by_hand(world, page) for page in sorted(world.pages)}
    table = table_of(states)
    assert table["record_key"].to_pylist() == [key(page) for page in expected]
    assert table["state"].to_pylist() == [state.value for state in expected.values()]
    assert table["remaining"].to_pylist() == [remaining_by_hand(world, page) for page in expected]
    assert table["failures"].to_pylist() == [world.counts.get(page, 0) for page in expected]
    assert table["takes_image"].to_pylist() == [world.takes_image(page) for page in expected]
    if world.rules.max_chain is not None and world.rules.context_mode is ContextMode.PREVIOUS_RESULT:
        assert waves_left(states, context_mode=world.rules.context_mode) <= world.rules.max_chain
    assert sum(count_states(states).values()) == len(world.pages)
    assert waves_left(states, context_mode=world.rules.context_mode) == waves_by_hand(world, expected)
    assert blocked_successors(states) == {key(page): count for page, count in blocked_by_hand(world, expected).items()}

    running = [page for page, state in expected.items() if state is RecordState.RUNNABLE]
    if world.rules.context_mode is ContextMode.PREVIOUS_RESULT:
        running.sort(key=lambda page: (-remaining_by_hand(world, page), page))
    ordered = in_running_order(states, context_mode=world.rules.context_mode)
    assert ordered.rows()["record_key"].to_pylist() == [key(page) for page in running]
    asset = runnable_records(
        *facts,
        ledger,
        inflight=[key(page) for page in world.inflight],
        held=[key(page) for page in world.held],
        postponed=[key(page) for page in world.postponed],
        rules=world.rules,
    )
    assert asset.rows()["record_key"].to_pylist() == [key(page) for page in running]
