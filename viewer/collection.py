"""The first page: how far the collection is, what it has cost, and its documents, some at a time; and the page of each
kind of failure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState
from assets.domain.outcome import OutcomeKind
from viewer.charts import Line, Part, bar, line
from viewer.room import NotHereError, Room
from viewer.standing import FAILING, NONE, Names, Standing

DOCUMENTS_A_PAGE = 100
PAGES_A_PAGE = 50
COLUMNS = ("document", "pages", "done", "failing", "waiting", "outdated", "edited", "checked", "usd")
"""What the documents can be sorted by."""
SHOWN = ("done", "failing", "waiting", "in_flight", "outdated", "edited", "checked")
"""What can be asked of documents: that some of their pages are that."""


@dataclass(frozen=True)
class Listed:
    """``rows``: of `Standing.documents`, with ``bar``; ``first``: the place of the first one, from 1; ``count``: of all
    that fit."""

    rows: list[dict[str, Any]]
    count: int
    page: int
    pages: int
    sort: str
    descending: bool
    named: str
    showing: str

    @property
    def first(self) -> int:
        return (self.page - 1) * DOCUMENTS_A_PAGE + 1


@dataclass(frozen=True)
class CollectionPage:
    standing: Standing
    counts: Mapping[str, int]
    parts: list[Part]
    line: Line | None
    outdated: Mapping[str, int]
    by_hand: Mapping[str, int]
    failures: Mapping[str, int]
    listed: Listed


@dataclass(frozen=True)
class Failed:
    """A page that has failed, with its last message."""

    record_key: str
    state: RecordState
    failures: int
    message: str


@dataclass(frozen=True)
class FailurePage:
    kind: str
    kinds: Mapping[str, int]
    count: int
    page: int
    pages: int
    rows: list[Failed] = field(default_factory=list)


def collection_page(room: Room, asked: Mapping[str, str]) -> CollectionPage:
    """``asked``: page, sort, order, named, showing."""
    standing = room.standing
    counts = group_counts(standing)
    return CollectionPage(
        standing=standing,
        counts=counts,
        parts=bar(counts),
        line=line(standing.points, len(standing)),
        outdated={
            reason.value: count for reason, mask in standing.outdated.items() if (count := int(np.count_nonzero(mask)))
        },
        by_hand={name: int(np.count_nonzero(mask)) for name, mask in by_hand(standing).items()},
        failures=failure_counts(standing),
        listed=listed(standing, asked),
    )


def by_hand(standing: Standing) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """What people have done with results -> of which records."""
    return {**{kind.value: mask for kind, mask in standing.vouched.items()}, "edited": standing.edited}


def group_counts(standing: Standing) -> dict[str, int]:
    counts = {"done": standing.count(RecordState.DONE), "in_flight": standing.count(RecordState.INFLIGHT)}
    counts["failing"] = standing.count(*FAILING)
    return counts | {"waiting": len(standing) - sum(counts.values())}


def failure_counts(standing: Standing) -> dict[str, int]:
    """Kind of the last outcome -> how many pages have no result for it."""
    return standing.failed.counts(~standing.is_done)


def listed(standing: Standing, asked: Mapping[str, str], rows_a_page: int = DOCUMENTS_A_PAGE) -> Listed:
    table, sort = standing.documents, asked.get("sort", "document")
    sort = sort if sort in COLUMNS else "document"
    descending = asked.get("order", "") == "down"
    named, showing = asked.get("named", "").strip(), asked.get("showing", "")
    order = _order(table, sort, descending=descending)
    fits = np.ones(len(table), dtype=bool)
    if named:
        fits &= pc.match_substring(table["document"], named, ignore_case=True).to_numpy(zero_copy_only=False)
    if showing in SHOWN:
        fits &= table[showing].to_numpy() > 0
    numbers = order[fits[order]]
    pages = max(1, -(-len(numbers) // rows_a_page))
    page = min(pages, whole(asked.get("page", ""), 1))
    shown = table.take(pa.array(numbers[(page - 1) * rows_a_page : page * rows_a_page])).to_pylist()
    for row in shown:
        row["bar"] = bar({name: row[name] for name in ("done", "in_flight", "failing", "waiting")})
    return Listed(shown, len(numbers), page, pages, sort, descending, named, showing if showing in SHOWN else "")


def _order(table: pa.Table, sort: str, *, descending: bool) -> np.ndarray[Any, np.dtype[np.int64]]:
    """In the order of the record manifest, or by a column, equal ones in that order."""
    if sort == "document":
        order = np.arange(len(table))
        return order[::-1] if descending else order
    values = pc.fill_null(table[sort], -1).to_numpy()
    return np.argsort(-values if descending else values, kind="stable")


def whole(text: str, least: int) -> int:
    """What an address says as a number; ``least`` for anything else."""
    return max(least, int(text)) if text.isascii() and text.isdecimal() and len(text) < 10 else least


# --- what has failed


def failure_page(room: Room, kind: str, asked: Mapping[str, str]) -> FailurePage:
    """The pages whose last outcome is of this kind. Raises NotHereError, ManifestError, OSError."""
    standing = room.standing
    kinds = failure_counts(standing)
    if kind not in list(OutcomeKind):
        raise NotHereError(f"there is no kind of outcome {kind!r}")
    numbers = np.flatnonzero(standing.failed.mask(kind) & ~standing.is_done)
    pages = max(1, -(-len(numbers) // PAGES_A_PAGE))
    page = min(pages, whole(asked.get("page", ""), 1))
    shown = numbers[(page - 1) * PAGES_A_PAGE : page * PAGES_A_PAGE]
    keys = standing.records.keys(shown).to_pylist()
    messages = _messages(room, standing.failed_in, shown, keys)
    rows = [
        Failed(key, standing.state_of(number), int(standing.states.failures[number]), messages.get(key, ""))
        for key, number in zip(keys, shown.tolist(), strict=True)
    ]
    return FailurePage(kind, kinds, len(numbers), page, pages, rows)


def _messages(room: Room, failed_in: Names, numbers: np.ndarray[Any, Any], keys: list[str]) -> dict[str, str]:
    wanted: dict[str, list[str]] = {}
    for key, code in zip(keys, failed_in.codes[numbers].tolist(), strict=True):
        if code != NONE:
            wanted.setdefault(failed_in.names[code], []).append(key)
    found: dict[str, str] = {}
    for submission_id, its in wanted.items():
        table = _failed_of(room.storage, submission_id)
        rows = table.filter(pc.is_in(table["record_key"], value_set=pa.array(its, pa.string())))
        found |= dict(zip(rows["record_key"].to_pylist(), rows["message"].to_pylist(), strict=True))
    return found


@lru_cache(maxsize=256)
def _failed_of(storage: Any, submission_id: str) -> pa.Table:
    """The messages of a submission, which never change."""
    return storage.read_outcomes(submission_id, ["record_key", "message"])
