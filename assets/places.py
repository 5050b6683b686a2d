"""Where a record stands, as columns of numbers: the document that it belongs to, and its page. Tables that grow with
history carry both beside the key, are sorted by them, and are joined by them: a key as text is read where somebody sees
it.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.labels import MAX_PAGE
from assets.domain.record import SEPARATOR

IntArray = npt.NDArray[np.int64]

DOCUMENT = pa.field("document", pa.dictionary(pa.int32(), pa.string()), nullable=False)
PAGE = pa.field("page", pa.int32())
PLACE = ("document", "page")

_NO_PAGE = 2**32 - 1
"""Behind all pages of a document."""
_NUMBER = "^(0|[1-9][0-9]{0,9})$"


def with_places(table: pa.Table) -> pa.Table:
    """``table`` (with a column record_key) with the columns DOCUMENT and PAGE: the key but its last field; the number
    that the page's label is, null where it is none, or more than MAX_PAGE."""
    document, page = _places(table["record_key"].combine_chunks())
    return table.append_column(DOCUMENT, document).append_column(PAGE, page)


def documents_of(record_keys: Collection[str]) -> list[str]:
    """The documents of those records, each once."""
    documents: list[str] = _places(pa.array(record_keys, pa.string()))[0].dictionary.to_pylist()
    return documents


def in_order(table: pa.Table) -> pa.Table:
    """Sorted by document, then by page; pages without a number come last. ``table``: with PLACE."""
    ranks, documents = _ranks(table["document"])
    order = np.argsort(_codes(ranks, table["page"]), kind="stable")
    at = table.schema.get_field_index("document")
    encoded = pa.DictionaryArray.from_arrays(pa.array(ranks.astype(np.int32)), documents)
    return table.set_column(at, DOCUMENT, encoded).take(pa.array(order)).combine_chunks()


def latest_rows(tables: Sequence[pa.Table]) -> pa.Table:
    """One row a record, of the last of ``tables`` that has one, in the order of `in_order`. Within a table a record has
    one row. ``tables``: at least one; with PLACE, and with record_key where a page has no number."""
    tables = [table for table in tables if len(table)] or list(tables[:1])
    if len(tables) == 1:
        return tables[0]
    whole = in_order(pa.concat_tables(tables))
    names = _names(whole)
    # A stable order: of several rows of a record the one of the last table comes last.
    order = np.argsort(names, kind="stable")
    is_last = np.ones(len(names), dtype=bool)
    is_last[:-1] = names[order][1:] != names[order][:-1]
    kept = np.zeros(len(names), dtype=bool)
    kept[order[is_last]] = True
    return whole.filter(pa.array(kept)).combine_chunks()


def without(table: pa.Table, others: pa.Table) -> pa.Table:
    """The rows of records of which ``others`` has none. Both as for `latest_rows`."""
    if not len(others) or not len(table):
        return table
    both = pa.concat_tables(
        [each.select([name for name in each.column_names if name in _OF_NAMES]) for each in (table, others)],
        promote_options="default",
    )
    names = _names(both)
    found = np.sort(names[len(table) :])
    at = np.minimum(np.searchsorted(found, names[: len(table)]), len(found) - 1)
    is_among = found[at] == names[: len(table)]
    return table.filter(pa.array(~is_among))


_OF_NAMES = frozenset({"record_key", *PLACE})


def _names(table: pa.Table) -> IntArray:
    """A number for each record; the same for the same record within this table alone."""
    names = _codes(_ranks(table["document"])[0], table["page"])
    is_label = table["page"].is_null().to_numpy(zero_copy_only=False)
    if is_label.any():
        keys = table["record_key"].filter(pa.array(is_label)).combine_chunks().dictionary_encode()
        names[is_label] = -1 - keys.indices.to_numpy().astype(np.int64)
    return names


def _codes(ranks: IntArray, page: pa.ChunkedArray) -> IntArray:
    codes: IntArray = ranks << 32 | pc.fill_null(page.cast(pa.int64()), _NO_PAGE).to_numpy()
    return codes


def _ranks(documents: pa.ChunkedArray) -> tuple[IntArray, pa.Array]:
    """The place of each row's document among all of them in their order, and these."""
    encoded = documents.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], DOCUMENT.type)
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[encoded.indices.to_numpy()], encoded.dictionary.take(pa.array(order))


def _places(keys: pa.Array) -> tuple[pa.DictionaryArray, pa.Array]:
    parts = pc.split_pattern(keys, SEPARATOR, max_splits=1, reverse=True)
    label = pc.list_element(parts, 1)
    number = pc.if_else(pc.match_substring_regex(label, _NUMBER), label, pa.scalar(None, pa.string())).cast(pa.int64())
    page = pc.if_else(pc.less_equal(number, MAX_PAGE), number, pa.scalar(None, pa.int64())).cast(PAGE.type)
    return pc.list_element(parts, 0).dictionary_encode(), page
