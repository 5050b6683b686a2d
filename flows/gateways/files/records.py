"""The record manifest's file by number: what planning needs of all records is read as arrays, group of rows by group of
rows, and the rows of single records from the groups that hold them. Which columns it has stands in `assets.manifest`.
"""

import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.manifest import manifest_schema
from assets.numbering import BoolArray, IntArray, PageArray, Pages, Records, numbers_of
from assets.sources import IMAGE_COLUMNS
from flows.gateways.files.parquet import in_form, open_parquet, present, reading, write_table

GROUP_ROWS = 65_536
"""The rows of a group: a megabyte or two, which is read for one record; a few hundred groups for ten million."""


_ALIKE = ("page_label", "image_mime_type")
"""Texts that repeat; the document fields do, too."""
_TEXTS = ("record_key", "image_path", "image_bytes", "image_modified_at", "predecessor")


def read_numbered(path: Path, document_fields: Sequence[str]) -> Records:
    """The record manifest by number; it stays what it was when a scan replaces the file. Raises ManifestError for a
    file that is missing, damaged or of a newer Quire, OSError."""
    file = _RecordsFile(path, document_fields)
    with reading(path):
        pages, follows = zip(*file.groups(), strict=True) if len(file.firsts) else ((), ())
    return Records(Pages.joined(pages), np.concatenate([np.zeros(0, dtype=bool), *follows]), file.rows)


def write_records(table: pa.Table, path: Path, *, group_rows: int = GROUP_ROWS) -> None:
    """``table``: columns of `assets.manifest.manifest_schema`. Raises OSError."""
    write_table(table, path, compression="zstd", texts=_TEXTS, group_rows=group_rows)


class _RecordsFile:
    """``firsts``: the number of the first record of each group."""

    def __init__(self, path: Path, document_fields: Sequence[str]) -> None:
        self._path, self._fields = path, list(document_fields)
        self._schema = manifest_schema(document_fields)
        self._lock = threading.Lock()
        with reading(path):
            file = path.open("rb")
            weakref.finalize(self, file.close)
            self._parquet = open_parquet(path, file, read_dictionary=(*document_fields, *_ALIKE))
            self._present = set(present(self._parquet, self._schema))
        metadata = self._parquet.metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self.firsts = np.cumsum([0, *counts])[:-1]

    def groups(self) -> Iterator[tuple[Pages, BoolArray]]:
        """For each group its pages, and whether each record follows on the one above it."""
        last = None
        for group in range(len(self.firsts)):
            table = self._read(group, [*self._fields, "page"])
            starts = _changes([table[name] for name in self._fields])
            at = pa.array(np.flatnonzero(starts))
            names = [table[name].take(at).cast(pa.string()) for name in self._fields]
            documents = pc.binary_join_element_wise(*names, SEPARATOR).combine_chunks()
            goes_on = len(documents) > 0 and documents[0].as_py() == last
            last = documents[-1].as_py() if len(documents) else last
            pages = Pages(documents, (np.cumsum(starts) - 1).astype(np.int32), *self._labels(group, table["page"]))
            yield pages, self._follow(group, starts, goes_on=goes_on)

    def rows(self, numbers: IntArray) -> pa.Table:
        """The rows of these records, in their order. Columns: IMAGE_COLUMNS."""
        order = np.argsort(numbers, kind="stable")
        ordered = numbers[order]
        group_of = np.searchsorted(self.firsts, ordered, side="right") - 1
        schema = pa.schema([self._schema.field(name) for name in IMAGE_COLUMNS])
        parts = [schema.empty_table()]
        with reading(self._path):
            for group in np.unique(group_of).tolist():
                at = ordered[group_of == group] - self.firsts[group]
                parts.append(self._read(group, IMAGE_COLUMNS).take(pa.array(at)).cast(schema))
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        table = pa.concat_tables(parts)
        return table if np.array_equal(back, np.arange(len(back))) else table.take(pa.array(back))

    def _labels(self, group: int, page: pa.ChunkedArray) -> tuple[PageArray, pa.Array]:
        if not page.null_count:
            return page.to_numpy(), pa.array([], pa.string())
        # Where there is no number, there is a label: both came with the same version.
        labels = self._read(group, ["page_label"])["page_label"].cast(pa.string()).combine_chunks()
        return numbers_of(pc.coalesce(labels, page.combine_chunks().cast(pa.string())))

    def _follow(self, group: int, starts: BoolArray, *, goes_on: bool) -> BoolArray:
        """A document's first record follows on none. The file says how many do not: where these are no more, nothing of
        the column has to be read, whose texts are as large as the keys."""
        begin = starts.copy()
        if goes_on:
            begin[0] = False
        nulls = self._null_count(group, "predecessor")
        if nulls is not None and nulls == np.count_nonzero(begin):
            return ~begin
        found: BoolArray = self._read(group, ["predecessor"])["predecessor"].is_valid().to_numpy(zero_copy_only=False)
        return found

    def _null_count(self, group: int, name: str) -> int | None:
        of = self._parquet.metadata.row_group(group)
        column = of.column(self._parquet.schema.names.index(name))
        statistics = column.statistics
        return statistics.null_count if statistics is not None and statistics.has_null_count else None

    def _read(self, group: int, columns: Sequence[str]) -> pa.Table:
        # One at a time: threads that read through the same file would mix up what Arrow has read ahead (pyarrow 26).
        with self._lock:
            table = self._parquet.read_row_group(group, columns=[name for name in columns if name in self._present])
        return in_form(table, pa.schema([self._schema.field(name) for name in columns]))


def _changes(columns: Sequence[pa.ChunkedArray]) -> BoolArray:
    """Which rows have another value in one of ``columns``, which are dictionaries, than the row above; the first one
    has."""
    changes = np.ones(len(columns[0]), dtype=bool)
    codes = [column.combine_chunks().indices.to_numpy() for column in columns]
    changes[1:] = np.logical_or.reduce([code[1:] != code[:-1] for code in codes])
    return changes
