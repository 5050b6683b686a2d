"""A file system that fails: for the time of a block, calls of this process to files below a folder are counted, and one
of them, or all of its kind on that path, get an error of the system's. What is replaced is the system, below Python's
own modules; the product knows nothing of it.

It reaches what goes through `os` and `io.open`, with reads and writes of the files that those open. It does not reach
what C libraries open by themselves: the product hands them files that it has opened.
"""

import builtins
import errno
import io
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from flows.gateways.files import syncing
from tests.errno_matrix.sites import Site, call_site, seen_into_threads

READING = (errno.EACCES, errno.EIO, errno.ESTALE)
WRITING = (*READING, errno.ENOSPC, errno.EROFS)
ERRORS = {
    "open": READING,
    "create": WRITING,
    "read": READING,
    "write": WRITING,
    "fsync": (*WRITING, errno.EINVAL),
    "syncfs": (*WRITING, errno.EINVAL),
    "rename": WRITING,
    "link": (*WRITING, errno.EPERM, errno.EOPNOTSUPP),
    "unlink": WRITING,
    "mkdir": WRITING,
    "scandir": READING,
    "stat": READING,
}
"""Kind of call -> the errors that it may meet. ``create``: an open to write."""
_UNSTABLE = re.compile(r"(?<=manifests/work/)[0-9a-z-]+|[0-9a-hjkmnp-tv-z]{26}|(?<=\.tmp-)[0-9a-z-]+")
"""What differs from run to run in a path."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``number``: of the error; ``line``: of the calls it is for, as in `Calls.log`, "" for every one of this kind;
    ``nth``: of those calls, from 1; ``lasts``: all later ones of the kind on the same path fail, too."""

    kind: str
    number: int
    line: str = ""
    nth: int = 1
    lasts: bool = False

    @property
    def name(self) -> str:
        how = "lasting" if self.lasts else "once"
        return f"{self.line or self.kind}#{self.nth} {errno.errorcode[self.number]} {how}"


@dataclass
class Calls:
    """``sites``: where in the product each call came from, if ``sees_sites``, by its line and its number among those;
    ``log``: line -> how often; ``struck``: the paths of the calls that failed; ``is_lifted``: nothing fails any more,
    and what is asked now is not counted."""

    root: str
    fault: Fault | None
    sees_sites: bool = False
    sites: dict[tuple[str, int], Site] = field(default_factory=dict)
    log: Counter[str] = field(default_factory=Counter)
    struck: list[str] = field(default_factory=list)
    is_lifted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __bool__(self) -> bool:
        return bool(self.struck)

    def meet(self, kind: str, path: str) -> None:
        """A call is about to be made. Raises OSError, without a name, if it is to fail."""
        if not path.startswith(self.root) or self.is_lifted:
            return
        with self._lock:
            line = f"{kind} {_UNSTABLE.sub('*', path.removeprefix(self.root)) or '/'}"
            self.log[line] += 1
            if self.sees_sites:
                self.sites[line, self.log[line]] = call_site()
            fault = self.fault
            if fault is None or fault.kind != kind:
                return
            if self.struck:
                fails = fault.lasts and _stable(path) == _stable(self.struck[0])
            else:
                count = (
                    self.log[line]
                    if fault.line
                    else sum(n for each, n in self.log.items() if each.startswith(f"{kind} "))
                )
                fails = fault.line in ("", line) and count == fault.nth
            if fails:
                self.struck.append(path)
                raise OSError(fault.number, os.strerror(fault.number))


def _stable(path: str) -> str:
    """A file for a moment has another name each time; what lasts is trouble with its folder."""
    return re.sub(r"/(\.tmp-|work/)[^/]*$", r"/\1", path)


@contextmanager
def faults_in(root: Path, fault: Fault | None, *, sees_sites: bool = False) -> Iterator[Calls]:
    """Count the calls below ``root`` and let ``fault`` happen."""
    calls = Calls(os.fspath(root), fault, sees_sites)
    system = _system(calls)
    before = {(module, name): getattr(module, name) for module, name in system}
    for (module, name), call in system.items():
        setattr(module, name, call)
    try:
        with seen_into_threads() if sees_sites else nullcontext():
            yield calls
    finally:
        for (module, name), original in before.items():
            setattr(module, name, original)


def _system(calls: Calls) -> dict[tuple[Any, str], Callable[..., Any]]:
    opened = _faulty_open(calls)
    return {
        (builtins, "open"): opened,
        (io, "open"): opened,
        (os, "open"): _on_path(calls, os.open, lambda flags, *_: "create" if flags & os.O_ACCMODE else "open"),
        (os, "fsync"): _on_descriptor(calls, "fsync", os.fsync),
        (os, "write"): _on_descriptor(calls, "write", os.write),
        (syncing, "syncfs"): _on_descriptor(calls, "syncfs", syncing.syncfs),
        (os, "replace"): _on_target(calls, os.replace, "rename"),
        (os, "rename"): _on_target(calls, os.rename, "rename"),
        (os, "link"): _on_target(calls, os.link, "link"),
        (os, "unlink"): _on_path(calls, os.unlink, lambda *_: "unlink"),
        (os, "mkdir"): _on_path(calls, os.mkdir, lambda *_: "mkdir"),
        (os, "listdir"): _on_path(calls, os.listdir, lambda *_: "scandir"),
        (os, "scandir"): _faulty_scandir(calls),
        (os, "stat"): _on_path(calls, os.stat, lambda *_: "stat"),
        (os, "lstat"): _on_path(calls, os.lstat, lambda *_: "stat"),
        (os, "statvfs"): _on_path(calls, os.statvfs, lambda *_: "stat"),
    }


def _on_path(calls: Calls, call: Callable[..., Any], kind_of: Callable[..., str]) -> Callable[..., Any]:
    @wraps(call)
    def faulty(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if isinstance(path, str | os.PathLike):
            _meet(calls, kind_of(*arguments), os.fspath(path))
        return call(path, *arguments, **options)

    return faulty


def _on_target(calls: Calls, call: Callable[..., Any], kind: str) -> Callable[..., Any]:
    @wraps(call)
    def faulty(source: Any, target: Any, **options: Any) -> Any:
        _meet(calls, kind, os.fspath(target), os.fspath(source))
        return call(source, target, **options)

    return faulty


def _meet(calls: Calls, kind: str, path: str, source: str | None = None) -> None:
    """As the system would name it: a call with two paths names both, the source first."""
    try:
        calls.meet(kind, path)
    except OSError as error:
        if source is None:
            raise type(error)(error.errno, error.strerror, path) from None
        raise type(error)(error.errno, error.strerror, source, None, path) from None


def _on_descriptor(calls: Calls, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def faulty(file: Any, *arguments: Any) -> Any:
        descriptor = file if isinstance(file, int) else file.fileno()
        calls.meet(kind, str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return call(file, *arguments)

    return faulty


class _Entry:
    """An `os.DirEntry` whose look at the file may fail."""

    def __init__(self, calls: Calls, entry: Any) -> None:
        self._calls, self._entry = calls, entry

    def stat(self, **options: Any) -> Any:
        _meet(self._calls, "stat", self._entry.path)
        return self._entry.stat(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __fspath__(self) -> str:
        return str(self._entry.path)


class _Entries:
    def __init__(self, calls: Calls, found: Any) -> None:
        self._calls, self._found = calls, found

    def __enter__(self) -> "_Entries":
        return self

    def __exit__(self, *_: object) -> None:
        self._found.close()

    def __iter__(self) -> Iterator[_Entry]:
        return (_Entry(self._calls, entry) for entry in self._found)

    def close(self) -> None:
        self._found.close()


def _faulty_scandir(calls: Calls) -> Callable[..., Any]:
    scandir = os.scandir

    @wraps(scandir)
    def faulty(path: Any = ".") -> Any:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(calls.root):
            return scandir(path)
        _meet(calls, "scandir", os.fspath(path))
        return _Entries(calls, scandir(path))

    return faulty


class _Raw(io.FileIO):
    """A file whose reads and writes may fail; as with the system, without a word of which file it is."""

    def __init__(self, calls: Calls, path: str, mode: str) -> None:
        self._calls, self._path = calls, path
        super().__init__(path, mode)

    def readinto(self, buffer: Any) -> Any:
        self._calls.meet("read", self._path)
        return super().readinto(buffer)

    def read(self, size: Any = -1) -> Any:
        self._calls.meet("read", self._path)
        return super().read(size)

    def readall(self) -> Any:
        self._calls.meet("read", self._path)
        return super().readall()

    def write(self, data: Any) -> Any:
        self._calls.meet("write", self._path)
        return super().write(data)


def _faulty_open(calls: Calls) -> Callable[..., Any]:
    system_open = io.open

    @wraps(system_open)
    def faulty(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        path = os.fspath(file) if isinstance(file, str | os.PathLike) else ""
        if not isinstance(path, str) or not path.startswith(calls.root):
            return system_open(file, mode, buffering, *arguments, **options)
        kind = "open" if mode.strip("bt") == "r" else "create"
        _meet(calls, kind, path)
        raw = _Raw(calls, path, mode.replace("b", "").replace("t", ""))
        if "b" in mode and buffering == 0:
            return raw
        buffered = io.BufferedRandom if "+" in mode else io.BufferedReader if kind == "open" else io.BufferedWriter
        binary = buffered(raw)
        if "b" in mode:
            return binary
        names = ("encoding", "errors", "newline")
        return io.TextIOWrapper(binary, **{**dict(zip(names, arguments, strict=False)), **options})

    return faulty
