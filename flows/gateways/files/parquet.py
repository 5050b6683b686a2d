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
            missing = {name for name in schema.names if name in later} - set(parquet.schema_arrow.names)
            table = pq.read_table(file, columns=[name for name in schema.names if name not in missing])
        for name in schema.names:
            if name in missing:
                at, field = schema.get_field_index(name), schema.field(name)
                table = table.add_column(at, field, pa.nulls(len(table), field.type))
        return table.cast(schema.with_metadata(table.schema.metadata))
    except FileNotFoundError:
        raise ManifestError(path, "is missing; restore it from a backup") from None
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Without a number it is Arrow's word for a file that is damaged (pyarrow 26, tried with flipped bits).
        first = str(error).partition("\n")[0]
        raise ManifestError(path, f"cannot be read ({first}); restore it from a backup") from None


def write_table(table: pa.Table, path: Path, *, compression: str) -> None:
    """Raises OSError."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression=compression)
