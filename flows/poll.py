"""Poll: ask Gemini for the jobs in the active list, settle what has finished, find again what was lost on the way, and
put right what a person did to the list. New batches stand in `submit`.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from prefect import flow

from assets.domain.batch import JobState, RemoteJob, SubmissionState, claim_name
from assets.domain.errors import (
    GeminiAccessError,
    GeminiError,
    GeminiSpendingError,
    ManifestError,
    QuireError,
    UnwrittenError,
)
from assets.domain.outcome import OutcomeKind
from assets.outcomes import main_cause
from assets.reports import totals
from flows.protocol.active import ActiveSubmission, Standing, are_current, check_known, resolve, views
from flows.protocol.adoption import resume
from flows.protocol.closing import (
    cancel,
    close,
    close_uniformly,
    leave_active_list,
    note_first_look,
    refresh_views,
    seconds_since_post,
)
from flows.protocol.finished import Found, fetched, lacks_results
from flows.protocol.kept_raw import remove_old_raw
from flows.protocol.late import cancel_or_use_late_jobs, expects_late_jobs, use_kept_late_answers
from flows.protocol.orphans import sweep_uploads
from flows.protocol.settlement import settle
from flows.runtime.logs import logger
from flows.runtime.one_line import one_line, told
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import counted, ended, named
from flows.tables.derived import check_outcomes, refresh_derived

ODD_JOB_PATIENCE = timedelta(hours=72)
"""A job lives 48 hours; a state that we do not know, or a result file that is not there, needs a person after 72."""


@dataclass(slots=True)
class PollReport:
    """``settled``: batches; ``outcomes``: kind -> records; ``running``: batches that are not finished, claims that are
    looked for, and what the next pass tries again; ``stuck``: batches that need a person, name -> cause and way
    out, ``is_stuck_anew``: whether the poll before found others, ``unwritten``: how many of them each pass tries again;
    ``causes``: what went wrong most in each batch that was settled."""

    settled: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    running: int = 0
    stuck: dict[str, str] = field(default_factory=dict)
    is_stuck_anew: bool = False
    unwritten: int = 0
    causes: list[str] = field(default_factory=list)


@flow(name="poll", flow_run_name=named("poll"), persist_result=False)
@one_line
async def poll(config: str | None = None) -> PollReport:
    """Settle what has finished, and send nothing. Like `quire poll`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
    """
    async with open_pass(config) as p:
        report = await poll_batches(p)
        said = f"{counted(report.settled, 'batch', 'batches')} settled, {report.running} in flight"
        stuck = f"; {'; '.join(f'{name} cannot be settled: {cause}' for name, cause in report.stuck.items())}"
        said += stuck if report.stuck else ""
        return await ended(
            p.services.teller, f"{report.settled} settled", said, report, needs_person=bool(report.stuck)
        )


async def poll_batches(p: Pass) -> PollReport:
    """Bring every active submission as far as it goes now. Trouble with one batch does not hold up the others.

    Raises StateError, GeminiError (when not even the list can be had), and, after all else is done, DiskError: where
    answers could not be written, no pass goes on to send more.
    """
    report = PollReport()
    p.lease.check()
    p.services.clock.keep()
    ledger = await p.services.ledger.read()
    standing = resolve(p.services.storage, ledger)
    check_known(p.services.storage, ledger, standing)
    if standing.unclaimed:
        check_outcomes(p.services.storage)
    were_open = [*standing.unclaimed, *(each.submission_id for each in standing.active)]
    if standing.unclaimed:
        await _put_back_or_release(p, standing)
        standing = resolve(p.services.storage, await p.services.ledger.read())
    elif not are_current(p.services.storage, ledger, standing):
        await refresh_views(p)
    troubles = await use_kept_late_answers(p)
    if standing.active or expects_late_jobs(p):
        troubles += await _advance_all(p, standing, report)
    if any(p.services.storage.is_closed(each) for each in were_open):
        await _refresh_derived(p)
    await sweep_uploads(p)
    await asyncio.to_thread(remove_old_raw, p)
    await _note_stuck(p, report)
    for trouble in troubles:
        raise trouble
    return report


async def _advance_all(p: Pass, standing: Standing, report: PollReport) -> list[QuireError]:
    """Each as far as it goes; returns what stood in the way in our own folders."""
    jobs = await p.services.mirror.retried("list_batches", p.services.gemini.list_jobs)
    running = {job.name for job in jobs if not job.is_terminal}
    advance = partial(_advance_each, p, standing, jobs, report)
    if all(each.state is SubmissionState.ACTIVE and each.name in running for each in standing.active):
        return await advance()
    return await p.services.mirror.subflow("poll", advance)


async def _advance_each(p: Pass, standing: Standing, jobs: list[RemoteJob], report: PollReport) -> list[QuireError]:
    troubles: list[QuireError] = []
    with_job = [each for each in standing.active if each.state is SubmissionState.ACTIVE]
    closed: list[str] = []
    try:
        for each in standing.active:
            if each not in with_job:
                await _told(_advance(p, each, jobs, report, closed), each, report, troubles)
        async with aclosing(fetched(p, with_job, jobs)) as all_found:
            async for each, found in all_found:
                await _told(_use(p, each, found, report, closed), each, report, troubles)
    except (QuireError, OSError):
        with suppress(QuireError, OSError):  # what cannot leave now does so in the next pass
            await _let_leave(p, closed)
        raise
    await _let_leave(p, closed)
    troubles += await cancel_or_use_late_jobs(p, jobs)
    return troubles


async def _let_leave(p: Pass, closed: list[str]) -> None:
    if closed:
        await leave_active_list(p, closed)


async def _told(step: Awaitable[None], each: ActiveSubmission, report: PollReport, troubles: list[QuireError]) -> None:
    """Do a step of one submission, and tell its trouble, so that it holds up no other."""
    try:
        await step
    except GeminiAccessError:
        report.stuck[each.name] = (
            f"Gemini does not give us its job or its answers; if the key and the project are right, run quire "
            f"release {each.name}"
        )
        logger().exception(
            "Gemini does not give us %s. If the key and the project are right, run quire release %s",
            each.name,
            each.name,
        )
    except UnwrittenError as error:
        report.running += 1
        report.unwritten += 1
        report.stuck[each.name] = str(error)
        logger().error("Cannot settle %s now; it stays as it is for the next pass: %s", each.name, error)
    except GeminiSpendingError as error:
        report.running += 1
        logger().warning("Cannot settle %s now: %s", each.name, error)
    except GeminiError:
        report.running += 1
        logger().exception("Cannot settle %s now; it stays as it is for the next pass", each.name)
    except OSError as error:
        troubles.append(told(error))
        report.stuck[each.name] = str(troubles[-1])
        logger().error("Cannot settle %s now; it stays as it is for the next pass: %s", each.name, troubles[-1])


async def _note_stuck(p: Pass, report: PollReport) -> None:
    """For `quire status` and `quire why`, which do not ask Gemini."""
    p.lease.check()
    stuck = p.services.storage.stuck
    try:
        report.is_stuck_anew = await asyncio.to_thread(stuck.read) != report.stuck
        await asyncio.to_thread(stuck.write, report.stuck)
    except OSError as error:
        logger().warning("stuck.json is behind, a later pass catches up: %s", error)


async def _refresh_derived(p: Pass) -> None:
    """Everything is settled and written by now: what goes wrong here is made good by any later pass."""
    p.lease.check()
    try:
        await asyncio.to_thread(refresh_derived, p.services.storage)
    except (ManifestError, OSError) as error:
        logger().warning("The tables of results and submissions are behind, a later pass catches up: %s", error)


async def _advance(
    p: Pass, each: ActiveSubmission, jobs: list[RemoteJob], report: PollReport, closed: list[str]
) -> None:
    """A submission that is settled already, or of which no job is known. ``closed``: takes those that shall leave the
    active list."""
    if each.state is SubmissionState.SETTLED:
        await close(p, each.submission_id, each.state, None, leaves=False)
        closed.append(each.submission_id)
    elif await resume(p, each, jobs):
        report.stuck[each.name] = (
            f"whether its create has made a job cannot be known with this API key: run quire release {each.name} "
            "if there is none"
        )
    else:
        report.running += 1


async def _use(p: Pass, each: ActiveSubmission, found: Awaitable[Found], report: PollReport, closed: list[str]) -> None:
    """Settle it if its job has ended. ``closed``: as above."""
    there = await found
    job, is_kept = there.job, there.is_kept
    if is_kept is not None:
        committed = await settle(p, each.submission_id, job, is_kept=is_kept)
        closed.append(each.submission_id)
        for kind, count in totals(committed).items():
            report.outcomes[kind] = report.outcomes.get(kind, 0) + count
        if (cause := main_cause(committed)) is not None and cause not in report.causes:
            report.causes.append(cause)
        report.settled += 1
    elif _is_overdue(p, each, job):
        report.stuck[each.name] = f"it {_oddity(job)}; to let go of it, run quire release {each.name}"
        logger().error("%s %s; to let go of it, run quire release %s", each.name, _oddity(job), each.name)
    else:
        report.running += 1
        if _is_odd(job):
            logger().warning("%s %s: looked for again by each pass", each.name, _oddity(job))


def _is_odd(job: RemoteJob) -> bool:
    """Whether it can neither be settled nor waited for as others."""
    return job.state is JobState.UNKNOWN or lacks_results(job)


def _is_overdue(p: Pass, each: ActiveSubmission, job: RemoteJob) -> bool:
    """Whether an odd job is older than any job lives."""
    if each.job is None or not _is_odd(job):
        return False
    return timedelta(seconds=seconds_since_post(p, each.submission_id, each.job)) > ODD_JOB_PATIENCE


def _oddity(job: RemoteJob) -> str:
    return (
        f"has ended as {job.state} and names no result file"
        if lacks_results(job)
        else f"is in the unknown state {job.raw_state or '(none)'}"
    )


async def _put_back_or_release(p: Pass, standing: Standing) -> None:
    """A batch manifest without outcomes that is not active was taken out by a person, or by an editor that was opened
    before the claim and saved after it: put back while it is young, released when it is not. Where nothing was posted
    (its pass may have died before the claim) nothing can be lost: released at once."""
    young = timedelta(minutes=p.services.settings.safety.put_back_minutes)
    for submission_id in standing.unclaimed:
        job = p.services.storage.read_job(submission_id)
        if job is not None and timedelta(seconds=seconds_since_post(p, submission_id, job)) < young:
            await _put_back(p, submission_id)
        else:
            await release_unclaimed(p, submission_id)
    await refresh_views(p)


async def _put_back(p: Pass, submission_id: str) -> None:
    storage = p.services.storage
    job = storage.read_job(submission_id)
    name = job.batch_id if job is not None and job.batch_id else claim_name(submission_id)
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        await change.set_active([*change.ledger.active, name])
        await change.set_views(views(storage, resolve(storage, change.ledger)))
    logger().warning(
        "%s was taken out of active_batch_ids less than %d minutes after it was made: put back. "
        "To let go of it now, run quire release %s",
        name,
        p.services.settings.safety.put_back_minutes,
        name,
    )


async def release_unclaimed(p: Pass, submission_id: str) -> None:
    """Release a submission that a person has taken out of the active list; its job is cancelled if it still runs."""
    p.lease.check()
    job = note_first_look(p, submission_id)
    if job is not None and job.batch_id:
        await cancel(p, job.batch_id)
    await close_uniformly(
        p,
        submission_id,
        SubmissionState.UNCLAIMED,
        OutcomeKind.RELEASED,
        message="taken out of active_batch_ids by a person",
        batch_id=job.batch_id if job is not None else None,
    )
    logger().warning("Batch Released: %s: its records are free", submission_id)
