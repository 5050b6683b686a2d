"""Who is who in the active list: which submission each name means, which records are in flight, what the views say.

Read only; the writes stand in the modules of each step.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from assets.domain.batch import SubmissionState, claimed_submission, state_of
from assets.domain.errors import LedgerError
from assets.domain.ledger import ACTIVE, Ledger, set_views
from flows.gateways.files.storage import JobFile, Storage


@dataclass(frozen=True, slots=True)
class ActiveSubmission:
    """An entry of the active list. ``name``: as it stands there; ``job``: its jobs file, if anything was posted."""

    name: str
    submission_id: str
    state: SubmissionState
    job: JobFile | None


@dataclass(frozen=True, slots=True)
class Standing:
    """The active list, resolved, and what stands beside it.

    ``unknown``: names of which no file here knows the submission. ``unclaimed``: submissions with a batch manifest that
    have no outcomes and are not active, oldest first.
    """

    active: tuple[ActiveSubmission, ...]
    unknown: tuple[str, ...]
    unclaimed: tuple[str, ...]

    def open_ids(self) -> list[str]:
        """The submissions whose records are in flight. Those that were taken out are among them until they are put back
        or released, which is for the next poll to say: a list that was saved a moment ago frees nothing by itself."""
        active = [each.submission_id for each in self.active if each.state is not SubmissionState.SETTLED]
        return [*active, *self.unclaimed]


def resolve(storage: Storage, ledger: Ledger) -> Standing:
    """Tell the submission of each name in the active list. Raises ManifestError."""
    everyone, closed = storage.submissions(), storage.closed_submissions()
    jobs = {each: storage.read_job(each) for each in everyone if each not in closed}
    by_batch_id = {job.batch_id: each for each, job in jobs.items() if job is not None and job.batch_id}
    missing = {name for name in ledger.active if claimed_submission(name) is None and name not in by_batch_id}
    # A name whose outcomes are written and that is about to go. The jobs files of closed submissions are many, and it
    # is one of the newest.
    for each in sorted(closed, reverse=True):
        if not missing:
            break
        job = storage.read_job(each)
        if job is not None and job.batch_id in missing:
            jobs[each] = job
            by_batch_id[job.batch_id] = each
            missing.remove(job.batch_id)
    known = set(everyone)
    active, unknown = [], []
    for name in ledger.active:
        submission_id = claimed_submission(name) or by_batch_id.get(name)
        if submission_id is None or submission_id not in known:
            unknown.append(name)
            continue
        job = jobs.get(submission_id)
        state = state_of(active_name=name, was_posted=job is not None, has_outcomes=submission_id in closed)
        active.append(ActiveSubmission(name, submission_id, state, job))
    taken = {each.submission_id for each in active}
    unclaimed = tuple(each for each in everyone if each not in closed and each not in taken)
    return Standing(tuple(active), tuple(unknown), unclaimed)


def check_known(storage: Storage, ledger: Ledger, standing: Standing) -> None:
    """Raise LedgerError for a name in the active list of which no batch manifest tells the records: they are in flight,
    and nobody could know that they must not be sent again."""
    for name in standing.unknown:
        without_job = [each for each in standing.unclaimed if storage.read_job(each) is None]
        if claimed_submission(name) is None and without_job:
            raise LedgerError(
                f"{ledger.prefix}{ACTIVE}",
                f"no file in {storage.manifests / 'jobs'} says which submission this batch is; without a jobs file are "
                f"{len(without_job)} of {storage.manifests / 'batches'}, such as {without_job[0]}",
                entry=name,
                way_out="restore the jobs files, or have them made anew from Gemini's list: quire recover",
            )
        raise LedgerError(
            f"{ledger.prefix}{ACTIVE}",
            f"no file in {storage.manifests / 'batches'} says which records are in this batch",
            entry=name,
            way_out=f"restore that file, or let go of the batch: quire release {name}",
        )


def inflight_keys(storage: Storage, submission_ids: Iterable[str]) -> list[str]:
    """The records of those submissions. Raises ManifestError: without it we could send a record twice."""
    return [key for each in submission_ids for key in storage.batch_keys(each)]


def views(storage: Storage, standing: Standing, *, without: Collection[str] = ()) -> dict[str, tuple[str, list[str]]]:
    """What the views must say: name -> (submission id, records), for all that is in flight but the submissions
    ``without``."""
    return {
        each.name: (each.submission_id, storage.batch_keys(each.submission_id))
        for each in standing.active
        if each.state is not SubmissionState.SETTLED and each.submission_id not in without
    }


def are_current(storage: Storage, ledger: Ledger, standing: Standing) -> bool:
    """Whether the views say what they must: a person may have edited the active list, or them."""
    return set_views(ledger, views(storage, standing)).stored == ledger.stored
