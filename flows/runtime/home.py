"""Whether this folder, this Prefect database and these settings belong together: asked before each pass and each
command that changes anything. What `quire recover` makes of a no stands there.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from assets.domain.errors import WAY_BACK, HomeMismatchError, VanishedResultsError
from assets.domain.home import (
    COLLECTION,
    DOCUMENT_FIELDS,
    OUTPUT_RESULTS,
    PAGE_IMAGES,
    Home,
    HomeFile,
    changed_settings,
)
from assets.domain.outcome import OutcomeKind
from config.settings import Settings, make_folders
from flows.gateways.files.results import walk_results
from flows.gateways.files.storage import Storage
from flows.gateways.ports import LedgerGateway
from flows.runtime.wiring import new_home_id


class SubmissionsTold(TypedDict):
    """See `assets.domain.home.Home`."""

    newest: str
    closed: int


async def ensure_home(
    settings: Settings, storage: Storage, ledger: LedgerGateway, *, accept_vanished: bool = False
) -> None:
    """See that folder, database and settings belong together; make the tie on the very first pass, and the marks in a
    collection from before there were any. ``accept_vanished``: results that are gone are meant to be.

    Raises HomeMismatchError, VanishedResultsError; nothing is written then.
    """
    if await check_home(settings, storage, ledger):
        home = storage.home.read()
        if home is not None and home.settings is None:
            await _bring_up_to_date(settings, storage, ledger, home, accept_vanished=accept_vanished)
        return
    make_folders(settings)
    storage.home.create(HomeFile(new_home_id(), told_settings(settings)))
    here = storage.home.read()
    if here is not None:
        check_settings(settings, storage, here)
        storage.home.mark(here.id)
    # Last: from then on each of these has to be there.
    if here is None or await ledger.create_home(here.id) != here.id:
        raise HomeMismatchError(
            f"another folder took this Prefect database while {storage.home.path} was made; {WAY_BACK}"
        )


async def check_home(settings: Settings, storage: Storage, ledger: LedgerGateway) -> bool:
    """Whether this folder and this Prefect database are tied; False before the very first pass. Writes nothing.

    Raises HomeMismatchError.
    """
    here, there = storage.home.read(), await ledger.read_home()
    file = storage.home.path
    if here is not None:
        check_settings(settings, storage, here)
    if here is not None and there is not None and here.id == there.id:
        if here.settings is not None:
            storage.home.check_marks()
            check_newest(storage, there)
        return True
    if here is not None and there is not None:
        raise HomeMismatchError(
            f"{file} and the Variable quire_home hold different ids: this folder belongs to another Prefect database "
            f"(check PREFECT_API_URL and paths.manifests), or it is a second collection that is called "
            f"{_named(settings)}: then set collection: to a name of its own; {WAY_BACK}"
        )
    if here is None and there is not None:
        raise HomeMismatchError(
            f"the Variable quire_home is there but {file} is not: is the folder mounted, is paths.manifests right? Or "
            f"is this a second collection in this Prefect, called {_named(settings)} like the first? Then set "
            f"collection: to a name of its own. {WAY_BACK}"
        )
    if storage.submissions():
        missing = "the Variable quire_home is missing" if here is not None else f"{file} is missing"
        raise HomeMismatchError(
            f"{missing}, but {storage.manifests / 'batches'} holds batch manifests: is this the right Prefect database "
            f"(PREFECT_API_URL)? {WAY_BACK}"
        )
    return False


def told_settings(settings: Settings) -> dict[str, Any]:
    """The settings that say whose a folder is, as ``home.json`` holds them. Paths inside of ``root`` are told from
    there: a project may be moved as a whole."""
    return {
        COLLECTION: settings.collection,
        # Another name of the one document would be another document.
        DOCUMENT_FIELDS: [f"one document, {name}" for name in settings.record.fixed]
        or list(settings.record.document_fields),
        OUTPUT_RESULTS: _told_path(settings.paths.output_results, settings.root),
        PAGE_IMAGES: _told_path(settings.paths.page_images, settings.root),
    }


def check_settings(settings: Settings, storage: Storage, home: HomeFile) -> None:
    """Raise HomeMismatchError for a setting that is not what it was when ``home`` was made."""
    now = told_settings(settings)
    then = home.settings if home.settings is not None else _settings_of_before(storage)
    for name in changed_settings(then, now):
        problem = f"is {_shown(now[name])}, but {storage.home.path} was made with {_shown(then[name])}"
        raise HomeMismatchError(str(settings.error(name, f"{problem}: {_WAYS_OUT[name]}")))


_KEEP = "set it back; a collection that differs in it needs its own paths.manifests and paths.output_results"
_ACCEPT = "set it back, or, if the folder was moved and is whole: quire recover --accept-folders"
_WAYS_OUT = {
    COLLECTION: f"two collections cannot share a folder; {_KEEP}; if this one was renamed: quire recover "
    "--accept-folders",
    DOCUMENT_FIELDS: f"record keys are made of them; {_KEEP}, and another name in collection",
    OUTPUT_RESULTS: _ACCEPT,
    PAGE_IMAGES: _ACCEPT,
}


def check_newest(storage: Storage, home: Home) -> None:
    """Raise HomeMismatchError if database and files do not know the same submissions: one of the two is from a backup.
    What was never posted is no sign of that: its pass may have died before it claimed it."""
    batches = storage.manifests / "batches"
    everyone = storage.submissions()
    unheard = [each for each in everyone if each > (home.newest or "") and storage.read_job(each) is not None]
    if home.newest is None or unheard:
        what = f"{len(unheard)} batches in {batches}, such as {unheard[-1]}" if unheard else f"what is in {batches}"
        raise HomeMismatchError(
            f"the Variable quire_home has never heard of {what}: Prefect's database was restored from an older backup, "
            "and would have what was sent since sent again. Restore a newer one, or make the Variables anew from the "
            f"files: quire recover; {WAY_BACK}"
        )
    is_older = (
        f"the folder was restored from an older backup, or lost some. Restore a newer one; without one {WAY_BACK}"
    )
    if home.newest and home.newest not in everyone:
        raise HomeMismatchError(
            f"the Variable quire_home knows the batch {home.newest}, but {batches} has not: {is_older}"
        )
    closed = len(storage.closed_submissions())
    if closed < home.closed:
        outcomes = storage.manifests / "outcomes"
        raise HomeMismatchError(
            f"the Variable quire_home knows of {home.closed} closed batches, but {outcomes} has those of {closed}: "
            f"{is_older}"
        )


def _named(settings: Settings) -> str:
    """The collection, and the file that names it: the wrong one may have been taken."""
    return f"{settings.collection!r} ({settings.source or 'settings'})"


def told_submissions(storage: Storage) -> SubmissionsTold:
    """What the files tell ``quire_home``."""
    newest, closed = max(storage.submissions(), default=""), len(storage.closed_submissions())
    return {"newest": newest, "closed": closed}


async def _bring_up_to_date(
    settings: Settings, storage: Storage, ledger: LedgerGateway, home: HomeFile, *, accept_vanished: bool
) -> None:
    """What a collection lacks that was made before there were marks. ``home.json`` comes last: a crash before it
    repeats all of it."""
    if not accept_vanished:
        await asyncio.to_thread(_check_results_are_there, settings, storage)
    storage.home.mark(home.id)
    async with ledger.transaction() as change:
        await change.note_submissions(**told_submissions(storage))
    storage.home.write(HomeFile(home.id, told_settings(settings)))


def _check_results_are_there(settings: Settings, storage: Storage) -> None:
    """Raise VanishedResultsError if there are none though records have succeeded: an empty folder gets no mark."""
    succeeded: set[str] = set()
    for name in storage.outcome_files():
        rows = storage.read_outcomes(name, ["record_key", "kind"])
        kinds = zip(rows["record_key"].to_pylist(), rows["kind"].to_pylist(), strict=True)
        succeeded |= {key for key, kind in kinds if kind == OutcomeKind.SUCCESS}
    succeeded -= storage.read_accepted()
    depth = len(settings.record.document_fields)
    if succeeded and succeeded.isdisjoint(walk_results(settings.paths.output_results, depth=depth)):
        raise VanishedResultsError(
            f"{storage.output_results}: of {len(succeeded)} records that succeeded, such as {min(succeeded)}, not one "
            "has an output result any more: is the folder mounted? If they were deleted on purpose: quire run "
            "--accept-vanished"
        )


def _settings_of_before(storage: Storage) -> Mapping[str, Any]:
    """What is known of the settings of a collection whose ``home.json`` does not name them."""
    for submission_id in reversed(storage.submissions()):
        return {COLLECTION: storage.read_batch_manifest(submission_id)[1].collection}
    return {}


def _told_path(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value)
