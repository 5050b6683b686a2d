"""Parquet: a row a page, a file for each document in folders by the document fields, and a card of the data set.

The fields stand in columns, and the folders are named by their values alone (``CA/Lincoln/2023``, not
``state=CA/...``): readers that make columns of folders' names would make a number of the year ``0042``, and quarrel
with the column in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exports.card import card_text
from exports.columns import row_of, table_schema
from exports.pages import Document
from exports.registry import DocumentFormat, Job
from exports.report import Exported

ROW_GROUP_PAGES = 1_000
"""Of a page of 10,000 characters, about 20 MB are held."""


@dataclass(frozen=True)
class Parquet(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        schema = table_schema(job.schema, job.document_fields)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for table in self._tables(schema, job, document):
                writer.write_table(table)

    def _tables(self, schema: pa.Schema, job: Job, document: Document) -> Iterator[pa.Table]:
        rows = []
        for page in document.pages():
            if page.is_read:
                rows.append(row_of(page, job.columns, job.document_fields))
            if len(rows) == ROW_GROUP_PAGES:
                yield pa.Table.from_pylist(rows, schema=schema)
                rows = []
        yield pa.Table.from_pylist(rows, schema=schema)

    def card(self, job: Job, done: Exported) -> str | None:
        return card_text(job, done)


FORMAT = Parquet("a data set of typed columns, a file a document", ".parquet", file_name="pages.parquet", folder="data")
