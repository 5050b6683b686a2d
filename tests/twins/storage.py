"""Storage whose tables stay in memory: a file holds the number of its table instead of Parquet. All else is the real
storage on real files: names, order, links and renames, and so every point at which a process can die."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from assets.domain.errors import ManifestError
from assets.manifest import manifest_schema
from assets.numbering import Records
from assets.outcomes import OUTCOME_SCHEMA, numbered, with_raw_texts
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from assets.reruns import RERUN_SCHEMA
from flows.gateways.files.atomic import create_file, replace_file
from flows.gateways.files.parquet import Rows
from flows.gateways.files.parts import Part, Parts
from flows.gateways.files.storage import RawTexts, Storage


class Tables:
    """The tables, by the number that stands in a file. They outlive a process as files do."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._read: dict[tuple[int, tuple[str, ...]], pa.Table] = {}
        self._facts: dict[int, SubmissionFacts] = {}

    def write(self, path: Path, table: pa.Table) -> None:
        path.write_bytes(b"%d" % len(self._tables))
        self._tables.append(table)

    def read(self, path: Path, schema: pa.Schema) -> pa.Table:
        """The columns of ``schema``, with the table's metadata. Raises ManifestError."""
        number = self._number(path)
        key = (number, tuple(schema.names))
        if key not in self._read:
            table = self._tables[number]
            self._read[key] = table.select(schema.names).cast(schema.with_metadata(table.schema.metadata))
        return self._read[key]

    def facts(self, path: Path) -> SubmissionFacts:
        """What a batch manifest's metadata say. Raises ManifestError."""
        number = self._number(path)
        if number not in self._facts:
            metadata = self._tables[number].schema.metadata
            self._facts[number] = SubmissionFacts.from_metadata(
                {key.decode(): metadata[key].decode() for key in metadata}
            )
        return self._facts[number]

    def rows_and_metadata(self, path: Path) -> tuple[int, dict[bytes, bytes]]:
        """How many rows it has, and its metadata. Raises ManifestError."""
        table = self._tables[self._number(path)]
        return len(table), dict(table.schema.metadata or {})

    def _number(self, path: Path) -> int:
        try:
            return int(path.read_bytes())
        except FileNotFoundError:
            raise ManifestError(path, "is missing; restore it from a backup") from None


class PartsTwin(Parts):
    """The same of parts."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        super().__init__(folder)
        self._tables = tables

    def read(self, part: Part, schema: pa.Schema, rows: Rows | None = None) -> pa.Table:
        return self._tables.read(part.path, schema).replace_schema_metadata(None)

    def _facts(self, path: Path) -> tuple[int, dict[bytes, bytes]]:
        return self._tables.rows_and_metadata(path)

    def _write(self, table: pa.Table, path: Path) -> None:
        self._tables.write(path, table)


class StorageTwin(Storage):
    """``tables``: shared by all processes that work on these folders."""

    def __init__(
        self, tables: Tables, *, root: Path, manifests: Path, output_results: Path, document_fields: Sequence[str]
    ) -> None:
        super().__init__(root=root, manifests=manifests, output_results=output_results, document_fields=document_fields)
        self._tables = tables

    def read_records(self) -> pa.Table | None:
        path = self.records_path
        return self._tables.read(path, manifest_schema(self.document_fields)) if path.exists() else None

    def records(self) -> Records | None:
        table = self.read_records()
        return Records.of(table) if table is not None else None

    def write_records(self, table: pa.Table) -> None:
        self._replace(self.records_path, table)

    def create_batch_manifest(self, submission_id: str, table: pa.Table) -> bool:
        return self._create(self.batch_path(submission_id), table)

    def read_batch_manifest(
        self, submission_id: str, columns: Sequence[str] = BATCH_SCHEMA.names
    ) -> tuple[pa.Table, SubmissionFacts]:
        path = self.batch_path(submission_id)
        schema = pa.schema([BATCH_SCHEMA.field(name) for name in columns])
        return self._tables.read(path, schema), self._tables.facts(path)

    def batch_keys(self, submission_id: str) -> list[str]:
        schema = pa.schema([BATCH_SCHEMA.field("record_key")])
        keys: list[str] = self._tables.read(self.batch_path(submission_id), schema)["record_key"].to_pylist()
        return keys

    def create_outcomes(self, submission_id: str, table: pa.Table, raw_texts: RawTexts | None = None) -> bool:
        table = numbered(table, self.settlements() + 1)
        if raw_texts is not None:
            table = with_raw_texts(table, raw_texts(0, len(table)))
        return self._create(self.outcomes_path(submission_id), table)

    def read_outcomes(self, submission_id: str, columns: Sequence[str] = OUTCOME_SCHEMA.names) -> pa.Table:
        return self._tables.read(
            self.outcomes_path(submission_id), pa.schema([OUTCOME_SCHEMA.field(c) for c in columns])
        )

    def parts(self, name: str) -> Parts:
        return self._parts.setdefault(name, PartsTwin(self.manifests / name, self._tables))

    def read_derived(self, name: str, schema: pa.Schema) -> pa.Table:
        return self._tables.read(self.derived_path(name), schema)

    def write_derived(self, name: str, table: pa.Table) -> None:
        self._replace(self.derived_path(name), table)

    def _noted_reruns(self) -> pa.Table:
        path = self.reruns_path
        return self._tables.read(path, RERUN_SCHEMA) if path.exists() else RERUN_SCHEMA.empty_table()

    def write_reruns(self, table: pa.Table) -> None:
        if len(table):
            self._replace(self.reruns_path, table)
        else:
            self.reruns_path.unlink(missing_ok=True)

    def _create(self, path: Path, table: pa.Table) -> bool:
        return create_file(path, lambda temporary: self._tables.write(temporary, table))

    def _replace(self, path: Path, table: pa.Table) -> None:
        replace_file(path, lambda temporary: self._tables.write(temporary, table))
