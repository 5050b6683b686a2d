"""What settings were compared, and the pages on which two readings differ, with the differences marked in the text."""

from collections.abc import Mapping
from dataclasses import dataclass

from flows.gateways.files.runs import Run
from flows.questions.comparison import Findings, findings_of, shown
from flows.questions.comparison_page import differences, most_different
from viewer.room import NotHereError, Room

PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One side of a page. ``parts``: what each is, and its text, of `differences`; None: it has no result."""

    name: str
    words: str
    parts: list[tuple[str, str]] | None


@dataclass(frozen=True, slots=True)
class Compared:
    """A page that two settings have read. ``has_truth``: what is marked is held against that, else each against the
    other."""

    record_key: str
    has_truth: bool
    readings: list[Reading]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """``table``: as in the terminal; ``page``, ``pages``: of the list."""

    run: Run
    table: str
    compared: list[Compared]
    page: int
    pages: int


def comparison_list(room: Room) -> list[Run]:
    """All runs, by name. Raises ManifestError, OSError."""
    return [room.storage.runs.read(name) for name in room.storage.runs.names()]


def comparison_view(room: Room, name: str, asked: Mapping[str, str]) -> ComparisonView:
    """Raises NotHereError, QuireError, OSError."""
    if name not in room.storage.runs.names():
        raise NotHereError("there is no comparison of that name")
    found = findings_of(room.settings, room.storage, room.storage.runs.read(name))
    keys, _ = most_different(found, sum(side.pages for side in found.sides))
    pages = max(1, -(-len(keys) // PAGES_AT_ONCE))
    page = min(max(1, int(asked["page"]) if asked["page"].isdecimal() else 1), pages)
    here = keys[(page - 1) * PAGES_AT_ONCE : page * PAGES_AT_ONCE]
    return ComparisonView(found.run, shown(found), [_compared(found, key) for key in here], page, pages)


def _compared(found: Findings, key: str) -> Compared:
    truth, texts = found.truth.get(key), [side.texts.get(key) for side in found.sides]
    readings = [
        Reading(side.name, side.words, None if text is None else differences(truth, other, text))
        for side, text, other in zip(found.sides, texts, reversed(texts), strict=True)
    ]
    return Compared(key, truth is not None, readings)
