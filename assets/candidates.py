"""Which records can be run now, and why the others cannot. How runnable records become batches stands in `planning`."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.context import ContextMode, line_starts, takes_image
from assets.domain.counts import Counts, Run
from assets.domain.labels import NUMBERS
from assets.domain.ledger import Ledger
from assets.domain.outcome import is_dead
from assets.graph import Check, asset
from assets.numbering import NOWHERE, ODD, Pages, Records
from assets.sources import IMAGE_COLUMNS

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
CountArray = npt.NDArray[np.int32]


class RecordState(StrEnum):
    """Where a record stands. The first that holds counts: a record that is done is nothing else. Postponed: it could
    run, and goes by itself at a later time."""

    DONE = "done"
    INFLIGHT = "inflight"
    DEAD = "dead"
    HELD = "held"
    WAITING = "waiting"
    POSTPONED = "postponed"
    RUNNABLE = "runnable"


STATES = tuple(RecordState)


@dataclass(frozen=True, slots=True)
class RunRules:
    """The settings that decide who runs. With ``on_dead_dependency`` proceed nobody waits for the result of a dead
    letter. ``max_chain``: see `assets.context.line_starts`."""

    max_retries: int
    context_mode: ContextMode
    on_dead_dependency: str
    max_chain: int | None = None


@dataclass(frozen=True)
class States:
    """All records with their states, by number. ``codes``: the place of each record's state in STATES; ``failures``:
    its failure count; ``rules``: by which they were told."""

    records: Records
    codes: npt.NDArray[np.int8]
    failures: CountArray
    rules: RunRules

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, *wanted: RecordState) -> IntArray:
        """The numbers of the records in these states."""
        codes = [STATES.index(state) for state in wanted]
        return np.flatnonzero(self.codes == codes[0] if len(codes) == 1 else np.isin(self.codes, codes))

    def keys(self, *wanted: RecordState) -> list[str]:
        """The record keys of the records in these states."""
        found: list[str] = self.records.keys(self.of(*wanted)).to_pylist()
        return found

    def rows(self, numbers: IntArray) -> pa.Table:
        """These records as a table for people and for what is sent: ``record_key``, IMAGE_COLUMNS, ``predecessor`` (the
        key of the page before, or null), ``state``, ``failures`` (int32), ``remaining`` (int32: how many records of its
        chain, up to where it is cut, are still to be done from here on, itself included), ``takes_image`` (bool: the
        image of the page before goes along, and not its result). No document fields: their names are the user's, and
        one of them is "state"."""
        images = self.records.read(numbers)
        state = pa.DictionaryArray.from_arrays(self.codes[numbers], pa.array(STATES))
        columns = [self.records.keys(numbers), *(images[name] for name in IMAGE_COLUMNS)]
        columns += [self.records.predecessors(numbers), state, pa.array(self.failures[numbers])]
        columns += [pa.array(self.remaining(numbers)), pa.array(self._take_images[numbers])]
        names = ["record_key", *IMAGE_COLUMNS, "predecessor", "state", "failures", "remaining", "takes_image"]
        return pa.table(columns, names=names)

    def rows_of_keys(self, keys: pa.ChunkedArray | Iterable[str]) -> pa.Table:
        """The rows of these record keys, as far as there are such records, in the order of the manifest."""
        return self.rows(self.records.known(keys))

    def remaining(self, numbers: IntArray) -> CountArray:
        """For each of them how many records of its chain, up to where it is cut, are still to be done from here on,
        itself included."""
        begins, done_before = self._chains
        chain = np.searchsorted(begins, numbers, side="right")
        end = begins[chain]
        return ((end - numbers) - (done_before[end] - done_before[numbers])).astype(np.int32)

    @cached_property
    def _chains(self) -> tuple[IntArray, CountArray]:
        """The numbers at which chains or their pieces begin, and one more for the end; before each number, how many are
        done."""
        done = self.codes == STATES.index(RecordState.DONE)
        before = np.zeros(len(self) + 1, dtype=np.int32)
        np.cumsum(done, out=before[1:])
        starts = line_starts(self.records.follows, mode=self.rules.context_mode, max_chain=self.rules.max_chain)
        return np.append(np.flatnonzero(starts), len(self)), before

    @cached_property
    def _take_images(self) -> BoolArray:
        done = self.codes == STATES.index(RecordState.DONE)
        return _take_images(self.records, done, self.rules)


@dataclass(frozen=True)
class Runnable:
    """The records that can be sent, by ``numbers``, in the order in which they are."""

    states: States
    numbers: IntArray

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, count: int | None = None) -> pa.Table:
        """The first ``count`` of them, or all: see `States.rows`."""
        return self.states.rows(self.numbers[:count])


def record_states(
    record_manifest: Records,
    existing_results: Pages,
    ledger: Ledger,
    *,
    inflight: Collection[str],
    held: Collection[str] = (),
    postponed: Collection[str] = (),
    rules: RunRules,
) -> States:
    """Where each record of the manifest stands.

    ``inflight``: the records in the batch manifests of active submissions. ``held``: those that wait for a person;
    ``postponed``: those that wait for the service.
    """
    records = record_manifest
    failures = _failures(records, ledger.counts)
    failed = np.flatnonzero(failures)
    is_fatal = [is_dead(count, max_retries=rules.max_retries) for count in failures[failed].tolist()]
    dead = failed[np.array(is_fatal, dtype=bool)]
    done = records.mask(existing_results)
    codes = np.full(len(records), STATES.index(RecordState.RUNNABLE), dtype=np.int8)
    codes[records.known(postponed)] = STATES.index(RecordState.POSTPONED)
    if rules.context_mode.waits_for_result:
        nobody_waits = done.copy()
        if rules.on_dead_dependency == "proceed":
            nobody_waits[dead] = True
        waits = records.follows.copy()
        waits[1:] &= ~nobody_waits[:-1]
        if rules.max_chain is not None:
            waits &= ~_take_images(records, done, rules)
        codes[waits] = STATES.index(RecordState.WAITING)
    codes[records.known(held)] = STATES.index(RecordState.HELD)
    codes[dead] = STATES.index(RecordState.DEAD)
    codes[records.known(inflight)] = STATES.index(RecordState.INFLIGHT)
    codes[done] = STATES.index(RecordState.DONE)
    return States(records, codes, failures, rules)


def _take_images(records: Records, done: BoolArray, rules: RunRules) -> BoolArray:
    """See `assets.context.takes_image`."""
    has_result = np.zeros_like(done)
    has_result[1:] = done[:-1]
    return takes_image(records.follows, has_result, mode=rules.context_mode, max_chain=rules.max_chain)


def _only_runnable(runnable: Runnable) -> str | None:
    others = {STATES[code] for code in np.unique(runnable.states.codes[runnable.numbers])} - {RecordState.RUNNABLE}
    return f"{others.pop()} records among the runnable ones" if others else None


@asset(checks=(Check("only runnable records", _only_runnable),))
def runnable_records(
    record_manifest: Records,
    existing_results: Pages,
    ledger: Ledger,
    *,
    inflight: Collection[str],
    held: Collection[str] = (),
    postponed: Collection[str] = (),
    rules: RunRules,
) -> Runnable:
    """The records that can be sent now: longest chain first, then by key; by key alone where none waits for another.

    Manifest minus done, in flight, dead letters, held, postponed, and records whose dependency is missing.
    """
    states = record_states(
        record_manifest,
        existing_results,
        ledger,
        inflight=inflight,
        held=held,
        postponed=postponed,
        rules=rules,
    )
    return in_running_order(states, context_mode=rules.context_mode)


def in_running_order(states: States, *, context_mode: ContextMode) -> Runnable:
    """The runnable records in the order in which they are sent; the manifest's decides between equals."""
    numbers = states.of(RecordState.RUNNABLE)
    if not context_mode.longest_chain_first:
        return Runnable(states, numbers)
    return Runnable(states, numbers[np.argsort(-states.remaining(numbers), kind="stable")])


def count_states(states: States) -> dict[RecordState, int]:
    """How many records stand in each state; every state is named."""
    return dict(zip(STATES, np.bincount(states.codes, minlength=len(STATES)).tolist(), strict=True))


def waves_left(states: States, *, context_mode: ContextMode) -> int:
    """How many rounds of batches are still needed if nothing fails any more: the longest line of pages that wait for
    each other behind one that can go, itself included; without waiting, one. What stands behind a dead letter or a
    held page waits for a person, not for a wave."""
    heads, sizes = _lines_of_waiting(states)
    going = [STATES.index(each) for each in (RecordState.RUNNABLE, RecordState.POSTPONED, RecordState.INFLIGHT)]
    return context_mode.waves(sizes[np.isin(states.codes[heads], going)])


def waves_by_mode(states_of: Callable[[ContextMode], States]) -> dict[str, int]:
    """Context mode -> waves that are left in it. ``states_of``: the `record_states` of the collection in a mode."""
    return {mode.value: waves_left(states_of(mode), context_mode=mode) for mode in ContextMode}


def blocked_successors(states: States) -> dict[str, int]:
    """Dead or held record key -> how many waiting records stand behind it, for those that block any."""
    heads, behind = _blocking(states)
    return dict(zip(states.records.keys(heads).to_pylist(), behind.tolist(), strict=True))


def count_blocked(states: States) -> int:
    """How many waiting records stand behind dead or held ones."""
    return int(_blocking(states)[1].sum())


def _blocking(states: States) -> tuple[IntArray, IntArray]:
    heads, sizes = _lines_of_waiting(states)
    block = [STATES.index(each) for each in (RecordState.DEAD, RecordState.HELD)]
    which = np.isin(states.codes[heads], block) & (sizes > 1)
    return heads[which], sizes[which] - 1


def _lines_of_waiting(states: States) -> tuple[IntArray, IntArray]:
    """Each record that neither waits nor is done with all those that wait behind it: the number of the first, and how
    many they are together. A waiting record always has its predecessor in the row above, and never a done one."""
    waits = states.codes == STATES.index(RecordState.WAITING)
    heads = np.flatnonzero(~waits & (states.codes != STATES.index(RecordState.DONE)))
    # Behind a head the next record that does not wait, or the end.
    others = np.append(np.flatnonzero(~waits), len(states))
    return heads, others[np.searchsorted(others, heads) + 1] - heads


def _failures(records: Records, counts: Counts) -> CountArray:
    """The failure count of each record. A range of counts may be far wider than its document."""
    failures: CountArray = np.zeros(len(records), dtype=np.int32)
    single, wide = list[Run](), list[Run]()
    for run in counts.runs():
        (single if len(run) == 1 else wide).append(run)
    numbers = records.numbers_of_keys(key for run in single for key in run.keys)
    is_known = numbers != NOWHERE
    failures[numbers[is_known]] = np.array([run.count for run in single], dtype=np.int32)[is_known]
    documents = dict.fromkeys(run.document for run in wide)
    places = pc.index_in(pa.array(documents, pa.string()), value_set=records.pages.documents).to_pylist()
    place_of = dict(zip(documents, places, strict=True))
    for run in wide:
        if (place := place_of[run.document]) is not None:
            at = np.arange(records.starts[place], records.starts[place + 1])
            failures[at[_within(records.pages.take(at), run)]] = run.count
    return failures


def _within(pages: Pages, run: Run) -> BoolArray:
    """Which pages of a document ``run`` holds."""
    if run.series == NUMBERS:
        inside: BoolArray = (pages.numbers >= run.first) & (pages.numbers <= run.last) & (pages.numbers != ODD)
        return inside
    found: BoolArray = pages.numbers == ODD
    found[found] = [run.span.holds(label) for label in pages.odd.to_pylist()]
    return found
