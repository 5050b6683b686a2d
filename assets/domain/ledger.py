"""The ledger: what the four Prefect Variables say, checked, and how it may change. Pure:
`flows.gateways.prefect.ledger` reads and writes; `assets.domain.ledger_codec` knows how it is spelled in 5,000 bytes.

A change is a list of **stages**, each a whole Ledger. They are written one after the other; within one stage the order
of the Variables does not matter. After every single write no count is lost: where a count has to go to another page
(in prune, or because a page of ranges breaks apart), it is copied first and taken out of its old page afterwards, so
that a crash leaves it on two pages with equal values. That is accepted and tidied by the next change of the counts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from assets.domain.batch import BATCH_ID_PREFIX, claimed_submission
from assets.domain.counts import Counts, Run
from assets.domain.errors import LedgerError
from assets.domain.ledger_codec import (
    VARIABLE_LIMIT_BYTES,
    encode_counts,
    encode_views,
    fits,
    split_counts,
    split_to_fit,
)
from assets.domain.record import decode_span

ACTIVE = "active_batch_ids"
COUNTS = "record_failure_counts"
RECORDS = "batch_record_keys"
IN_FLIGHT = "inflight_record_ids"
HOME = "quire_home"

EMPTY_VALUES: Mapping[str, object] = {ACTIVE: [], COUNTS: {}, RECORDS: {}, IN_FLIGHT: []}
"""What each Variable is created with."""
MAX_COUNT = 1_000_000
"""No record fails as often; and one more is still a number of the outcomes' int32 column."""
_BATCH_ID = re.compile(rf"{BATCH_ID_PREFIX}[^\s/]+")
PAGED = (COUNTS, RECORDS, IN_FLIGHT)

CountPages = dict[int, Counts]


@dataclass(frozen=True, slots=True)
class CountChange:
    """One failure count: ``before`` is what it was computed from, ``after`` what it shall be. 0 means that there is
    none. ``key``: an entry (see `assets.domain.record`): a record's, or a range of records that all have the count
    ``before``, which is not 0 then."""

    key: str
    before: int
    after: int

    def __post_init__(self) -> None:
        if self.before < 0 or self.after < 0:
            raise ValueError(f"a failure count is 0 or more: {self}")


@dataclass(frozen=True)
class Ledger:
    """A snapshot of the Variables.

    ``active``: the active list, in its order. ``count_pages``: page number -> what stands there.
    ``stored``: the value of every Variable under its full name, ``prefix`` included. The two views stand
    there alone, as they are: they are for people to see, so they are written and never read.
    """

    prefix: str
    active: tuple[str, ...]
    count_pages: Mapping[int, Counts]
    stored: Mapping[str, object]

    @cached_property
    def counts(self) -> Counts:
        """Record key -> failures since the last reset, 1 or more, over all pages."""
        return Counts(run for page in self.count_pages.values() for run in page.runs() if run.count)


def collection_prefix(collection: str) -> str:
    """What the names of a collection's Variables and locks begin with."""
    return f"{collection}_" if collection else ""


def page_name(prefix: str, base: str, number: int) -> str:
    """The Variable of a page: the first has no number."""
    return f"{prefix}{base}" if number == 1 else f"{prefix}{base}_{number}"


def page_number(name: str, prefix: str, base: str) -> int | None:
    """The number of the page that a Variable of that name is, or None if it is none of ``base``."""
    match = re.fullmatch(rf"{re.escape(prefix + base)}(?:_([2-9]|[1-9][0-9]+))?", name)
    return None if match is None else int(match[1] or 1)


def variable_names(prefix: str, *, first_page: int, last_page: int) -> list[str]:
    """Every name that the ledger may have with these page numbers; with page 1 also the names without pages."""
    single = [f"{prefix}{HOME}", f"{prefix}{ACTIVE}"] if first_page == 1 else []
    numbers = range(first_page, last_page + 1)
    return single + [page_name(prefix, base, number) for base in PAGED for number in numbers]


def variable_writes(before: Ledger, after: Ledger) -> dict[str, object]:
    """The Variables to write so that ``before`` becomes ``after``: full name -> value, or None to delete it."""
    changed = {name: value for name, value in after.stored.items() if before.stored.get(name) != value}
    return changed | dict.fromkeys(name for name in before.stored if name not in after.stored)


def set_active(ledger: Ledger, names: Sequence[str]) -> Ledger:
    """The ledger with another active list. Raises LedgerError if it does not fit into its Variable."""
    variable = f"{ledger.prefix}{ACTIVE}"
    active = check_active(variable, list(names))
    if not fits(list(active)):
        raise LedgerError(
            variable,
            f"{len(active)} active batches do not fit into {VARIABLE_LIMIT_BYTES} bytes",
            way_out="lower execution.max_concurrent_batches",
        )
    return replace(ledger, active=active, stored={**ledger.stored, variable: list(active)})


def set_views(ledger: Ledger, records: Mapping[str, tuple[str, Sequence[str]]]) -> Ledger:
    """The ledger with both views rewritten. ``records``: active name -> (submission id, its record keys). Pages that
    are no longer needed go: an empty one would only be clutter, and nothing in a view is a person's own."""
    map_pages, list_pages = encode_views(records)
    stored = {
        name: value
        for name, value in ledger.stored.items()
        if not any(page_number(name, ledger.prefix, base) for base in (RECORDS, IN_FLIGHT))
    }
    stored |= {page_name(ledger.prefix, RECORDS, n): page for n, page in enumerate(map_pages, 1)}
    stored |= {page_name(ledger.prefix, IN_FLIGHT, n): page for n, page in enumerate(list_pages, 1)}
    return replace(ledger, stored=stored)


def apply_counts(ledger: Ledger, changes: Iterable[CountChange]) -> list[Ledger]:
    """Where a count equals ``before``, make it ``after``; leave every other alone. Applying the same changes again
    changes nothing. Returns the stages to write, none if nothing changes."""
    start, stages = _tidied(ledger)
    target = _copied(start)
    new = Counts()
    for change in changes:
        span = decode_span(change.key)
        there = [(page, run) for page in [*target.values(), new] for run in page.within(span)]
        for page, run in there or [(new, Run.of(span, 0))]:
            if change.before == change.after or run.count != change.before:
                continue
            if change.after:
                page.put(replace(run, count=change.after))
            else:
                page.cut(run.span)
    _append(target, new)
    return stages + _stages(start, target)


def remove_counts(ledger: Ledger, keys: Iterable[str]) -> list[Ledger]:
    """Take the counts of ``keys`` out, and zeros with them, then fill the first pages from the last ones and let go of
    those that become empty. Returns the stages to write, none if nothing changes."""
    start, stages = _tidied(ledger)
    gone = Counts.of(dict.fromkeys(keys, 0))
    target = {number: page.without_zeros() for number, page in start.count_pages.items()}
    for page in target.values():
        page.cut_all(gone)
    stages += _stages(start, target)
    return stages + _packed(stages[-1] if stages else start)


def _packed(ledger: Ledger) -> list[Ledger]:
    """Move counts from the last pages into the room of the first ones. A page gives or takes, never both, so two
    stages are enough: all copies first, then the givers without what they gave."""
    copies, rest = _copied(ledger), _copied(ledger)
    numbers = sorted(copies)
    taker, giver = 0, len(numbers) - 1
    while taker < giver:
        moved, left = split_to_fit(copies[numbers[taker]], rest[numbers[giver]])
        copies[numbers[taker]].put_all(moved)
        rest[numbers[taker]].put_all(moved)
        rest[numbers[giver]] = left
        if left:
            taker += 1
        else:
            giver -= 1
    for number in numbers[1:]:
        if not rest[number]:
            del rest[number]
    if rest == _copied(ledger):
        return []
    return [_with_counts(ledger, pages) for pages in (copies, rest)]


def _append(pages: CountPages, new: Counts) -> None:
    """Put new counts on the first pages with room, in natural order; open further pages as needed."""
    left = new
    for number in sorted(pages):
        fitting, left = split_to_fit(pages[number], left)
        pages[number].put_all(fitting)
    while left:
        fitting, rest = split_to_fit(Counts(), left)
        # A key is far shorter than a Variable, so that an empty page takes at least one.
        pages[max(pages) + 1], left = (fitting, rest) if fitting else left.split(1)


def _stages(before: Ledger, target: CountPages) -> list[Ledger]:
    """The stages from ``before`` to ``target``: one, unless a page has outgrown its Variable because ranges broke
    apart. Then the later part of that page is moved to further pages first, the way that prune moves counts."""
    current = _copied(before)
    if target == current:
        return []
    copies, rest, final = _copied(before), _copied(before), dict(target)
    for number in sorted(target):
        if fits(encode_counts(target[number])):
            continue
        kept, *further = split_counts(target[number])
        final[number] = kept
        for part in further:
            fresh = max(final) + 1
            final[fresh] = part
            copies[fresh] = current[number].restricted_to(part)
            rest[fresh] = copies[fresh]
            rest[number].cut_all(part)
    pages = [final] if copies == current else [copies, rest, final]
    return [_with_counts(before, each) for each in pages]


def _tidied(ledger: Ledger) -> tuple[Ledger, list[Ledger]]:
    """The ledger with each count on its first page only, and the stage that makes it so, if one is needed."""
    seen = Counts()
    pages: CountPages = {}
    for number in sorted(ledger.count_pages):
        pages[number] = ledger.count_pages[number].copy()
        pages[number].cut_all(seen)
        seen.put_all(pages[number])
    if pages == _copied(ledger):
        return ledger, []
    tidied = _with_counts(ledger, pages)
    return tidied, [tidied]


def _copied(ledger: Ledger) -> CountPages:
    return {number: page.copy() for number, page in ledger.count_pages.items()}


def _with_counts(ledger: Ledger, pages: CountPages) -> Ledger:
    """The ledger with other pages of counts. Pages that stay as they are keep the spelling that they have."""
    stored = dict(ledger.stored)
    for number in ledger.count_pages.keys() - pages.keys():
        del stored[page_name(ledger.prefix, COUNTS, number)]
    for number, page in pages.items():
        if ledger.count_pages.get(number) == page:
            continue
        name = page_name(ledger.prefix, COUNTS, number)
        stored[name] = encode_counts(page)
        if not fits(stored[name]):
            raise LedgerError(
                name,
                f"its counts do not fit into {VARIABLE_LIMIT_BYTES} bytes any more",
                way_out="run `quire prune`, or move some of its entries to another page by hand",
            )
    return replace(ledger, count_pages=pages, stored=stored)


def check_active(variable: str, value: object) -> tuple[str, ...]:
    """An active list, checked. Raises LedgerError that names ``variable`` and the entry."""
    if not isinstance(value, list):
        raise LedgerError(variable, f"it is {kind_of(value)}, not a list", way_out="set it to a list of batch ids")
    seen: dict[str, None] = {}
    for position, name in enumerate(value):
        way_out = "correct it or take it out of the list"
        if not isinstance(name, str):
            raise LedgerError(
                variable, f"{kind_of(name)} is no batch id", entry=f"number {position + 1}", way_out=way_out
            )
        if claimed_submission(name) is None and not _BATCH_ID.fullmatch(name):
            problem = "neither a batch id (batches/...) nor a claim (submitting/ and a submission id)"
            raise LedgerError(variable, f"it is {problem}", entry=name, way_out=way_out)
        if name in seen:
            raise LedgerError(variable, "it stands there twice", entry=name, way_out="take one of the two out")
        seen[name] = None
    return tuple(seen)


def kind_of(value: object) -> str:
    """What a JSON value is, as a person would say."""
    names = {dict: "a map", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
