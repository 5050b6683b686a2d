"""The gold of a collection, and what a model had read on the same pages: which text is held against which. What counts
as gold is decided in `assets.gold`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.result_form import Result, result_in
from assets.gold import GoldKind, gold_of
from assets.reading import FURNITURE, Content, content_of
from flows.gateways.files.output_results import sha256_hex
from flows.gateways.files.storage import Storage
from flows.tables.derived import results_table


@dataclass(frozen=True)
class PageText:
    """``result``: as it is written, parsed; None for what is plain text from elsewhere."""

    text: str
    body: str
    result: Result | None = None

    @cached_property
    def content(self) -> Content:
        return content_of(self.result) if self.result is not None else Content()


@dataclass(frozen=True)
class Measured:
    """A page of which both are known. ``kind``: of its gold; ``reading``: what a model has answered."""

    record_key: str
    kind: GoldKind
    gold: PageText
    reading: PageText


@dataclass
class Measurable:
    """``pages``: by record key. Of the other pages with gold: ``unread``: they have no result; ``answer_lost``: a
    person has edited or written the result, and what a model had answered was not kept, or there was nothing."""

    pages: list[Measured]
    unread: list[str]
    answer_lost: list[str]


def read_gold(storage: Storage) -> pa.Table:
    """What gold there is. Columns: GOLD_SCHEMA. Raises ManifestError, OSError."""
    return gold_of(storage.corrections.read(), storage.imported_gold.read())


def measurable(storage: Storage, gold: pa.Table) -> Measurable:
    """The pages whose reading can be held against their gold. ``gold``: rows of `read_gold`. Raises ManifestError,
    OSError."""
    found = Measurable([], [], [])
    written = _written(storage, gold["record_key"].to_pylist())
    imported = {row["record_key"]: row for row in storage.imported_gold.read().select(_TEXTS).to_pylist()}
    for row in gold.to_pylist():
        key, kind = row["record_key"], GoldKind(row["kind"])
        there = storage.read_result(key)
        if there is None:
            found.unread.append(key)
            continue
        truth = _imported(imported[key]) if kind is GoldKind.IMPORTED else _kept(storage, row["result_sha256"])
        answer = _answer(storage, row, there, written.get(key))
        if truth is None or answer is None:
            found.answer_lost.append(key)
        else:
            found.pages.append(Measured(key, kind, truth, answer))
    return found


def gold_texts(storage: Storage, keys: Collection[str]) -> dict[str, PageText]:
    """Record key -> what stands on the page, of those ``keys`` that have gold. Raises ManifestError, OSError."""
    rows = read_gold(storage)
    rows = rows.filter(pc.is_in(rows["record_key"], value_set=pa.array(list(keys), pa.string())))
    imported = {row["record_key"]: row for row in storage.imported_gold.read().select(_TEXTS).to_pylist()}
    texts = {
        row["record_key"]: _imported(imported[row["record_key"]])
        if GoldKind(row["kind"]) is GoldKind.IMPORTED
        else _kept(storage, row["result_sha256"])
        for row in rows.to_pylist()
    }
    return {key: text for key, text in texts.items() if text is not None}


def page_texts(storage: Storage, keys: list[str]) -> Iterator[tuple[str, PageText]]:
    """The results of pages as they lie there, one after the other; what is no JSON is passed over. Raises
    ManifestError, OSError."""
    for key in keys:
        content = storage.read_result(key)
        if content is not None and (text := text_of(content)) is not None:
            yield key, text


_TEXTS = ["record_key", "text", "body"]


def text_of(content: bytes) -> PageText | None:
    """Of a result's bytes; None: it is no JSON."""
    result, problem = result_in(content)
    if problem or result is None:
        return None
    blocks = content_of(result).blocks
    body = "\n\n".join(block.text for block in blocks if block.text and block.kind not in FURNITURE)
    return PageText("\n\n".join(block.text for block in blocks if block.text), body, result)


def _imported(row: dict[str, Any]) -> PageText:
    return PageText(row["text"], row["body"])


def _kept(storage: Storage, sha256: str) -> PageText | None:
    content = storage.corrections.content(sha256)
    return None if content is None else text_of(content)


def _answer(storage: Storage, row: dict[str, Any], there: bytes, written: str | None) -> PageText | None:
    """What a model has answered: what lies there, or what was kept when a person vouched for something else.
    ``written``: SHA-256 of what a submission wrote last, None where no submission did."""
    if written is None:
        return None
    if sha256_hex(there) == written:
        return text_of(there)
    return _kept(storage, row["answer_sha256"]) if row["answer_sha256"] == written else None


def _written(storage: Storage, keys: list[str]) -> dict[str, str]:
    rows = results_table(storage, ["record_key", "result_sha256"], keys=keys, write=False)
    rows = rows.filter(pc.is_valid(rows["result_sha256"]))
    return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))
