"""What a pass has to choose from before it sends: all records with their states, and the runnable ones in the order in
which they go. What is sent of them is decided in `submit`.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState, record_states
from assets.domain.batch import submitted_at
from assets.domain.errors import ManifestError
from assets.domain.record import label_of
from assets.estimates import with_sizes_before
from assets.history import failed_jobs_of
from assets.selection import named
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.protocol.active import check_known, inflight_keys, resolve
from flows.protocol.vanished import check_vanished
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import history_table
from flows.tables.edited import notice_edited
from flows.tables.rules import held_keys, postponed_keys, run_rules, with_repairs


@dataclass(frozen=True, slots=True)
class Choice:
    """``states``: all records with their states; ``runnable``: those that can be sent, in the order in which they go;
    ``places``: how many batches may be added; ``results``: what was found of results; ``no_json``: how many of them
    count as done and are no JSON; ``not_now``: record key -> why it cannot be sent, of those that a person has named
    (`Pass.only`)."""

    states: pa.Table
    runnable: pa.Table
    places: int
    results: FoundResults
    no_json: int
    not_now: Mapping[str, str]


async def plan(p: Pass) -> Choice:
    """Read what there is to choose from. Raises StateError, ManifestError, OSError, and QuireError for a name of
    `Pass.only` that no record has."""
    services, settings = p.services, p.services.settings
    manifest = services.storage.read_records()
    if manifest is None:
        raise ManifestError(services.storage.records_path, "is missing; run quire scan first")
    unfinished: list[str] = []
    found = await asyncio.to_thread(services.storage.find_results, unfinished)
    # Now, and not before the walk: a share may have been unmounted in its middle.
    services.storage.home.check_marks()
    p.lease.check()
    await asyncio.to_thread(services.storage.clear_leftovers, map(Path, unfinished), now=services.now())
    no_json = await notice_edited(p, found)
    existing = services.mirror.observe("existing_results", keys=found.done)
    ledger = services.mirror.observe("ledger", state=await services.ledger.read())
    standing = resolve(services.storage, ledger)
    check_known(services.storage, ledger, standing)
    inflight = inflight_keys(services.storage, standing.open_ids())
    limits = settings.safety.max_vanished_results, settings.safety.max_vanished_share
    history = await asyncio.to_thread(history_table, services.storage)
    await asyncio.to_thread(
        check_vanished,
        services.storage,
        manifest,
        history,
        found.present,
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
    states = await asyncio.to_thread(partial(record_states, manifest, existing, ledger, **who))

    async def tell(made: pa.Table) -> dict[str, int]:
        return {"records": len(made)}

    made = await asyncio.to_thread(services.mirror.observe, "runnable_records", manifest, existing, ledger, **who)
    # Where there is none, Prefect is told of nothing: see `flows.scan`.
    runnable = (
        await services.mirror.materialize("runnable_records", manifest, existing, ledger, made=made, write=tell, **who)
        if len(made)
        else made
    )
    if settings.context.mode.sends_image:
        runnable = with_sizes_before(runnable, manifest)
    not_now: dict[str, str] = {}
    if p.only:
        runnable, not_now = _only_named(states, runnable, p.only, field_count=len(settings.record.document_fields))
    most = min(settings.execution.max_concurrent_batches, settings.limits.concurrent_jobs)
    runnable = with_repairs(settings, history, runnable)
    return Choice(states, _bisected_last(runnable, history), most - len(ledger.active), found, no_json, not_now)


_NOT_NOW = {
    RecordState.DONE: "it is done; quire rerun has it read again",
    RecordState.INFLIGHT: "it is in flight",
    RecordState.WAITING: "it waits for the page before",
    RecordState.DEAD: "it is a dead letter; quire unblock has it tried again",
    RecordState.HELD: "it is held for a person; quire why tells more",
    RecordState.POSTPONED: "it waits for the service; quire why tells until when",
}


def _only_named(
    states: pa.Table, runnable: pa.Table, entries: Sequence[str], *, field_count: int
) -> tuple[pa.Table, dict[str, str]]:
    """Of ``runnable`` those that ``entries`` name, and why the others that they name cannot be sent."""
    missing = "there is no such page in the record manifest; nothing is sent"
    keys = pa.array(named(states["record_key"], entries, field_count=field_count, missing=missing), pa.string())
    chosen = runnable.filter(pc.is_in(runnable["record_key"], value_set=keys))
    others = states.filter(pc.is_in(states["record_key"], value_set=keys))
    others = others.filter(pc.invert(pc.is_in(others["record_key"], value_set=chosen["record_key"].combine_chunks())))
    rows = others.select(["record_key", "state"]).to_pylist()
    return chosen, {row["record_key"]: _NOT_NOW.get(row["state"], "it cannot be sent now") for row in rows}


def _bisected_last(runnable: pa.Table, history: pa.Table) -> pa.Table:
    """Bisected records, those whose jobs FAILED, go behind all others, and never in a batch with them. Adds the column
    failed_jobs."""
    failed_jobs = failed_jobs_of(history, runnable["record_key"])
    order = np.argsort(failed_jobs, kind="stable")
    return runnable.append_column("failed_jobs", pa.array(failed_jobs)).take(pa.array(order))


def least_tried(storage: Storage, runnable: pa.Table) -> pa.Table:
    """In the order in which an open breaker tries them: first those that have met the fewest faults of the service, so
    that no record is held because it is always the first."""
    history = history_table(storage, write=False)
    at = pc.index_in(runnable["record_key"], value_set=history["record_key"].combine_chunks())
    errors = pc.fill_null(history["service_errors"].take(at), 0).to_numpy()
    in_order = runnable.take(pa.array(np.argsort(errors, kind="stable")))
    return in_order.take(pa.array(np.argsort(in_order["failed_jobs"].to_numpy(), kind="stable")))


def explain_waiting(states: pa.Table) -> None:
    log = logger()
    if not log.isEnabledFor(logging.DEBUG):
        return
    waiting = states.filter(pc.equal(states["state"].cast(pa.string()), RecordState.WAITING.value))
    for row in waiting.select(["record_key", "predecessor"]).to_pylist():
        log.debug("Skipping page %s (Dependency missing): %s waits for %s", label_of(row["record_key"]), *row.values())


def left_of_run(p: Pass) -> int | None:
    """How many records this run may still send; None: no limit. Raises ManifestError."""
    limit = p.services.settings.execution.max_records_per_run
    if limit is None:
        return None
    storage = p.services.storage
    of_run = [each for each in storage.submissions() if submitted_at(each) >= p.run_started_at]
    return max(0, limit - sum(len(storage.read_batch_manifest(each)[0]) for each in of_run))
