"""How the ledger becomes the values of Prefect Variables: sizes, ranges, references, pages. Text and numbers only: what
the values mean, and what may be changed in them, stands in `assets.domain.ledger`.

**Counts.** A page is written with plain keys while it fits, so that a person finds a record by its key, and as ranges
of equal counts once it does not. A range breaks apart when one of its counts changes, so a page of ranges keeps
room free for that: nothing is appended to it above ``RANGE_ROOM_BYTES``. A page of plain keys only grows by the digits
of its counts, so three digits are reckoned for each.

**Views.** Per submission a list of ranges. The longest lists give way to ``@<submission id>`` until the whole fits
into one Variable; what does not fit even then goes on in further pages.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from assets.domain.record import SEPARATOR, document_of, encode_ranges, page_of, sort_key

VARIABLE_LIMIT_BYTES = 5000
"""What one Variable takes (Prefect 3.8: ``len(orjson.dumps(value))``, in ``prefect/types``): compact JSON in UTF-8,
letters outside ASCII not escaped."""
RANGE_ROOM_BYTES = 4000
RESERVED_DIGITS = 3
REFERENCE_PREFIX = "@"

T = TypeVar("T")


def encoded_bytes(value: object) -> int:
    """The length of ``value`` as Prefect counts it."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def fits(value: object) -> bool:
    return encoded_bytes(value) <= VARIABLE_LIMIT_BYTES


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring pages of one document with one count. ``keys``: in order."""

    count: int
    keys: list[str]

    @property
    def entry(self) -> str:
        first, last = self.keys[0], self.keys[-1]
        return first if first == last else f"{first}-{page_of(last)}"


def runs_of(page: Mapping[str, int]) -> list[Run]:
    """The counts of a page as runs, in natural order."""
    runs: list[Run] = []
    next_key = ""
    for key in sorted(page, key=sort_key):
        if key == next_key and runs[-1].count == page[key]:
            runs[-1].keys.append(key)
        else:
            runs.append(Run(page[key], [key]))
        next_key = f"{document_of(key)}{SEPARATOR}{page_of(key) + 1}"
    return runs


def encode_counts(page: Mapping[str, int]) -> dict[str, int]:
    """A page of counts as it is written: plain keys, or ranges if those are too long. Not sure to fit."""
    plain = {key: page[key] for key in sorted(page, key=sort_key)}
    return plain if fits(plain) else {run.entry: run.count for run in runs_of(page)}


def has_room(page: Mapping[str, int]) -> bool:
    """Whether counts may have been appended up to what ``page`` is: it fits, and will when its counts change."""
    plain_bytes = 1 + sum(encoded_bytes(key) + 2 + max(RESERVED_DIGITS, len(str(page[key]))) for key in page)
    if plain_bytes <= VARIABLE_LIMIT_BYTES:
        return True
    return encoded_bytes({run.entry: run.count for run in runs_of(page)}) <= RANGE_ROOM_BYTES


def split_counts(page: Mapping[str, int]) -> list[list[str]]:
    """The keys of a page in natural order, cut into slices that each have room as a page of ranges."""
    slices: list[list[str]] = [[]]
    used_bytes = 1
    for run in runs_of(page):
        entry_bytes = encoded_bytes(run.entry) + 2 + len(str(run.count))
        if slices[-1] and used_bytes + entry_bytes > RANGE_ROOM_BYTES:
            slices.append([])
            used_bytes = 1
        slices[-1].extend(run.keys)
        used_bytes += entry_bytes
    return slices


def prefix_that_fits(page: Mapping[str, int], more: Sequence[tuple[str, int]]) -> int:
    """How many of ``more``, from its start, the page has room for."""
    low, high = 0, len(more)
    while low < high:
        middle = (low + high + 1) // 2
        if has_room({**page, **dict(more[:middle])}):
            low = middle
        else:
            high = middle - 1
    return low


def encode_views(
    records: Mapping[str, tuple[str, Sequence[str]]],
) -> tuple[list[dict[str, list[str]]], list[list[str]]]:
    """Both views as pages, at least one page each. ``records``: active name -> (submission id, its record keys).

    Returns the pages of ``batch_record_keys`` and those of ``inflight_record_ids``. Each view gives way by itself: the
    list of records may still show keys where the map, with its names, has no room for them.
    """
    lists = {name: encode_ranges(keys) for name, (_, keys) in records.items()}
    references = {name: f"{REFERENCE_PREFIX}{submission_id}" for name, (submission_id, _) in records.items()}
    name_bytes = sum(encoded_bytes(name) + 2 for name in records)
    by_batch = _give_way(lists, references, room_bytes=VARIABLE_LIMIT_BYTES - 1 - name_bytes, frame_bytes=1)
    in_flight = _give_way(lists, references, room_bytes=VARIABLE_LIMIT_BYTES - 1, frame_bytes=0)
    entries = sorted((entry for values in in_flight.values() for entry in values), key=_entry_sort_key)
    map_pages = [dict(page) for page in _paged(by_batch.items(), lambda item: _bytes_of_item(*item) + 1)]
    return map_pages, [list(page) for page in _paged(entries, lambda entry: encoded_bytes(entry) + 1)]


def _give_way(
    lists: Mapping[str, list[str]], references: Mapping[str, str], *, room_bytes: int, frame_bytes: int
) -> dict[str, list[str]]:
    """Put references in the place of lists, the longest first, until all is within ``room_bytes``. ``frame_bytes``:
    what the brackets add to each list, if it keeps its own."""
    result = dict(lists)
    sizes = {name: frame_bytes + _inner_bytes(values) for name, values in lists.items()}
    total = sum(sizes.values())
    for name in sorted(lists, key=lambda name: -sizes[name]):
        saved = sizes[name] - frame_bytes - _inner_bytes([references[name]])
        if total <= room_bytes or saved <= 0:
            break
        result[name] = [references[name]]
        total -= saved
    return result


def _inner_bytes(values: Iterable[str]) -> int:
    """The bytes of a list's entries with a comma after each: its brackets take the last one's place and one more."""
    return sum(encoded_bytes(value) + 1 for value in values)


def _bytes_of_item(name: str, values: Sequence[str]) -> int:
    return encoded_bytes(name) + 1 + encoded_bytes(values)


def _entry_sort_key(entry: str) -> tuple[bool, list[str], int]:
    """Natural order of ranges by their first page, references after them."""
    if entry.startswith(REFERENCE_PREFIX):
        return True, [entry], 0
    *fields, pages = entry.split(SEPARATOR)
    return False, fields, int(pages.partition("-")[0])


def _paged(items: Iterable[T], bytes_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut ``items`` into pages of one Variable each; ``bytes_of`` counts an item with its comma."""
    page: list[T] = []
    used_bytes = 1
    for item in items:
        if page and used_bytes + bytes_of(item) > VARIABLE_LIMIT_BYTES:
            yield page
            page, used_bytes = [], 1
        page.append(item)
        used_bytes += bytes_of(item)
    yield page
