"""Settling a finished job: download, judge and write the good answers, then close. Every step can be repeated; a local
I/O error ends the attempt and is never an outcome.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from assets.answered_by import first_retirement, other_models, replaced_line, retirement_line
from assets.domain.batch import JobState, RemoteJob, SubmissionState
from assets.domain.models import retirement_notice
from assets.domain.outcome import OutcomeKind
from assets.reports import totals
from flows.protocol.answers import KeptAnswers, aside, keep_answers, note_written, use_answers, warn_of_lines
from flows.protocol.closing import close, has_failed_before
from flows.protocol.replaced import replaced_images, warn_of_replaced
from flows.runtime.logs import logger, warn_of_each, warn_once
from flows.runtime.passes import Pass


async def settle(p: Pass, submission_id: str, job: RemoteJob, *, is_kept: bool | None = None) -> pa.Table:
    """Turn the finished ``job`` into outputs, outcomes and counts. Returns the outcomes as they are committed; the
    submission is closed, and still in the active list (`closing.leave_active_list`).
    ``is_kept``: what `answers.keep_result` has said of its result file in this pass, if it was asked.

    Raises GeminiError when the result cannot be had now, OSError for the disk: the submission stays as it is.
    """
    kept = await keep_answers(p, submission_id, job, is_there=is_kept)
    others = await replaced_images(p, kept.batch_manifest) if kept.is_there else {}
    with aside(p, submission_id) as texts:
        outcomes = await _outcomes(p, job, kept, others, texts.put_aside)

        def raw_texts(start: int, rows: int) -> pa.Array:
            return texts.raw_texts(outcomes.slice(start, rows))

        committed = await close(p, submission_id, SubmissionState.ACTIVE, outcomes, raw_texts, leaves=False)
    _log_end(job, committed)
    tell_of_model(p, committed)
    return committed


async def _outcomes(
    p: Pass, job: RemoteJob, kept: KeptAnswers, others: Mapping[str, str], put_aside: Callable[[str], tuple[int, int]]
) -> pa.Table:
    """What became of each record; the good answers are written then. ``others``: records whose image is another one by
    now. Columns: as of `assets.outcomes.record_outcomes`."""
    services = p.services
    answers = await use_answers(
        p, kept, may_be_written=lambda key: key not in others, is_awaited=True, set_aside=put_aside
    )
    warn_of_lines(answers)
    replaced = answers.among(others)
    warn_of_replaced(replaced)

    async def tell(outcomes: pa.Table) -> dict[str, int]:
        return {"records": len(outcomes), **totals(outcomes)}

    outcomes = await services.mirror.materialize(
        "record_outcomes",
        kept.batch_manifest,
        answers.judged,
        job_state=job.state,
        batch_id=job.name,
        facts=kept.facts,
        is_own_failure=len(kept.batch_manifest) == 1
        and await asyncio.to_thread(has_failed_before, services.storage, kept.batch_manifest),
        replaced=replaced,
        settled_at=services.now(),
        write=tell,
        about=kept.facts.submission_id,
    )
    return await note_written(p, outcomes, answers)


def tell_of_model(p: Pass, committed: pa.Table) -> None:
    """What answers tell of their model, once a pass: that it is another than the one that was asked for, that it
    ends."""
    if not len(committed):
        return
    model, others = committed["model"][0].as_py(), ", ".join(other_models(committed))
    lines = [replaced_line(model, others) if others else None]
    # Of an end that the table of models knows the submitting speaks.
    if retirement_notice(model, p.services.now().date()) is None:
        lines.append(retirement_line(model, first_retirement(committed), p.services.now()))
    warn_once(p.told, [line for line in lines if line is not None])


def _log_end(job: RemoteJob, committed: pa.Table) -> None:
    unjudged = committed.filter(pc.equal(committed["kind"], OutcomeKind.VALIDATOR_ERROR.value))
    warn_of_each(
        dict(zip(unjudged["record_key"].to_pylist(), unjudged["message"].to_pylist(), strict=True)),
        f"{job.name}: an answer waits for a person",
        level=logging.ERROR,
    )
    unsure = pc.sum(committed["unsure"], min_count=0).as_py()
    if unsure:
        logger().warning(
            "%s: %d answers say nothing of their cost that adds up: they count with the most that it can be",
            job.name,
            unsure,
        )
    found = totals(committed)
    what = ", ".join(f"{count} {kind}" for kind, count in found.items())
    if job.state is JobState.FAILED:
        logger().error("Batch Failed: %s: %s", job.name, what)
    elif job.state in (JobState.CANCELLED, JobState.EXPIRED):
        logger().warning("Batch %s: %s: %s", job.state.capitalize(), job.name, what)
    else:
        logger().info("Batch Complete: %s: %s", job.name, what)
