"""Submit: diff the record manifest against the results and the ledger, and send what can be sent as batches."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from assets.candidates import RecordState, RunRules, count_states, record_states, waves_left
from assets.domain.errors import ManifestError, QuireError
from assets.domain.record import page_of, sort_key
from assets.planning import BatchLimits
from assets.requests import estimate_tokens
from config.settings import Settings
from flows.gateways.trees import walk_results
from flows.logs import logger, warn_of_each
from flows.one_line import one_line
from flows.passes import Pass, open_pass
from flows.protocol.active import check_known, inflight_keys, resolve
from flows.protocol.claiming import claim, record_refusals, upload_images
from flows.protocol.closing import delete_files
from flows.protocol.posting import post
from flows.protocol.vanished import check_vanished

DRY_RUN = "dry run"
CONTEXT_BYTES = 6000
"""What the result of a predecessor is taken to be, for the limits of a batch: a densely printed page."""


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """``submitted``: batches; ``sent``: records; ``states``: RecordState -> records, before anything was sent;
    ``waves``: rounds of batches that are left; ``stopped``: why submitting ended early, or None;
    ``unreadable``: records whose image is in the manifest but could not be read."""

    submitted: int
    sent: int
    states: Mapping[str, int]
    waves: int
    stopped: str | None
    unreadable: tuple[str, ...] = ()


@flow(name="submit", persist_result=False)
@one_line
async def submit(config: str | None = None) -> SubmitReport:
    """Send what can be sent. ``config``: path of the configuration file."""
    async with open_pass(config) as p:
        return await submit_batches(p)


async def submit_batches(p: Pass) -> SubmitReport:
    """Send batches while there are runnable records and free places.

    Raises StateError, GeminiAccessError (key or project refused), LeaseLostError, OSError.
    """
    states, runnable, places = await _plan(p)
    waves = waves_left(states, context_mode=p.services.settings.context.mode)
    counted = {state.value: count for state, count in count_states(states).items()}
    _explain_waiting(states)
    limits = _limits(p)
    if p.services.settings.execution.dry_run:
        batches = max(0, min(places, -(-len(runnable) // limits.lines)))
        logger().info("Dry run: %d records could be sent, now %d batches of them; nothing is", len(runnable), batches)
        return SubmitReport(0, 0, counted, waves, DRY_RUN)
    submitted, sent, stop, unreadable = 0, 0, None, set[str]()
    while len(runnable) and places > 0 and stop is None:
        batch = await submit_batch(p, runnable, limits)
        runnable, stop = runnable.slice(batch.rows), batch.stop
        unreadable |= batch.unreadable
        if batch.sent:
            submitted, sent, places = submitted + 1, sent + batch.sent, places - 1
    return SubmitReport(submitted, sent, counted, waves, stop, tuple(sorted(unreadable, key=sort_key)))


@dataclass(frozen=True, slots=True)
class _Batch:
    """``rows``: how many runnable records were dealt with; ``sent``: how many are in flight now; ``stop``: why nothing
    more should be submitted in this pass; ``unreadable``: records whose image this machine cannot read."""

    rows: int
    sent: int
    stop: str | None
    unreadable: frozenset[str]


async def submit_batch(p: Pass, runnable: pa.Table, limits: BatchLimits) -> _Batch:
    """Send the first records of ``runnable`` as one batch."""
    submission_id = p.services.new_submission_id()
    rows = limits.first_of(runnable)
    report = await upload_images(p, submission_id, rows)
    unreadable = frozenset(report.unreadable)
    warn_of_each(report.failed, "Upload failed for good, page left out of this cycle")
    if report.refused:
        await record_refusals(p, rows, report.refused)
    if not report.uploaded:
        is_away = report.failed.keys() - unreadable
        return _Batch(len(rows), 0, "not one image could be uploaded" if is_away else None, unreadable)
    names = [file.name for file in report.uploaded.values()]
    try:
        keys = await claim(p, submission_id, rows, report.uploaded)
    except QuireError:
        # Without a batch manifest nobody would ever know again whose uploads these are.
        if not p.services.storage.batch_path(submission_id).exists():
            await delete_files(p, names)
        raise
    if not keys:
        await delete_files(p, names)
        return _Batch(len(rows), 0, None, unreadable)
    posted = await post(p, submission_id, len(keys))
    return _Batch(len(rows), len(keys) if posted.in_flight else 0, posted.stop, unreadable)


async def _plan(p: Pass) -> tuple[pa.Table, pa.Table, int]:
    """All records with their states, the runnable ones in their order, and how many batches may be added."""
    services, settings = p.services, p.services.settings
    manifest = services.storage.read_records()
    if manifest is None:
        raise ManifestError(services.storage.records_path, "is missing; run quire scan first")
    depth = len(settings.record.document_fields)
    done = await asyncio.to_thread(walk_results, settings.paths.output_results, depth=depth)
    existing = services.mirror.observe("existing_results", keys=done)
    ledger = services.mirror.observe("ledger", state=await services.ledger.read())
    standing = resolve(services.storage, ledger)
    check_known(services.storage, ledger, standing)
    inflight = inflight_keys(services.storage, standing.open_ids())
    limit, accept = settings.safety.max_vanished_results, p.accept_vanished
    await asyncio.to_thread(check_vanished, services.storage, manifest, done, inflight, limit=limit, accept=accept)
    rules = run_rules(settings)
    states = await asyncio.to_thread(record_states, manifest, existing, ledger, inflight=inflight, rules=rules)
    runnable = await services.mirror.materialize(
        "runnable_records", manifest, existing, ledger, inflight=inflight, rules=rules
    )
    return states, runnable, settings.execution.max_concurrent_batches - len(ledger.active)


def run_rules(settings: Settings) -> RunRules:
    return RunRules(
        max_retries=settings.execution.max_retries,
        context_mode=settings.context.mode,
        on_dead_dependency=settings.context.on_dead_dependency,
    )


def _limits(p: Pass) -> BatchLimits:
    settings = p.services.settings
    text_bytes = len(p.services.template.prompt.encode()) + len(json.dumps(p.services.template.response_schema))
    if settings.context.mode == "previous_result":
        text_bytes += CONTEXT_BYTES
    return BatchLimits(
        records=settings.execution.batch_size_limit,
        upload_bytes=settings.batch.max_upload_bytes,
        input_bytes=settings.batch.max_input_bytes,
        tokens=settings.batch.max_enqueued_tokens,
        tokens_per_record=estimate_tokens(text_bytes=text_bytes),
        bytes_per_record=text_bytes + 1024,
    )


def _explain_waiting(states: pa.Table) -> None:
    log = logger()
    if not log.isEnabledFor(logging.DEBUG):
        return
    waiting = states.filter(pc.equal(states["state"].cast(pa.string()), RecordState.WAITING.value))
    for row in waiting.select(["record_key", "predecessor"]).to_pylist():
        log.debug("Skipping page %d (Dependency missing): %s waits for %s", page_of(row["record_key"]), *row.values())
