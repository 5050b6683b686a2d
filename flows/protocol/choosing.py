"""What a pass has to choose from before it sends: all records with their states, and the runnable ones in the order in
which they go. What is sent of them is decided in `submit`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import STATES, CountArray, RecordState, Runnable, States
from assets.domain.batch import submitted_at
from assets.domain.errors import ManifestError
from assets.domain.record import label_of
from assets.estimates import with_sizes_before
from assets.numbering import NOWHERE, IntArray
from assets.selection import named
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.protocol.active import check_known, inflight_keys, resolve
from flows.protocol.queue import Queue
from flows.protocol.vanished import check_vanished
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import history_table, succeeded_pages
from flows.tables.edited import notice_edited
from flows.tables.rules import held_keys, postponed_keys, run_rules, with_repairs


@dataclass(frozen=True, slots=True)
class Choice:
    """``states``: all records with their states; ``queue``: those that can be sent, in the order in which they go;
    ``places``: how many batches may be added; ``results``: what was found of results; ``no_json``: how many of them
    count as done and are no JSON; ``not_now``: record key -> why it cannot be sent, of those that a person has named
    (`Pass.only`)."""

    states: States
    queue: Queue
    places: int
    results: FoundResults
    no_json: int
    not_now: Mapping[str, str]


async def plan(p: Pass) -> Choice:
    """Read what there is to choose from. Raises StateError, ManifestError, OSError, and QuireError for a name of
    `Pass.only` that no record has."""
    services, settings = p.services, p.services.settings
    records = await asyncio.to_thread(services.storage.records)
    if records is None:
        raise ManifestError(services.storage.records_path, "is missing; run quire scan first")
    unfinished: list[str] = []
    found = await asyncio.to_thread(services.storage.find_results, unfinished)
    # Now, and not before the walk: a share may have been unmounted in its middle.
    services.storage.home.check_marks()
    p.lease.check()
    if found.seen is not None and found.seen.unread is not None:
        logger().warning(
            "Every folder of results is listed: what was seen of them cannot be read: %s", found.seen.unread
        )
    try:
        await asyncio.to_thread(services.storage.remember_results, found)
    except OSError as error:
        logger().warning("The next pass lists every folder of results again: %s", error)
    await asyncio.to_thread(services.storage.clear_leftovers, map(Path, unfinished), now=services.now())
    no_json = await notice_edited(p, found)
    existing = services.mirror.observe("existing_results", pages=found.done_pages)
    ledger = services.mirror.observe("ledger", state=await services.ledger.read())
    standing = resolve(services.storage, ledger)
    check_known(services.storage, ledger, standing)
    inflight = inflight_keys(services.storage, standing.open_ids())
    limits = settings.safety.max_vanished_results, settings.safety.max_vanished_share
    history = await asyncio.to_thread(history_table, services.storage)
    succeeded = await asyncio.to_thread(succeeded_pages, services.storage)
    await asyncio.to_thread(
        check_vanished,
        services.storage,
        records,
        succeeded,
        found.pages,
        inflight,
        limits=limits,
        accept=p.accept_vanished,
    )
    who: dict[str, Any] = {
        "inflight": inflight,
        "held": held_keys(settings, services.storage, history),
        "postponed": postponed_keys(settings, services.storage, history, now=services.now()),
        "rules": run_rules(settings),
    }

    async def tell(made: Runnable) -> dict[str, int]:
        return {"records": len(made)}

    made = await asyncio.to_thread(services.mirror.observe, "runnable_records", records, existing, ledger, **who)
    # Where there is none, Prefect is told of nothing: see `flows.scan`.
    if len(made):
        await services.mirror.materialize("runnable_records", records, existing, ledger, made=made, write=tell, **who)
    numbers, not_now = made.numbers, dict[str, str]()
    if p.only:
        numbers, not_now = _only_named(made, p.only, field_count=len(settings.record.document_fields))
    most = min(settings.execution.max_concurrent_batches, settings.limits.concurrent_jobs)
    queue = _bisected_last(made.states, numbers, history, partial(_rows, settings, made.states, history))
    return Choice(made.states, queue, most - len(ledger.active), found, no_json, not_now)


_NOT_NOW = {
    RecordState.DONE: "it is done; quire rerun has it read again",
    RecordState.INFLIGHT: "it is in flight",
    RecordState.WAITING: "it waits for the page before",
    RecordState.DEAD: "it is a dead letter; quire unblock has it tried again",
    RecordState.HELD: "it is held for a person; quire why tells more",
    RecordState.POSTPONED: "it waits for the service; quire why tells until when",
}


def _only_named(runnable: Runnable, entries: Sequence[str], *, field_count: int) -> tuple[IntArray, dict[str, str]]:
    """Of ``runnable`` those that ``entries`` name, and why the others that they name cannot be sent."""
    states = runnable.states
    missing = "there is no such page in the record manifest; nothing is sent"
    pages_of = states.records.keys_of_document
    keys = named(pages_of, entries, field_count=field_count, missing=missing)
    numbers = states.records.numbers_of_keys(keys)
    state_of = {key: STATES[code] for key, code in zip(keys, states.codes[numbers].tolist(), strict=True)}
    others = {key: state for key, state in state_of.items() if state is not RecordState.RUNNABLE}
    chosen = runnable.numbers[np.isin(runnable.numbers, numbers)]
    return chosen, {key: _NOT_NOW.get(state, "it cannot be sent now") for key, state in others.items()}


def _rows(settings: Settings, states: States, history: pa.Table, numbers: IntArray) -> pa.Table:
    """The rows of records with all that they are weighed by."""
    rows = states.rows(numbers)
    if len(before := rows["predecessor"].filter(rows["takes_image"])):
        rows = with_sizes_before(rows, states.rows_of_keys(before))
    return with_repairs(settings, history, rows)


def _bisected_last(states: States, numbers: IntArray, history: pa.Table, read: Callable[[IntArray], pa.Table]) -> Queue:
    """Bisected records, those whose jobs FAILED, go behind all others, and never in a batch with them."""
    failed_jobs = _counts(states, history, "failed_jobs", numbers)
    return Queue(numbers, failed_jobs, read).take(np.argsort(failed_jobs, kind="stable"))


def least_tried(storage: Storage, states: States, queue: Queue) -> Queue:
    """In the order in which an open breaker tries them: first those that have met the fewest faults of the service, so
    that no record is held because it is always the first."""
    errors = _counts(states, history_table(storage, write=False), "service_errors", queue.numbers)
    return queue.take(np.lexsort((errors, queue.failed_jobs)))


def _counts(states: States, history: pa.Table, name: str, numbers: IntArray) -> CountArray:
    """What the history counts in the column ``name`` for each of these records."""
    counted = history.filter(pc.greater(history[name], 0))
    found = np.zeros(len(numbers), dtype=np.int32)
    if len(counted):
        of_all = np.zeros(len(states), dtype=np.int32)
        at = states.records.numbers_of_keys(counted["record_key"])
        of_all[at[at != NOWHERE]] = counted[name].to_numpy()[at != NOWHERE]
        found = of_all[numbers]
    return found


def explain_waiting(states: States) -> None:
    log = logger()
    if not log.isEnabledFor(logging.DEBUG):
        return
    numbers, records = states.of(RecordState.WAITING), states.records
    pairs = zip(records.keys(numbers).to_pylist(), records.predecessors(numbers).to_pylist(), strict=True)
    for key, before in pairs:
        log.debug("Skipping page %s (Dependency missing): %s waits for %s", label_of(key), key, before)


def left_of_run(p: Pass) -> int | None:
    """How many records this run may still send; None: no limit. Raises ManifestError."""
    limit = p.services.settings.execution.max_records_per_run
    if limit is None:
        return None
    storage = p.services.storage
    of_run = [each for each in storage.submissions() if submitted_at(each) >= p.run_started_at]
    return max(0, limit - sum(len(storage.read_batch_manifest(each)[0]) for each in of_run))
