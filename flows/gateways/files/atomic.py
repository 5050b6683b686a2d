"""Files that are whole or absent: atomic replacement, creation that happens once, and what must reach the disk first.

What a file system does not have (hard links, the sync of a folder) is made good here or passed over; what it refuses
is an OSError that names the file. Knows no folder of the product; `storage` does.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flows.gateways.files.creation import put_in_place
from flows.gateways.files.refusals import NOT_SYNCED, NOT_SYNCED_FOLDER
from flows.gateways.ports import TEMPORARY_PREFIX


def replace_file(
    path: Path, write: Callable[[Path], None], *, before: Callable[[os.stat_result], None] | None = None
) -> None:
    """Write to a temporary file beside ``path``, make it durable, and let it take the place of ``path`` in one step.
    ``before``: is done just before that step, and told what the file system says of the file: its size and time stay.

    Raises OSError with the name of ``path``; then ``path`` is as it was, or, where only its folder could not be synced,
    the new one.
    """
    with _written_beside(path, write) as temporary:
        if before is not None:
            before(temporary.stat())
        temporary.replace(path)
        sync_folder(path.parent)


def create_file(path: Path, write: Callable[[Path], None], *, temporary_in: Path | None = None) -> bool:
    """Create ``path`` whole and durable, or leave the one that is there. Returns whether it was created. Raises OSError
    with the name of ``path``. ``temporary_in``: another folder of the same file system for the temporary file, where
    so many lie in the one of ``path`` that nobody looks through it for what was left."""
    with _written_beside(path, write, temporary_in) as temporary:
        if not put_in_place(temporary, path):
            return False
        sync_folder(path.parent)
        return True


def replace_text(path: Path, text: str) -> None:
    """`replace_file` with a text in UTF-8."""
    replace_file(path, lambda temporary: _write_text(temporary, text))


def create_text(path: Path, text: str) -> bool:
    """`create_file` with a text in UTF-8."""
    return create_file(path, lambda temporary: _write_text(temporary, text))


def sync_file(file: IO[bytes]) -> None:
    """Make what was written and flushed durable, where the file system can. Raises OSError."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NOT_SYNCED:
            raise


def sync_folder(folder: Path) -> bool:
    """Make the names in ``folder`` durable, where its file system can. Returns whether it can. Raises OSError."""
    with naming(folder):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            # CIFS, WSL and others know no such sync: what they make durable, and when, is theirs to say.
            if error.errno not in NOT_SYNCED_FOLDER:
                raise
            return False
    return True


@contextmanager
def naming(path: Path, *, instead_of: Path | None = None) -> Iterator[None]:
    """Let an OSError from within name ``path``, where it names no file (a read, a write, a sync), or ``instead_of``."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or os.fspath(error.filename) == str(instead_of)):
            error.filename, error.filename2 = str(path), None
        raise


def read_lines(path: Path, *, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """`lines_of` a file."""
    with naming(path), path.open("rb") as file:
        yield from lines_of(file, max_line_bytes=max_line_bytes)


def lines_of(file: IO[bytes], *, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """(offset from here, line without its end) for every line that is not blank, split on ``\\n`` only.

    A line of ``max_line_bytes`` or more comes cut off at just that length, blank or not: memory stays bounded, and
    whoever gets it sees by its length that it is not whole.
    """
    offset = 0
    while line := file.readline(max_line_bytes):
        start, offset = offset, offset + len(line)
        is_cut = len(line) == max_line_bytes and not line.endswith(b"\n")
        while not line.endswith(b"\n") and (rest := file.readline(max_line_bytes)):
            offset += len(rest)
            if rest.endswith(b"\n"):
                break
        if is_cut:
            yield start, line
        elif line.strip():
            yield start, line.rstrip(b"\r\n")


@contextmanager
def _written_beside(path: Path, write: Callable[[Path], None], folder: Path | None = None) -> Iterator[Path]:
    """A temporary file beside ``path``, or in ``folder``, with what ``write`` writes, on the disk; gone afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (folder or path.parent) / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    with naming(path, instead_of=temporary):
        try:
            write(temporary)
            with temporary.open("r+b") as file:
                sync_file(file)
            yield temporary
        finally:
            # What cannot be removed now is removed by a later pass.
            with suppress(OSError):
                temporary.unlink()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
