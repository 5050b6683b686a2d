"""``quire backup`` and ``quire restore``: what Quire keeps, copied under the pass lock, and put back. The results
themselves are copied by whatever copies the archive's other files; what there was is listed.

A restore never writes over a file and never makes the past of a newer collection: what batches were sent since the
backup would be sent, and paid for, again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assets.domain.errors import WAY_BACK, HomeMismatchError, QuireError
from assets.domain.ledger import collection_prefix
from assets.domain.ledger_parsing import parse_ledger
from config.settings import Settings, check_folders, load_settings
from flows.gateways.files.backups import Backup, compared, copy_files, files_below, finish, put_back, read_backup
from flows.gateways.files.home import HomeFiles
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.recover import recover
from flows.runtime.home import check_home, check_settings
from flows.runtime.wiring import (
    Services,
    config_path,
    make_storage,
    open_ledger,
    open_pass_lock,
    open_services,
    utc_now,
)

NOTHING_YET = "nothing was sent or settled yet, so there is nothing to back up"


async def backup_text(config: str | None, to: Path, *, dry_run: bool = False) -> str:
    """Make a backup in a new folder below ``to``, an absolute path; what was copied, in a line. ``dry_run``: only say
    what would be, whether a pass runs or not. Raises PassBusyError, StateError, QuireError, OSError; then what there is
    of it has no ``backup.json``."""
    settings = load_settings(config_path(config))
    check_folders(settings)
    storage, manifests = make_storage(settings), settings.paths.manifests
    if to.is_relative_to(manifests):
        raise QuireError(f"{to} lies in {manifests}, which is backed up itself; name another folder")
    if dry_run:
        async with open_ledger(settings) as ledger:
            is_begun = await check_home(settings, storage, ledger)
        return await asyncio.to_thread(_would_copy, storage, to) if is_begun else NOTHING_YET
    async with open_pass_lock(settings) as (ledger, pass_lock), pass_lock.hold(wait=False):
        if not await check_home(settings, storage, ledger):
            return NOTHING_YET
        made_at = utc_now()
        folder = to / f"{settings.collection or 'main'}-{made_at:%Y%m%dT%H%M%SZ}"
        # What a person has noted by a command stands in small files and in the Variables: of one moment.
        async with ledger.transaction() as change:
            variables = change.ledger.stored
            names = await asyncio.to_thread(files_below, manifests)
            small = [name for name in names if "/" not in name]
            copied = await asyncio.to_thread(copy_files, manifests, small, folder)
        others = [name for name in names if "/" in name]
        copied |= await asyncio.to_thread(copy_files, manifests, others, folder)
        backup = Backup(
            folder=folder,
            collection=settings.collection,
            home_id=_id_of(storage),
            made_at=made_at,
            variables=variables,
            files=copied,
            results=(await asyncio.to_thread(storage.find_results)).files,
        )
        await asyncio.to_thread(finish, backup)
    size = sum(each.bytes for each in copied.values())
    return (
        f"{folder}: {len(copied):,} files, {size / 1e6:,.1f} MB, {len(backup.submissions()):,} batches, the Variables, "
        f"and a list of {len(backup.results):,} results. The results themselves are not in it: copy "
        f"{storage.output_results}"
    )


def _would_copy(storage: Storage, to: Path) -> str:
    names = files_below(storage.manifests)
    found = [found_at(storage.manifests / name) for name in names]
    size = sum(each.st_size for each in found if each is not None)
    results = len(storage.find_results().files)
    return (
        f"{len(names):,} files, {size / 1e6:,.1f} MB, the Variables, and a list of {results:,} results would be copied "
        f"into a new folder in {to}; nothing is done"
    )


async def restore_text(config: str | None, folder: Path, *, write: bool) -> str:
    """Put a backup back, or show what would be. Raises PassBusyError, StateError, GeminiError (its list is needed),
    QuireError, OSError."""
    settings = load_settings(config_path(config))
    async with open_services(settings) as services:
        async with services.pass_lock.hold(wait=False) as lease:
            found = await asyncio.to_thread(_look, settings, services.storage, folder)
            has_variables = await services.ledger.read_home() is not None
            if write:
                lease.check()
                await asyncio.to_thread(put_back, found.backup, settings.paths.manifests, found.missing)
        lines = found.lines(services.storage, write=write)
        if has_variables:
            lines.append("The Variables are there, and stay: if a pass says that they do not fit, quire recover")
        elif write:
            lines.append(await recover(services, write=True, counts=_counts(services, found)))
        else:
            lines.append(f"The Variables are not there: they would be made anew, with {_noted(found.backup)}")
        if not write:
            lines.append(f"Nothing is written. quire restore {folder} --yes does it.")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Found:
    """``missing``, ``differing``: see `compared`; ``gone``: results of the list that are not there, ``gone_such_as``
    one of them; ``is_past``: batches of the backup were settled since, so that its counts are not the last ones."""

    backup: Backup
    missing: list[str]
    differing: list[str]
    gone: int
    gone_such_as: str
    is_past: bool

    def lines(self, storage: Storage, *, write: bool) -> list[str]:
        backup = self.backup
        name = backup.collection or "the collection without a name"
        lines = [f"{backup.folder} is whole: {name} at {backup.made_at:%Y-%m-%d %H:%M:%S} UTC"]
        lines.append(f"{len(self.missing):,} files {'are put' if write else 'would be put'} back: {storage.manifests}")
        if self.differing:
            lines.append(
                f"{len(self.differing):,} files there are not those of the backup, such as {self.differing[0]}: they "
                "stay; to have one from the backup, move it away first"
            )
        if self.gone:
            lines.append(
                f"{self.gone:,} of {len(backup.results):,} results are not in {storage.output_results}, such as "
                f"{self.gone_such_as}: copy them back before the next pass, else they are read, and paid for, again"
            )
        return lines


def _look(settings: Settings, storage: Storage, folder: Path) -> _Found:
    """Raises QuireError, StateError, OSError."""
    backup = read_backup(folder)
    if backup.collection != settings.collection:
        raise HomeMismatchError(
            f"{folder} is a backup of the collection {backup.collection!r}, and this one is {settings.collection!r}: "
            "name the configuration file of that one, or another backup"
        )
    home = HomeFiles(folder / "manifests", settings.paths.output_results).read()
    if home is not None:
        check_settings(settings, storage, home)
    here = storage.home.read()
    if here is not None and here.id != backup.home_id:
        raise HomeMismatchError(
            f"{storage.home.path} is of another collection than {folder}, or of one that was begun anew since; "
            f"{WAY_BACK}"
        )
    newer = sorted(set(storage.submissions()) - backup.submissions())
    if newer:
        raise HomeMismatchError(
            f"{storage.manifests} knows {len(newer)} batches that were made after this backup, such as {newer[-1]}: "
            "nothing is restored. Take a newer backup; to go back in spite of them, move that folder away, and their "
            "pages are sent again"
        )
    missing, differing = compared(backup, settings.paths.manifests)
    listed = backup.results["record_key"].to_pylist()
    there = storage.present_among(listed)
    gone = [key for key in listed if key not in there]
    of_backup = set(backup.of_manifests())
    is_past = any(f"outcomes/{name}.parquet" not in of_backup for name in storage.outcome_files())
    return _Found(backup, missing, differing, len(gone), gone[0] if gone else "", is_past)


def _counts(services: Services, found: _Found) -> Mapping[str, int] | None:
    """The failure counts as they stood in the backup's Variables, where nothing was settled since."""
    if found.is_past:
        return None
    settings = services.settings
    ledger = parse_ledger(
        found.backup.variables,
        prefix=collection_prefix(settings.collection),
        field_count=len(settings.record.document_fields),
    )
    return dict(ledger.counts)


def _id_of(storage: Storage) -> str:
    home = storage.home.read()
    return home.id if home is not None else ""


def _noted(backup: Backup) -> str:
    return f"those of the backup and Gemini's list ({len(backup.submissions()):,} batches)"
