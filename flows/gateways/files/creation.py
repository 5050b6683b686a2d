"""A name that is given once: how a finished file gets to its place only if nothing stands there, by what the file
system has. Always the whole file appears at once, so nobody takes half of one for a whole one.

A hard link, or a rename that does not replace (Linux), is one step of the file system's. Where neither is known, a lock
on a file beside it keeps others away between the look and the rename.
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.gateways.files.refusals import NOT_LINKED, NOT_LOCKED, NOT_RENAMED
from flows.gateways.ports import TEMPORARY_PREFIX

Way = Callable[[Path, Path], bool]
LOCK_NAME = f"{TEMPORARY_PREFIX}lock"
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


class UnknownCallError(Exception):
    """This file system, or this system, knows no such call."""


def put_in_place(temporary: Path, path: Path, ways: Sequence[Way] | None = None) -> bool:
    """Give the file ``temporary``, on the same file system, the name ``path``, unless something is there. Returns
    whether it was done; ``temporary`` may be there still. Raises OSError."""
    for way in ways or WAYS:
        try:
            return way(temporary, path)
        except UnknownCallError:
            continue
    raise AssertionError("the last way is always known")


def by_link(temporary: Path, path: Path) -> bool:
    """Raises UnknownCallError, OSError."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        # Over NFS an answer may be lost and the call repeated: then it is ours that stands there.
        return path.exists() and path.samefile(temporary)
    except OSError as error:
        if error.errno in NOT_LINKED:
            raise UnknownCallError from None
        raise
    return True


def by_rename(temporary: Path, path: Path) -> bool:
    """``renameat2`` without replacing. Raises UnknownCallError, OSError."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise UnknownCallError
    if call(_AT_FDCWD, os.fsencode(temporary), _AT_FDCWD, os.fsencode(path), _RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number == errno.EEXIST:
        return False
    if number in NOT_RENAMED:
        raise UnknownCallError
    raise OSError(number, os.strerror(number), str(path))


def by_lock(temporary: Path, path: Path) -> bool:
    """Look, then rename, under a lock that ends with its process. Raises OSError."""
    with _locked(path.with_name(LOCK_NAME)):
        if os.path.lexists(path):
            return False
        temporary.rename(path)
        return True


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            # No lock either. All that is created once is created under a lock of Prefect's.
            if error.errno not in NOT_LOCKED:
                raise
        yield


WAYS: tuple[Way, ...] = (by_link, by_rename, by_lock)
"""In the order in which they are tried."""
