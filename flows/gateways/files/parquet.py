"""Tables in Parquet files that Python has opened: Arrow's own words for trouble with the disk have neither its number
nor the file's name.
"""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assets.domain.errors import ManifestError
from flows.gateways.files.atomic import naming


def read_table(path: Path, schema: pa.Schema, *, later: Collection[str] = ()) -> pa.Table:
    """The columns of ``schema``, with the file's metadata. ``later``: columns that are null where the file lacks
    them. Raises ManifestError for what is missing or damaged, OSError."""
    try:
        with naming(path), path.open("rb") as file, pq.ParquetFile(file) as parquet:
            missing = _missing(parquet, schema, later)
            # Without pq.read_table, which takes three times as long for a small file (pyarrow 26).
            table = parquet.read(columns=[name for name in schema.names if name not in missing])
        for name in missing:
            table = table.append_column(schema.field(name), pa.nulls(len(table), schema.field(name).type))
        return table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
    except FileNotFoundError:
        raise ManifestError(path, "is missing; restore it from a backup") from None
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Without a number it is Arrow's word for a file that is damaged (pyarrow 26, tried with flipped bits).
        first = str(error).partition("\n")[0]
        raise ManifestError(path, f"cannot be read ({first}); restore it from a backup") from None


def _missing(parquet: pq.ParquetFile, schema: pa.Schema, later: Collection[str]) -> set[str]:
    """The columns that the file lacks. Raises KeyError if it may not."""
    missing = set(schema.names) - set(parquet.schema_arrow.names)
    if not missing <= set(later):
        raise KeyError(f"without {', '.join(sorted(missing))}")
    return missing


def write_table(table: pa.Table, path: Path, *, compression: str) -> None:
    """Raises OSError."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression=compression)
