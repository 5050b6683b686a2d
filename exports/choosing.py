"""Which pages are exported, in which order, and what is known of each without reading it. Reads tables, writes nothing.

The table has a row a page, in the order of the record manifest: record_key, the document fields, the columns of the
image, number (the page's place in its document, from 1), result_bytes and result_modified_ns (null where there is no
result), PROVENANCE, COST and correction (what a person has done with the result: "corrected", "checked", or null).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import QuireError
from assets.domain.record import SEPARATOR
from assets.selection import Selection
from config.settings import Settings
from exports.pages import Document
from flows.gateways.files.storage import Storage
from flows.questions.selection import select_records
from flows.questions.status import ledger_of_files
from flows.tables.corrections import standing_corrections
from flows.tables.derived import results_table
from flows.tables.paid import ANSWER_SCHEMA, answers_of

PROVENANCE = (
    "submission_id",
    "batch_id",
    "settled_at",
    "model",
    "model_version",
    "prompt_name",
    "prompt_version",
    "prompt_hash",
    "schema_name",
    "response_schema_hash",
    "image_sha256",
    "result_sha256",
)
"""Columns of `assets.provenance.RESULTS_SCHEMA`; null for a result that no submission of this collection made."""
COST = tuple(name for name in ANSWER_SCHEMA.names if name != "record_key")


@dataclass(frozen=True)
class Chosen:
    """``rows``: of all pages that are meant; ``documents``: the fields of all documents of the collection, by which
    files are named; ``unknown``: how many results there are that no page of the record manifest has."""

    rows: pa.Table
    documents: tuple[tuple[str, ...], ...]
    unknown: int
    storage: Storage

    @property
    def with_result(self) -> int:
        return len(self.rows) - int(self.rows["result_bytes"].null_count)

    def units(self) -> Iterator[Document]:
        """The documents that are meant, in the order of the record manifest. One without any result is passed over."""
        names = self.storage.document_fields
        starts = _starts(self.rows, names)
        for first, end in zip(starts, [*starts[1:], len(self.rows)], strict=True):
            rows = self.rows.slice(first, end - first)
            if rows["result_bytes"].null_count < len(rows):
                yield Document(tuple(rows[name][0].as_py() for name in names), rows, self.storage)


def choose(settings: Settings, storage: Storage, selection: Selection) -> Chosen:
    """Raises QuireError where nothing is meant, RecordKeyError, ManifestError, OSError."""
    manifest = storage.read_records()
    if manifest is None:
        raise QuireError(f"{storage.records_path} is not there yet: quire scan looks which pages there are")
    documents = _documents(manifest, storage.document_fields)
    files = storage.find_results().files
    is_known = pc.is_in(files["record_key"], value_set=manifest["record_key"].combine_chunks())
    unknown = len(files) - int(pc.sum(is_known, min_count=0).as_py())
    rows = _with_labels(manifest)
    rows = rows.append_column("number", pa.array(_numbers(rows, storage.document_fields)))
    if selection.entries or selection.narrows:
        keys = select_records(settings, storage, ledger_of_files(storage), selection)
        rows = rows.filter(pc.is_in(rows["record_key"], value_set=pa.array(keys, pa.string())))
    rows = rows.drop_columns(["predecessor", "page_position", "page"]).combine_chunks()
    result = files.take(_at(rows, files))
    rows = rows.append_column("result_bytes", result["result_bytes"])
    rows = rows.append_column("result_modified_ns", result["result_modified_at"].cast(pa.int64()))
    made = results_table(storage, write=False)
    rows = _joined(rows, made, PROVENANCE)
    rows = _joined(rows, answers_of(storage, made), COST)
    said = standing_corrections(storage)
    rows = rows.append_column("correction", said["kind"].take(_at(rows, said)))
    return Chosen(rows, documents, unknown, storage)


def models_of(rows: pa.Table) -> Mapping[str, int]:
    """Model and prompt in words -> how many results they made, most first."""
    made = rows.filter(rows["model"].is_valid())
    names = pc.binary_join_element_wise(
        made["model"], pc.binary_join_element_wise(made["prompt_name"], made["prompt_version"], " "), ", prompt "
    )
    counted = names.value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: (-row["counts"], row["values"]))}


def _with_labels(manifest: pa.Table) -> pa.Table:
    """A manifest of before labels has none in its column."""
    labels = pc.coalesce(manifest["page_label"], manifest["page"].cast(pa.string()))
    return manifest.set_column(manifest.schema.get_field_index("page_label"), "page_label", labels)


def _joined(rows: pa.Table, other: pa.Table, names: tuple[str, ...]) -> pa.Table:
    found = other.select(names).take(_at(rows, other))
    for name in names:
        rows = rows.append_column(name, found[name])
    return rows


def _at(rows: pa.Table, other: pa.Table) -> pa.Array:
    at = pc.index_in(rows["record_key"], value_set=other["record_key"].combine_chunks())
    return at.combine_chunks() if isinstance(at, pa.ChunkedArray) else at


def _starts(rows: pa.Table, names: tuple[str, ...]) -> list[int]:
    """Where each document begins."""
    if not len(rows):
        return []
    document = pc.binary_join_element_wise(*(rows[name] for name in names), SEPARATOR).combine_chunks()
    is_other = pc.not_equal(document[1:], document[:-1]).to_numpy(zero_copy_only=False)
    return [0, *(np.flatnonzero(is_other) + 1).tolist()]


def _numbers(rows: pa.Table, names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The place of each page in its document, from 1."""
    starts = np.array(_starts(rows, names), np.int64)
    lengths = np.diff(np.append(starts, len(rows)))
    return np.arange(1, len(rows) + 1) - np.repeat(starts, lengths)


def _documents(manifest: pa.Table, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    firsts = manifest.select(list(names)).take(pa.array(_starts(manifest, names), pa.int64()))
    return tuple(tuple(row[name] for name in names) for row in firsts.to_pylist())
