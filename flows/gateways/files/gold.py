"""``manifests/gold``: what was brought from elsewhere as the truth of pages, a file for each time. Written once, never
changed; a file that is deleted takes back what it brought.
"""

from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from assets.gold import IMPORT_SCHEMA
from flows.gateways.files.atomic import create_file
from flows.gateways.files.parquet import read_table, write_table


class ImportedGold:
    """Every method raises OSError."""

    def __init__(self, manifests: Path) -> None:
        self.folder = manifests / "gold"

    def read(self) -> pa.Table:
        """All that was brought, the oldest first. Columns: IMPORT_SCHEMA. Raises ManifestError."""
        paths = list[Path]()
        with suppress(FileNotFoundError):
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".parquet")
        way_out = "restore it from a backup, or delete it and import again"
        tables = [read_table(path, IMPORT_SCHEMA, way_out=way_out).replace_schema_metadata(None) for path in paths]
        return pa.concat_tables([IMPORT_SCHEMA.empty_table(), *tables])

    def add_import(self, import_id: str, table: pa.Table) -> Path:
        """``import_id``: a new ULID; ``table``: IMPORT_SCHEMA. Returns the file."""
        path = self.folder / f"{import_id}.parquet"
        create_file(path, lambda temporary: write_table(table, temporary, compression="zstd"))
        return path
