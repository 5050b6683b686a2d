"""How a claim and a job come together: the confirmation after a create, and the look for a job whose create answered
nothing certain, or whose pass died before it could be noted.

Gemini knows no request ids: a job of ours is known by its display name, which is the submission id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from assets.domain.batch import RemoteJob, SubmissionState, claim_name
from assets.domain.errors import GeminiAccessError, GeminiError
from assets.domain.ledger import Ledger
from assets.domain.outcome import OutcomeKind
from flows.gateways.files.storage import JobFile
from flows.protocol.active import ActiveSubmission
from flows.protocol.closing import cancel, close_uniformly
from flows.runtime.logs import logger
from flows.runtime.passes import Pass


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A submission whose job is noted in its jobs file, while the active list still has its claim."""

    submission_id: str
    job: RemoteJob


def note_job(p: Pass, job_file: JobFile, job: RemoteJob) -> Unconfirmed:
    """Note which job a submission has. From here on every pass knows it, whatever the active list says."""
    p.lease.check()
    p.services.storage.write_job(replace(job_file, batch_id=job.name))
    return Unconfirmed(job_file.submission_id, job)


def enter_job(ledger: Ledger, unconfirmed: Unconfirmed) -> list[str] | None:
    """The active list with the job in the place of its claim. None: the claim is gone, see `let_go_of`."""
    claim, batch_id = claim_name(unconfirmed.submission_id), unconfirmed.job.name
    if batch_id in ledger.active:
        return list(ledger.active)
    if claim not in ledger.active:
        return None
    return [batch_id if each == claim else each for each in ledger.active]


async def let_go_of(p: Pass, unconfirmed: Unconfirmed) -> None:
    """Cancel and release a submission whose claim a person took out while its job was created."""
    submission_id, job = unconfirmed.submission_id, unconfirmed.job
    logger().warning("The claim of %s was taken out while its job was created: cancelled, released", submission_id)
    await cancel(p, job.name)
    await close_uniformly(
        p,
        submission_id,
        SubmissionState.UNCLAIMED,
        OutcomeKind.RELEASED,
        message="taken out by a person",
        batch_id=job.name,
    )


async def confirm(p: Pass, unconfirmed: Unconfirmed) -> bool:
    """Write the batch id into the active list. False: it was let go of."""
    async with p.services.ledger.transaction() as change:
        active = enter_job(change.ledger, unconfirmed)
        if active is not None:
            p.lease.check()
            await change.set_active(active)
    if active is None:
        await let_go_of(p, unconfirmed)
    return active is not None


async def resume(p: Pass, claimed: ActiveSubmission, jobs: Sequence[RemoteJob]) -> bool:
    """Go on with a claim that an earlier pass left: look for its job, or release it where nothing was posted. Where a
    job bears its name it was posted, though its jobs file is lost. Returns whether it needs a person."""
    if claimed.job is None and any(job.display_name == claimed.submission_id for job in jobs):
        # Nobody knows what its input file is called.
        p.services.storage.upload_marks.doubt(claimed.submission_id)
        return await look_up(p, claimed.submission_id, JobFile(claimed.submission_id, input_file=""), jobs)
    if claimed.job is None:
        logger().warning("Claim %s was left before anything was posted: released", claimed.submission_id)
        await close_uniformly(
            p, claimed.submission_id, claimed.state, OutcomeKind.RELEASED, message="left before anything was posted"
        )
        return False
    return await look_up(p, claimed.submission_id, claimed.job, jobs)


async def look_up(p: Pass, submission_id: str, job_file: JobFile, jobs: Sequence[RemoteJob] | None = None) -> bool:
    """Adopt the job that bears the submission's name. If none does, look again in later passes until the grace is
    over, then release. Returns whether it needs a person: where the list may be another project's, nothing is decided.

    ``jobs``: what Gemini lists, if that was asked for just now. A look that fails decides nothing. Raises
    GeminiAccessError when Gemini does not know a job that it once confirmed: that needs a person.
    """
    if jobs is None or job_file.batch_id is not None:
        # A job that was confirmed exists, whatever a list that lags says.
        known = job_file.batch_id
        try:
            jobs = [await p.services.gemini.get_job(known)] if known else await p.services.gemini.list_jobs()
        except GeminiError as error:
            if known and isinstance(error, GeminiAccessError):
                raise
            logger().warning("Cannot look for the job of %s now (%s); the next pass looks", submission_id, error)
            return False
    # Another pass may have found it while we waited for that answer, and its note must not give way to an older one.
    p.lease.check()
    ours = sorted(
        (job for job in jobs if job.display_name == submission_id or job.name == job_file.batch_id),
        key=lambda job: job.created_at or datetime.max.replace(tzinfo=UTC),
    )
    if any(not job.name for job in ours):
        logger().error(
            "Gemini lists a job of %s without a name: it can neither be adopted nor asked for, and its records stay in "
            "flight. Once it is known that it brings nothing, run quire release %s",
            submission_id,
            submission_id,
        )
        return True
    for double in ours[1:]:
        if not double.is_terminal:
            logger().warning("%s stands twice at Gemini: %s is cancelled", submission_id, double.name)
            await cancel(p, double.name)
    if ours:
        if await confirm(p, note_job(p, job_file, ours[0])):
            logger().info("Batch Adopted: %s is %s", submission_id, ours[0].name)
        return False
    if not _is_list_of_ours(p, job_file, jobs):
        logger().error(
            "No job bears the name %s, but the API key is another one than it was posted with, and Gemini's list shows "
            "nothing of that key: its records stay in flight. Set that key again; or, if the project is the same and "
            "no such job is there, run quire release %s",
            submission_id,
            submission_id,
        )
        return True
    clock = p.services.clock
    waited = clock.seconds_since(job_file.looked)
    if waited is None:
        waited, first_look_at = 0.0, job_file.first_look_at or p.services.now()
        p.services.storage.write_job(replace(job_file, first_look_at=first_look_at, looked=clock.moment()))
    grace = p.services.settings.batch.adoption_grace_seconds
    if waited < grace:
        logger().warning(
            "No job bears the name %s yet; its records stay in flight, looking again for %.0f s",
            submission_id,
            grace - waited,
        )
        return False
    logger().warning("No job bears the name %s after %.0f s: released", submission_id, waited)
    await close_uniformly(
        p, submission_id, SubmissionState.POSTING, OutcomeKind.RELEASED, message="no job was found at Gemini"
    )
    return False


def _is_list_of_ours(p: Pass, job_file: JobFile, jobs: Sequence[RemoteJob]) -> bool:
    """Whether a list is sure to be of the project in which the submission was posted: it was asked for with the same
    key, or it shows another job that was posted with that key. Another project's list lacks all of ours."""
    if job_file.key == p.services.gemini.key_fingerprint:
        return True
    storage = p.services.storage
    known = set(storage.submissions())
    others = (storage.read_job(job.display_name) for job in jobs if job.display_name in known)
    return any(other is not None and other.key == job_file.key for other in others)
