"""Settling a finished job: download, judge, write the good answers, then close. Every step can be repeated; a local I/O
error ends the attempt and is never an outcome.
"""

import asyncio
import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from assets.answered_by import first_retirement, other_models, replaced_line, retirement_line
from assets.domain.batch import STATES_WITH_RESULTS, JobState, RemoteJob, SubmissionState, submission_of
from assets.domain.errors import ManifestError, UnwrittenError
from assets.domain.models import retirement_notice
from assets.domain.outcome import OutcomeKind
from assets.outcomes import WRITTEN_COLUMNS, line_problems, with_superseded, with_written
from assets.planning import SubmissionFacts
from assets.reports import totals
from assets.results import result_of_line
from assets.validation import ModelValidator, ResultValidator, SentSchemaValidator
from flows.gateways.files.atomic import naming
from flows.gateways.files.output_results import ResultFile
from flows.gateways.files.trial import try_write
from flows.protocol.closing import close, has_failed_before
from flows.protocol.replaced import replaced_images
from flows.protocol.replacing import GivenUp, end_answered_reruns
from flows.runtime.logs import logger, warn_of_each, warn_once
from flows.runtime.one_line import told
from flows.runtime.passes import Pass

MAX_LINE_WARNINGS = 20
OF_ONE_PLACE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
)
"""What a folder or a file can have while all others are well; a full or broken disk is another matter."""


async def with_result_file(p: Pass, job: RemoteJob) -> RemoteJob:
    """``job``, as a list gave it, or what Gemini says to a question of its own where that names no result file though
    the job has answered: whether lists carry that name is not documented. Raises GeminiError."""
    if job.result_file is not None or job.state not in STATES_WITH_RESULTS:
        return job
    return await look_at_job(p, job.name)


async def look_at_job(p: Pass, batch_id: str) -> RemoteJob:
    """Raises GeminiError."""

    async def get() -> RemoteJob:
        return await p.services.gemini.get_job(batch_id)

    return await p.services.mirror.retried("get_batch", get)


async def settle(p: Pass, submission_id: str, job: RemoteJob) -> pa.Table:
    """Turn the finished ``job`` into outputs, outcomes and counts. Returns the outcomes as they are committed.

    Raises GeminiError when the result cannot be had now, OSError for the disk: the submission stays as it is.
    """
    services = p.services
    answers = await judged_lines(p, submission_id, job)
    replaced = await replaced_images(p, answers.batch_manifest, answers.keys)

    async def tell(outcomes: pa.Table) -> dict[str, int]:
        return {"records": len(outcomes), **totals(outcomes)}

    outcomes = await services.mirror.materialize(
        "record_outcomes",
        answers.batch_manifest,
        answers.judged,
        job_state=job.state,
        batch_id=job.name,
        facts=answers.facts,
        is_own_failure=len(answers.batch_manifest) == 1
        and await asyncio.to_thread(has_failed_before, services.storage, answers.batch_manifest),
        replaced=replaced,
        settled_at=services.now(),
        write=tell,
        about=submission_id,
    )
    outcomes = await write_answers(p, outcomes, answers, is_awaited=True)
    committed = await close(p, submission_id, SubmissionState.ACTIVE, outcomes)
    _log_end(job, committed)
    tell_of_model(p, committed)
    return committed


@dataclass(frozen=True, slots=True)
class Answers:
    """What a finished job has answered. ``name``: under which its result file is kept, and that of the outcomes to be
    made of it; ``judged``: its lines, or None if it has no result file."""

    name: str
    batch_manifest: pa.Table
    facts: SubmissionFacts
    judged: pa.Table | None
    validator: ResultValidator

    @property
    def keys(self) -> list[str]:
        """The records that have a line."""
        found: list[str] = self.judged["record_key"].drop_null().to_pylist() if self.judged is not None else []
        return found


async def judged_lines(p: Pass, name: str, job: RemoteJob) -> Answers:
    """Keep the result file of ``job`` under ``name``, and judge each of its lines. Raises GeminiError, OSError,
    StateError."""
    batch_manifest, facts = p.services.storage.read_batch_manifest(submission_of(name))
    validator = _validator(p, facts)
    if not await _keep_result(p, name, job):
        return Answers(name, batch_manifest, facts, None, validator)
    judged = await judge_kept(p, batch_manifest, name, validator)
    problems = line_problems(batch_manifest, judged)
    for problem in problems[:MAX_LINE_WARNINGS]:
        logger().warning("%s: %s", job.name, problem)
    if len(problems) > MAX_LINE_WARNINGS:
        logger().warning("%s: %d or more lines belong to no record", job.name, len(problems))
    return Answers(name, batch_manifest, facts, judged, validator)


async def _keep_result(p: Pass, name: str, job: RemoteJob) -> bool:
    """Have all that ``job`` has answered on our own disk. False: it has no result file."""
    storage = p.services.storage
    if await asyncio.to_thread(storage.raw.is_whole, name, job.name):
        return True
    if job.result_file is None:
        return False
    path = storage.work_path(f"{name}.results.jsonl")
    try:
        await _download(p, job.result_file, path)
        await asyncio.to_thread(storage.raw.keep, name, path, job)
        p.lease.check()
    finally:
        path.unlink(missing_ok=True)
    return True


def _validator(p: Pass, facts: SubmissionFacts) -> ResultValidator:
    """The model in the code, if it still is what was sent, in whatever form it was asked for; else the schema that
    was."""
    model = p.services.model
    if model.model_json_schema() == facts.result_schema:
        return ModelValidator(model)
    logger().info("%s was sent with another schema than today's: judged by that one", facts.submission_id)
    validator = SentSchemaValidator(facts.result_schema)
    left_out = "; ".join(validator.left_out())
    if left_out:
        logger().warning("%s: not all of its schema can be judged safely, left out: %s", facts.submission_id, left_out)
    return validator


async def _download(p: Pass, file_name: str, path: Path) -> None:
    async def download() -> int:
        # Another pass may be reading that file.
        p.lease.check()
        with naming(path):
            return await p.services.gemini.download(file_name, path)

    await p.services.mirror.retried("download_results", download)
    p.lease.check()


async def judge_kept(p: Pass, batch_manifest: pa.Table, name: str, validator: ResultValidator) -> pa.Table:
    """The verdict on each line of a result file that is kept. Raises OSError, ManifestError."""

    async def tell(table: pa.Table) -> dict[str, int]:
        return {"lines": len(table)}

    return await p.services.mirror.materialize(
        "batch_results",
        None,
        lines=p.services.storage.raw.lines(name),
        keys=batch_manifest["record_key"].to_pylist(),
        validator=validator,
        redact=p.services.gemini.redacted,
        write=tell,
        about=submission_of(name),
    )


async def write_answers(p: Pass, outcomes: pa.Table, answers: Answers, *, is_awaited: bool) -> pa.Table:
    """Write the output results; returns the outcomes with what was written, where those records are superseded that
    were done before with another result. ``is_awaited``: the submission is in flight. Raises OSError, and
    UnwrittenError where the trouble is that of single documents: then all others are written."""
    superseded: list[str] = []
    unwritten: dict[str, str] = {}
    written, moot = dict[str, ResultFile](), dict[str, str]()
    storage, submission_id = p.services.storage, answers.facts.submission_id

    def write_all(good: pa.Table) -> None:
        keys = dict(zip(good["line_offset"].to_pylist(), good["record_key"].to_pylist(), strict=True))
        if not keys:
            return
        # A share that was unmounted meanwhile has left an empty folder in its place.
        storage.home.check_marks()
        given_up = GivenUp(storage, list(keys.values()), submission_id, is_awaited=is_awaited)
        for offset, line in storage.raw.lines(answers.name):
            key = keys.get(offset)
            if key is None:
                continue
            content = result_of_line(line, answers.validator)
            p.lease.check()
            try:
                sha256 = given_up.of(key)
                file = storage.write_result(key, content, given_up=sha256, submission_id=submission_id)
            except (ManifestError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in OF_ONE_PLACE:
                    raise
                unwritten[key] = str(told(error))
                continue
            if file is None:
                superseded.append(key)
                if sha256 is not None:
                    moot[key] = sha256
            else:
                written[key] = file
        if unwritten:
            # What the folder of all results has is no trouble of a document.
            try_write(storage.output_results)
            raise UnwrittenError(*next(iter(unwritten.items())), len(unwritten))

    async def write(good: pa.Table) -> dict[str, int]:
        await asyncio.to_thread(write_all, good)
        return {"written": len(good) - len(superseded), "superseded": len(superseded)}

    await p.services.mirror.materialize("output_results", outcomes, write=write, about=submission_id)
    warn_of_each(dict.fromkeys(superseded, submission_id), "Done before, so that this answer is not written")
    await end_answered_reruns(p, submission_id, written, moot)
    return with_written(with_superseded(outcomes, superseded), _columns(written))


def _columns(written: Mapping[str, ResultFile]) -> pa.Table:
    files = written.values()
    columns = [
        pa.array(list(written), pa.string()),
        pa.array([each.sha256 for each in files], pa.string()),
        pa.array([each.bytes for each in files], pa.int64()),
        pa.array([each.modified_ns for each in files], pa.int64()),
    ]
    return pa.table(columns, names=["record_key", *WRITTEN_COLUMNS])


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
