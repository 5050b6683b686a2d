"""What a folder can do, found out by doing it. All that is written is a trial file, which is removed again."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flows.gateways.files.atomic import naming, sync_file, sync_folder
from flows.gateways.files.creation import UnknownCallError, Way, by_link, by_rename
from flows.gateways.files.presence import is_there
from flows.gateways.ports import TEMPORARY_PREFIX

TRIAL_BYTES = 16_384
"""The result of a page with a good deal of text."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """``links``: hard links; ``renames_once``: a rename that does not replace; ``syncs``: the sync of a folder;
    ``folds_case``: capitals do not count; ``free_bytes``: what can still be written."""

    links: bool
    renames_once: bool
    syncs: bool
    folds_case: bool
    free_bytes: int


def abilities(folder: Path) -> Abilities:
    """What the file system of ``folder``, which must be there, can do. Raises OSError."""
    try_write(folder)
    return Abilities(
        links=_knows(by_link, folder),
        renames_once=_knows(by_rename, folder),
        syncs=sync_folder(folder),
        folds_case=folds_case(folder),
        free_bytes=free_bytes(folder),
    )


def try_write(folder: Path) -> None:
    """Write a file as large as a page's result into ``folder``, which is made if it is missing, durably, and remove it.
    Raises OSError that names the folder."""
    path = _trial_path(folder)
    with naming(folder, instead_of=path):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                # Bytes of chance: a file system that presses what is all alike would have room for it anyway.
                file.write(secrets.token_bytes(TRIAL_BYTES))
                file.flush()
                sync_file(file)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        path.unlink()


def free_bytes(folder: Path) -> int:
    """What can still be written into ``folder`` by who we are. Raises OSError."""
    found = os.statvfs(nearest_folder(folder))
    return found.f_bavail * found.f_frsize


def folds_case(folder: Path) -> bool:
    """Whether names in ``folder`` that differ in their capitals alone are one name. Read off a name that is there, or
    off a trial file where none has a letter. A folder that is not there yet is taken to be like the one that it will be
    in. Raises OSError."""
    folder = nearest_folder(folder)
    for name in os.listdir(folder):  # noqa: PTH208 - names alone
        if name.swapcase() != name and name.swapcase().swapcase() == name:
            return _are_one(folder / name, folder / name.swapcase())
    path = _trial_path(folder)
    with naming(folder, instead_of=path):
        try:
            path.touch()
            return _are_one(path, path.with_name(path.name.swapcase()))
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _knows(way: Way, folder: Path) -> bool:
    one, other = _trial_path(folder), _trial_path(folder)
    with naming(folder, instead_of=one):
        try:
            one.touch()
            return way(one, other)
        except UnknownCallError:
            return False
        finally:
            for path in (one, other):
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def nearest_folder(folder: Path) -> Path:
    """``folder``, or the nearest one above it that is there. Raises OSError."""
    while not is_there(folder):
        folder = folder.parent
    return folder


def _are_one(path: Path, other: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except FileNotFoundError:
        return False


def _trial_path(folder: Path) -> Path:
    return folder / f"{TEMPORARY_PREFIX}trial-{secrets.token_hex(8)}"
