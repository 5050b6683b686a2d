"""Rows of a table as Python has them, also where a time is told to the nanosecond, which Python's own times are not."""

from typing import Any

import pyarrow as pa


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """A dict for each row: column name -> value. A time in nanoseconds is a number of them since 1970 (UTC); without
    pandas pyarrow (26) refuses to make anything else of it."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            table = table.set_column(at, field.name, table.column(at).cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
