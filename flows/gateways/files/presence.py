"""Whether something is there. ``Path.exists``, ``is_file`` and ``is_dir`` take what cannot be looked at (no permission,
a broken disk) for what is not there, from Python 3.14 on all of them: nothing that Quire decides hangs on that.
"""

import os
import stat
from pathlib import Path


def found_at(path: str | Path) -> os.stat_result | None:
    """What is at ``path``, links followed, or None if there is nothing. Raises OSError for what cannot be looked at."""
    try:
        return os.stat(path)  # noqa: PTH116 - for texts, too
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_there(path: str | Path) -> bool:
    """Raises OSError."""
    return found_at(path) is not None


def is_folder(path: str | Path) -> bool:
    """Raises OSError."""
    found = found_at(path)
    return found is not None and stat.S_ISDIR(found.st_mode)
