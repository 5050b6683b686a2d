"""Tables in Parquet files that Python has opened: Arrow's own words for trouble with the disk have neither its number
nor the file's name.
"""

from collections.abc import Mapping
from pathlib import Path

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
    try:
        with naming(path), path.open("rb") as file, pq.ParquetFile(file) as parquet:
            _check_format(path, parquet.schema_arrow.metadata)
            missing = _missing(parquet, schema)
            # Without pq.read_table, which takes three times as long for a small file (pyarrow 26).
            table = parquet.read(columns=[name for name in schema.names if name not in missing])
        for name in missing:
            table = table.append_column(schema.field(name), pa.nulls(len(table), schema.field(name).type))
        return table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
    except FileNotFoundError:
        raise ManifestError(path, f"is missing; {way_out}") from None
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Without a number it is Arrow's word for a file that is damaged (pyarrow 26, tried with flipped bits).
        first = str(error).partition("\n")[0]
        raise ManifestError(path, f"cannot be read ({first}); {way_out}") from None


def _missing(parquet: pq.ParquetFile, schema: pa.Schema) -> set[str]:
    """The columns that the file lacks. Raises KeyError if it may not."""
    missing = set(schema.names) - set(parquet.schema_arrow.names)
    if needed := [name for name in sorted(missing) if not schema.field(name).nullable]:
        raise KeyError(f"without {', '.join(needed)}")
    return missing


def _check_format(path: Path, metadata: Mapping[bytes, bytes] | None) -> None:
    version = (metadata or {}).get(PARQUET_FORMAT)
    check_format(path, None if version is None else int(version))


def write_table(table: pa.Table, path: Path, *, compression: str) -> None:
    """Write it with the version of its form. Raises OSError."""
    metadata = {**(table.schema.metadata or {}), PARQUET_FORMAT: str(NEWEST_FORMAT).encode()}
    with path.open("wb") as file:
        pq.write_table(table.replace_schema_metadata(metadata), file, compression=compression)
