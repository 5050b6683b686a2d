"""``quire quality``: how good results are. Against gold where there is some, with intervals for all pages; and, of
every page that is asked for, what looks wrong without anybody having read it. Writes nothing. What is measured, and
how, stands in `assets.quality`; how it is shown, in `quality_report`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ManifestError, words_of
from assets.domain.record import document_of
from assets.quality.errors import Edits, IntArray, edits_of, rates
from assets.quality.fields import FieldScore, field_scores
from assets.quality.intervals import Rate, rate_of
from assets.quality.kinds import kind_of
from assets.quality.lengths import neighbours_of, stand_out
from assets.quality.loops import loop_in
from assets.quality.normal import AS_IT_IS, Normalization
from assets.quality.strange import LetterModel, are_strange
from assets.quality.swaps import clue_of, swapped_by_joints, swapped_by_numbers, twice
from assets.selection import Selection
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.questions.selection import select_records
from flows.questions.status import ledger_of_files
from flows.runtime.progress import tell_step
from flows.tables.corrections import corrected_by_kind
from flows.tables.gold import Measured, PageText, measurable, read_gold, text_of

LEARNED_PAGES = 2_000
"""Of so many pages, spread over the collection, it is learned which letters follow each other."""
BETTER = 0.5
"""An answer fits another page's truth better than its own page's does, if it has half of its errors."""
WRONG = 0.4
"""Only where so many of the words are wrong it is asked whose answer it is."""
AROUND = 5
"""And of so many pages before and behind."""


class Sign(StrEnum):
    """What looks wrong."""

    SWAPPED = "swapped"
    TWICE = "twice"
    LOOP = "loop"
    LENGTH = "length"
    STRANGE = "strange"


@dataclass(frozen=True, slots=True)
class Finding:
    """``said``: what was found, in words."""

    record_key: str
    sign: Sign
    said: str


@dataclass(frozen=True, slots=True)
class Group:
    """Pages with something in common; ``name``: what."""

    name: str
    characters: Rate
    words: Rate


@dataclass(frozen=True)
class Options:
    """``body``: running heads and page numbers are left out of both sides; ``gold_only``: nothing is looked for in the
    pages without gold; ``seed``: of the draws of the bootstrap."""

    selection: Selection = field(default_factory=Selection)
    normalization: Normalization = AS_IT_IS
    body: bool = False
    gold_only: bool = False
    seed: int = 0


@dataclass
class Quality:
    """``gold``: kind -> pages that were measured; ``unread``, ``answer_lost``: see `flows.tables.gold.Measurable`;
    ``whole``: over all of them; ``documents``, ``kinds``: likewise by document, and by what most of the page is;
    ``fields``: path -> score, of the pages whose gold has fields; ``pages``: how many results were looked through;
    ``findings``: what looks wrong, in the order of the pages; ``faults``: a line for each result that cannot be
    read."""

    options: Options
    gold: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    answer_lost: list[str] = field(default_factory=list)
    whole: Group | None = None
    documents: list[Group] = field(default_factory=list)
    kinds: list[Group] = field(default_factory=list)
    fields: dict[str, FieldScore] = field(default_factory=dict)
    pages: int = 0
    findings: list[Finding] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def find_quality(settings: Settings, storage: Storage, options: Options) -> Quality:
    """Raises QuireError, OSError."""
    found = Quality(options)
    meant = _meant(settings, storage, options.selection)
    gold = read_gold(storage)
    if meant is not None:
        gold = gold.filter(pc.is_in(gold["record_key"], value_set=pa.array(meant, pa.string())))
    measured = measurable(storage, gold)
    found.unread, found.answer_lost = measured.unread, measured.answer_lost
    documents = list(_documents(storage, meant))
    if measured.pages:
        edits = edits_of(
            [_text(page.gold, options) for page in measured.pages],
            [_text(page.reading, options) for page in measured.pages],
            options.normalization,
        )
        _measure(found, measured.pages, edits)
        _tell_of_others(storage, found, measured.pages, edits, documents)
    if not options.gold_only:
        _look_through(storage, found, documents)
    places = {key: at for at, key in enumerate(key for keys in documents for key in keys)}
    found.findings.sort(key=lambda each: (places.get(each.record_key, -1), each.sign))
    return found


def _meant(settings: Settings, storage: Storage, selection: Selection) -> list[str] | None:
    """None: all."""
    if not selection.entries and not selection.narrows:
        return None
    return select_records(settings, storage, ledger_of_files(storage), selection)


def _documents(storage: Storage, meant: list[str] | None) -> Iterator[list[str]]:
    """The records of each document, in the order of its pages."""
    records = storage.read_records()
    if records is None:
        return
    keys = records["record_key"]
    if meant is not None:
        keys = keys.filter(pc.is_in(keys, value_set=pa.array(meant, pa.string())))
    for _, its in groupby(keys.to_pylist(), key=document_of):
        yield list(its)


# --- against gold


def _measure(found: Quality, pages: Sequence[Measured], edits: Edits) -> None:
    options = found.options
    for page in pages:
        found.gold[page.kind.value] = found.gold.get(page.kind.value, 0) + 1
    found.whole = _group("all", edits, np.arange(len(pages)), options.seed)
    found.documents = _groups([document_of(page.record_key) for page in pages], edits, options.seed)
    found.kinds = _groups([kind_of(page.reading.content) for page in pages], edits, options.seed)
    for page in pages:
        if page.gold.result is not None:
            for path, score in field_scores(page.gold.result, page.reading.result, options.normalization).items():
                found.fields.setdefault(path, FieldScore()).add(score)


def _text(page: PageText, options: Options) -> str:
    return page.body if options.body else page.text


def _groups(names: Sequence[str], edits: Edits, seed: int) -> list[Group]:
    at: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        at[name].append(row)
    return [_group(name, edits, np.array(rows), seed) for name, rows in sorted(at.items())]


def _group(name: str, edits: Edits, at: IntArray, seed: int) -> Group:
    its = edits.take(at)
    return Group(name, rate_of(its.char_edits, its.chars, seed=seed), rate_of(its.word_edits, its.words, seed=seed))


def _tell_of_others(
    storage: Storage, found: Quality, pages: Sequence[Measured], edits: Edits, documents: Sequence[Sequence[str]]
) -> None:
    """Pages whose truth the answer of a page close by fits better."""
    options = found.options
    own = rates(edits.word_edits, edits.words)
    places = {key: (keys, at) for keys in documents for at, key in enumerate(keys)}
    readings = {page.record_key: page.reading for page in pages}
    for row in np.flatnonzero(own >= WRONG).tolist():
        page = pages[row]
        keys, at = places.get(page.record_key, ((), 0))
        others = [key for key in keys[max(0, at - AROUND) : at + AROUND + 1] if key != page.record_key]
        known = {key: text for key in others if (text := readings.get(key) or _read(storage, found, key)) is not None}
        gold = [_text(page.gold, options)] * len(known)
        theirs = edits_of(gold, [_text(text, options) for text in known.values()], options.normalization)
        fits = rates(theirs.word_edits, theirs.words)
        if len(known) and fits.min() <= BETTER * own[row]:
            other = list(known)[int(fits.argmin())]
            said = f"what stands on it is the answer of {other}: {_percent(fits.min())} of its words differ there, "
            found.findings.append(Finding(page.record_key, Sign.SWAPPED, f"{said}{_percent(own[row])} in its own"))


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %"


# --- without


def _look_through(storage: Storage, found: Quality, documents: Sequence[Sequence[str]]) -> None:
    """What a person has vouched for is read for its neighbours' sake, and nothing is said of it."""
    vouched = corrected_by_kind(storage)
    every = [key for keys in documents for key in keys]
    learned = set(every[:: max(1, len(every) // LEARNED_PAGES)])
    model = LetterModel()
    for key in learned:
        if (page := _read(storage, found, key)) is not None:
            model.learn(page.body)
    bits: dict[str, float] = {}
    seen = {(each.record_key, each.sign) for each in found.findings}
    for keys in documents:
        pages = {key: page for key in keys if (page := _read(storage, found, key)) is not None}
        found.pages += len(pages)
        for each in [*_of_pages(pages), *_of_document(pages)]:
            if each.record_key not in vouched and (each.record_key, each.sign) not in seen:
                found.findings.append(each)
        for key, page in pages.items():
            if key not in vouched:
                bits[key] = model.bits(page.body, is_learned=key in learned)
        tell_step("Looking through results", found.pages, len(every))
    told = np.array(list(bits.values()))
    for key in np.array(list(bits), dtype=object)[are_strange(told)]:
        middle = float(np.nanmedian(told))
        said = f"no language of this collection writes so: {bits[key]:.1f} bits a letter, the page in the middle "
        found.findings.append(Finding(key, Sign.STRANGE, f"{said}has {middle:.1f}"))


def _of_pages(pages: dict[str, PageText]) -> Iterator[Finding]:
    for key, page in pages.items():
        if (loop := loop_in(page.text)) is not None:
            said = f'{_percent(loop.share)} of it has stood there before, such as "{loop.group}", {loop.times} times'
            yield Finding(key, Sign.LOOP, said)


def _of_document(pages: dict[str, PageText]) -> Iterator[Finding]:
    keys = list(pages)
    words = np.array([len(page.text.split()) for page in pages.values()], dtype=np.int64)
    around = neighbours_of(words)
    for at in np.flatnonzero(stand_out(words, around)).tolist():
        yield Finding(keys[at], Sign.LENGTH, f"{words[at]:,} words, the pages around it have {around[at]:,.0f}")
    clues = [clue_of(page.content) for page in pages.values()]
    pairs = dict.fromkeys(swapped_by_numbers([clue.number for clue in clues]), "by their page numbers")
    for pair in swapped_by_joints(clues):
        pairs.setdefault(pair, "by how their text goes on")
    for (one, other), how in pairs.items():
        yield Finding(keys[one], Sign.SWAPPED, f"{how} it has the answer of {keys[other]}")
        yield Finding(keys[other], Sign.SWAPPED, f"{how} it has the answer of {keys[one]}")
    for one, other in twice([page.body for page in pages.values()]):
        yield Finding(keys[other], Sign.TWICE, f"the same text as {keys[one]}")


def _read(storage: Storage, found: Quality, key: str) -> PageText | None:
    path = storage.result_path(key)
    try:
        content = storage.read_result(key)
    except (ManifestError, OSError) as error:
        fault = str(error) if isinstance(error, ManifestError) else f"{path} cannot be read: {words_of(error)}"
        if fault not in found.faults:
            found.faults.append(fault)
        return None
    page = None if content is None else text_of(content)
    if content is not None and page is None and (fault := f"{path} is no JSON; correct it") not in found.faults:
        found.faults.append(fault)
    return page
