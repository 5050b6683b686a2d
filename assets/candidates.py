"""Which records can be run now, and why the others cannot. How runnable records become batches stands in `planning`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.context import ContextMode
from assets.domain.counts import Counts
from assets.domain.ledger import Ledger
from assets.domain.outcome import is_dead
from assets.graph import Check, asset
from assets.sources import IMAGE_COLUMNS

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


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
    letter."""

    max_retries: int
    context_mode: ContextMode
    on_dead_dependency: str


def record_states(
    record_manifest: pa.Table,
    existing_results: pa.Table,
    ledger: Ledger,
    *,
    inflight: Collection[str],
    held: Collection[str] = (),
    postponed: Collection[str] = (),
    rules: RunRules,
) -> pa.Table:
    """The manifest's columns without the document fields, and ``state`` (a RecordState),
    ``failures`` (int32) and ``remaining`` (int32: how many
    records of its chain, itself included, are still to be done from here on).

    ``inflight``: the records in the batch manifests of active submissions. ``held``: those that wait for a person;
    ``postponed``: those that wait for the service.
    """
    keys = record_manifest["record_key"]
    failures = _failures(record_manifest, ledger.counts)
    done = _is_in(keys, existing_results["record_key"])
    fatal = [count for count in np.unique(failures) if is_dead(int(count), max_retries=rules.max_retries)]
    dead = np.isin(failures, fatal)
    state = np.full(len(keys), STATES.index(RecordState.RUNNABLE), dtype=np.int8)
    state[_is_in(keys, pa.array(list(postponed), pa.string()))] = STATES.index(RecordState.POSTPONED)
    if rules.context_mode.waits_for_result:
        passed_over = keys.filter(pa.array(dead)) if rules.on_dead_dependency == "proceed" else keys.slice(0, 0)
        met = _dependency_met(record_manifest, existing_results, passed_over)
        state[~met] = STATES.index(RecordState.WAITING)
    state[_is_in(keys, pa.array(list(held), pa.string()))] = STATES.index(RecordState.HELD)
    state[dead] = STATES.index(RecordState.DEAD)
    state[_is_in(keys, pa.array(list(inflight), pa.string()))] = STATES.index(RecordState.INFLIGHT)
    state[done] = STATES.index(RecordState.DONE)
    # Without the document fields: their names are the user's, and one of them is "state".
    kept = record_manifest.select(["record_key", *IMAGE_COLUMNS, "predecessor"])
    return (
        kept.append_column("state", pa.DictionaryArray.from_arrays(state, pa.array(STATES)))
        .append_column("failures", pa.array(failures))
        .append_column("remaining", pa.array(_remaining(record_manifest, done), pa.int32()))
    )


def _only_runnable(table: pa.Table) -> str | None:
    others = set(table["state"].unique().to_pylist()) - {RecordState.RUNNABLE}
    return f"{others.pop()} records among the runnable ones" if others else None


@asset(checks=(Check("only runnable records", _only_runnable),))
def runnable_records(
    record_manifest: pa.Table,
    existing_results: pa.Table,
    ledger: Ledger,
    *,
    inflight: Collection[str],
    held: Collection[str] = (),
    postponed: Collection[str] = (),
    rules: RunRules,
) -> pa.Table:
    """The records that can be sent now: longest chain first, then by key; by key alone where none waits for another.

    Manifest minus done, in flight, dead letters, held, postponed, and records whose dependency is missing. Columns:
    those of `record_states`.
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


def in_running_order(states: pa.Table, *, context_mode: ContextMode) -> pa.Table:
    """The runnable rows of `record_states`, in the order in which they are sent; the manifest's decides between
    equals."""
    runnable = states.filter(pc.equal(states["state"].cast(pa.string()), RecordState.RUNNABLE.value))
    if not context_mode.longest_chain_first:
        return runnable
    order = np.argsort(-runnable["remaining"].to_numpy().astype(np.int64), kind="stable")
    return runnable.take(pa.array(order))


def count_states(states: pa.Table) -> dict[RecordState, int]:
    """How many records stand in each state; every state is named."""
    counted = {row["values"]: row["counts"] for row in states["state"].cast(pa.string()).value_counts().to_pylist()}
    return {state: counted.get(state, 0) for state in STATES}


def waves_left(states: pa.Table, *, context_mode: ContextMode) -> int:
    """How many rounds of batches are still needed if nothing fails any more: the longest line of pages that wait for
    each other behind one that can go, itself included; without waiting, one. What stands behind a dead letter or a
    held page waits for a person, not for a wave."""
    heads, sizes = _lines_of_waiting(states)
    return context_mode.waves(
        sizes[np.isin(heads, [RecordState.RUNNABLE, RecordState.POSTPONED, RecordState.INFLIGHT])]
    )


def waves_by_mode(states_of: Callable[[ContextMode], pa.Table]) -> dict[str, int]:
    """Context mode -> waves that are left in it. ``states_of``: the `record_states` of the collection in a mode."""
    return {mode.value: waves_left(states_of(mode), context_mode=mode) for mode in ContextMode}


def blocked_successors(states: pa.Table) -> dict[str, int]:
    """Dead or held record key -> how many waiting records stand behind it, for those that block any."""
    heads, sizes = _lines_of_waiting(states)
    blocks = np.isin(heads, [RecordState.DEAD, RecordState.HELD]) & (sizes > 1)
    first = np.cumsum(sizes) - sizes
    keys = states["record_key"].take(pa.array(first[blocks])).to_pylist()
    return dict(zip(keys, (sizes[blocks] - 1).tolist(), strict=True))


def count_blocked(states: pa.Table) -> int:
    """How many waiting records stand behind dead or held ones."""
    counts = count_states(states)
    if not (counts[RecordState.WAITING] and counts[RecordState.DEAD] + counts[RecordState.HELD]):
        return 0
    return sum(blocked_successors(states).values())


def _lines_of_waiting(states: pa.Table) -> tuple[npt.NDArray[np.str_], IntArray]:
    """Each record that does not wait with all those that wait behind it, in the manifest's order: the state of the
    first, and how many they are together. A waiting record always has its predecessor in the row above."""
    names = np.array(states["state"].cast(pa.string()).to_pylist(), dtype=np.str_)
    starts = np.flatnonzero(names != RecordState.WAITING.value)
    return names[starts], np.diff(starts, append=len(names))


def _is_in(keys: pa.ChunkedArray, values: pa.Array | pa.ChunkedArray) -> BoolArray:
    found: BoolArray = pc.is_in(keys, value_set=values).to_numpy(zero_copy_only=False)
    return found


def _dependency_met(manifest: pa.Table, existing_results: pa.Table, passed_over: pa.ChunkedArray) -> BoolArray:
    """``passed_over``: record keys that nobody waits for."""
    predecessors = manifest["predecessor"]
    met = _is_in(predecessors, existing_results["record_key"]) | _is_in(predecessors, passed_over)
    has_none: BoolArray = predecessors.is_null().to_numpy(zero_copy_only=False)
    return met | has_none


def _failures(manifest: pa.Table, counts: Counts) -> IntArray:
    """The failure count of each row. Only the rows of documents that have counts are looked at one by one: a range of
    counts may be far wider than its document."""
    failures: IntArray = np.zeros(len(manifest), dtype=np.int32)
    if counts:
        keys = manifest["record_key"]
        documents = pc.replace_substring_regex(keys, pattern=r":[^:]*$", replacement="")
        rows = np.flatnonzero(_is_in(documents, pa.array(counts.documents, pa.string())))
        failures[rows] = [counts.get(key, 0) for key in keys.take(pa.array(rows)).to_pylist()]
    return failures


def _chain_numbers(manifest: pa.Table) -> IntArray:
    """For rows in natural order, the number of the chain that each belongs to, from 0."""
    starts = manifest["predecessor"].is_null().to_numpy(zero_copy_only=False)
    numbers: IntArray = np.cumsum(starts, dtype=np.int64) - 1
    return numbers


def _remaining(manifest: pa.Table, done: BoolArray) -> IntArray:
    if len(manifest) == 0:
        return np.zeros(0, dtype=np.int64)
    pending = (~done).astype(np.int64)
    # Counting from the end: the chain's total minus what lies before this row.
    chain = _chain_numbers(manifest)
    totals = np.bincount(chain, weights=pending).astype(np.int64)
    remaining: IntArray = totals[chain] - _running_total(pending, chain) + pending
    return remaining


def _running_total(values: IntArray, chain: IntArray) -> IntArray:
    """Sums from the start of each chain up to and including each row."""
    if len(values) == 0:
        return values
    overall = np.cumsum(values)
    starts = np.flatnonzero(np.diff(chain, prepend=-1))
    before = np.where(starts > 0, overall[starts - 1], 0)
    total: IntArray = overall - before[chain]
    return total
