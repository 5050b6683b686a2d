"""The record manifest: the table of all records that should exist. Which of them are run stands in `candidates`."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.page_orders import AtGap
from assets.domain.record import SEPARATOR
from assets.graph import Check, asset
from assets.page_order import OrderRules, gaps, ranks
from assets.sources import IMAGE_COLUMNS, image_schema

_NATURAL = OrderRules()
_RANK = "page_rank"
FieldFilter = Sequence[str] | range
"""Texts of which the field must be one, or a range of whole numbers in which it must lie."""


def manifest_schema(document_fields: Sequence[str]) -> pa.Schema:
    """record_key, the document fields, IMAGE_COLUMNS, predecessor (nullable), page_position (null in a file of before).
    Every column is described in manifests/README.md."""
    return pa.schema(
        [
            pa.field("record_key", pa.string(), nullable=False),
            *image_schema(document_fields),
            pa.field("predecessor", pa.string()),
            pa.field("page_position", pa.int32()),
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
    order: OrderRules = _NATURAL,
    at_gap: AtGap = AtGap.FOLLOW,
) -> pa.Table:
    """All records that should exist, by document, in the order of its pages: page 10 after page 9.

    ``page_images``: see `assets.sources.page_images`; at most one row a page. ``allowed``: the record keys that the
    allow list names, or None for all. The predecessor of a page is the one before it in its document; where pages are
    missing between the two, it has none if ``at_gap`` says so, or if there is an allow list: what it does not name may
    be there. Columns: `manifest_schema`.
    """
    table = page_images
    for name, wanted in (filters or {}).items():
        table = table.filter(_matches(table[name], wanted))
    documents = _joined([table[name] for name in document_fields])
    keys = _joined([documents, table["page_label"]])
    if allowed is not None:
        is_allowed = pc.is_in(keys, value_set=pa.array(sorted(allowed), pa.string()))
        table, documents, keys = table.filter(is_allowed), documents.filter(is_allowed), keys.filter(is_allowed)
    table = table.append_column("record_key", keys).append_column("document", documents)
    table = table.append_column(_RANK, pa.array(ranks(table, numbers_of(documents)[1], order)))
    table = table.sort_by([*((name, "ascending") for name in document_fields), (_RANK, "ascending")])
    starts = _document_starts(table["document"])
    columns = {"record_key": table["record_key"]}
    columns |= {name: table[name] for name in (*document_fields, *IMAGE_COLUMNS)}
    has_none = starts.copy()
    if at_gap is AtGap.BREAK or allowed is not None:
        has_none |= gaps(table, starts) >= 0
    columns["predecessor"] = _rows_before(table["record_key"], has_none)
    columns["page_position"] = pa.array(_positions(starts))
    return pa.table(columns).cast(manifest_schema(document_fields)).combine_chunks()


@dataclass(frozen=True)
class Kept:
    """Documents whose rows are as they were: nothing in a row hangs on another document. ``before``: the last record
    manifest; ``document_fields``: their names; ``documents``: their values; a document that ``before`` lacks has no
    row."""

    before: pa.Table
    document_fields: Sequence[str]
    documents: Set[tuple[str, ...]]

    @cached_property
    def rest(self) -> pa.Table:
        """What ``before`` says of the other documents."""
        others = [(self.before, *rows) for fields, rows in self.rows.items() if fields not in self.documents]
        return _pieces(others or [(self.before, 0, 0)])

    @cached_property
    def rows(self) -> Mapping[tuple[str, ...], tuple[int, int]]:
        """See `document_rows`."""
        return document_rows(self.before, self.document_fields)


def document_rows(record_manifest: pa.Table, document_fields: Sequence[str]) -> dict[tuple[str, ...], tuple[int, int]]:
    """The fields of each document -> its first row and the one behind its last."""
    positions = record_manifest["page_position"]
    if positions.null_count:  # written before there was such a column
        starts = np.zeros(len(record_manifest), dtype=bool)
        for name in document_fields:
            starts |= _document_starts(record_manifest[name])
    else:
        starts = positions.to_numpy() == 1
    first = np.flatnonzero(starts)
    columns = (record_manifest[name].take(pa.array(first)).to_pylist() for name in document_fields)
    ends = [*first[1:].tolist(), len(record_manifest)][: len(first)]
    return dict(zip(zip(*columns, strict=True), zip(first.tolist(), ends, strict=True), strict=True))


def with_kept(made: pa.Table, kept: Kept) -> pa.Table:
    """The record manifest of the documents of ``made``, a record manifest, and of those that are ``kept``."""
    places = [(fields, kept.before, *rows) for fields, rows in kept.rows.items() if fields in kept.documents] + [
        (fields, made, *rows) for fields, rows in document_rows(made, kept.document_fields).items()
    ]
    return _pieces([place[1:] for place in sorted(places, key=lambda place: place[0])] or [(made, 0, 0)])


def _pieces(places: Sequence[tuple[pa.Table, int, int]]) -> pa.Table:
    """Stretches of rows of tables, one behind the other."""
    runs: list[tuple[pa.Table, int, int]] = []
    for table, start, end in places:
        if runs and runs[-1][0] is table and runs[-1][2] == start:
            runs[-1] = (table, runs[-1][1], end)
        else:
            runs.append((table, start, end))
    return pa.concat_tables([table.slice(start, end - start) for table, start, end in runs]).combine_chunks()


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


def numbers_of(documents: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The names of documents, each once, and for each row which one it has."""
    encoded = documents.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _document_starts(documents: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Which rows are the first of their document."""
    starts = np.ones(len(documents), dtype=bool)
    names = documents.combine_chunks()
    starts[1:] = pc.not_equal(names[1:], names[:-1]).to_numpy(zero_copy_only=False)
    return starts


def _rows_before(record_keys: pa.ChunkedArray, has_none: npt.NDArray[np.bool_]) -> pa.Array:
    """For each row the key of the one before it, or null."""
    before = np.maximum(np.arange(len(has_none)) - 1, 0)
    return record_keys.combine_chunks().take(pa.array(before, mask=has_none))


def _positions(starts: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """The place of each row in its document, from 1."""
    rows = np.arange(len(starts))
    return (rows - rows[starts][np.cumsum(starts) - 1] + 1).astype(np.int32) if len(rows) else rows.astype(np.int32)
