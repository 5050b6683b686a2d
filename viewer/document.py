"""The page of a document: its pages with small images, states and words, and what it has cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from assets.candidates import RecordState
from assets.corrections import CorrectionKind
from assets.domain.record import SEPARATOR, label_of
from flows.tables.derived import results_table
from flows.tables.paid import answers_of
from viewer.charts import Part, bar
from viewer.collection import by_hand, whole
from viewer.odd_words import oddness
from viewer.pictures import version_of
from viewer.room import NotHereError, Room
from viewer.standing import FAILING, Standing

PAGES_A_PAGE = 120


@dataclass(frozen=True)
class Leaf:
    """One page of it. ``words``: -1 where it has no result, or nobody has counted yet; ``odd``: -1 for far fewer than
    the others have, 1 for far more; ``by_hand``: what a person has done with its result, ""
    for nothing; ``failed``: the kind of its last outcome, "" if it was no failure."""

    record_key: str
    label: str
    state: RecordState
    group: str
    version: str
    words: int
    odd: int
    by_hand: str
    outdated: tuple[str, ...]
    failed: str


@dataclass(frozen=True)
class DocumentPage:
    """``usd``: None where it is not known; ``median_words``: of the pages that have a result, None without one;
    ``before``, ``behind``: the documents beside it, "" where there is none."""

    name: str
    count: int
    counts: Mapping[str, int]
    parts: list[Part]
    leaves: list[Leaf]
    page: int
    pages: int
    usd: float | None
    unknown_costs: int
    median_words: int | None
    odd: list[tuple[str, int, int]]
    edited: int
    checked: int
    outdated: int
    before: str
    behind: str


def document_page(room: Room, name: str, asked: Mapping[str, str]) -> DocumentPage:
    """Raises NotHereError, ManifestError, OSError."""
    standing = room.standing
    place = standing.place_of(name)
    if place is None:
        raise NotHereError(f"there is no document {name}")
    first, end = int(standing.records.starts[place]), int(standing.records.starts[place + 1])
    numbers = np.arange(first, end)
    keys = standing.records.keys(numbers).to_pylist()
    labels = [label_of(key) for key in keys]
    known = room.index.words_of(name)
    words = np.array([known.get(label, -1) for label in labels], dtype=np.int64)
    odd = oddness(words)
    pages = max(1, -(-len(keys) // PAGES_A_PAGE))
    page = min(pages, whole(asked.get("page", ""), 1))
    shown = range((page - 1) * PAGES_A_PAGE, min(len(keys), page * PAGES_A_PAGE))
    rows = room.image_rows(standing, first + shown.start, first + shown.stop)
    usd, unknown = _cost(room, keys)
    counts = _counts(standing, numbers)
    documents = standing.records.pages.documents
    counted = words[words >= 0]
    return DocumentPage(
        name=name,
        count=len(keys),
        counts=counts,
        parts=bar(counts),
        leaves=[
            _leaf(standing, first + at, keys[at], row, int(words[at]), int(odd[at]))
            for at, row in zip(shown, rows, strict=True)
        ],
        page=page,
        pages=pages,
        usd=usd,
        unknown_costs=unknown,
        median_words=int(np.median(counted)) if len(counted) else None,
        odd=[(keys[at], int(words[at]), int(odd[at])) for at in np.flatnonzero(odd).tolist()],
        edited=int(np.count_nonzero(standing.is_edited[first:end])),
        checked=int(np.count_nonzero(standing.vouched[CorrectionKind.CHECKED][first:end])),
        outdated=int(np.count_nonzero(standing.is_outdated[first:end])),
        before=documents[place - 1].as_py() if place else "",
        behind=documents[place + 1].as_py() if place + 1 < len(documents) else "",
    )


def page_of(position: int) -> int:
    """On which of its pages the one with this place in its document stands, from 1."""
    return position // PAGES_A_PAGE + 1


def group_of(state: RecordState) -> str:
    if state is RecordState.DONE:
        return "done"
    if state is RecordState.INFLIGHT:
        return "in_flight"
    return "failing" if state in FAILING else "waiting"


def done_by_hand(standing: Standing, number: int) -> str:
    """Corrected, checked, edited or ""."""
    return next((name for name, mask in by_hand(standing).items() if mask[number]), "")


def outdated_reasons(standing: Standing, number: int) -> tuple[str, ...]:
    return tuple(reason.value for reason, mask in standing.outdated.items() if mask[number])


def _leaf(standing: Standing, number: int, key: str, row: Mapping[str, Any], words: int, odd: int) -> Leaf:
    state = standing.state_of(number)
    return Leaf(
        record_key=key,
        label=key.rpartition(SEPARATOR)[2],
        state=state,
        group=group_of(state),
        version=version_of(row),
        words=words,
        odd=odd,
        by_hand=done_by_hand(standing, number),
        outdated=outdated_reasons(standing, number),
        failed="" if state is RecordState.DONE else standing.failed.of(number),
    )


def _counts(standing: Standing, numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> dict[str, int]:
    counts = {"done": 0, "in_flight": 0, "failing": 0, "waiting": 0}
    for number in numbers.tolist():
        counts[group_of(standing.state_of(number))] += 1
    return counts


def _cost(room: Room, keys: list[str]) -> tuple[float | None, int]:
    """What the results have cost, and of how many nobody knows."""
    made = results_table(room.storage, ["record_key", "submission_id"], keys=keys, write=False)
    if not len(made):
        return (0.0 if not room.standing.count(RecordState.DONE) else None), 0
    usd = answers_of(room.storage, made)["usd"]
    known = len(usd) - usd.null_count
    return (float(pc.sum(usd).as_py()) if known else None), len(made) - known
