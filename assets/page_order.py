"""The order of the pages of a document, which page is before which, and where pages are missing between two. What a
label is, and the natural order of labels, stands in `assets.domain.labels`.

A collection whose pages are all plain numbers is ordered by arrays alone; of other labels each is looked at once,
however many documents have a page that is called so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.labels import MAX_PAGE, NaturalGroup, NaturalKey, is_roman, natural_key, roman_value
from assets.domain.page_orders import End, PageOrder

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_GROUP_BITS = {NaturalGroup.NUMBER: 1, NaturalGroup.ROMAN: 2, NaturalGroup.WORD: 4}
_LOOSE = 8
"""A word without a number: nothing tells its place but its text."""
_NUMBERED = re.compile(r"([^0-9]*)([0-9]+)([^0-9-][^-]*)?(?:-[^0-9-]*([0-9]+)([^0-9-][^-]*)?)?")


class Gap(StrEnum):
    """What is missing between two pages, as far as their labels tell."""

    NUMBERS = "numbers"
    SIDES = "sides"
    SERIES = "series"

    @property
    def said(self) -> str:
        return {
            Gap.NUMBERS: "where numbers are missing",
            Gap.SIDES: "where a side of a leaf is missing",
            Gap.SERIES: "where another numbering does not begin with 1",
        }[self]


GAPS = tuple(Gap)


@dataclass(frozen=True)
class OrderRules:
    """``names``: word -> which end of a document the pages have whose label begins with it (``back``, ``back-2``), the
    first ones and the last ones in the order of the mapping."""

    order: PageOrder = PageOrder.NATURAL
    names: Mapping[str, End] = field(default_factory=dict)

    @cached_property
    def _named(self) -> dict[str, tuple[int, int]]:
        ends = {"first": -1, "last": 1}
        return {name.casefold(): (ends[end], at) for at, (name, end) in enumerate(self.names.items())}

    def end_of(self, label: str) -> tuple[int, int]:
        """(0, 0), or for a named label -1 or 1 for the end that it goes to, and its place there."""
        head = re.split("[0-9]", label, maxsplit=1)[0].rstrip("-_. ").casefold()
        return self._named.get(head, (0, 0))

    def key(self, label: str, *, letters: bool) -> tuple[tuple[int, int], NaturalKey]:
        """The place of a label in its document. ``letters``: see `labels.natural_key`."""
        group, tokens, text = natural_key(label, letters=letters)
        if group == NaturalGroup.ROMAN and self.order is PageOrder.ROMAN_FIRST:
            group = -1
        return self.end_of(label), (group, tokens, text)


def ranks(table: pa.Table, documents: IntArray, rules: OrderRules) -> IntArray:
    """For each row a number by which the rows of one document are ordered; rows of two documents do not compare.

    ``table``: columns page, page_label, image_path, image_frame; ``documents``: the number of each row's document.
    """
    if rules.order is PageOrder.FILE_NAME:
        return _by_file_name(table, rules)
    found = _numbers(table)
    labelled = np.zeros(documents.max(initial=-1) + 1, dtype=bool)
    labelled[documents[found < 0]] = True
    at = np.flatnonzero(labelled[documents])
    if len(at):
        labels, codes = _encoded(table["page_label"].take(pa.array(at)))
        with_letters = _have_letters(labels, codes, documents[at])
        plain, lettered = (_places([rules.key(each, letters=which) for each in labels]) for which in (False, True))
        found[at] = np.where(with_letters[documents[at]], lettered[codes], plain[codes])
    return found


def gaps(table: pa.Table, starts: BoolArray) -> npt.NDArray[np.int8]:
    """For each row what is missing between it and the row before: the place of a `Gap` in GAPS, or -1.

    ``table``: columns page, page_label, in the order of the documents; ``starts``: which rows begin a document.
    """
    numbers = _numbers(table)
    found = np.full(len(numbers), -1, dtype=np.int8)
    before, after = numbers[:-1], numbers[1:]
    goes_on = ~starts[1:]
    both = (before >= 0) & (after >= 0)
    found[1:][goes_on & both & (after > before + 1)] = GAPS.index(Gap.NUMBERS)
    at = np.flatnonzero(goes_on & ~both)
    if len(at):
        labels, codes = _encoded(table["page_label"])
        pairs, which = np.unique(np.stack([codes[at], codes[at + 1]], axis=1), axis=0, return_inverse=True)
        kinds = [gap_between(labels[one], labels[other]) for one, other in pairs.tolist()]
        of_pair = np.array([-1 if kind is None else GAPS.index(kind) for kind in kinds], dtype=np.int8)
        found[at + 1] = of_pair[which.reshape(-1)]
    return found


def gap_between(before: str, after: str) -> Gap | None:
    """What is missing between two good labels of a document, ``after`` being the next one; None where nothing is, or
    nothing can be told."""
    one, other = _numbered(before), _numbered(after)
    if one is None or other is None:
        return None
    if one.series != other.series:
        return None if other.first <= 1 or other.first == one.last + 1 else Gap.SERIES
    if other.first > one.last + 1:
        return Gap.NUMBERS
    sides = one.last_side + other.first_side
    return Gap.SIDES if other.first == one.last + 1 and sides in ("rr", "rv", "vv") else None


@dataclass(frozen=True, slots=True)
class Guesses:
    """In how many documents the order of the pages is a guess, and one of these, by its record key's first fields:
    Roman numbers beside others, ``words`` without a place among numbers."""

    roman: int = 0
    roman_example: str = ""
    words: int = 0
    words_example: str = ""


def guesses(table: pa.Table, documents: IntArray, names: Sequence[str], rules: OrderRules) -> Guesses:
    """Where the order is a guess. ``table``: as for `ranks`; ``names``: of the documents, by their numbers."""
    if rules.order is PageOrder.FILE_NAME or not table["page"].null_count:
        return Guesses()
    labels, codes = _encoded(table["page_label"])
    with_letters = _have_letters(labels, codes, documents)
    plain, lettered = (np.array([_bits(each, rules, letters=which) for each in labels]) for which in (False, True))
    found = np.zeros(len(names), dtype=np.int64)
    np.bitwise_or.at(found, documents, np.where(with_letters[documents], lettered[codes], plain[codes]))
    sizes = np.bincount(documents, minlength=len(names))
    roman, number, word = (_GROUP_BITS[each] for each in (NaturalGroup.ROMAN, NaturalGroup.NUMBER, NaturalGroup.WORD))
    is_roman_guess = (found & roman > 0) & (found & number > 0) & (rules.order is not PageOrder.ROMAN_FIRST)
    is_word_guess = ((found & word > 0) & (found & (roman | number) > 0)) | ((found & _LOOSE > 0) & (sizes > 1))
    return Guesses(*_count(is_roman_guess, names), *_count(is_word_guess, names))


def _count(which: BoolArray, names: Sequence[str]) -> tuple[int, str]:
    at = np.flatnonzero(which)
    return len(at), names[at[0]] if len(at) else ""


def _bits(label: str, rules: OrderRules, *, letters: bool) -> int:
    if rules.end_of(label) != (0, 0):
        return 0
    group = natural_key(label, letters=letters)[0]
    is_loose = group == NaturalGroup.WORD and len(label) > 1 and not re.search("[0-9]", label)
    return _GROUP_BITS[NaturalGroup(group)] | _LOOSE * is_loose


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A label as a stretch of a numbering. ``series``: what stands before its number; sides: ``r``, ``v`` or ""."""

    series: str
    first: int
    last: int
    first_side: str = ""
    last_side: str = ""


def _numbered(label: str) -> _Numbered | None:
    if is_roman(label):
        first, _, last = label.partition(".")[0].partition("-")
        return _Numbered("roman", roman_value(first) or 0, roman_value(last or first) or 0)
    match = _NUMBERED.fullmatch(label)
    if match is None:
        return None
    end = int(match[4] or match[2])
    if max(int(match[2]), end) > MAX_PAGE:
        return None  # A date or a time: nothing is missing between two of them.
    sides = [each if each in ("r", "v") else "" for each in (match[3], match[5] if match[4] else match[3])]
    return _Numbered(f"before {match[1].casefold()}", int(match[2]), end, *sides)


def _have_letters(labels: Sequence[str], codes: IntArray, documents: IntArray) -> BoolArray:
    """Of each document whether it has pages that are called by letters, as in a row of a, b, c, d."""
    is_letter = np.array([len(each) == 1 and each.isalpha() and not is_roman(each) for each in labels], dtype=bool)
    found = np.zeros(documents.max(initial=-1) + 1, dtype=bool)
    found[documents[is_letter[codes]]] = True
    return found


def _by_file_name(table: pa.Table, rules: OrderRules) -> IntArray:
    names, codes = _encoded(pc.replace_substring_regex(table["image_path"], pattern="^.*/", replacement=""))
    labels, label_codes = _encoded(table["page_label"])
    ends = _places([rules.end_of(each) for each in labels])[label_codes]
    by_name = _places([natural_key(each) for each in names])[codes]
    frames: IntArray = table["image_frame"].to_numpy().astype(np.int64)
    order = np.lexsort((frames, by_name, ends))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.arange(len(order))
    return found


def _numbers(table: pa.Table) -> IntArray:
    """The page numbers, -1 where a label is none."""
    numbers: IntArray = pc.fill_null(table["page"], -1).to_numpy().astype(np.int64)
    return numbers


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], IntArray]:
    """The texts of a column, each once, and for each row which one it has."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes: IntArray = encoded.indices.to_numpy().astype(np.int64)
    return encoded.dictionary.to_pylist(), codes


def _places(keys: Sequence[tuple[object, ...]]) -> IntArray:
    """The place of each key among all, alike for keys that are."""
    order = {key: at for at, key in enumerate(sorted(set(keys)))}
    return np.array([order[key] for key in keys], dtype=np.int64)
