"""Tables in Parquet files that Python has opened: Arrow's own words for trouble with the disk have neither its number
nor the file's name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import naming
from flows.gateways.files.formats import NEWEST_FORMAT, PARQUET_FORMAT, check_format


def read_table(path: Path, schema: pa.Schema, *, way_out: str = "restore it from a backup") -> pa.Table:
    """The columns of ``schema``, with the file's metadata. What may be null is null where the file lacks its column: it
    is from before there was one. Raises ManifestError for what is missing, damaged or of a newer Quire, OSError.

    ``way_out``: what a person does about a file that is missing or damaged.
    """
    with reading(path, way_out=way_out):
        with path.open("rb") as file, open_parquet(path, file) as parquet:
            # Without pq.read_table, which takes three times as long for a small file (pyarrow 26).
            table = parquet.read(columns=present(parquet, schema))
        return in_form(table, schema).cast(schema.with_metadata(table.schema.metadata))


@contextmanager
def reading(path: Path, *, way_out: str = "restore it from a backup") -> Iterator[None]:
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


def open_parquet(path: Path, file: IO[bytes], *, read_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    """``read_dictionary``: the columns that are read as numbers of texts. Raises ManifestError for what a newer Quire
    has written."""
    parquet = pq.ParquetFile(file, read_dictionary=list(read_dictionary))
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


def write_table(
    table: pa.Table, path: Path, *, compression: str, texts: Sequence[str] | None = None, group_rows: int | None = None
) -> None:
    """Write it with the version of its form. ``texts``: the columns of which hardly two values are alike, so that a
    dictionary would hold all of them; ``group_rows``: how many rows are read together. Raises OSError."""
    metadata = {**(table.schema.metadata or {}), PARQUET_FORMAT: str(NEWEST_FORMAT).encode()}
    table = table.replace_schema_metadata(metadata)
    alike = True if texts is None else [name for name in table.column_names if name not in texts]
    with path.open("wb") as file:
        pq.write_table(table, file, compression=compression, use_dictionary=alike, row_group_size=group_rows)
