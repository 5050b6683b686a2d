"""Many files made durable together: by one ``syncfs`` where that keeps its word, else by a sync of each file and each
folder, side by side. A single file is the matter of `atomic`.

``syncfs`` writes out a whole file system and waits for it. It keeps its word where the kernel tells its caller of
writes that failed (from Linux 5.8 on: of all that failed since the descriptor was opened), on file systems that are
known to write out all that belongs to them. Others take the call and do less: a FUSE mount need not hear of it, and an
overlay may stand on anything.
"""

import ctypes
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.gateways.files.atomic import sync_file, sync_folder

FEWEST = 32
"""For fewer files and folders each is synced by itself: what others have written on the same disk, which syncfs waits
for, may be gigabytes."""
_SYNCED_AS_A_WHOLE = {0xEF53: "ext4", 0x58465342: "XFS", 0x9123683E: "Btrfs", 0xF2F52010: "F2FS", 0x01021994: "tmpfs"}
"""By the numbers that statfs tells."""
_REPORTS_SINCE = (5, 8)
_SIDE_BY_SIDE = 16
_STATFS_BYTES = 512


class Syncing:
    """Makes durable what is written below ``folder`` between `begin_syncing` and `end_syncing`. Used by one thread at a
    time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self.device: int | None = None

    def begin_syncing(self) -> None:
        """Before anything is written. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            self.device = os.fstat(self._descriptor).st_dev

    def end_syncing(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def sync_group(self, files: Sequence[str], folders: Iterable[str], *, is_one_device: bool) -> dict[str, OSError]:
        """Make ``files`` and the names in ``folders`` durable; what of them could not be, and why. ``is_one_device``:
        all lie on the file system of the folder that this was made for."""
        folders = list(folders)
        if is_one_device and len(files) + len(folders) >= FEWEST and self._syncs_as_a_whole():
            return {}
        return dict(_synced(files, _sync_file_at)) | dict(_synced(folders, _sync_folder_at))

    def _syncs_as_a_whole(self) -> bool:
        descriptor = self._descriptor
        if descriptor is None or not keeps_its_word(descriptor):
            return False
        try:
            syncfs(descriptor)
            # What a fault has made read-only meanwhile is passed over without a word.
            return not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY
        except OSError:
            # It may be a file of somebody else's that could not be written: each of ours tells for itself.
            return False


def keeps_its_word(descriptor: int) -> bool:
    """Whether a syncfs of this file system can be believed."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if os.uname().sysname != "Linux" or release is None or (int(release[1]), int(release[2])) < _REPORTS_SINCE:
        return False
    return _call("syncfs") is not None and _kind_of(descriptor) in _SYNCED_AS_A_WHOLE


def syncfs(descriptor: int) -> None:
    """Raises OSError."""
    call = _call("syncfs")
    if call is None or call(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _kind_of(descriptor: int) -> int | None:
    """The number of a file system's kind, which statfs tells first; None: it cannot be had."""
    call, found = _call("fstatfs"), ctypes.create_string_buffer(_STATFS_BYTES)
    if call is None or call(descriptor, found) != 0:
        return None
    return ctypes.c_ulong.from_buffer(found).value


def _call(name: str) -> Any:
    return getattr(ctypes.CDLL(None, use_errno=True), name, None)


def _synced(paths: Sequence[str], sync: Callable[[str], OSError | None]) -> Iterator[tuple[str, OSError]]:
    """What could not be synced. Where there are many they go side by side: a disk takes several syncs at once."""
    with _mapping(len(paths)) as each:
        for path, error in zip(paths, each(sync, paths), strict=True):
            if error is not None:
                yield path, error


@contextmanager
def _mapping(count: int) -> Iterator[Callable[..., Iterable[OSError | None]]]:
    if count < FEWEST:
        yield map
        return
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        yield pool.map


def _sync_file_at(path: str) -> OSError | None:
    try:
        with open(path, "r+b") as file:  # noqa: PTH123 - for each result of a batch
            sync_file(file)
    except OSError as error:
        return error
    return None


def _sync_folder_at(path: str) -> OSError | None:
    try:
        sync_folder(Path(path))
    except OSError as error:
        return error
    return None
