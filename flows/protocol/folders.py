"""The word by which a person says that folders and settings are the right ones as they are: what it looks at before it
believes it, and what it writes. Never a way to pay twice: a folder in which something is missing that the others know
of is refused.
"""

from assets.domain.errors import WAY_BACK, HomeMismatchError, ManifestError
from assets.domain.home import DOCUMENT_FIELDS, HomeFile, changed_settings
from config.settings import Settings
from flows.gateways.files.home import LEDGER_FOLDERS, read_mark
from flows.gateways.files.storage import Storage
from flows.gateways.ports import Lease, LedgerGateway
from flows.protocol.active import check_known, resolve
from flows.runtime.home import told_settings
from flows.runtime.wiring import new_home_id
from flows.tables.derived import check_outcomes, submissions_table


async def accept_folders(
    settings: Settings, storage: Storage, ledger: LedgerGateway, lease: Lease, *, dry_run: bool = False
) -> list[str]:
    """Give each folder its mark and note today's settings; what was done, a line each. ``dry_run``: only say it. Raises
    StateError, OSError; then nothing is written."""
    there = await ledger.read_home()
    home = storage.home.read() or HomeFile(_id_of_marks(storage, there.id if there is not None else None))
    if there is not None and there.id != home.id:
        raise HomeMismatchError(
            f"{storage.home.path} and the Variable quire_home hold different ids: this folder belongs to another "
            f"Prefect database (check PREFECT_API_URL and paths.manifests); {WAY_BACK}"
        )
    now = told_settings(settings)
    changed = changed_settings(home.settings or {}, now)
    if DOCUMENT_FIELDS in changed and storage.submissions():
        raise HomeMismatchError(
            f"{DOCUMENT_FIELDS} cannot be changed: the record keys in {storage.manifests} are made of them; set it "
            "back, or begin a collection of another name with its own paths.manifests and paths.output_results"
        )
    unmarked = [each for each in storage.home.unmarked(home.id) if each.other_id is None]
    if any(each.folder.name in LEDGER_FOLDERS for each in unmarked):
        _check_whole(storage)
        if there is not None:
            known = await ledger.read()
            standing = resolve(storage, known)
            check_known(storage, known, standing)
            posted = [each for each in standing.unclaimed if storage.read_job(each) is not None]
            if posted:
                raise ManifestError(
                    storage.manifests / "outcomes",
                    f"{posted[0]} has no outcomes and is not active, which is what a folder looks like that lost some; "
                    f"restore them, or put its batch back into active_batch_ids; {WAY_BACK}",
                )
    if not dry_run:
        lease.check()
        storage.home.mark(home.id)
        storage.home.write(HomeFile(home.id, now))
    then = home.settings or {}
    return [
        *(f"{name} was {then[name]!r} and is {now[name]!r} now" for name in changed),
        *(f"{each.folder} {each.problem}: it {'would have' if dry_run else 'has'} its mark now" for each in unmarked),
    ]


def _id_of_marks(storage: Storage, expected: str | None) -> str:
    """The id of a collection whose ``home.json`` alone is lost. Raises HomeMismatchError if more is."""
    found = {read_mark(storage.manifests / name) for name in LEDGER_FOLDERS}
    if found == {None} and expected is None and storage.submissions():
        # From before there were marks, and the database is lost, too.
        return new_home_id()
    (home_id,) = found if len(found) == 1 else {None}
    if home_id is None or expected not in (None, home_id):
        raise HomeMismatchError(
            f"{storage.home.path} is gone, and more with it: is the folder mounted, is paths.manifests right? "
            f"{WAY_BACK}"
        )
    return home_id


def _check_whole(storage: Storage) -> None:
    """Raise ManifestError if batch manifests, outcomes and jobs do not know the same submissions."""
    check_outcomes(storage)
    everyone = set(storage.submissions())
    closed = submissions_table(storage, write=False)
    rows = zip(closed["submission_id"].to_pylist(), closed["was_posted"].to_pylist(), strict=True)
    for submission_id, was_posted in rows:
        if was_posted and storage.read_job(submission_id) is None:
            raise ManifestError(storage.job_path(submission_id), f"is gone; restore it from a backup, or {WAY_BACK}")
    for submission_id in sorted(storage.closed_submissions() | set(storage.job_submissions())):
        if submission_id not in everyone:
            raise ManifestError(storage.batch_path(submission_id), f"is gone; restore it from a backup, or {WAY_BACK}")
