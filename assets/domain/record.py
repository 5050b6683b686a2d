"""Record keys and ranges of them. The words: a record is one page; ``CA:Lincoln:2023:4`` is its key; all but the
page name its document. Pure text: what is done with records stands in the modules of ``assets``.

A field becomes a folder's name, so what cannot be a safe file name is refused here, once, for the whole product.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from assets.domain.errors import RecordKeyError

SEPARATOR = ":"
MAX_PAGE = 2**31 - 1
"""The page number is an int32 column of the record manifest."""
MAX_FIELD_BYTES = 255
"""The longest file name that the usual file systems take, in bytes of UTF-8."""
MAX_RANGE_PAGES = 1_000_000
"""A range typed by hand may not unfold to more pages than this: a slip of the finger must not eat the memory."""

_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Characters that turn the reading direction round: a name that shows as something else than it is.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, order=True)
class RecordKey:
    """A parsed key. Orders by the document's fields as text, then by the page as a number: page 10 after 9.

    ``fields``: the document's fields, NFC, each a safe file name. ``page``: 1 or more.
    """

    fields: tuple[str, ...]
    page: int

    @property
    def document(self) -> str:
        """``CA:Lincoln:2023``."""
        return SEPARATOR.join(self.fields)

    def __str__(self) -> str:
        return f"{SEPARATOR.join(self.fields)}{SEPARATOR}{self.page}"


def check_field(text: str) -> str:
    """Return ``text`` in NFC if it can be a document field.

    Raises RecordKeyError for what cannot be a safe file name, or would break a key apart.
    """
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
        if character in _BIDI_CONTROLS or unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise RecordKeyError(text, f"a field holds the control character {character!r}")
    if len(field.encode()) > MAX_FIELD_BYTES:
        raise RecordKeyError(text, f"a field is longer than {MAX_FIELD_BYTES} bytes")
    return field


def parse_page(text: str) -> int:
    """The page number that ``text`` names; leading zeros do not count. Raises RecordKeyError."""
    if not (text.isascii() and text.isdigit()):
        raise RecordKeyError(text, "a page is a whole number of 1 or more")
    stripped = text.lstrip("0")
    if not stripped:
        raise RecordKeyError(text, "a page is a whole number of 1 or more")
    if len(stripped) > 10 or int(stripped) > MAX_PAGE:
        raise RecordKeyError(text, f"a page is at most {MAX_PAGE}")
    return int(stripped)


def parse_key(text: str, *, field_count: int | None = None) -> RecordKey:
    """Parse ``CA:Lincoln:2023:4``.

    ``field_count``: how many document fields the collection has; None takes any number of 1 or more.
    Raises RecordKeyError.
    """
    *fields, page = text.split(SEPARATOR)
    _check_field_count(text, len(fields), field_count)
    try:
        return RecordKey(tuple(check_field(field) for field in fields), parse_page(page))
    except RecordKeyError as error:
        raise RecordKeyError(text, error.reason) from None


def sort_key(text: str) -> tuple[list[str], int]:
    """The natural order of keys that are known to be good, without parsing them again."""
    *fields, page = text.split(SEPARATOR)
    return fields, int(page)


def document_of(text: str) -> str:
    """The document part of a good key: ``CA:Lincoln:2023:4`` gives ``CA:Lincoln:2023``."""
    return text.rpartition(SEPARATOR)[0]


def page_of(text: str) -> int:
    """The page of a good key."""
    return int(text.rpartition(SEPARATOR)[2])


def encode_ranges(keys: Iterable[str]) -> list[str]:
    """Keys as ranges, in natural order, each key once: ``CA:Lincoln:2023:1-40``; a page alone stays as it is."""
    ordered = sorted({(document_of(key), page_of(key)) for key in keys}, key=lambda pair: (pair[0].split(":"), pair[1]))
    return [
        f"{document}{SEPARATOR}{first}" if first == last else f"{document}{SEPARATOR}{first}-{last}"
        for document, pairs in groupby(ordered, key=lambda pair: pair[0])
        for first, last in _runs([page for _, page in pairs])
    ]


def decode_span(entry: str, *, field_count: int | None = None) -> tuple[str, int, int]:
    """The document, the first page and the last one that an entry means: a plain key, or ``CA:Lincoln:2023:1-40``,
    whose ends both belong to it. Raises RecordKeyError.
    """
    *fields, pages = entry.split(SEPARATOR)
    if "-" not in pages:
        key = parse_key(entry, field_count=field_count)
        return key.document, key.page, key.page
    _check_field_count(entry, len(fields), field_count)
    try:
        document = SEPARATOR.join(check_field(field) for field in fields)
        first_text, _, last_text = pages.partition("-")
        first, last = parse_page(first_text), parse_page(last_text)
    except RecordKeyError as error:
        raise RecordKeyError(entry, error.reason) from None
    if last < first:
        raise RecordKeyError(entry, "the range ends before it begins")
    if last - first >= MAX_RANGE_PAGES:
        raise RecordKeyError(entry, f"the range holds more than {MAX_RANGE_PAGES} pages")
    return document, first, last


def decode_range(entry: str, *, field_count: int | None = None) -> list[str]:
    """The keys that one entry means, as in `decode_span`. Raises RecordKeyError."""
    document, first, last = decode_span(entry, field_count=field_count)
    return [f"{document}{SEPARATOR}{page}" for page in range(first, last + 1)]


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
