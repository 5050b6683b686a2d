"""How a submission ends: the last steps of a settlement, of a release, and of what is neither. Each step can be
repeated; a pass that finds the outcomes file goes on behind it.

The order is the protocol: outcomes (the commit), counts, uploads, report, active list. All that a poll has settled
leaves the list in one change.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import SubmissionEvent, SubmissionState, transition
from assets.domain.errors import GeminiError
from assets.domain.outcome import OutcomeKind
from assets.history import counts_of, failed_jobs_of
from assets.outcomes import OUTCOME_SCHEMA, count_changes, uniform_outcomes, with_counts
from assets.repair import exhausted
from assets.reports import totals
from assets.spending import submission_row
from flows.gateways.files.storage import JobFile, RawTexts, Storage
from flows.gateways.ports import LedgerTransaction
from flows.protocol.active import resolve, views
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import history_table
from flows.tables.rules import repair_rules

WITHOUT_TEXTS = tuple(name for name in OUTCOME_SCHEMA.names if name != "raw_text")
UPLOADS = ("file_name", "context_file_name")
COST = ("record_key", "estimated_image_tokens", "estimated_text_tokens", "estimated_usd", "max_usd")
"""Of a batch manifest, what these steps need: all of it would fill the memory, of a large batch."""


async def close(
    p: Pass,
    submission_id: str,
    state: SubmissionState,
    outcomes: pa.Table | None,
    raw_texts: RawTexts | None = None,
    *,
    leaves: bool = True,
) -> pa.Table:
    """End a submission and return its committed outcomes, without the texts of failed answers.

    ``outcomes``: what is to be committed, or None where the outcomes file is there already; ``raw_texts``: see
    `Storage.create_outcomes`; ``leaves``: whether it leaves the active list now, which else is for the caller to see to
    (`leave_active_list`). Raises OSError: then nothing was freed, and the next pass comes here again.
    """
    storage = p.services.storage
    if outcomes is not None:
        given_up = await asyncio.to_thread(_given_up, p, outcomes)
        async with p.services.ledger.transaction() as change:
            p.lease.check()
            storage.home.check_marks()
            most = p.services.settings.execution.max_retries
            counted = with_counts(outcomes, change.ledger.counts, given_up=given_up, max_retries=most)
            await asyncio.to_thread(storage.create_outcomes, submission_id, counted, raw_texts)
            committed = storage.read_outcomes(submission_id, WITHOUT_TEXTS)
            await change.apply_counts(count_changes(committed))
        state = transition(state, SubmissionEvent.COMMIT)
    else:
        committed = await count_failures(p, submission_id)
    p.lease.check()
    await delete_uploads(p, submission_id)
    p.lease.check()
    await _report(p, submission_id, committed)
    if state is SubmissionState.SETTLED and leaves:
        await leave_active_list(p, [submission_id])
    return committed


def _given_up(p: Pass, outcomes: pa.Table) -> list[str]:
    """The records that failed in a way that no try changes, and did so the last time, too."""
    settings = p.services.settings
    lasting = pa.array(sorted(settings.repair.lasting), pa.string())
    refused = outcomes.filter(pc.is_in(outcomes["kind"], value_set=lasting))["record_key"].combine_chunks()
    cut = outcomes.filter(pc.equal(outcomes["kind"], OutcomeKind.CUT_SHORT.value))
    if not len(refused) and not len(cut):
        return []
    lasting_keys = refused.to_pylist() + cut["record_key"].to_pylist()
    history = history_table(p.services.storage, keys=lasting_keys, write=False)
    refusals = counts_of(history, "refusals")
    return [key for key in refused.to_pylist() if key in refusals] + exhausted(
        history, cut.select(["record_key", "output_tokens", "thoughts_tokens"]), repair_rules(settings)
    )


async def count_failures(p: Pass, submission_id: str) -> pa.Table:
    """Apply the counts of committed outcomes where they are not applied yet; returns the outcomes."""
    committed = p.services.storage.read_outcomes(submission_id, WITHOUT_TEXTS)
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        await change.apply_counts(count_changes(committed))
    return committed


async def close_uniformly(
    p: Pass, submission_id: str, state: SubmissionState, kind: OutcomeKind, *, message: str, batch_id: str | None = None
) -> pa.Table:
    """End a submission in which the same happened to every record, such as a release."""
    if kind is OutcomeKind.RELEASED and p.services.storage.read_job(submission_id) is not None:
        p.services.clock.keep(is_release=True)
    table, facts = p.services.storage.read_batch_manifest(submission_id)
    keys: Sequence[str] = table["record_key"].to_pylist()
    outcomes = uniform_outcomes(
        keys, kind, messages=message, batch_id=batch_id, facts=facts, settled_at=p.services.now()
    )
    return await close(p, submission_id, state, outcomes)


def has_failed_before(storage: Storage, batch_manifest: pa.Table) -> bool:
    """Whether the job of a batch's first record has FAILED since the record was last answered."""
    first = batch_manifest["record_key"].slice(0, 1)
    return bool(failed_jobs_of(history_table(storage, keys=first.to_pylist(), write=False), first)[0])


async def leave_active_list(p: Pass, submission_ids: Collection[str]) -> None:
    """Take submissions that are closed out of the active list and out of the views."""
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        standing = resolve(p.services.storage, change.ledger)
        await change.set_views(views(p.services.storage, standing, without=submission_ids))
        await _leave_a_trace(p, change)
        leaving = {each.name for each in standing.active if each.submission_id in submission_ids}
        await change.set_active([name for name in change.ledger.active if name not in leaving])


async def refresh_views(p: Pass) -> None:
    """Make the views say what the active list says, after a submission ended that had left it before."""
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        await _leave_a_trace(p, change)
        await change.set_views(views(p.services.storage, resolve(p.services.storage, change.ledger)))


async def cancel(p: Pass, batch_id: str) -> None:
    """Cancel a job that nobody counts on. That it runs on changes nothing of what was decided: the next pass that sees
    it tries again."""
    p.lease.check()
    try:
        await p.services.gemini.cancel_job(batch_id)
    except GeminiError as error:
        logger().warning("%s could not be cancelled: %s", batch_id, error)


def seconds_since_post(p: Pass, submission_id: str, job: JobFile) -> float:
    """How long ago it was posted, for sure. Where that is not known, as the clock was lost, it counts from now on."""
    seconds = p.services.clock.seconds_since(job.posted)
    if seconds is None:
        p.lease.check()
        p.services.storage.write_job(replace(job, posted=p.services.clock.moment()))
        return 0.0
    return seconds


def note_first_look(p: Pass, submission_id: str) -> JobFile | None:
    """Note, before a submission is released whose create may have been answered to nobody, that it may have a job.
    Returns its jobs file, or None: then nothing was ever posted."""
    job = p.services.storage.read_job(submission_id)
    if job is not None and job.batch_id is None and job.first_look_at is None:
        job = replace(job, first_look_at=p.services.now())
        p.services.storage.write_job(job)
    return job


async def delete_uploads(p: Pass, submission_id: str) -> None:
    """Delete what was uploaded for a submission whose failures are counted. What cannot be deleted now, and what only
    Gemini knows the name of, is left to `orphans`; its mark stays."""
    storage = p.services.storage
    table, _ = storage.read_batch_manifest(submission_id, UPLOADS)
    job = storage.read_job(submission_id)
    names = uploaded_files(table) | ({job.input_file} if job is not None and job.input_file else set())
    are_gone = await delete_files(p, sorted(names))
    # Without a jobs file nobody knows whether an input file went up.
    if are_gone and job is not None and not storage.upload_marks.is_in_doubt(submission_id):
        storage.upload_marks.remove(submission_id)
    else:
        storage.upload_marks.count(submission_id)


def uploaded_files(batch_manifest: pa.Table) -> set[str]:
    """The names of all images that a batch refers to: its records' own, and those that go along."""
    columns = (batch_manifest[name].drop_null().to_pylist() for name in UPLOADS)
    return {name for names in columns for name in names}


async def delete_files(p: Pass, names: Sequence[str]) -> bool:
    """Delete uploaded files, as many at once as are uploaded at once. Returns whether all are gone."""
    left = iter(names)
    problems: list[str] = []

    async def delete_next() -> None:
        for name in left:
            try:
                await p.services.gemini.delete_file(name)
            except GeminiError as error:
                problems.append(f"{name}: {error}")

    # Not a task for each of them: of a large batch these would fill the memory.
    at_once = min(len(names), p.services.settings.uploads.upload_concurrency)
    await asyncio.gather(*(delete_next() for _ in range(at_once)))
    if problems:
        logger().warning("%d uploads were not deleted, a later pass tries again; %s", len(problems), problems[0])
    return not problems


async def _leave_a_trace(p: Pass, change: LedgerTransaction) -> None:
    """Let the database know how many are closed: outcomes that are gone later on are missed by it."""
    await change.note_submissions(closed=len(p.services.storage.closed_submissions()))


async def _report(p: Pass, submission_id: str, committed: pa.Table) -> None:
    if set(committed["kind"].unique().to_pylist()) == {OutcomeKind.RELEASED}:
        return
    settings = p.services.settings
    table, facts = p.services.storage.read_batch_manifest(submission_id, COST)

    async def tell(_: str) -> dict[str, int]:
        return {"records": len(committed)}

    markdown = await p.services.mirror.materialize(
        "batch_report",
        committed,
        None,
        write=tell,
        about=submission_id,
        max_retries=settings.execution.max_retries,
        cost=submission_row(table, committed, facts, was_posted=True, may_have_run=True),
        view_url=settings.view.url,
    )
    await p.services.teller.publish(
        "batch-report",
        markdown,
        description=f"Submission {submission_id}: "
        + ", ".join(f"{count} {kind}" for kind, count in totals(committed).items()),
    )
