"""A file system on which capitals do not count: for the time of a block, each name below a folder is the one that is
there already, however it is written. As for `faults`, what is replaced is Python's way to the system.
"""

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

_ONE_PATH = ("access", "open", "stat", "lstat", "unlink", "mkdir", "listdir", "scandir", "statvfs", "readlink")
_TWO_PATHS = ("replace", "rename", "link")


@contextmanager
def without_capitals(root: Path) -> Iterator[None]:
    """Below ``root``, as on exFAT or a share of Windows."""
    listdir, top = os.listdir, os.fspath(root)

    def there(path: Any) -> Any:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(f"{top}/"):
            return path
        found = top
        for name in os.fspath(path).removeprefix(f"{top}/").split("/"):
            try:
                names = {each.casefold(): each for each in listdir(found)}
            except OSError:
                names = {}
            found = f"{found}/{names.get(name.casefold(), name)}"
        return found

    def folding(call: Callable[..., Any], paths: int) -> Callable[..., Any]:
        @wraps(call)
        def folded(*arguments: Any, **options: Any) -> Any:
            return call(*(there(each) for each in arguments[:paths]), *arguments[paths:], **options)

        return folded

    places = [(os, name, 1) for name in _ONE_PATH] + [(os, name, 2) for name in _TWO_PATHS]
    places += [(io, "open", 1), (builtins, "open", 1)]
    before = [(module, name, getattr(module, name)) for module, name, _ in places]
    for module, name, paths in places:
        setattr(module, name, folding(getattr(module, name), paths))
    try:
        yield
    finally:
        for module, name, call in before:
            setattr(module, name, call)
