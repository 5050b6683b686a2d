"""Page labels: what a page is called within its document, ``4``, ``12r``, ``iv``, ``12-13``, ``cover``. What is a safe
one, how it is written, and the natural order of labels. Keys that are made of them stand in `assets.domain.record`,
the order of a document by a collection's settings in `assets.page_order`.

A label becomes a file's name, so what cannot be a safe one is refused here. It has one way to be written: composed
letters, and no leading zeros in any of its numbers.
"""

import re
import unicodedata
from enum import IntEnum
from typing import NamedTuple

from assets.domain.errors import RecordKeyError

MAX_PAGE = 2**31 - 1
"""The greatest page number: an int32 column of the record manifest. A longer row of digits is a label like a word."""
MAX_LABEL_BYTES = 200
"""In UTF-8: ``{label}.json`` and its numbered copies are file names, of which the usual systems take 255 bytes."""
EXACT = "="
"""Stands before a label that would be read as a range of pages where keys and ranges are written together."""

ROMAN = "(?ai:(?=[ivxlc])c{0,3}(?:x[cl]|l?x{0,4})(?:i[xv]|v?i{0,4}))"
"""A Roman number from 1 to 399, also as old prints have it (iiii, viiii)."""
USUAL_PAGES = f"(?P<page>[0-9]+[A-Za-z]?(?:-[0-9]+[A-Za-z]?)?|{ROMAN})"
"""The names that are pages unless a pattern says otherwise: numbers, with a letter (a, r, v), two of them for a spread,
and Roman numbers."""

FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Characters that turn the reading direction round: a name that shows as something else than it is.
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

NUMBERS, LEAVES = "", "rv"
"""Series of labels that can stand in a run: plain numbers, and the sides of leaves, 12r 12v 13r."""

_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_LEAF = re.compile(r"([0-9]{1,10})([rv])")
_RANGE = re.compile(r"([0-9]+)-([0-9]+)|([0-9]+[rv])-([0-9]+[rv])")
_TOKENS = re.compile(r"[0-9]+|[^0-9]+")
_ROMAN_LABEL = re.compile(rf"({ROMAN})(-{ROMAN}|(?:\.[0-9]+)+)?")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

NaturalKey = tuple[int, tuple[int | str, ...], str]


class NaturalGroup(IntEnum):
    """The kinds of labels, in their natural order."""

    NUMBER = 0
    ROMAN = 1
    WORD = 2


class Place(NamedTuple):
    """Where a label stands in its series; a label that can be in no run is a series of its own."""

    series: str
    at: int


def canonical_label(text: str) -> str:
    """The label that ``text`` is, as it is written: ``0004`` is ``4``, ``012r`` is ``12r``, ``0000`` is ``0``.

    Raises RecordKeyError for what cannot be a safe file name or would be taken for something else.
    """
    if text.isascii() and text.isdigit() and len(text) < MAX_LABEL_BYTES:
        return text.lstrip("0") or "0"
    if not text:
        raise RecordKeyError(text, "the page has no label")
    label = _ZEROS.sub("", unicodedata.normalize("NFC", text))
    if (problem := _problem(label)) is not None:
        raise RecordKeyError(text, f"the page label {_shown(text)} {problem}")
    return label


def is_canonical(label: str) -> bool:
    """Whether it is a label, written as one is."""
    if label.isascii() and label.isdigit():
        return (label[0] != "0" or label == "0") and len(label) < MAX_LABEL_BYTES
    try:
        return canonical_label(label) == label
    except RecordKeyError:
        return False


def number_of(label: str) -> int | None:
    """The number that a good label is, if it is one of at most MAX_PAGE and nothing else."""
    if not (label.isascii() and label.isdigit()) or len(label) > 10:
        return None
    number = int(label)
    return number if number <= MAX_PAGE else None


def roman_value(text: str) -> int | None:
    """The value of a Roman number, in capitals or not; None: it is none."""
    if re.fullmatch(ROMAN, text) is None:
        return None
    digits = [_ROMAN_DIGITS[each] for each in text.lower()]
    return sum(-here if here < after else here for here, after in zip(digits, [*digits[1:], 0], strict=True))


def is_range_like(label: str) -> bool:
    """Whether a label is read as a range where it stands by itself: ``12-13``, ``12v-13r``."""
    return _RANGE.fullmatch(label) is not None


def range_ends(text: str) -> tuple[str, str] | None:
    """The ends of a range of plain numbers or of leaves, as they are written; None: it is no range."""
    match = _RANGE.fullmatch(text)
    return None if match is None else (match[1] or match[3], match[2] or match[4])


def place_of(label: str) -> Place:
    """Where a good label stands. Labels that follow on each other in NUMBERS or LEAVES have neighbouring places."""
    number = number_of(label)
    if number is not None:
        return Place(NUMBERS, number)
    leaf = _LEAF.fullmatch(label)
    if leaf is not None and int(leaf[1]) <= MAX_PAGE:
        return Place(LEAVES, 2 * int(leaf[1]) + (leaf[2] == "v"))
    return Place(f"{EXACT}{label}", 0)


def label_at(series: str, at: int) -> str:
    """The label at a place."""
    if series == NUMBERS:
        return str(at)
    return f"{at // 2}{'rv'[at % 2]}" if series == LEAVES else series[len(EXACT) :]


def series_key(series: str) -> tuple[int, NaturalKey]:
    """The order of series within a document: numbers, leaves, then the labels that stand alone."""
    if series in (NUMBERS, LEAVES):
        return int(series == LEAVES), (0, (), "")
    return 2, natural_key(series[len(EXACT) :])


def natural_key(label: str, *, letters: bool = False) -> NaturalKey:
    """The natural order of good labels, which is total: numbers (12 < 12-13 < 12a < 12r < 12v < 13), then Roman numbers
    by their value, then all else, its numbers by their value and capitals where their small letters are.

    ``letters``: a single letter is a letter and no Roman number, as in a row of a, b, c, d.
    """
    if label.isascii() and label.isdigit():
        return NaturalGroup.NUMBER, (int(label),), label
    match = None if letters and len(label) == 1 else _ROMAN_LABEL.fullmatch(label)
    if match is not None:
        return NaturalGroup.ROMAN, (roman_value(match[1]) or 0, *_tokens(match[2] or "")), label
    tokens = _tokens(label)
    return (NaturalGroup.NUMBER if isinstance(tokens[0], int) else NaturalGroup.WORD), tokens, label


def is_roman(label: str) -> bool:
    """Whether a label is a Roman number, or two of them for a spread."""
    return _ROMAN_LABEL.fullmatch(label) is not None


def _tokens(text: str) -> tuple[int | str, ...]:
    # Numbers and words take turns, so that two labels of one kind never compare the one with the other.
    return tuple(int(each) if "0" <= each[0] <= "9" else each for each in _TOKENS.findall(text.casefold()))


def _problem(label: str) -> str | None:
    """Why it cannot be a label."""
    for character in label:
        if character in "/\\":
            return f"holds the path separator {character!r}"
        if character == ":":
            return "holds a ':', which separates the fields of a key"
        if character in BIDI_CONTROLS or unicodedata.category(character) in FORBIDDEN_CATEGORIES:
            return f"holds the control character {character!r}"
    if label[0] in f".-{EXACT}":
        return f"begins with {label[0]!r}"
    if label[-1] == "-":
        return "ends with '-'"
    if label != label.strip():
        return "begins or ends with a blank"
    if len(label.encode()) > MAX_LABEL_BYTES:
        return f"is longer than {MAX_LABEL_BYTES} bytes"
    return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
