"""Settling a finished job: download, judge, write the good answers, then close. Every step can be repeated; a local I/O
error ends the attempt and is never an outcome.
"""

import asyncio
from pathlib import Path

import pyarrow as pa

from assets.domain.batch import JobState, RemoteJob, SubmissionState
from assets.domain.schema import schema_hash
from assets.outcomes import line_problems, with_superseded
from assets.planning import SubmissionFacts
from assets.reports import totals
from assets.results import ModelValidator, ResultValidator, SentSchemaValidator, result_of_line
from flows.logs import logger, warn_of_each
from flows.passes import Pass
from flows.protocol.closing import close, has_failed_before

MAX_LINE_WARNINGS = 20


async def settle(p: Pass, submission_id: str, job: RemoteJob) -> dict[str, int]:
    """Turn the finished ``job`` into outputs, outcomes and counts. Returns kind -> how many.

    Raises GeminiError when the result cannot be had now, OSError for the disk: the submission stays as it is.
    """
    services = p.services
    manifest, facts = services.storage.read_batch_manifest(submission_id)
    validator = _validator(p, facts)
    path = services.storage.work_path(f"{submission_id}.results.jsonl")
    try:
        judged = None
        if job.result_file is not None:
            await _download(p, job.result_file, path)
            judged = await _judge(p, submission_id, path, validator)
            for problem in line_problems(manifest, judged)[:MAX_LINE_WARNINGS]:
                logger().warning("%s: %s", job.name, problem)
        outcomes = await services.mirror.materialize(
            "record_outcomes",
            manifest,
            judged,
            job_state=job.state,
            batch_id=job.name,
            facts=facts,
            is_own_failure=len(manifest) == 1
            and await asyncio.to_thread(has_failed_before, services.storage, manifest),
            settled_at=services.now(),
            about=submission_id,
        )
        superseded = await _write_results(p, submission_id, outcomes, path, validator)
        committed = await close(p, submission_id, SubmissionState.ACTIVE, with_superseded(outcomes, superseded))
    finally:
        path.unlink(missing_ok=True)
    _log_end(job, committed)
    return totals(committed)


def _validator(p: Pass, facts: SubmissionFacts) -> ResultValidator:
    """The model in the code, if it still is what was sent; else the schema that was."""
    model = p.services.model
    is_same = schema_hash(p.services.template.response_schema) == facts.response_schema_hash
    if is_same and model.model_json_schema() == facts.result_schema:
        return ModelValidator(model)
    logger().info("%s was sent with another schema than today's: judged by that one", facts.submission_id)
    return SentSchemaValidator(facts.result_schema)


async def _download(p: Pass, file_name: str, path: Path) -> None:
    async def download() -> int:
        return await p.services.gemini.download(file_name, path)

    await p.services.mirror.retried("download_results", download)


async def _judge(p: Pass, submission_id: str, path: Path, validator: ResultValidator) -> pa.Table:
    async def tell(table: pa.Table) -> dict[str, int]:
        return {"lines": len(table)}

    return await p.services.mirror.materialize(
        "batch_results",
        None,
        lines=p.services.storage.result_lines(path),
        validator=validator,
        write=tell,
        about=submission_id,
    )


async def _write_results(
    p: Pass, submission_id: str, outcomes: pa.Table, path: Path, validator: ResultValidator
) -> list[str]:
    """Write the output results; returns the records that were done before with another result."""
    superseded: list[str] = []

    def write_all(answers: pa.Table) -> None:
        if len(answers) == 0:
            return
        with path.open("rb") as file:
            for row in answers.to_pylist():
                file.seek(row["line_offset"])
                content = result_of_line(file.read(row["line_bytes"]), validator)
                p.lease.check()
                if not p.services.storage.write_result(row["record_key"], content):
                    superseded.append(row["record_key"])

    async def write(answers: pa.Table) -> dict[str, int]:
        await asyncio.to_thread(write_all, answers)
        return {"written": len(answers) - len(superseded), "superseded": len(superseded)}

    await p.services.mirror.materialize("output_results", outcomes, write=write, about=submission_id)
    warn_of_each(dict.fromkeys(superseded, submission_id), "Done before, so that this answer is not written")
    return superseded


def _log_end(job: RemoteJob, committed: pa.Table) -> None:
    found = totals(committed)
    what = ", ".join(f"{count} {kind}" for kind, count in found.items())
    if job.state is JobState.FAILED:
        logger().error("Batch Failed: %s: %s", job.name, what)
    elif job.state in (JobState.CANCELLED, JobState.EXPIRED):
        logger().warning("Batch %s: %s: %s", job.state.capitalize(), job.name, what)
    else:
        logger().info("Batch Complete: %s: %s", job.name, what)
