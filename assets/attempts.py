"""In which submissions each record was: `manifests/attempts`, derived from outcomes. What became of it there stands in
the outcomes files that it names."""

import pyarrow as pa

from assets.places import DOCUMENT, PAGE, with_places

ATTEMPTS_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("outcomes", pa.string(), nullable=False),
        DOCUMENT,
        PAGE,
    ]
)
"""One row for each outcome, described in manifests/README.md. ``outcomes``: the name of the file."""


def attempt_rows(name: str, record_keys: pa.ChunkedArray) -> pa.Table:
    """``name``: of the outcomes file; ``record_keys``: those in it. Columns: ATTEMPTS_SCHEMA."""
    outcomes = pa.repeat(pa.scalar(name), len(record_keys))
    return with_places(pa.table({"record_key": record_keys, "outcomes": outcomes})).cast(ATTEMPTS_SCHEMA)
