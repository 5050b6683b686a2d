"""Late jobs: jobs of ours that nobody counts on any more, as they turn up after their submission was released, or as a
second one of the same name. While they run they are cancelled; what they have answered is paid for, so it is used once.

Ours is a job whose display name is a submission id with a batch manifest in this collection.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import LATE, JobState, RemoteJob, is_late, submission_of
from assets.domain.errors import GeminiError, QuireError, UnwrittenError
from assets.domain.outcome import OutcomeKind
from assets.outcomes import late_outcomes, without_counts
from flows.protocol.active import inflight_keys, resolve
from flows.protocol.answers import aside, keep_answers, note_written, use_answers, warn_of_lines
from flows.protocol.closing import cancel
from flows.protocol.finished import with_result_file
from flows.protocol.replaced import replaced_images, warn_of_replaced
from flows.protocol.settlement import tell_of_model
from flows.runtime.logs import logger
from flows.runtime.one_line import told
from flows.runtime.passes import Pass
from flows.tables.derived import submissions_table

WATCHED = timedelta(hours=72)
"""A job lives 48 hours; one of a submission that was released longer ago does not turn up any more."""


def expects_late_jobs(p: Pass) -> bool:
    """Whether a job may still turn up of a submission that was released: then Gemini's list is asked for."""
    columns = ["submission_id", "closed_at", "released", "was_posted"]
    closed = submissions_table(p.services.storage, columns, write=False)
    since = pa.scalar(p.services.now() - WATCHED, closed.schema.field("closed_at").type)
    may_turn_up = pc.and_(closed["released"], closed["was_posted"])
    # By the time of day only those of long ago are told from the others, and only where the collection's clock has
    # seen the last of them go long ago, too.
    elapsed = p.services.clock.seconds_since_release()
    if elapsed is None or elapsed >= WATCHED.total_seconds():
        may_turn_up = pc.and_(may_turn_up, pc.greater(closed["closed_at"], since))
    late = set(p.services.storage.late_submissions())
    return any(each not in late for each in closed.filter(may_turn_up)["submission_id"].to_pylist())


async def cancel_or_use_late_jobs(p: Pass, jobs: Sequence[RemoteJob]) -> list[QuireError]:
    """Cancel or use each of ``jobs`` that is ours and that no submission counts on. Trouble with one is told, and tried
    again by the next pass; that of our own folders is returned. Raises StateError."""
    troubles: list[QuireError] = []
    storage = p.services.storage
    known = set(storage.submissions())
    ours = [job for job in jobs if job.name and job.display_name in known]
    if not ours:
        return troubles
    closed = {row["submission_id"]: row for row in _closed(p)}
    for job in ours:
        if not _is_late(p, job, closed.get(job.display_name)):
            continue
        if not job.is_terminal:
            if job.state is not JobState.CANCELLING:
                logger().warning("%s of %s counts for nothing any more: cancelled", job.name, job.display_name)
                await cancel(p, job.name)
        elif job.display_name in closed and not storage.has_late(job.display_name):
            troubles += await _try_to_use(p, job, is_kept=False)
    return troubles


def _closed(p: Pass) -> list[dict[str, Any]]:
    columns = ["submission_id", "batch_id", "released"]
    rows: list[dict[str, Any]] = submissions_table(p.services.storage, columns, write=False).to_pylist()
    return rows


def _is_late(p: Pass, job: RemoteJob, closed: Mapping[str, Any] | None) -> bool:
    if closed is not None:
        return bool(closed["released"]) or closed["batch_id"] != job.name
    noted = p.services.storage.read_job(job.display_name)
    # Where no batch id is noted yet, it is for the look-up to say which job counts.
    return noted is not None and noted.batch_id not in (None, job.name)


async def use_kept_late_answers(p: Pass) -> list[QuireError]:
    """Use what late jobs have answered that is kept here and was never used: a pass died before it had noted that, or a
    person let go of a batch whose settlement had been broken off. Gemini is not asked: it may have forgotten them.
    Trouble as in `cancel_or_use_late_jobs`."""
    troubles: list[QuireError] = []
    storage = p.services.storage
    for name in await asyncio.to_thread(_kept_for_late, p):
        job = storage.raw.job(name)
        if job is None or not await asyncio.to_thread(storage.raw.is_whole, name, job.name):
            logger().warning(
                "%s is damaged: restore it from a backup, or delete it; what it has answered was never used",
                storage.raw.path(name),
            )
            continue
        troubles += await _try_to_use(p, job, is_kept=True)
    return troubles


def _kept_for_late(p: Pass) -> list[str]:
    """The names of kept result files of late jobs that have no outcomes. What was kept for a settlement, and then let
    go of, is a late job's from now on."""
    storage = p.services.storage
    kept = set(storage.raw.names())
    if not kept:
        return []
    used = {each + LATE for each in storage.late_submissions()}
    for row in _closed(p):
        name, late = row["submission_id"], row["submission_id"] + LATE
        if row["released"] and name in kept and late not in kept | used:
            p.lease.check()
            storage.raw.rename_raw(name, late)
            kept.add(late)
    return sorted(name for name in kept - used if is_late(name) and storage.is_closed(submission_of(name)))


async def _try_to_use(p: Pass, job: RemoteJob, *, is_kept: bool) -> list[QuireError]:
    """Use what a late job has answered. ``is_kept``: it lies here, so that Gemini is not asked. Trouble as in
    `cancel_or_use_late_jobs`."""
    try:
        await _use(p, job if is_kept else await with_result_file(p, job))
    except GeminiError:
        logger().exception("%s has answered late; its answers could not be used now", job.name)
    except UnwrittenError as error:
        logger().error("%s has answered late; not all of its answers could be used now: %s", job.name, error)
    except OSError as error:
        trouble = told(error)
        logger().error("%s has answered late; its answers could not be used now: %s", job.name, trouble)
        return [trouble]
    return []


async def _use(p: Pass, job: RemoteJob) -> None:
    """Write its good answers for records that are neither done nor in flight, then note what became of each: the
    commit. Without a result file it has none."""
    if job.result_file is None:
        return
    storage, submission_id = p.services.storage, job.display_name
    standing = resolve(storage, await p.services.ledger.read())
    in_flight = set(inflight_keys(storage, standing.open_ids()))
    kept = await keep_answers(p, submission_id + LATE, job)
    others = await replaced_images(p, kept.batch_manifest) if kept.is_there else {}
    with aside(p, submission_id + LATE) as texts:
        answers = await use_answers(
            p,
            kept,
            may_be_written=lambda key: key not in others and key not in in_flight,
            is_awaited=False,
            set_aside=texts.put_aside,
        )
        warn_of_lines(answers)
        replaced = answers.among(others)
        warn_of_replaced(replaced)
        outcomes = late_outcomes(
            kept.batch_manifest,
            answers.judged,
            batch_id=job.name,
            facts=kept.facts,
            settled_at=p.services.now(),
            in_flight=in_flight,
            replaced=replaced,
        )
        outcomes = await note_written(p, outcomes, answers)
        async with p.services.ledger.transaction():
            p.lease.check()
            storage.create_outcomes(
                submission_id + LATE,
                without_counts(outcomes),
                lambda start, rows: texts.raw_texts(outcomes.slice(start, rows)),
            )
    tell_of_model(p, outcomes)
    used = pc.sum(pc.equal(outcomes["kind"], OutcomeKind.SUCCESS.value), min_count=0).as_py()
    logger().warning(
        "%s has answered after %s was let go of: %d of its %d answers are used",
        job.name,
        submission_id,
        used,
        len(outcomes),
    )
