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
from functools import lru_cache
from typing import TypeVar

from assets.domain.counts import Counts, Run
from assets.domain.labels import EXACT, LEAVES, NUMBERS, NaturalKey, canonical_label, natural_key, range_ends
from assets.domain.record import SEPARATOR, encode_ranges, entry_of

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


def encode_counts(page: Counts) -> dict[str, int]:
    """A page of counts as it is written: plain keys, or ranges if those are too long. Not sure to fit."""
    plain_bytes = 1 + sum(_plain_bytes(run, len(str(run.count))) for run in page.runs())
    if plain_bytes <= VARIABLE_LIMIT_BYTES:
        return {entry_of(key): count for key, count in page.items()}
    return {run.entry: run.count for run in page.runs()}


def has_room(page: Counts) -> bool:
    """Whether counts may have been appended up to what ``page`` is: it fits, and will when its counts change."""
    plain_bytes = 1 + sum(_plain_bytes(run, max(RESERVED_DIGITS, len(str(run.count)))) for run in page.runs())
    if plain_bytes <= VARIABLE_LIMIT_BYTES:
        return True
    return 1 + sum(_entry_bytes(run) for run in page.runs()) <= RANGE_ROOM_BYTES


def split_counts(page: Counts) -> list[Counts]:
    """A page in natural order, cut into slices that each have room as a page of ranges."""
    slices: list[list[Run]] = [[]]
    used_bytes = 1
    for run in page.runs():
        if slices[-1] and used_bytes + _entry_bytes(run) > RANGE_ROOM_BYTES:
            slices.append([])
            used_bytes = 1
        slices[-1].append(run)
        used_bytes += _entry_bytes(run)
    return [Counts(runs) for runs in slices]


def split_to_fit(page: Counts, more: Counts) -> tuple[Counts, Counts]:
    """What the page has room for of ``more``, from its start, and what is left."""

    def has_room_for(keys: int) -> bool:
        together = page.copy()
        for run in more.first_runs(keys):
            together.put(run)
        return has_room(together)

    # From below, as most pages are full: what is looked at grows with what fits, not with what there is.
    low, high = 0, 1
    while high <= len(more) and has_room_for(high):
        low, high = high, 2 * high
    high = min(high, len(more) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has_room_for(middle) else (low, middle)
    return more.split(low)


def _plain_bytes(run: Run, count_digits: int) -> int:
    """The bytes of a run's records as plain keys, each with its comma: reckoned, as there may be a million."""
    keys_bytes = len(run) * (_document_bytes(run.document) + len(SEPARATOR) + 2 + count_digits)
    if run.series not in (NUMBERS, LEAVES):
        return keys_bytes + _text_bytes(run.span.pages)
    # A leaf has two places for each number, and a letter behind it.
    per_number = 2 if run.series == LEAVES else 1
    first, digits = run.first, len(str(run.first // per_number))
    while first <= run.last:
        last = min(run.last, per_number * 10**digits - 1)
        keys_bytes += (last - first + 1) * (digits + per_number - 1)
        first, digits = last + 1, digits + 1
    return keys_bytes


def _entry_bytes(run: Run) -> int:
    """The bytes of a run as one entry, with its comma."""
    pages_bytes = len(SEPARATOR) + _text_bytes(run.span.pages)
    return _document_bytes(run.document) + pages_bytes + 2 + len(str(run.count))


def _text_bytes(text: str) -> int:
    """The bytes of a text within another one."""
    return len(text) if text.isascii() and '"' not in text else encoded_bytes(text) - 2


@lru_cache(maxsize=100_000)
def _document_bytes(document: str) -> int:
    """Its bytes, quotes included: asked for again with each try whether something fits."""
    return encoded_bytes(document)


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


def _entry_sort_key(entry: str) -> tuple[bool, list[str], NaturalKey]:
    """Natural order of ranges by their first page, references after them."""
    if entry.startswith(REFERENCE_PREFIX):
        return True, [entry], natural_key("0")
    *fields, pages = entry.split(SEPARATOR)
    ends = range_ends(pages)
    return False, fields, natural_key(canonical_label(ends[0] if ends else pages.removeprefix(EXACT)))


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
