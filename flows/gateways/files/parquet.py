"""Tables in Parquet files that Python has opened: Arrow's own words for trouble with the disk have neither its number
nor the file's name.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import naming
from flows.gateways.files.formats import NEWEST_FORMAT, PARQUET_FORMAT, check_format
from flows.gateways.files.without_pandas import look_away

look_away()  # here, as every table goes through this module

_DAMAGED = "restore it from a backup"
PART_ROWS = 5_000
THREADS_FROM_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that are asked for: those in whose ``column`` one of ``values`` stands, at least. A table that is sorted
    by it is read in pieces then."""

    column: str
    values: Collection[str]


def read_table(path: Path, schema: pa.Schema, *, way_out: str = _DAMAGED, rows: Rows | None = None) -> pa.Table:
    """The columns of ``schema``, with the file's metadata. What may be null is null where the file lacks its column: it
    is from before there was one. Raises ManifestError for what is missing, damaged or of a newer Quire, OSError.

    ``way_out``: what a person does about a file that is missing or damaged; ``rows``: None for all.
    """
    with reading(path, way_out=way_out):
        alike = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        with path.open("rb") as file, open_parquet(path, file, read_dictionary=alike) as parquet:
            columns = present(parquet, schema)
            # Without pq.read_table, which takes three times as long for a small file (pyarrow 26).
            # Threads that have nothing to do cost more than a small table.
            threads = parquet.metadata.num_rows >= THREADS_FROM_ROWS
            if rows is None:
                table = parquet.read(columns=columns, use_threads=threads)
            else:
                groups = _groups_with(parquet, rows)
                table = parquet.read_row_groups(groups, columns=columns, use_threads=threads)
            metadata = parquet.schema_arrow.metadata
        return in_form(table, schema).cast(schema.with_metadata(metadata))


def read_facts(path: Path) -> tuple[int, Mapping[bytes, bytes]]:
    """How many rows a table has, and its metadata. Raises as `read_table`."""
    with reading(path), path.open("rb") as file, open_parquet(path, file) as parquet:
        return parquet.metadata.num_rows, parquet.schema_arrow.metadata or {}


@contextmanager
def reading(path: Path, *, way_out: str = _DAMAGED) -> Iterator[None]:
    """Let whatever goes wrong within with the table at ``path`` be a ManifestError, or an OSError that names it."""
    try:
        with naming(path):
            yield
    except FileNotFoundError:
        raise ManifestError(path, f"is missing; {way_out}") from None
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Without a number it is Arrow's word for a file that is damaged (pyarrow 26, tried with flipped bits).
        first = str(error).partition("\n")[0]
        raise ManifestError(path, f"cannot be read ({first}); {way_out}") from None


def _groups_with(parquet: pq.ParquetFile, rows: Rows) -> list[int]:
    """The row groups that can hold such rows, as far as their least and greatest values tell."""
    at, wanted = parquet.schema_arrow.get_field_index(rows.column), sorted(rows.values)
    found = []
    for number in range(parquet.metadata.num_row_groups):
        told = parquet.metadata.row_group(number).column(at).statistics
        if told is None or not told.has_min_max:
            found.append(number)
            continue
        first = bisect_left(wanted, told.min)
        if first < len(wanted) and wanted[first] <= told.max:
            found.append(number)
    return found


def open_parquet(path: Path, file: IO[bytes], *, read_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    """``read_dictionary``: the columns that are read as numbers of texts, as far as they are there: Arrow takes no
    other name (pyarrow 26). Raises ManifestError for what a newer Quire has written."""
    if read_dictionary:
        metadata = pq.read_metadata(file)
        known = set(metadata.schema.to_arrow_schema().names)
        alike = [name for name in read_dictionary if name in known]
        parquet = pq.ParquetFile(file, metadata=metadata, read_dictionary=alike)
    else:
        parquet = pq.ParquetFile(file)
    _check_format(path, parquet.schema_arrow.metadata)
    return parquet


def present(parquet: pq.ParquetFile, schema: pa.Schema) -> list[str]:
    """The columns of ``schema`` that the file has. Raises KeyError for one that it lacks and may not."""
    missing = set(schema.names) - set(parquet.schema_arrow.names)
    if needed := [name for name in sorted(missing) if not schema.field(name).nullable]:
        raise KeyError(f"without {', '.join(needed)}")
    return [name for name in schema.names if name not in missing]


def in_form(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema``, null where ``table`` lacks one."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names)


def _check_format(path: Path, metadata: Mapping[bytes, bytes] | None) -> None:
    version = (metadata or {}).get(PARQUET_FORMAT)
    check_format(path, None if version is None else int(version))


def write_parts(table: pa.Table, path: Path, part_of: Callable[[pa.Table, int], pa.Table]) -> None:
    """Write a table part by part, each as ``part_of`` makes it of a slice and of the row that this begins with. Raises
    OSError, and what ``part_of`` raises."""
    metadata = {PARQUET_FORMAT: str(NEWEST_FORMAT).encode()}
    schema = table.schema.with_metadata(metadata)
    with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, max(len(table), 1), PART_ROWS):
            part = part_of(table.slice(start, PART_ROWS), start)
            writer.write_table(part.replace_schema_metadata(metadata))


def write_table(
    table: pa.Table, path: Path, *, compression: str, texts: Sequence[str] | None = None, group_rows: int | None = None
) -> None:
    """Write it with the version of its form. ``texts``: the columns of which hardly two values are alike, so that a
    dictionary would hold all of them; ``group_rows``: how many rows are read together. Raises OSError."""
    metadata = {**(table.schema.metadata or {}), PARQUET_FORMAT: str(NEWEST_FORMAT).encode()}
    table = table.replace_schema_metadata(metadata)
    alike = True if texts is None else [name for name in table.column_names if name not in texts]
    plain = pa.schema([_plain(field) for field in table.schema], table.schema.metadata)
    with path.open("wb") as file:
        if plain == table.schema:
            pq.write_table(table, file, compression=compression, use_dictionary=alike, row_group_size=group_rows)
            return
        # Else each group would hold the names of all documents, and reading take as much longer as there are groups.
        with pq.ParquetWriter(file, plain, compression=compression, use_dictionary=alike) as writer:
            step = group_rows or max(1, len(table))
            for start in range(0, max(1, len(table)), step):
                writer.write_table(table.slice(start, step).cast(plain))


def _plain(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
