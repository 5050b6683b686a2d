"""Submit: diff the record manifest against the results and the ledger, and send what can be sent as batches."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from assets.breaker import TRY_RECORDS
from assets.candidates import RecordState, States, count_blocked, count_states, waves_left
from assets.domain.batch import submitted_at
from assets.domain.errors import GeminiSpendingError, QuireError
from assets.domain.money import dollars
from assets.domain.record import sort_key
from assets.history import batch_size
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.protocol.breaking import trip
from flows.protocol.choosing import explain_waiting, least_tried, left_of_run, plan
from flows.protocol.claiming import (
    claim,
    delete_unclaimed,
    next_submission_id,
    record_refusals,
    submission_facts,
    upload_images,
)
from flows.protocol.orphans import sweep_uploads
from flows.protocol.places import check_room, try_folders
from flows.protocol.posting import post
from flows.protocol.queue import Queue
from flows.runtime.logs import MAX_LINES, logger, warn_of_each
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import counted, ended, named
from flows.scan import scan_records
from flows.tables.kept_back import kept_back, note_kept_back
from flows.tables.prices import notices
from flows.tables.prompts import warn_of_another_text
from flows.tables.weighing import Scales, explain, read_scales

DRY_RUN = "dry run"
SPENDING_LIMIT = "Google's spending limit"


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """``submitted``: batches; ``sent``: records; ``states``: RecordState -> records, before anything was sent;
    ``waves``: rounds of batches that are left; ``stopped``: why submitting ended early, or None; ``is_held``: whether
    that is a cap which only a person can raise; ``unreadable``: records whose image is in the manifest but could not be
    read; ``kept_back``: records that wait for a person, each with the reason; ``is_limited``: whether it ended because
    this run may send no more; ``unfit``: records whose image is not whole, or has nothing on it, and which the next
    scan leaves out; ``would``: of a dry run, what would be sent, a line each; ``no_json``: results that count as done
    and are no JSON; ``blocked``: records that wait behind dead letters and held ones; ``breaker``: "" or what it is
    open for; ``cap``: "" or the cap that is reached; ``not_now``: record key -> why it was not sent, of those that were
    named; ``results``: all that were found, for who comes after."""

    submitted: int
    sent: int
    states: Mapping[str, int]
    waves: int
    stopped: str | None
    is_held: bool = False
    unreadable: tuple[str, ...] = ()
    kept_back: Mapping[str, str] = field(default_factory=dict)
    is_limited: bool = False
    unfit: tuple[str, ...] = ()
    would: tuple[str, ...] = ()
    no_json: int = 0
    blocked: int = 0
    breaker: str = ""
    cap: str = ""
    not_now: Mapping[str, str] = field(default_factory=dict)
    results: FoundResults | None = field(default=None, repr=False, compare=False)


@flow(name="submit", flow_run_name=named("submit"), persist_result=False)
@one_line
async def submit(config: str | None = None) -> SubmitReport:
    """Send what can be sent, without settling first. Like `quire submit`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
    """
    async with open_pass(config) as p:
        report = await submit_batches(p)
        if report.unfit:
            await scan_records(p)
        said = f"{counted(report.submitted, 'batch', 'batches')} with {counted(report.sent, 'page')} sent"
        stopped = f"; nothing more is sent: {report.stopped}" if report.stopped else ""
        did, needs_person = f"{report.submitted} sent", report.is_held
        return await ended(p.services.teller, did, said + stopped, report, needs_person=needs_person)


async def submit_batches(p: Pass) -> SubmitReport:
    """Send batches while there are runnable records and free places, within limits and caps.

    Raises StateError, ConfigError (a cap without a price that holds), GeminiAccessError (key or project refused),
    LeaseLostError, OSError.
    """
    settings, storage = p.services.settings, p.services.storage
    p.lease.check()
    chosen = await plan(p)
    states, queue, places = chosen.states, chosen.queue, chosen.places
    waves = waves_left(states, context_mode=settings.context.mode)
    by_state = {state.value: count for state, count in count_states(states).items()}
    seen: dict[str, Any] = {"no_json": chosen.no_json, "results": chosen.results, "not_now": chosen.not_now}
    seen["blocked"] = count_blocked(states)
    explain_waiting(states)
    tripped = await trip(p, records=len(states))
    seen["breaker"] = tripped.of if tripped is not None else ""
    if tripped is not None and not tripped.may_try:
        return SubmitReport(0, 0, by_state, waves, tripped.reason, is_held=tripped.needs_person, **seen)
    if tripped is not None:
        queue = await asyncio.to_thread(least_tried, storage, states, queue)
        places = min(places, 1)
    facts = submission_facts(p, p.services.new_submission_id())
    scales = await asyncio.to_thread(
        read_scales, settings, p.services.template, storage, facts, run_started_at=p.run_started_at
    )
    most = await asyncio.to_thread(left_of_run, p)
    if settings.execution.dry_run:
        would = await asyncio.to_thread(_dry_run, storage, scales, queue.slice(0, most), places)
        return SubmitReport(0, 0, by_state, waves, DRY_RUN, would=tuple(would), **seen)
    sent = _Sent()
    if len(queue) and places > 0:
        p.lease.check()
        await asyncio.to_thread(try_folders, storage)
        for line in notices(settings, facts.created_at.date()) if _is_first_of_run(p) else ():
            logger().warning("%s", line)
        most_each = len(queue) if tripped is None else TRY_RECORDS
        send = partial(_send, p, states, queue, scales, places=places, most=most, most_each=most_each)
        sent = await p.services.mirror.subflow("submit", send)
    warn_of_each(sent.kept, "Kept back")
    await note_kept_back(p, sent.kept)
    await sweep_uploads(p)
    if sent.batches:
        warn_of_another_text(storage, settings, p.services.template)
    stop = tripped.reason if tripped is not None and sent.stop is None else sent.stop
    by_state[RecordState.RUNNABLE.value] -= len(sent.unfit)
    return SubmitReport(
        sent.batches,
        sent.records,
        by_state,
        waves,
        stop,
        sent.is_held,
        tuple(sorted(sent.unreadable, key=sort_key)),
        sent.kept,
        sent.is_limited,
        tuple(sorted(sent.unfit, key=sort_key)),
        cap=sent.cap,
        **seen,
    )


@dataclass(slots=True)
class _Sent:
    """What a pass has sent: see `SubmitReport`, whose ``kept_back`` is ``kept`` here."""

    batches: int = 0
    records: int = 0
    stop: str | None = None
    is_held: bool = False
    is_limited: bool = False
    cap: str = ""
    unreadable: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)


async def _send(
    p: Pass, states: States, queue: Queue, scales: Scales, *, places: int, most: int | None, most_each: int
) -> _Sent:
    """Batches while there is something in the ``queue`` and free ``places``. ``most``: how many records the run may
    still send; ``most_each``: how many may be in one batch, whatever else it is cut by."""
    settings, storage = p.services.settings, p.services.storage
    in_flight = count_states(states)[RecordState.INFLIGHT]
    sent = _Sent()
    while len(queue) and sent.batches < places and sent.stop is None:
        queue, more = await asyncio.to_thread(_without_kept_back, storage, scales, queue)
        sent.kept |= more
        if not len(queue):
            break
        if most is not None and sent.records >= most:
            sent.stop = f"{settings.execution.max_records_per_run} pages are sent, the most of one run"
            sent.is_limited = True
            break
        of_the_next = queue.slice(0, most_each if most is None else min(most_each, most - sent.records))
        cut = await asyncio.to_thread(next_batch, storage, scales, of_the_next)
        if not len(cut.rows):
            sent.stop, sent.is_held, sent.cap = cut.held, cut.is_for_a_person, cut.cap
            logger().warning("Held back: %s", sent.stop)
            break
        await asyncio.to_thread(check_room, storage, in_flight + sent.records + len(cut.rows))
        batch = await submit_batch(p, cut, context_rows(states, cut.rows))
        queue, sent.stop, sent.is_held = queue.slice(len(cut.rows)), batch.stop, batch.needs_person
        sent.cap = SPENDING_LIMIT if batch.needs_person else ""
        sent.unreadable |= batch.unreadable
        sent.unfit |= batch.unfit
        if batch.table is not None:
            scales = scales.with_batch(batch.table)
        if batch.sent:
            sent.batches, sent.records = sent.batches + 1, sent.records + batch.sent
    return sent


def _is_first_of_run(p: Pass) -> bool:
    """Whether the run has made no submission so far. What concerns all of its batches is told once."""
    made = p.services.storage.submissions()
    return not made or submitted_at(made[-1]) < p.run_started_at


@dataclass(frozen=True, slots=True)
class Cut:
    """The next batch: its ``rows`` and their ``estimates``. Without rows: ``held``: why; ``is_for_a_person``: no pass
    will ever change that; ``cap``: the one that is reached, if it is one."""

    rows: pa.Table
    estimates: pa.Table
    held: str = ""
    is_for_a_person: bool = False
    cap: str = ""


def next_batch(storage: Storage, scales: Scales, queue: Queue) -> Cut:
    """Cut the first records of ``queue`` off that fit one batch. Raises PromptError, ManifestError."""
    head = _head(scales, queue)
    estimates, weights = scales.weigh(storage, head)
    count, held_by = scales.room().first_of(weights)
    if count:
        return Cut(head.slice(0, count), estimates.slice(0, count))
    cap = held_by if held_by.startswith("budget.") and not scales.unpriced else ""
    is_for_a_person = bool(cap)
    if is_for_a_person and held_by == "budget.max_usd_per_day":
        # Tomorrow it goes on, unless a single record can cost more than a day may.
        is_for_a_person = any(cap.name == held_by and cap.usd < weights.max_usd[0] for cap in scales.caps)
    return Cut(head.slice(0, 0), estimates.slice(0, 0), explain(scales, held_by, weights), is_for_a_person, cap)


def _head(scales: Scales, queue: Queue) -> pa.Table:
    """The first records, as many as a batch may have."""
    failed_jobs = int(queue.failed_jobs[0])
    alike = int(np.searchsorted(queue.failed_jobs, failed_jobs, side="right"))
    return queue.rows(min(alike, batch_size(scales.settings.execution.batch_size_limit, failed_jobs)))


def _without_kept_back(storage: Storage, scales: Scales, queue: Queue) -> tuple[Queue, dict[str, str]]:
    """``queue`` with a head of which each record can go, and the reasons of those that it had before and cannot."""
    reasons: dict[str, str] = {}
    while len(queue):
        head = _head(scales, queue)
        found = kept_back(storage, head, scales.template)
        if not found:
            break
        reasons |= found
        queue = queue.without(np.flatnonzero([key in found for key in head["record_key"].to_pylist()]))
    return queue, reasons


def context_rows(states: States, rows: pa.Table) -> pa.Table:
    """The rows of the pages before that go along as images and are not in the batch themselves."""
    before = rows["predecessor"].filter(rows["takes_image"])
    others = before.filter(pc.invert(pc.is_in(before, value_set=rows["record_key"].combine_chunks())))
    return states.rows_of_keys(others)


@dataclass(frozen=True, slots=True)
class _Batch:
    """``sent``: how many records are in flight now; ``table``: the batch manifest, if one was written; ``stop``: why
    nothing more should be submitted in this pass; ``unreadable``: records whose image this machine cannot read;
    ``needs_person``: no later pass can submit either until a person does something."""

    sent: int
    table: pa.Table | None
    stop: str | None
    unreadable: frozenset[str]
    needs_person: bool = False
    unfit: frozenset[str] = frozenset()


async def submit_batch(p: Pass, cut: Cut, context: pa.Table) -> _Batch:
    """Send the records of ``cut``. ``context``: rows of further images that go along."""
    storage, rows, submission_id = p.services.storage, cut.rows, next_submission_id(p)
    try:
        uploads = await upload_images(p, submission_id, rows, context)
    except GeminiSpendingError as error:
        logger().warning("Nothing more is sent: %s", error)
        return _Batch(0, None, str(error), frozenset(), needs_person=error.needs_person)
    warn_of_each(uploads.left_out, "Upload failed for good, page left out of this cycle")
    if uploads.refused:
        await record_refusals(p, rows, cut.estimates, uploads)
    nothing = partial(_Batch, 0, None, unreadable=uploads.unreadable, unfit=frozenset(uploads.unfit))
    if not uploads.images:
        await delete_unclaimed(p, submission_id, uploads)
        is_away = uploads.left_out.keys() - uploads.unreadable
        return nothing(None if not is_away else "not one image could be uploaded")
    try:
        keys = await claim(p, submission_id, rows, cut.estimates, uploads)
    except QuireError:
        if not storage.has_batch_manifest(submission_id):
            await delete_unclaimed(p, submission_id, uploads)
        raise
    if not keys:
        await delete_unclaimed(p, submission_id, uploads)
        return nothing(None)
    table, _ = storage.read_batch_manifest(submission_id)
    posted = await post(p, submission_id, len(keys))
    in_flight = len(keys) if posted.in_flight else 0
    return _Batch(in_flight, table, posted.stop, uploads.unreadable, posted.needs_person, frozenset(uploads.unfit))


def _dry_run(storage: Storage, scales: Scales, queue: Queue, places: int) -> list[str]:
    """What a pass would send now, a line for each batch; logged as well."""
    said, left, batches = list[str](), queue, 0
    while len(left) and batches < places:
        left, kept = _without_kept_back(storage, scales, left)
        said += [f"kept back: {key}: {reason}" for key, reason in list(kept.items())[:MAX_LINES]]
        if not len(left):
            break
        cut = next_batch(storage, scales, left)
        if not len(cut.rows):
            said.append(f"then held back: {cut.held}")
            break
        batches += 1
        sums = {name: pc.sum(cut.estimates[name]).as_py() for name in cut.estimates.column_names}
        cost = (
            f"about {dollars(sums['estimated_usd'])}, at most {dollars(sums['max_usd'])}"
            if sums["estimated_usd"] is not None
            else f"no price of {scales.settings.model.name} is known"
        )
        tokens = sums["estimated_image_tokens"] + sums["estimated_text_tokens"]
        said.append(f"batch {batches}: {len(cut.rows)} records, about {tokens} input tokens, {cost}")
        scales, left = scales.with_batch(_as_sent(cut)), left.slice(len(cut.rows))
    said.append(f"{len(queue)} records could be sent, now {batches} batches of them; nothing is")
    for line in said:
        logger().info("Dry run: %s", line)
    return said


def _as_sent(cut: Cut) -> pa.Table:
    """The columns of a batch manifest that count for the next batch."""
    return cut.estimates.append_column("file_bytes", cut.rows["image_bytes"])
