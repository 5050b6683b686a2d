"""Texts of failed answers, set aside on the disk from when they are judged until the outcomes are written: each may
have 40 KB, and all of a large batch may fail.
"""

from collections.abc import Callable
from pathlib import Path
from typing import IO

import pyarrow as pa

from flows.gateways.files.atomic import naming

TEXT_COLUMNS = ("text_at", "text_bytes")


class SetAside:
    """A file for the time of a settlement, made when there is a first text, and gone with the end of the context. Every
    method raises OSError."""

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path_of, self._path = path, Path()
        self._file: IO[bytes] | None = None
        self._size = 0

    def __enter__(self) -> "SetAside":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def put_aside(self, text: str) -> tuple[int, int]:
        """Where it stands from now on: its place, and its length in bytes."""
        if self._file is None:
            self._path = self._path_of()
            self._file = self._path.open("w+b")
        content = text.encode()
        with naming(self._path):
            self._file.write(content)
        at, self._size = self._size, self._size + len(content)
        return at, len(content)

    def raw_texts(self, rows: pa.Table) -> pa.Array:
        """The texts of ``rows``, null where there is none. Columns needed: TEXT_COLUMNS."""
        places = zip(*(rows[name].to_pylist() for name in TEXT_COLUMNS), strict=True)
        return pa.array([None if at is None else self._text(at, size) for at, size in places], pa.string())

    def _text(self, at: int, size: int) -> str:
        if self._file is None:
            raise ValueError("nothing was set aside")
        with naming(self._path):
            self._file.seek(at)
            return self._file.read(size).decode()
