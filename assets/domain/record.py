"""Record keys and ranges of them. The words: a record is one page; ``CA:Lincoln:2023:4`` is its key; all but its last
field, the page's label, name its document. Pure text: what a label is stands in `assets.domain.labels`, what is done
with records in the modules of ``assets``.

Where keys and ranges are written together (in Variables, on the command line) each is an **entry**: a key, a run of
pages (``CA:Lincoln:2023:1-40``, of leaves ``12r-15v``), or ``CA:Lincoln:2023:=12-13``, the one page that is labelled
12-13. A field becomes a folder's name, so what cannot be a safe file name is refused here, once, for the whole product.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from assets.domain.errors import RecordKeyError
from assets.domain.labels import (
    BIDI_CONTROLS,
    EXACT,
    FORBIDDEN_CATEGORIES,
    LEAVES,
    MAX_PAGE,
    NUMBERS,
    NaturalKey,
    canonical_label,
    is_range_like,
    label_at,
    natural_key,
    place_of,
    range_ends,
    series_key,
)

SEPARATOR = ":"
_PLAIN_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,99}", re.ASCII)
"""What most fields are like: there is nothing to be asked of them."""
MAX_FIELD_BYTES = 255
"""The longest file name that the usual file systems take, in bytes of UTF-8."""
MAX_RANGE_PAGES = 1_000_000
"""A range typed by hand may not unfold to more pages than this: a slip of the finger must not eat the memory."""

SortKey = tuple[list[str], NaturalKey]


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A parsed key. Orders by the document's fields as text, then by the page in natural order: page 10 after 9.

    ``fields``: the document's fields, NFC, each a safe file name. ``label``: the page's, see `labels.canonical_label`.
    """

    fields: tuple[str, ...]
    label: str

    @property
    def document(self) -> str:
        """``CA:Lincoln:2023``."""
        return SEPARATOR.join(self.fields)

    def __str__(self) -> str:
        return f"{SEPARATOR.join(self.fields)}{SEPARATOR}{self.label}"

    def __lt__(self, other: "RecordKey") -> bool:
        return (self.fields, natural_key(self.label)) < (other.fields, natural_key(other.label))


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring pages of a document, one at least: those from ``first`` to ``last``, both of them in it, of a series
    of labels (see `labels.place_of`)."""

    document: str
    first: int
    last: int
    series: str = NUMBERS

    @property
    def entry(self) -> str:
        """As it is written: a record key, or a range of them."""
        return f"{self.document}{SEPARATOR}{self.pages}"

    @property
    def pages(self) -> str:
        """The last field of the entry."""
        first = label_at(self.series, self.first)
        if self.first != self.last:
            return f"{first}-{label_at(self.series, self.last)}"
        return f"{EXACT}{first}" if is_range_like(first) else first

    @property
    def keys(self) -> Iterator[str]:
        return (f"{self.document}{SEPARATOR}{label_at(self.series, at)}" for at in range(self.first, self.last + 1))

    def __len__(self) -> int:
        return self.last - self.first + 1

    def holds(self, label: str) -> bool:
        """Whether the page of its document with this good label is one of these."""
        place = place_of(label)
        return place.series == self.series and self.first <= place.at <= self.last


Pages = Span | str
"""Pages of one document: a span of them, or the name of the document for all."""


def check_field(text: str) -> str:
    """Return ``text`` in NFC if it can be a document field.

    Raises RecordKeyError for what cannot be a safe file name, or would break a key apart.
    """
    if _PLAIN_FIELD.fullmatch(text):
        return text
    field = unicodedata.normalize("NFC", text)
    if not field:
        raise RecordKeyError(text, "a field is empty")
    if field in (".", ".."):
        raise RecordKeyError(text, f"the field {field!r} is a way out of the folder")
    for character in field:
        if character in "/\\":
            raise RecordKeyError(text, f"a field holds the path separator {character!r}")
        if character == SEPARATOR:
            raise RecordKeyError(text, "a field holds a ':', which separates fields")
        if character in BIDI_CONTROLS or unicodedata.category(character) in FORBIDDEN_CATEGORIES:
            raise RecordKeyError(text, f"a field holds the control character {character!r}")
    if len(field.encode()) > MAX_FIELD_BYTES:
        raise RecordKeyError(text, f"a field is longer than {MAX_FIELD_BYTES} bytes")
    return field


def parse_key(text: str, *, field_count: int | None = None) -> RecordKey:
    """Parse ``CA:Lincoln:2023:4``, or the same with the page as an entry of its own (``=12-13``).

    ``field_count``: how many document fields the collection has; None takes any number of 1 or more.
    Raises RecordKeyError.
    """
    *fields, page = text.split(SEPARATOR)
    _check_field_count(text, len(fields), field_count)
    try:
        return RecordKey(tuple(check_field(field) for field in fields), canonical_label(page.removeprefix(EXACT)))
    except RecordKeyError as error:
        raise RecordKeyError(text, error.reason) from None


def sort_key(text: str) -> SortKey:
    """The natural order of keys that are known to be good, without parsing them again."""
    *fields, label = text.split(SEPARATOR)
    return fields, natural_key(label)


def document_of(text: str) -> str:
    """The document part of a good key: ``CA:Lincoln:2023:4`` gives ``CA:Lincoln:2023``."""
    return text.rpartition(SEPARATOR)[0]


def label_of(text: str) -> str:
    """The page's label in a good key."""
    return text.rpartition(SEPARATOR)[2]


def span_of(text: str) -> Span:
    """The one page of a good key."""
    document, _, label = text.rpartition(SEPARATOR)
    place = place_of(label)
    return Span(document, place.at, place.at, place.series)


def entry_of(text: str) -> str:
    """A good key as it is written where ranges can stand, too."""
    document, _, label = text.rpartition(SEPARATOR)
    return f"{document}{SEPARATOR}{EXACT}{label}" if is_range_like(label) else text


def encode_ranges(keys: Iterable[str]) -> list[str]:
    """Keys as entries, each key once: ``CA:Lincoln:2023:1-40``; a page alone stays as it is. A document's numbers come
    first, then its leaves, then its other labels, each in natural order."""
    ordered = sorted({span_of(key) for key in keys}, key=_span_key)
    return [
        Span(document, first, last, series).entry
        for (document, series), spans in groupby(ordered, key=lambda span: (span.document, span.series))
        for first, last in _runs([span.first for span in spans])
    ]


def _span_key(span: Span) -> tuple[list[str], tuple[int, NaturalKey], int]:
    return span.document.split(SEPARATOR), series_key(span.series), span.first


def decode_span(entry: str, *, field_count: int | None = None) -> Span:
    """The pages that an entry means: a key's, or a range's, whose ends both belong to it. Raises RecordKeyError."""
    *fields, pages = entry.split(SEPARATOR)
    _check_field_count(entry, len(fields), field_count)
    try:
        document = SEPARATOR.join(check_field(field) for field in fields)
        ends = range_ends(pages)
        first, last = (place_of(canonical_label(each.removeprefix(EXACT))) for each in ends or (pages, pages))
    except RecordKeyError as error:
        raise RecordKeyError(entry, error.reason) from None
    if ends is not None and not first.series == last.series in (NUMBERS, LEAVES):
        raise RecordKeyError(entry, f"a page number in a range is at most {MAX_PAGE}")
    if last.at < first.at:
        raise RecordKeyError(entry, "the range ends before it begins")
    if last.at - first.at >= MAX_RANGE_PAGES:
        raise RecordKeyError(entry, f"the range holds more than {MAX_RANGE_PAGES} pages")
    return Span(document, first.at, last.at, first.series)


def decode_range(entry: str, *, field_count: int | None = None) -> list[str]:
    """The keys that one entry means, as in `decode_span`. Raises RecordKeyError."""
    return list(decode_span(entry, field_count=field_count).keys)


def decode_ranges(entries: Iterable[str], *, field_count: int | None = None) -> list[str]:
    """All keys of ``entries``, in their order. Raises RecordKeyError."""
    return [key for entry in entries for key in decode_range(entry, field_count=field_count)]


def _check_field_count(text: str, found: int, expected: int | None) -> None:
    if expected is None:
        if found < 1:
            raise RecordKeyError(text, "it names no document: fields and page are separated by ':'")
    elif found != expected:
        raise RecordKeyError(text, f"it has {found} document fields, this collection has {expected}")


def _runs(pages: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last page of each run of consecutive numbers in ascending ``pages``."""
    first = last = pages[0]
    for page in pages[1:]:
        if page != last + 1:
            yield first, last
            first = page
        last = page
    yield first, last
