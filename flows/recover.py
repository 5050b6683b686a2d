"""``quire recover``: the Variables made again from manifests and Gemini's list, when a person says that they are lost
or wrong. Without that word it only shows what it would write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assets.domain.batch import RemoteJob, claimed_submission
from assets.domain.errors import LedgerError
from config.settings import check_folders, load_settings
from flows.gateways.files.results import walk_results
from flows.gateways.files.storage import JobFile, Storage
from flows.gateways.ports import LedgerGateway
from flows.runtime.printable import printable
from flows.runtime.wiring import config_path, new_home_id, open_services
from flows.tables.from_files import active_name, last_counts, open_submissions

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Recovery:
    """``records``: name in the active list -> (submission id, its record keys); ``counts``: record key -> failures;
    ``found``: jobs files to be written, since only Gemini's list knew the batch id; ``never_posted``: open submissions
    of which there is no job, so that the next pass releases them."""

    records: Mapping[str, tuple[str, Sequence[str]]]
    counts: Mapping[str, int]
    found: Sequence[JobFile]
    never_posted: Sequence[str]


async def recover_text(config: str | None, *, write: bool) -> str:
    """What the Variables would say, or what was written. Raises PassBusyError, GeminiError (its list is needed),
    StateError, LedgerError (it does not fit), OSError."""
    settings = load_settings(config_path(config))
    check_folders(settings)
    depth = len(settings.record.document_fields)
    async with open_services(settings) as services, services.pass_lock.hold(wait=False) as lease:
        storage, ledger = services.storage, services.ledger
        jobs = await services.gemini.list_jobs()
        recovery = make_recovery(storage, jobs, done=walk_results(settings.paths.output_results, depth=depth))
        lines = [await _what_stands_there(ledger), *_what_would(recovery)]
        if not write:
            return "\n".join([*lines, "Nothing is written. quire recover --yes writes this."])
        home_id = storage.read_home() or new_home_id()
        lease.check()
        for job in recovery.found:
            # Its input file may be at Gemini under a name that nobody knows.
            storage.upload_marks.doubt(job.submission_id)
            storage.write_job(job)
        for submission_id in storage.upload_marks.all():
            # What is written below has the failures of all that is closed.
            if storage.is_closed(submission_id):
                lease.check()
                storage.upload_marks.count(submission_id)
        # The file first: until the Variable is there, which is written last, every pass stops.
        storage.create_home(home_id)
        await ledger.rebuild(home_id, records=recovery.records, counts=recovery.counts)
        return "\n".join([*lines, "Written. The next pass goes on from here."])


def make_recovery(storage: Storage, jobs: Sequence[RemoteJob], *, done: Sequence[str]) -> Recovery:
    """Read everything off the files and ``jobs``, which is what Gemini lists. ``done``: the records that have a result;
    their counts are not needed any more. Raises ManifestError."""
    oldest: dict[str, RemoteJob] = {}
    for job in sorted(jobs, key=lambda each: (each.created_at is None, each.created_at), reverse=True):
        oldest[job.display_name] = job
    records: dict[str, tuple[str, Sequence[str]]] = {}
    found: list[JobFile] = []
    never_posted: list[str] = []
    for submission_id in open_submissions(storage):
        noted, listed = storage.read_job(submission_id), oldest.get(submission_id)
        name = active_name(storage, submission_id)
        if listed is not None and (noted is None or noted.batch_id is None):
            name = listed.name
            found.append(replace(noted or JobFile(submission_id, input_file=""), batch_id=name))
        elif noted is None:
            never_posted.append(submission_id)
            continue
        records[name] = submission_id, storage.batch_keys(submission_id)
    counts = last_counts(storage)
    return Recovery(records, {key: counts[key] for key in counts.keys() - set(done)}, found, never_posted)


async def _what_stands_there(ledger: LedgerGateway) -> str:
    try:
        if await ledger.read_home() is None:
            return "The Variables of this collection are not there, or have no quire_home."
        there = await ledger.read()
    except LedgerError as error:
        return f"The Variables cannot be understood: {error}"
    return f"The Variables now: {len(there.active)} active batches, {len(there.counts)} failure counts."


def _what_would(recovery: Recovery) -> list[str]:
    lines = [f"From the files and from Gemini's list: {len(recovery.records)} active batches:"]
    for name, (submission_id, keys) in list(recovery.records.items())[:MAX_LISTED]:
        is_claim = claimed_submission(name) is not None
        note = "; its job is looked for by the next passes" if is_claim else ""
        lines.append(f"  {printable(name)}  {len(keys)} records, submission {submission_id}{note}")
    if len(recovery.records) > MAX_LISTED:
        lines.append(f"  ... and {len(recovery.records) - MAX_LISTED} more")
    lines.append(f"{len(recovery.counts)} failure counts; those reset since a record's last failure come back")
    if recovery.never_posted:
        lines.append(f"{len(recovery.never_posted)} submissions were never posted; the next pass releases them")
    return lines
