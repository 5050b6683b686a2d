"""The record manifest: the table of all records that should exist. Which of them are run stands in `candidates`."""

from collections.abc import Mapping, Sequence, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.graph import Check, asset
from assets.sources import IMAGE_COLUMNS, image_schema

FieldFilter = Sequence[str] | range
"""Texts of which the field must be one, or a range of whole numbers in which it must lie."""


def manifest_schema(document_fields: Sequence[str]) -> pa.Schema:
    """record_key, the document fields, IMAGE_COLUMNS, predecessor (nullable). Every column is described in
    manifests/README.md."""
    return pa.schema(
        [
            pa.field("record_key", pa.string(), nullable=False),
            *image_schema(document_fields),
            pa.field("predecessor", pa.string()),
        ]
    )


def _unique_keys(table: pa.Table) -> str | None:
    return None if len(table) == len(table["record_key"].unique()) else "a record key stands in two rows"


def _predecessors_exist(table: pa.Table) -> str | None:
    known = pc.is_in(table["predecessor"].drop_null(), value_set=table["record_key"].combine_chunks())
    return None if pc.all(known, min_count=0).as_py() else "a predecessor is not in the manifest"


@asset(checks=(Check("unique keys", _unique_keys), Check("predecessors exist", _predecessors_exist)))
def record_manifest(
    page_images: pa.Table,
    *,
    document_fields: Sequence[str],
    filters: Mapping[str, FieldFilter] | None = None,
    allowed: Set[str] | None = None,
) -> pa.Table:
    """All records that should exist, in natural order: page 10 after page 9.

    ``page_images``: see `assets.sources.page_images`; at most one row a page. ``allowed``: the record keys that the
    allow list names, or None for all. A page whose number follows on the page before it in the manifest has that one
    as its predecessor; a gap starts a new chain. Columns: `manifest_schema`.
    """
    table = page_images
    for name, wanted in (filters or {}).items():
        table = table.filter(_matches(table[name], wanted))
    documents = _joined([table[name] for name in document_fields])
    keys = _joined([documents, table["page"].cast(pa.string())])
    if allowed is not None:
        is_allowed = pc.is_in(keys, value_set=pa.array(sorted(allowed), pa.string()))
        table, documents, keys = table.filter(is_allowed), documents.filter(is_allowed), keys.filter(is_allowed)
    table = table.append_column("record_key", keys).append_column("document", documents)
    table = table.sort_by([*((name, "ascending") for name in document_fields), ("page", "ascending")])
    columns = {"record_key": table["record_key"]}
    columns |= {name: table[name] for name in (*document_fields, *IMAGE_COLUMNS)}
    columns["predecessor"] = _predecessors(table)
    return pa.table(columns).cast(manifest_schema(document_fields)).combine_chunks()


def is_wanted(fields: Sequence[str], document_fields: Sequence[str], filters: Mapping[str, FieldFilter]) -> bool:
    """Whether ``filters`` let a document through: the rule that `record_manifest` goes by, for one document."""
    by_name = dict(zip(document_fields, fields, strict=True))
    return all(_lets_through(by_name[name], wanted) for name, wanted in filters.items())


def _lets_through(value: str, wanted: FieldFilter) -> bool:
    if not isinstance(wanted, range):
        return value in wanted
    return value.isascii() and value.isdigit() and len(value) <= 9 and int(value) in wanted


def _joined(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*columns, SEPARATOR)


def _matches(column: pa.ChunkedArray, wanted: FieldFilter) -> pa.ChunkedArray:
    if not isinstance(wanted, range):
        return pc.is_in(column, value_set=pa.array(wanted, pa.string()))
    is_number = pc.match_substring_regex(column, r"^[0-9]{1,9}$")
    number = pc.if_else(is_number, column, "-1").cast(pa.int64())
    inside = pc.and_(pc.greater_equal(number, wanted.start), pc.less(number, wanted.stop))
    return pc.and_(is_number, inside)


def _predecessors(table: pa.Table) -> pa.Array:
    """For rows in natural order: the key of the row before, where that is the page before in the same document."""
    if len(table) == 0:
        return pa.array([], pa.string())
    keys = table["record_key"].combine_chunks()
    pages = table["page"].to_numpy()
    documents = table["document"].combine_chunks()
    follows = np.zeros(len(table), dtype=bool)
    follows[1:] = (pages[1:] == pages[:-1] + 1) & pc.equal(documents[1:], documents[:-1]).to_numpy(zero_copy_only=False)
    before = np.maximum(np.arange(len(table)) - 1, 0)
    return pc.if_else(pa.array(follows), keys.take(pa.array(before)), pa.scalar(None, pa.string()))
