"""``manifests/corrections.parquet`` and ``manifests/corrections``: what people have said of results, and each content
that they saw or wrote, under its hash. Nothing of it is ever removed: people's work, and what shows how good the
answers were.
"""

from pathlib import Path

import pyarrow as pa

from assets.corrections import CORRECTION_SCHEMA
from flows.gateways.files.atomic import create_file, naming, replace_file
from flows.gateways.files.parquet import read_table, write_table
from flows.gateways.files.presence import is_there

WITHOUT = (
    "restore it from a backup: without it nobody knows what people have corrected, though the corrected results stay"
)


class Corrections:
    """Every method raises OSError."""

    def __init__(self, manifests: Path) -> None:
        self.path = manifests / "corrections.parquet"
        self._contents = manifests / "corrections"

    def read(self) -> pa.Table:
        """All that was said, in its order; see `assets.corrections.standing` for what of it still stands. Columns:
        CORRECTION_SCHEMA. Raises ManifestError."""
        if not is_there(self.path):
            return CORRECTION_SCHEMA.empty_table()
        return read_table(self.path, CORRECTION_SCHEMA, way_out=WITHOUT).replace_schema_metadata(None)

    def write(self, table: pa.Table) -> None:
        """Under `results_lock.correcting`: what was said is read, and more of it written."""
        replace_file(self.path, lambda path: write_table(table, path, compression="zstd"))

    def content_path(self, sha256: str) -> Path:
        return self._contents / sha256[:2] / f"{sha256}.json"

    def keep(self, content: bytes, sha256: str) -> None:
        """Keep what a person saw or wrote. ``sha256``: its hash."""
        path = self.content_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        create_file(path, lambda temporary: _write(temporary, content), temporary_in=self._contents)

    def content(self, sha256: str) -> bytes | None:
        """What has that hash, or None if it was not kept."""
        path = self.content_path(sha256)
        try:
            with naming(path):
                return path.read_bytes()
        except FileNotFoundError:
            return None


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
