"""Whether a folder holds what it held when it was listed last, told by its identity and its times alone, with git's
care: a time proves something only if nothing can change behind it without its moving on.

What is remembered of folders is kept by `index_files`; here is what makes it believed. A file that is written in place
moves no folder's time: who must know of that lists the folder and asks for each file.
"""

import json
import os
import secrets
import stat
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from flows.gateways.ports import TEMPORARY_PREFIX

GRAIN_NS = 60_000_000_000
"""A folder that was changed within so much of the look at it is looked at again: more than the grain of any clock of
files (2 s on FAT), and than clocks of two machines drift apart between two trials."""
UNTRIED_GRAIN_NS = 3_600_000_000_000
"""The same where nobody has compared the file system's clock with ours."""
THREADS = 16
_WAITING = 20
"""Who waits so many times longer than he works waits for a network, and others can wait beside him; on a busy machine a
call waits a few times as long as it works, and threads would only make it longer."""
_TRIAL = f"{TEMPORARY_PREFIX}trial-folder-"

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class FolderLook:
    """``stamp``: the folder's identity and its times as text; ``is_settled``: another change cannot leave the stamp as
    it is."""

    stamp: str
    is_settled: bool


@dataclass(frozen=True, slots=True)
class FolderClocks:
    """Which file systems move a folder's time when a name in it comes or goes. ``ahead_ns``: number of the device ->
    how far its clock is ahead of ours; ``untried``: whether those are believed, too, of which nothing is known."""

    ahead_ns: Mapping[int, int]
    untried: bool = False

    @property
    def believe_any(self) -> bool:
        return bool(self.ahead_ns) or self.untried

    def look(self, found: os.stat_result, now_ns: int) -> FolderLook:
        """``now_ns``: by our clock, from before ``found`` was asked for."""
        stamp = f"{found.st_dev}:{found.st_ino}:{found.st_mtime_ns}:{found.st_ctime_ns}"
        ahead_ns = self.ahead_ns.get(found.st_dev)
        if ahead_ns is None:
            return FolderLook(stamp, self.untried and found.st_mtime_ns + UNTRIED_GRAIN_NS < now_ns)
        return FolderLook(stamp, found.st_mtime_ns + GRAIN_NS < now_ns + ahead_ns)


NEVER = FolderClocks({})
"""Believes no folder's time."""


def look_at_folders(folders: Sequence[str], clocks: FolderClocks) -> list[FolderLook | None]:
    """Each of ``folders`` as it is now; None: it is none, or cannot be looked at."""
    now_ns = time.time_ns()

    def look(folder: str) -> FolderLook | None:
        try:
            found = os.stat(folder)  # noqa: PTH116 - for each document
        except OSError:
            return None
        return clocks.look(found, now_ns) if stat.S_ISDIR(found.st_mode) else None

    return list(side_by_side(look, folders))


def side_by_side(call: Callable[[T], R], each: Sequence[T], *, probe: int = 20) -> Iterator[R]:
    """``call`` of ``each``, in order: in threads where the first ``probe`` show that it waits for a network."""
    waits = []
    for one in each[:probe]:
        started, worked = time.perf_counter(), time.thread_time()
        yield call(one)
        worked = time.thread_time() - worked
        waits.append((time.perf_counter() - started - worked) / max(worked, 1e-6))
    rest = each[probe:]
    if rest and statistics.median(waits) > _WAITING:
        with ThreadPoolExecutor(THREADS, thread_name_prefix="folders") as pool:
            yield from pool.map(call, rest)
    else:
        yield from map(call, rest)


# --- which file systems keep folders' times


def known_clocks(note: Path, folders: Iterable[Path]) -> FolderClocks:
    """The clocks of those file systems of ``folders`` that were tried; writes nothing. ``note``: see `tried_clocks`."""
    known, ahead_ns = _read(note), dict[int, int]()
    for folder in folders:
        with suppress(OSError):
            if (ahead := known.get(_name_of(folder))) is not None:
                ahead_ns[folder.stat().st_dev] = ahead
    return FolderClocks(ahead_ns)


def tried_clocks(note: Path, folders: Sequence[Path]) -> FolderClocks:
    """The clocks of the file systems of ``folders``, each tried once and kept in the file ``note``: in the first of
    ``folders`` that lies on it and can be written. What cannot be tried is not believed, and tried again."""
    known = _read(note)
    tried = dict(known)
    for folder in folders:
        with suppress(OSError):
            if (name := _name_of(folder)) not in tried:
                tried[name] = time_ahead(folder)
    if tried != known:
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(tried) + "\n", encoding="utf-8")
    return known_clocks(note, folders)


def time_ahead(folder: Path) -> int | None:
    """How far the clock of the file system of ``folder`` is ahead of ours, in nanoseconds; None: the time of a folder
    stays when a name in it comes, changes or goes. Tried in a folder of our own, which is removed again. Raises
    OSError."""
    trial = folder / f"{_TRIAL}{secrets.token_hex(8)}"
    one, other = trial / "one", trial / "other"
    trial.mkdir()
    try:
        ahead = 0
        for change in (one.touch, lambda: one.rename(other), other.unlink):
            os.utime(trial, ns=(0, 0))
            before = trial.stat().st_mtime_ns
            change()
            after = trial.stat().st_mtime_ns
            if after == before:
                return None
            ahead = after - time.time_ns()
        return ahead
    finally:
        for path in (one, other):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            trial.rmdir()


def _name_of(folder: Path) -> str:
    """Numbers of devices are given out anew with each start of a machine."""
    return f"{os.stat(folder).st_dev}:{os.statvfs(folder).f_fsid}"  # noqa: PTH116


def _read(note: Path) -> dict[str, int | None]:
    """Empty where it is missing or damaged: all is tried again."""
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_known = isinstance(known, dict) and all(each is None or isinstance(each, int) for each in known.values())
    return known if is_known else {}
