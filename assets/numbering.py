"""Records by number. A record's number is its row in the record manifest, whose rows stand document after document: the
first row of its document plus its place there. Whatever is said of all records is an array in that order, and no key is
made as text before a person, a Variable or a file of a submission sees it.

`Pages` are pages by document and label, in any order, as results and batches name them; `Numbering` tells their
numbers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.labels import MAX_PAGE
from assets.domain.record import SEPARATOR

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
PageArray = npt.NDArray[np.int32]
ODD = -1
"""Stands for the number of a page whose label is none: ``12r``, ``iv``, ``12-13``."""
NOWHERE = -1
"""Stands for the number of a record that there is not."""
STRETCH = 65_536
"""So many pages are looked up together: what is needed on the way stays small beside what is found."""


@dataclass(frozen=True)
class Pages:
    """``documents``: their names as in a record key, each once; ``codes``: for each page the place of its document
    there; ``numbers``: what it is called, ODD where its label is no plain number; ``odd``: the labels of those, in
    their order. What is said of labels holds for good ones: see `assets.domain.labels`."""

    documents: pa.Array
    codes: PageArray
    numbers: PageArray
    odd: pa.Array

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of_keys(cls, keys: pa.Array | pa.ChunkedArray | Iterable[str]) -> Self:
        """Those of record keys."""
        if not isinstance(keys, (pa.Array, pa.ChunkedArray)):
            keys = pa.array(list(keys), pa.string())
        parts = [_split(keys.slice(at, STRETCH)) for at in range(0, len(keys), STRETCH)]
        return cls.joined(parts)

    @classmethod
    def of_labels(cls, documents: pa.Array, counts: IntArray, labels: pa.Array) -> Self:
        """``counts``: how many of ``labels`` each document has, one document behind the other."""
        codes = np.repeat(np.arange(len(documents), dtype=np.int32), counts)
        return cls(documents, codes, *numbers_of(labels))

    @classmethod
    def of_places(cls, table: pa.Table) -> Self:
        """Those of a table with the columns document (a dictionary), page (null where a label is no number) and, if one
        of these is null, record_key."""
        documents = table["document"].unify_dictionaries().combine_chunks()
        if isinstance(documents, pa.ChunkedArray):
            documents = (
                documents.chunk(0) if documents.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
            )
        is_odd, odd = table["page"].is_null(), pa.array([], pa.string())
        if table["page"].null_count:
            odd = cls.of_keys(table["record_key"].filter(is_odd)).labels()
        numbers = pc.fill_null(table["page"], ODD).to_numpy().astype(np.int32)
        return cls(documents.dictionary, documents.indices.to_numpy().astype(np.int32), numbers, odd)

    @classmethod
    def joined(cls, parts: Iterable["Pages"]) -> Self:
        """All of them, one behind the other."""
        tables = [part for part in parts if len(part)]
        if not tables:
            nothing = pa.array([], pa.string())
            return cls(nothing, np.zeros(0, np.int32), np.zeros(0, np.int32), nothing)
        names = pa.concat_arrays([part.documents for part in tables]).dictionary_encode()
        places = names.indices.to_numpy().astype(np.int32)
        first = np.cumsum([0, *(len(part.documents) for part in tables)])
        codes = [places[at:][part.codes] for at, part in zip(first, tables, strict=False)]
        odd = pa.concat_arrays([part.odd for part in tables])
        return cls(names.dictionary, np.concatenate(codes), np.concatenate([part.numbers for part in tables]), odd)

    def take(self, at: IntArray | BoolArray) -> "Pages":
        """Those at the places ``at``, or where it is True."""
        places: IntArray = np.flatnonzero(at) if at.dtype == np.bool_ else at.astype(np.int64, copy=False)
        return Pages(self.documents, self.codes[places], self.numbers[places], self._odd_at(places))

    def labels(self) -> pa.Array:
        """Their labels as text."""
        if not len(self.odd):
            return pa.array(self.numbers).cast(pa.string())
        is_odd = self.numbers == ODD
        place = np.cumsum(is_odd) - 1
        plain = pa.array(self.numbers, mask=is_odd).cast(pa.string())
        return pc.coalesce(plain, self.odd.take(pa.array(place, mask=~is_odd)))

    def keys(self) -> pa.Array:
        """Their record keys, as text."""
        names = self.documents.take(pa.array(self.codes))
        return pc.binary_join_element_wise(names, self.labels(), SEPARATOR)

    def have_twins(self) -> bool:
        """Whether a page stands in it twice."""
        code = _code(self.codes, self.numbers)
        plain = code if not len(self.odd) else code[self.numbers != ODD]
        if not np.all(plain[1:] > plain[:-1]) and len(np.unique(plain)) != len(plain):
            return True
        return bool(len(self.odd)) and len(np.unique(self.odd_codes(self.odd.unique()))) != len(self.odd)

    def _odd_at(self, at: IntArray) -> pa.Array:
        if not len(self.odd):
            return self.odd
        place = np.cumsum(self.numbers == ODD) - 1
        return self.odd.take(pa.array(place[at[self.numbers[at] == ODD]]))

    def odd_codes(self, known: pa.Array) -> IntArray:
        """Of the odd ones, a number by document and by label's place in ``known``, which is -1 for one that is not."""
        labels = pc.fill_null(pc.index_in(self.odd, value_set=known), -1).to_numpy()
        return _code(self.codes[self.numbers == ODD], labels)


@dataclass(frozen=True)
class Numbering:
    """Gives pages numbers: their places among ``pages``, of which those of a document stand together, each once."""

    pages: Pages

    def __len__(self) -> int:
        return len(self.pages)

    @cached_property
    def starts(self) -> IntArray:
        """The first number of each document, and one more for the end."""
        counts = np.bincount(self.pages.codes, minlength=len(self.pages.documents))
        return np.concatenate(([0], np.cumsum(counts)))

    def keys(self, numbers: IntArray) -> pa.Array:
        """Their record keys, as text."""
        return self.pages.take(numbers).keys()

    def keys_of_document(self, name: str) -> list[str]:
        """The record keys of all pages of a document."""
        place = pc.index(self.pages.documents, name).as_py()
        if place < 0:
            return []
        found: list[str] = self.keys(np.arange(self.starts[place], self.starts[place + 1])).to_pylist()
        return found

    def numbers_of(self, pages: Pages) -> IntArray:
        """The number of each page, or NOWHERE."""
        found = np.full(len(pages), NOWHERE, dtype=np.int64)
        if not (len(self) and len(pages)):
            return found
        at = pc.index_in(pages.documents, value_set=self.pages.documents)
        documents = pc.fill_null(at, -1).to_numpy().astype(np.int32)
        for start in range(0, len(pages), STRETCH):
            part = slice(start, start + STRETCH)
            found[part] = self._plain(documents[pages.codes[part]], pages.numbers[part])
        if len(pages.odd) and len(self.pages.odd):
            is_odd = pages.numbers == ODD
            known, codes, numbers = self._odd
            of_odd = Pages(pages.documents, documents[pages.codes], pages.numbers, pages.odd).odd_codes(known)
            found[is_odd] = _looked_up(codes, numbers, of_odd)
        return found

    def numbers_of_keys(self, keys: pa.Array | pa.ChunkedArray | Iterable[str]) -> IntArray:
        """The number of each record key, or NOWHERE."""
        return self.numbers_of(Pages.of_keys(keys))

    def known(self, keys: pa.Array | pa.ChunkedArray | Iterable[str]) -> IntArray:
        """The numbers of those of these record keys that there are, sorted, each once."""
        numbers = self.numbers_of_keys(keys)
        found: IntArray = np.unique(numbers[numbers != NOWHERE])
        return found

    def mask(self, pages: Pages) -> BoolArray:
        """For each number whether it is that of one of these. Not to be written to: it is kept for who asks next."""
        if not (self._last and self._last[0] is pages):
            found = np.zeros(len(self), dtype=bool)
            numbers = self.numbers_of(pages)
            found[numbers[numbers != NOWHERE]] = True
            self._last[:] = [pages, found]
        mask: BoolArray = self._last[1]
        return mask

    def _plain(self, documents: PageArray, wanted: PageArray) -> IntArray:
        """The numbers of pages that are called by a number. Mostly a page's place follows from what its document's
        first page is called; the others are looked for."""
        is_plain = (documents >= 0) & (wanted != ODD)
        documents = np.where(is_plain, documents, 0)
        first, end = self.starts[documents], self.starts[documents + 1]
        guess = first + wanted - self.pages.numbers[np.minimum(first, len(self) - 1)]
        guess[(guess < first) | (guess >= end)] = first[0]
        is_right = is_plain & (self.pages.numbers[guess] == wanted) & (self.pages.codes[guess] == documents)
        left = np.flatnonzero(is_plain & ~is_right)
        found = np.where(is_right, guess, NOWHERE)
        if len(left):
            found[left] = _looked_up(*self._numbered, _code(documents[left], wanted[left]))
        return found

    @cached_property
    def _last(self) -> list[Any]:
        """What `mask` was asked for last, and said: a pass asks twice for the same pages."""
        return []

    @cached_property
    def _numbered(self) -> tuple[IntArray, IntArray]:
        """Of the pages that are called by numbers: document and number as one, sorted; and what has it."""
        numbers = np.flatnonzero(self.pages.numbers != ODD)
        codes = _code(self.pages.codes[numbers], self.pages.numbers[numbers])
        if np.all(codes[1:] > codes[:-1]):
            return codes, numbers
        order = np.argsort(codes, kind="stable")
        return codes[order], numbers[order]

    @cached_property
    def _odd(self) -> tuple[pa.Array, IntArray, IntArray]:
        """Likewise of the others, by their labels, each once."""
        known = self.pages.odd.unique()
        numbers, codes = np.flatnonzero(self.pages.numbers == ODD), self.pages.odd_codes(known)
        order = np.argsort(codes, kind="stable")
        return known, codes[order], numbers[order]


@dataclass(frozen=True)
class Records(Numbering):
    """The record manifest by number. ``pages``: in its order; ``follows``: whether the record in the row above is the
    predecessor; ``read``: gives the rows of the manifest with these numbers, in their order, with IMAGE_COLUMNS of
    `assets.sources`."""

    follows: BoolArray
    read: Callable[[IntArray], pa.Table]

    @classmethod
    def of(cls, manifest: pa.Table) -> Self:
        """Of a record manifest that is in memory: columns of `assets.manifest.manifest_schema`."""
        follows = manifest["predecessor"].is_valid().to_numpy(zero_copy_only=False)
        return cls(Pages.of_keys(manifest["record_key"]), follows, lambda numbers: manifest.take(pa.array(numbers)))

    def predecessors(self, numbers: IntArray) -> pa.Array:
        """The record keys of those before them; null for one that has none."""
        follows = self.follows[numbers]
        keys = self.keys(numbers[follows] - 1)
        return keys.take(pa.array(np.cumsum(follows) - 1, mask=~follows))


def numbers_of(labels: pa.Array) -> tuple[PageArray, pa.Array]:
    """The number that each label is, or ODD; and the labels of which it is that."""
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.combine_chunks()
    length = pc.binary_length(labels)
    may_be = pc.and_(pc.ascii_is_decimal(labels), pc.less_equal(length, 10))
    all_may = pc.all(may_be, min_count=0).as_py()
    number = (labels if all_may else pc.if_else(may_be, labels, "0")).cast(pa.int64()).to_numpy()
    # Zeros in front make it another text than the number's.
    digits = np.ones(len(labels), dtype=np.int32)
    for power in range(1, 10):
        if (more := number >= 10**power).any():
            digits += more
    is_plain = may_be.to_numpy(zero_copy_only=False) & (number <= MAX_PAGE) & (digits == length.to_numpy())
    if is_plain.all():
        return number.astype(np.int32), labels.slice(0, 0)
    return np.where(is_plain, number, ODD).astype(np.int32), labels.filter(pa.array(~is_plain))


def _split(keys: pa.Array | pa.ChunkedArray) -> Pages:
    if isinstance(keys, pa.ChunkedArray):
        keys = keys.combine_chunks()
    keys = keys.cast(pa.string())
    parts = pc.split_pattern(keys, SEPARATOR, max_splits=1, reverse=True).flatten()
    if len(parts) != 2 * len(keys):
        # What is no key is the page of no document.
        keys = pc.if_else(pc.match_substring(keys, SEPARATOR), keys, pc.binary_join_element_wise("", keys, SEPARATOR))
        parts = pc.split_pattern(keys, SEPARATOR, max_splits=1, reverse=True).flatten()
    at = np.arange(0, len(parts), 2)
    documents = parts.take(pa.array(at)).dictionary_encode()
    return Pages(
        documents.dictionary, documents.indices.to_numpy().astype(np.int32), *numbers_of(parts.take(pa.array(at + 1)))
    )


def _looked_up(codes: IntArray, numbers: IntArray, wanted: IntArray) -> IntArray:
    """``codes``: sorted; ``numbers``: what has each."""
    if not len(codes):
        return np.full(len(wanted), NOWHERE, dtype=np.int64)
    place = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    return np.where(codes[place] == wanted, numbers[place], NOWHERE)


def _code(documents: PageArray, numbers: npt.NDArray[np.int32]) -> IntArray:
    code: IntArray = documents.astype(np.int64) << 32
    code |= numbers
    return code
