"""What killed passes leave behind: files for the time of one step, and temporary files beside those that were written.

A temporary file may be an operator's command's, which works while a pass runs, for a moment: so only old ones go.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from flows.gateways.files.creation import LOCK_NAME
from flows.gateways.ports import TEMPORARY_PREFIX

OLD = timedelta(hours=1)
"""No file is written for so long."""


def clear_work(folder: Path) -> int:
    """Remove all files of ``folder``, in which only a pass works, and it under its lock. Returns how many went."""
    return _remove(path for path in _listed(folder) if path.is_file())


def clear_temporary(folders: Iterable[Path], *, now: datetime) -> int:
    """Remove temporary files in ``folders`` that are old by ``now`` (UTC). Returns how many went. What cannot be looked
    at or removed is for a later pass."""
    since = (now - OLD).timestamp()
    found = (path for folder in folders for path in _listed(folder, TEMPORARY_PREFIX))
    return _remove(path for path in found if path.name != LOCK_NAME and _is_old(path, since))


def _listed(folder: Path, prefix: str = "") -> list[Path]:
    with suppress(OSError):
        # Names alone: a path for each of 20,000 takes ten times as long.
        return [folder / name for name in os.listdir(folder) if name.startswith(prefix)]  # noqa: PTH208
    return []


def _is_old(path: Path, since: float) -> bool:
    with suppress(OSError):
        return path.is_file() and path.lstat().st_mtime < since
    return False


def _remove(paths: Iterable[Path]) -> int:
    removed = 0
    for path in paths:
        with suppress(OSError):
            path.unlink()
            removed += 1
    return removed
