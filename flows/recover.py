"""``quire recover``: the Variables made again from manifests and Gemini's list, when a person says that they are lost
or wrong. Without that word it only shows what it would write.

And, as ``--accept-folders``, the word by which a person says that folders and settings which are not what they were are
the right ones all the same; the Variables stay as they are then.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from assets.domain.batch import RemoteJob, claimed_submission, is_submission_id
from assets.domain.errors import WAY_BACK, HomeMismatchError, LedgerError, QuireError
from assets.domain.home import Home, HomeFile
from assets.domain.ledger import Ledger
from assets.domain.record import sort_key
from config.settings import Settings, check_folders, load_settings
from flows.gateways.files.storage import JobFile, Storage
from flows.gateways.ports import LedgerGateway
from flows.protocol.active import resolve
from flows.protocol.folders import accept_folders
from flows.runtime.home import check_settings, told_submissions
from flows.runtime.printable import printable
from flows.runtime.wiring import Services, config_path, open_services
from flows.tables.derived import check_outcomes
from flows.tables.from_files import active_name, last_counts, open_submissions

MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Recovery:
    """``records``: name in the active list -> (submission id, its record keys); ``counts``: record key -> failures;
    ``found``: jobs files to be written, since only Gemini's list knew the batch id; ``never_posted``: open submissions
    of which there is no job, so that the next pass releases them; ``strangers``: jobs that bear the name of a
    submission which no file here knows."""

    records: Mapping[str, tuple[str, Sequence[str]]]
    counts: Mapping[str, int]
    found: Sequence[JobFile]
    never_posted: Sequence[str]
    strangers: Sequence[str]


async def recover_text(config: str | None, *, write: bool, forget: int = 0) -> str:
    """What the Variables would say, or what was written. ``forget``: how many batches of the active list a person knows
    to be in no file. Raises PassBusyError, GeminiError (its list is needed), StateError, LedgerError (it does not fit),
    QuireError (another number of batches would be forgotten), OSError."""
    settings = load_settings(config_path(config))
    check_folders(settings)
    async with open_services(settings) as services:
        return await recover(services, write=write, forget=forget)


async def recover(services: Services, *, write: bool, forget: int = 0, counts: Mapping[str, int] | None = None) -> str:
    """What `recover_text` does, with these services. ``counts``: the failure counts where they are known; None: by the
    outcomes."""
    settings, storage, ledger = services.settings, services.storage, services.ledger
    async with services.pass_lock.hold(wait=False) as lease:
        home = _trusted_home(settings, storage)
        # One without a name is no batch id; the next pass sees that it is there, and asks a person.
        jobs = [job for job in await services.gemini.list_jobs() if job.name]
        recovery = make_recovery(storage, jobs, done=storage.find_results().done, counts=counts)
        there, what_stands_there = await _read_what_stands_there(ledger)
        forgotten = forgotten_names(storage, there, recovery) if there is not None else []
        lines = [what_stands_there, *_what_would(recovery), *_what_is_forgotten(forgotten)]
        if not write:
            word = f"quire recover --yes{f' --forget {len(forgotten)}' if forgotten else ''}"
            return "\n".join([*lines, f"Nothing is written. {word} writes this."])
        if len(forgotten) != forget:
            raise QuireError(
                f"{len(forgotten)} active batches would be forgotten"
                + (f", such as {printable(forgotten[0])}, and their pages sent again" if forgotten else "")
                + f", not {forget}: nothing is written; look at quire recover, then say --forget {len(forgotten)}"
            )
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
        made = Home(home.id, **told_submissions(storage))
        await ledger.rebuild(made, records=recovery.records, counts=recovery.counts)
        return "\n".join([*lines, "Written. The next pass goes on from here."])


def _trusted_home(settings: Settings, storage: Storage) -> HomeFile:
    """What ``home.json`` says, if this is the folder that it was made for. Raises StateError: what an empty folder
    tells would be that nothing is active."""
    home = storage.home.read()
    if home is None:
        raise HomeMismatchError(
            f"{storage.home.path} is not there, so nothing says that this is the right folder: is it mounted, is "
            f"paths.manifests right? {WAY_BACK}"
        )
    check_settings(settings, storage, home)
    storage.home.check_marks()
    check_outcomes(storage)
    return home


async def accept_folders_text(config: str | None, *, dry_run: bool = False) -> str:
    """Say that folders and settings are the right ones as they are; what was written, or would be, a line each. Raises
    PassBusyError, StateError, OSError."""
    settings = load_settings(config_path(config))
    check_folders(settings)
    async with open_services(settings) as services, services.pass_lock.hold(wait=False) as lease:
        lines = await accept_folders(settings, services.storage, services.ledger, lease, dry_run=dry_run)
        lines += ["nothing is done"] if lines and dry_run else []
    return "\n".join(lines or ["Folders and settings are what they were; nothing is written."])


def make_recovery(
    storage: Storage, jobs: Sequence[RemoteJob], *, done: Collection[str], counts: Mapping[str, int] | None = None
) -> Recovery:
    """Read everything off the files and ``jobs``, which is what Gemini lists. ``done``: the records that have a result;
    their counts are not needed any more; ``counts``: where they are known. Raises ManifestError."""
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
    if counts is None:
        counts = last_counts(storage)
    known = set(storage.submissions())
    strangers = [each.name for name, each in oldest.items() if is_submission_id(name) and name not in known]
    return Recovery(
        records, {key: counts[key] for key in counts.keys() - set(done)}, found, never_posted, sorted(strangers)
    )


def forgotten_names(storage: Storage, there: Ledger, recovery: Recovery) -> list[str]:
    """The names in the active list whose records are in flight and would not be any more: no file knows them. Raises
    ManifestError."""
    kept = {submission_id for submission_id, _ in recovery.records.values()} | set(recovery.never_posted)
    unknown = [name for name in resolve(storage, there).unknown if name not in recovery.records]
    return [name for name in unknown if claimed_submission(name) not in kept]


async def _read_what_stands_there(ledger: LedgerGateway) -> tuple[Ledger | None, str]:
    try:
        if await ledger.read_home() is None:
            return None, "The Variables of this collection are not there, or have no quire_home."
        there = await ledger.read()
    except LedgerError as error:
        return None, f"The Variables cannot be understood: {error}"
    return there, f"The Variables now: {len(there.active)} active batches, {len(there.counts)} failure counts."


def _what_would(recovery: Recovery) -> list[str]:
    lines = [f"From the files and from Gemini's list: {len(recovery.records)} active batches:"]
    for name, (submission_id, keys) in list(recovery.records.items())[:MAX_LISTED]:
        is_claim = claimed_submission(name) is not None
        note = "; its job is looked for by the next passes" if is_claim else ""
        lines.append(f"  {printable(name)}  {len(keys)} records, submission {submission_id}{note}")
    if len(recovery.records) > MAX_LISTED:
        lines.append(f"  ... and {len(recovery.records) - MAX_LISTED} more")
    lines.append(f"{len(recovery.counts)} failure counts; those reset since a record's last failure come back")
    by_count = sorted(recovery.counts.items(), key=lambda each: (-each[1], sort_key(each[0])))
    lines += [f"  {printable(key)}  {count}" for key, count in by_count[:MAX_LISTED]]
    if len(by_count) > MAX_LISTED:
        lines.append(f"  ... and {len(by_count) - MAX_LISTED} more")
    if recovery.never_posted:
        lines.append(f"{len(recovery.never_posted)} submissions were never posted; the next pass releases them")
    if recovery.strangers:
        lines.append(
            f"{len(recovery.strangers)} jobs at Gemini bear names like ours that no file here knows: another "
            "collection's, or made after the backup that this folder is from. Those that are this collection's must be "
            "cancelled, or have ended, before a pass: their pages are sent again. Such as:"
        )
        lines += [f"  {printable(name)}" for name in recovery.strangers[-MAX_LISTED:]]
    return lines


def _what_is_forgotten(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    head = f"{len(names)} active batches would be forgotten, as no file knows them, and their pages sent again:"
    more = [f"  ... and {len(names) - MAX_LISTED} more"] if len(names) > MAX_LISTED else []
    return [head, *(f"  {printable(name)}" for name in names[:MAX_LISTED]), *more]
