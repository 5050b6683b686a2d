"""The search: pages by what stands in them, by their state, by what failed, by document, model and prompt."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import STATES, RecordState
from assets.numbering import NOWHERE
from viewer.collection import by_hand, failure_counts, whole
from viewer.document import group_of
from viewer.index import CLOSE_MARK, COUNTED, OPEN_MARK
from viewer.pictures import version_of
from viewer.query import fts_query
from viewer.room import Room
from viewer.standing import Standing

HITS_A_PAGE = 25
LOOKED_AT = 20_000
"""So many hits are looked at for those that fit what else is asked."""
BoolArray = npt.NDArray[np.bool_]
OTHER_STATES = ("corrected", "checked", "edited", "outdated")


@dataclass(frozen=True)
class FoundPage:
    """``parts``: of the snippet, each with whether it is what was looked for."""

    record_key: str
    document: str
    label: str
    state: RecordState
    group: str
    version: str
    parts: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class SearchPage:
    """``count``: how many fit, None where that is not known, -1 for more than can be counted; ``is_cut``: there may be
    more that were not looked at; ``more``: there is another page of them; ``problem``: why nothing was looked for.
    ``states`` and so on: what can be chosen."""

    asked: Mapping[str, str]
    query: str
    rows: list[FoundPage]
    count: int | None
    page: int
    more: bool
    is_cut: bool
    problem: str
    states: list[str]
    kinds: list[str]
    models: list[str]
    prompts: list[str]

    @property
    def is_asked(self) -> bool:
        return any(self.asked.values())


def search_page(room: Room, asked: Mapping[str, str]) -> SearchPage:
    """``asked``: q, state, kind, document, model, prompt, page. Raises ManifestError, OSError."""
    standing = room.standing
    query, page = fts_query(asked.get("q", "")), whole(asked.get("page", ""), 1)
    mask, documents = _filtered(standing, asked)
    start, count, is_cut, problem = (page - 1) * HITS_A_PAGE, None, False, ""
    snippets: dict[str, str] = {}
    keys = list[str]()
    if query:
        try:
            hits, pieces = room.index.hits(query, documents)
            numbers, is_cut = _among(standing, pieces, mask, start + HITS_A_PAGE + 1)
            keys = standing.records.keys(numbers[start : start + HITS_A_PAGE + 1]).to_pylist()
            snippets = {hit.record_key: hit.snippet for hit in room.index.snippets(query, keys[:HITS_A_PAGE])}
            count = (-1 if hits > COUNTED else hits) if mask is None else None
        except sqlite3.Error as error:
            problem = f"the index could not be asked: {error}"
    elif mask is not None:
        numbers = np.flatnonzero(mask)
        count = len(numbers)
        keys = standing.records.keys(numbers[start : start + HITS_A_PAGE + 1]).to_pylist()
    return SearchPage(
        asked=asked,
        query=query,
        rows=[_found(room, standing, key, snippets.get(key, "")) for key in keys[:HITS_A_PAGE]],
        count=count,
        page=page,
        more=len(keys) > HITS_A_PAGE,
        is_cut=is_cut,
        problem=problem,
        states=[*(state.value for state in STATES), *OTHER_STATES],
        kinds=list(failure_counts(standing)),
        models=sorted(standing.models.names),
        prompts=sorted(standing.prompts.names),
    )


def _filtered(standing: Standing, asked: Mapping[str, str]) -> tuple[BoolArray | None, list[str] | None]:
    """Which records fit, None for all; and in which documents they are alone, None for any."""
    masks = list[BoolArray]()
    documents: list[str] | None = None
    if state := asked.get("state", ""):
        if state in OTHER_STATES:
            masks.append({**by_hand(standing), "outdated": standing.is_outdated}[state])
        else:
            codes = [code for code, each in enumerate(STATES) if each.value == state]
            masks.append(np.isin(standing.states.codes, codes))
    if kind := asked.get("kind", ""):
        masks.append(standing.failed.mask(kind) & ~standing.is_done)
    if model := asked.get("model", ""):
        masks.append(standing.models.mask(model))
    if prompt := asked.get("prompt", ""):
        masks.append(standing.prompts.mask(prompt))
    if named := asked.get("document", "").strip():
        pages = standing.records.pages
        place = standing.place_of(named)
        if place is not None:
            fits = np.zeros(len(pages.documents), dtype=bool)
            fits[place] = True
        else:
            fits = pc.match_substring(pages.documents, named, ignore_case=True).to_numpy(zero_copy_only=False)
        masks.append(fits[pages.codes])
        names = pages.documents.filter(pa.array(fits)).to_pylist()
        documents = names if len(names) <= 100 else None
    return (np.logical_and.reduce(masks) if masks else None), documents


def _among(
    standing: Standing, pieces: Iterator[list[str]], mask: BoolArray | None, wanted: int
) -> tuple[npt.NDArray[np.int64], bool]:
    """The first ``wanted`` hits that are pages of the collection and fit; and whether it was not looked further."""
    found, looked_at = list[npt.NDArray[np.int64]](), 0
    for keys in pieces:
        numbers = standing.records.numbers_of_keys(keys)
        numbers = numbers[numbers != NOWHERE]
        found.append(numbers if mask is None else numbers[mask[numbers]])
        looked_at += len(keys)
        if sum(map(len, found)) >= wanted:
            break
        if looked_at >= LOOKED_AT:
            return np.concatenate(found), True
    return (np.concatenate(found) if found else np.zeros(0, dtype=np.int64)), False


def _found(room: Room, standing: Standing, key: str, snippet: str) -> FoundPage:
    number = standing.number_of(key)
    assert number is not None  # noqa: S101 - it is made of its number
    state, document = standing.state_of(number), standing.document_of(number)
    version = version_of(room.image_row(standing, number))
    label = key[len(document) + 1 :]
    return FoundPage(key, document, label, state, group_of(state), version, snippet_parts(snippet))


def snippet_parts(snippet: str) -> tuple[tuple[str, bool], ...]:
    """What stands between the marks, and what does not."""
    parts = list[tuple[str, bool]]()
    for at, piece in enumerate(snippet.split(OPEN_MARK)):
        inside, mark, outside = piece.partition(CLOSE_MARK)
        if at == 0 or not mark:
            parts.append((piece, False))
        else:
            parts += [(inside, True), (outside, False)]
    return tuple(part for part in parts if part[0])
