"""Files that are whole or absent: atomic replacement, creation that happens once, and what must reach the disk first.

Knows no folder of the product; `storage` does.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from flows.gateways.ports import TEMPORARY_PREFIX


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write to a temporary file beside ``path``, make it durable, and let it take the place of ``path`` in one step.

    Raises OSError; then ``path`` is as it was.
    """
    temporary = _temporary_beside(path)
    try:
        write(temporary)
        _sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def create_file(path: Path, write: Callable[[Path], None]) -> bool:
    """Create ``path`` whole and durable, or leave the one that is there. Returns whether it was created.

    A hard link, since a rename would overwrite. Raises OSError.
    """
    temporary = _temporary_beside(path)
    try:
        write(temporary)
        _sync_file(temporary)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        sync_folder(path.parent)
        return True
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def replace_text(path: Path, text: str) -> None:
    """`replace_file` with a text in UTF-8."""
    replace_file(path, lambda temporary: _write_text(temporary, text))


def create_text(path: Path, text: str) -> bool:
    """`create_file` with a text in UTF-8."""
    return create_file(path, lambda temporary: _write_text(temporary, text))


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path, *, max_line_bytes: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line without its end) for every line that is not blank, split on ``\\n`` only.

    A line of ``max_line_bytes`` or more comes cut off at just that length, blank or not: memory stays bounded, and
    whoever gets it sees by its length that it is not whole.
    """
    offset = 0
    with path.open("rb") as file:
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


def _temporary_beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
