"""The second half of a submission: the input file goes up, and the job is created with one POST. How it is confirmed,
and what happens when the answer is lost, stands in `adoption`; the first half in `claiming`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tenacity

from assets.domain.batch import RemoteFile, RemoteJob, SubmissionEvent, SubmissionState, claim_name, transition
from assets.domain.errors import (
    ContextGoneError,
    GeminiAccessError,
    GeminiAmbiguousError,
    GeminiError,
    GeminiQuotaError,
    GeminiRefusedError,
    GeminiSpendingError,
    GeminiTransientError,
    LeaseLostError,
    ManifestError,
    PromptError,
)
from assets.domain.outcome import OutcomeKind
from flows.gateways.files.atomic import naming, replace_file
from flows.gateways.files.storage import JobFile
from flows.protocol.adoption import Unconfirmed, look_up, note_job
from flows.protocol.closing import close_uniformly, delete_files, has_failed_before
from flows.runtime.logs import logger
from flows.runtime.passes import Pass

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Posted:
    """``in_flight``: there is a job, or there may be; ``stop``: why nothing more should be submitted in this pass;
    ``needs_person``: no later pass can either until a person does something; ``unconfirmed``: its job, which the
    caller is to confirm."""

    in_flight: bool
    stop: str | None = None
    needs_person: bool = False
    unconfirmed: Unconfirmed | None = None


async def post(p: Pass, submission_id: str) -> Posted:
    """Upload the input file, create the job once, and note it.

    Raises GeminiAccessError, PromptError, ManifestError (the result of a predecessor cannot be read): the records are
    free again then; LeaseLostError when the claim is gone.
    """
    state = SubmissionState.CLAIMED
    try:
        input_file = await _upload_input(p, submission_id)
    except (GeminiError, PromptError, ContextGoneError, ManifestError) as error:
        if isinstance(error, ContextGoneError):
            logger().warning("Batch not submitted, its records are free: %s (%s)", error, submission_id)
        elif isinstance(error, GeminiSpendingError):
            logger().warning("Nothing more is sent: %s", error)
        else:
            logger().exception(
                "Batch not submitted, its input file did not go up; its records are free: %s", submission_id
            )
        await close_uniformly(p, submission_id, state, OutcomeKind.RELEASED, message="the input file did not go up")
        if isinstance(error, (GeminiAccessError, PromptError, ManifestError)):
            raise
        if isinstance(error, ContextGoneError):
            # That page is read again first, as its successors wait for it; who waits for another one goes on.
            return Posted(in_flight=False)
        return Posted(False, str(error), needs_person=isinstance(error, GeminiSpendingError) and error.needs_person)
    try:
        await _check_claim(p, submission_id)
    except LeaseLostError:
        # Whoever let go of it has looked for its uploads already, and does not look again.
        await delete_files(p, [input_file.name])
        raise
    job_file = JobFile(
        submission_id=submission_id,
        input_file=input_file.name,
        posted=p.services.clock.moment(),
        key=p.services.gemini.key_fingerprint,
    )
    p.services.storage.write_job(job_file)
    state = transition(state, SubmissionEvent.POST)
    try:
        job = await _create(p, submission_id, input_file.name)
    except GeminiAmbiguousError as error:
        logger().error("Create of %s answered nothing certain (%s): looking for the job", submission_id, error)
        await look_up(p, submission_id, job_file)
        return Posted(in_flight=True)
    except GeminiRefusedError as error:
        logger().exception("Gemini refused the batch %s; its records are free", submission_id)
        table, _ = p.services.storage.read_batch_manifest(submission_id)
        is_own = len(table) == 1 and has_failed_before(p.services.storage, table)
        kind = OutcomeKind.FAILED_ALONE if is_own else OutcomeKind.BATCH_FAILED
        await close_uniformly(p, submission_id, state, kind, message=f"refused: {error}")
        return Posted(in_flight=False)
    except GeminiError as error:
        if isinstance(error, GeminiQuotaError):
            logger().warning("Gemini takes no more batches now (%s); %s is released", error, submission_id)
        elif isinstance(error, GeminiSpendingError):
            logger().warning("Nothing more is sent: %s", error)
        else:
            logger().exception("Create of %s was refused; its records are free", submission_id)
        await close_uniformly(p, submission_id, state, OutcomeKind.RELEASED, message=f"not created: {error}")
        if isinstance(error, GeminiAccessError):
            raise
        return Posted(False, str(error), needs_person=isinstance(error, GeminiSpendingError) and error.needs_person)
    return Posted(in_flight=True, unconfirmed=note_job(p, job_file, job))


async def _upload_input(p: Pass, submission_id: str) -> RemoteFile:
    path = p.services.storage.work_path(f"{submission_id}.jsonl")

    async def upload(number: int) -> RemoteFile:
        if number > 1:
            p.services.storage.upload_marks.doubt(submission_id)
        with naming(path):
            return await p.services.gemini.upload(
                path, display_name=f"{submission_id}-input-{number}", mime_type="application/jsonl"
            )

    uploads = p.services.settings.uploads
    try:
        await _write_input(p, submission_id, path)
        return await _repeated(
            p, upload, GeminiTransientError, uploads.upload_retry_attempts, uploads.upload_retry_backoff_seconds
        )
    finally:
        path.unlink(missing_ok=True)


async def _write_input(p: Pass, submission_id: str, path: Path) -> None:
    services = p.services
    table, _ = services.storage.read_batch_manifest(submission_id)

    async def write(lines: Iterable[bytes]) -> dict[str, int]:
        await asyncio.to_thread(replace_file, path, lambda temporary: _write_lines(temporary, lines))
        return {"lines": len(table)}

    await services.mirror.materialize(
        "batch_requests",
        table,
        template=services.template,
        previous_results=services.storage.results(),
        write=write,
        about=submission_id,
    )


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(lines)


async def _check_claim(p: Pass, submission_id: str) -> None:
    """The last look before money is spent: the claim stands and the lease is ours."""
    ledger = await p.services.ledger.read()
    if claim_name(submission_id) not in ledger.active:
        raise LeaseLostError(f"the claim of {submission_id} is gone from active_batch_ids: nothing was posted")
    if p.services.storage.is_closed(submission_id):
        raise LeaseLostError(f"{submission_id} was released by somebody else meanwhile: nothing was posted")
    p.lease.check()


async def _create(p: Pass, submission_id: str, input_file: str) -> RemoteJob:
    """POST once; only a 429 repeats it: then Gemini has said that nothing was created."""

    async def create(_: int) -> RemoteJob:
        p.lease.check()
        return await p.services.gemini.create_job(
            model=p.services.settings.model.name, display_name=submission_id, input_file=input_file
        )

    retries = p.services.settings.retries
    return await _repeated(p, create, GeminiQuotaError, retries.attempts, retries.backoff_seconds)


async def _repeated(
    p: Pass,
    call: Callable[[int], Awaitable[R]],
    on: type[GeminiError],
    attempts: int,
    backoff_seconds: float,
) -> R:
    """``call(number of the try)``, again on the error ``on`` with pauses that double. Raises what the last try did."""
    tries = tenacity.AsyncRetrying(
        sleep=p.services.sleep,
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_exponential(multiplier=backoff_seconds),
        retry=tenacity.retry_if_exception_type(on),
        reraise=True,
    )
    async for attempt in tries:
        with attempt:
            return await call(attempt.retry_state.attempt_number)
    raise AssertionError("tenacity returns or raises")
