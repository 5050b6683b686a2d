"""Submit: diff the record manifest against the results and the ledger, and send what can be sent as batches."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from assets.breaker import TRY_RECORDS
from assets.candidates import RecordState, count_blocked, count_states, waves_left
from assets.domain.batch import submitted_at
from assets.domain.money import dollars
from assets.domain.record import sort_key
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.protocol.breaking import trip
from flows.protocol.choosing import explain_waiting, least_tried, left_of_run, plan
from flows.protocol.claiming import (
    submission_facts,
)
from flows.protocol.cutting import Cut, next_batch, without_kept_back
from flows.protocol.orphans import sweep_uploads
from flows.protocol.places import try_folders
from flows.protocol.queue import Queue
from flows.protocol.sending import Sent, send_all
from flows.runtime.logs import MAX_LINES, logger, warn_of_each
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import counted, ended, named
from flows.scan import scan_records
from flows.tables.kept_back import note_kept_back
from flows.tables.prices import notices
from flows.tables.prompts import warn_of_another_text
from flows.tables.weighing import Scales, read_scales

DRY_RUN = "dry run"


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
    sent = Sent()
    if len(queue) and places > 0:
        p.lease.check()
        await asyncio.to_thread(try_folders, storage)
        for line in notices(settings, facts.created_at.date()) if _is_first_of_run(p) else ():
            logger().warning("%s", line)
        most_each = len(queue) if tripped is None else TRY_RECORDS
        send = partial(send_all, p, states, queue, scales, places=places, most=most, most_each=most_each)
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


def _is_first_of_run(p: Pass) -> bool:
    """Whether the run has made no submission so far. What concerns all of its batches is told once."""
    made = p.services.storage.submissions()
    return not made or submitted_at(made[-1]) < p.run_started_at


def _dry_run(storage: Storage, scales: Scales, queue: Queue, places: int) -> list[str]:
    """What a pass would send now, a line for each batch; logged as well."""
    said, left, batches = list[str](), queue, 0
    while len(left) and batches < places:
        left, kept = without_kept_back(storage, scales, left)
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
