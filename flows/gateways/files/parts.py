"""A derived table as a folder of parts: Parquet files that are written once and never changed. What is new becomes a
part of its own; many small ones are merged into one now and then, and the older ones removed.

A part's name tells which it is, and which it was merged from: ``0000003-0000007.parquet`` holds what those from 3 to 7
held. So parts that a merge was cut off before it could remove are known by their names, and so is one that is missing.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import create_file
from flows.gateways.files.folder_names import names_in
from flows.gateways.files.parquet import Rows, read_facts, read_table, write_table
from flows.gateways.files.presence import found_at

GROUP_ROWS = 16_384
"""Of a piece of a part that can be read by itself."""
GOES_BY = b"quire.submissions"
_NAME = re.compile(r"([0-9]{7})-([0-9]{7})\.parquet")


@dataclass(frozen=True, slots=True)
class Part:
    """``first``, ``last``: the numbers of what was merged into it; ``rows``: how many; ``goes_by``: the names of the
    outcomes files that it holds the rows of."""

    path: Path
    first: int
    last: int
    rows: int
    goes_by: tuple[str, ...]


class Parts:
    """The parts in ``folder``. ``complete``: parts that were found to go by just these outcomes files, for whoever asks
    again. Every method raises OSError for trouble with the disk, ManifestError for parts that are
    damaged or do not belong together; whoever derives them makes them anew then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.complete: tuple[list[Part], tuple[str, ...]] | None = None
        self._last: list[Part] = []
        self._known: dict[Path, tuple[tuple[int, int, int], Part]] = {}

    def all(self) -> list[Part]:
        """Oldest first."""
        found = [self._look(*each) for each in self._standing()[0]]
        if found == self._last:
            return found
        if sum(len(part.goes_by) for part in found) != len({name for part in found for name in part.goes_by}):
            raise ManifestError(self.folder, "holds parts that go by the same outcomes; delete it")
        self._last = list(found)
        return found

    def read(self, part: Part, schema: pa.Schema, rows: Rows | None = None) -> pa.Table:
        """The columns of ``schema``. ``rows``: see `parquet.read_table`."""
        return read_table(part.path, schema, rows=rows).replace_schema_metadata(None)

    def write_part(
        self, table: pa.Table, goes_by: Sequence[str], *, after: Sequence[Part], merged: int = 0
    ) -> Part | None:
        """Write another part behind ``after``, and remove the last ``merged`` of those: their rows are in ``table``,
        and what they go by in ``goes_by``. None: somebody else has written one meanwhile."""
        number = after[-1].last + 1 if after else 1
        first, last = (after[-merged].first, after[-1].last) if merged else (number, number)
        path = self.folder / f"{first:07}-{last:07}.parquet"
        table = table.replace_schema_metadata({GOES_BY: json.dumps(list(goes_by)).encode()})
        if not create_file(path, lambda temporary: self._write(table, temporary)):
            return None
        self._remove_files(self._standing()[1])
        return Part(path, first, last, len(table), tuple(goes_by))

    def remove_parts(self) -> None:
        """Remove all of them, the newest first: what is left then is whole."""
        kept, merged = self._standing(check=False)
        self._remove_files(merged)
        self._remove_files([self.folder / f"{first:07}-{last:07}.parquet" for first, last in reversed(kept)])

    def stamp(self) -> list[str]:
        """Tells whether there are others than there were."""
        found = (
            (path, found_at(path))
            for first, last in self._standing(check=False)[0]
            for path in [self.folder / f"{first:07}-{last:07}.parquet"]
        )
        return [f"{path.name} {there.st_size} {there.st_mtime_ns}" for path, there in found if there is not None]

    def _standing(self, *, check: bool = True) -> tuple[list[tuple[int, int]], list[Path]]:
        """The numbers of those that count, and the paths of those whose rows are in a later one. ``check``: raise
        ManifestError where they do not follow on each other."""
        matches = [match for name in names_in(self.folder) if (match := _NAME.fullmatch(name)) is not None]
        kept: list[tuple[int, int]] = []
        merged: list[Path] = []
        behind = 1
        for first, last in sorted(((int(each[1]), int(each[2])) for each in matches), key=lambda it: (it[0], -it[1])):
            if last < behind:
                merged.append(self.folder / f"{first:07}-{last:07}.parquet")
                continue
            if check and first != behind:
                raise ManifestError(self.folder, f"its parts do not follow on each other at {first}; delete it")
            kept.append((first, last))
            behind = last + 1
        return kept, merged

    def _look(self, first: int, last: int) -> Part:
        path = self.folder / f"{first:07}-{last:07}.parquet"
        there = found_at(path)
        if there is None:
            raise ManifestError(path, "is gone; delete what else is in its folder")
        now = (there.st_ino, there.st_size, there.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != now:
            known = now, self._read_part(path, first, last)
            self._known[path] = known
        return known[1]

    def _read_part(self, path: Path, first: int, last: int) -> Part:
        rows, metadata = self._facts(path)
        try:
            goes_by = json.loads(metadata[GOES_BY])
        except (KeyError, ValueError):
            goes_by = None
        if not isinstance(goes_by, list) or not all(isinstance(each, str) for each in goes_by):
            raise ManifestError(path, "does not say which outcomes it goes by; delete its folder")
        return Part(path, first, last, rows, tuple(goes_by))

    def _facts(self, path: Path) -> tuple[int, dict[bytes, bytes]]:
        rows, metadata = read_facts(path)
        return rows, dict(metadata)

    def _write(self, table: pa.Table, path: Path) -> None:
        write_table(table, path, compression="zstd", group_rows=GROUP_ROWS)

    def _remove_files(self, paths: Sequence[Path]) -> None:
        for path in paths:
            with suppress(FileNotFoundError):
                path.unlink()
