"""What the commands do and say by which a person has pages read again, takes that back, or has them tried again."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import vouched_for
from assets.domain.errors import QuireError
from assets.domain.ledger import Ledger
from assets.domain.money import dollars
from assets.domain.record import encode_ranges
from assets.edited import edited_by_content
from assets.outdated import Reason
from assets.selection import Selection, as_meant, parse_entry, parse_kind, parse_prompt, with_reasons
from config.settings import Settings, load_settings
from flows import operate
from flows.gateways.files.acts import Act
from flows.gateways.files.storage import Storage
from flows.protocol.active import inflight_keys, resolve
from flows.questions.page_prices import price_of, within_limit
from flows.questions.selection import select_records, select_to_be_replaced
from flows.questions.status import states_in_mode, states_now
from flows.runtime.home import ensure_home
from flows.runtime.wiring import config_path, make_storage, new_submission_id, open_ledger, utc_now
from flows.tables.corrections import corrected_by_kind
from flows.tables.derived import results_table
from flows.tables.edited import find_edited
from flows.tables.paid import paid_for

MAX_RANGES = 10
"""A line that lists records stays readable."""


NOBODY = "no record is meant by that; nothing is done"


@dataclass(frozen=True, slots=True)
class Words:
    """What a person has typed. ``names``: record keys, ranges, documents, and with ``outdated`` reasons, too; ``kind``,
    ``prompt``: as text."""

    names: Sequence[str] = ()
    dead: bool = False
    kind: str | None = None
    outdated: bool = False
    prompt: str | None = None

    def selection(self) -> Selection:
        """Raises QuireError. Without a reason the image is meant: a new prompt outdates everything, and all of it would
        be paid for again."""
        entries, reasons = with_reasons(self.names) if self.outdated else (tuple(self.names), ())
        return Selection(
            entries=entries,
            dead=self.dead,
            kind=parse_kind(self.kind) if self.kind is not None else None,
            outdated=(reasons or (Reason.IMAGE,)) if self.outdated else (),
            prompt=parse_prompt(self.prompt) if self.prompt is not None else None,
        )


async def rerun_text(
    config: str | None,
    words: Words,
    *,
    edited: bool = False,
    limit_usd: float | None = None,
    dry_run: bool = False,
    yes: bool = False,
) -> str:
    """Have records read again. ``edited``: those, too, whose result a person has edited or vouched for; ``limit_usd``:
    only as many as are expected to cost no more; ``dry_run``: only say what it would do; ``yes``: also do it where it
    is more than one record that is named. Raises QuireError."""
    settings, storage, selection = *_opened(config), words.selection()
    async with open_ledger(settings) as ledger:
        await ensure_home(settings, storage, ledger)
        state = await ledger.read()
        keys = await asyncio.to_thread(select_records, settings, storage, state, selection)
        if not keys:
            return NOBODY
        limited = list[str]()
        if limit_usd is not None:
            keys, limited = await asyncio.to_thread(_limited, settings, storage, state, keys, limit_usd, edited=edited)
        plan = await asyncio.to_thread(_plan, storage, state, keys, edited=edited)
        if dry_run or not (yes or _acts_at_once(settings, selection)):
            lines = [*plan.lines("would be"), await _price_line(settings, storage, state, plan.keys), *limited]
            lines.append("nothing is done" if dry_run else "nothing is done; --yes does it")
            return "\n".join(lines)
        if not plan.keys:
            raise QuireError("; ".join([*plan.left_out_lines(), *limited]))
        done = await operate.rerun(storage, ledger, plan.keys, plan.files, rerun_id=new_submission_id(), edited=edited)
        problem = _noted(storage, "rerun", encode_ranges(plan.keys))
    return "\n".join([*plan.lines("are"), _counts_line(done.reset, done.let_go), *limited, *problem])


def _limited(
    settings: Settings, storage: Storage, ledger: Ledger, keys: Sequence[str], limit_usd: float, *, edited: bool
) -> tuple[list[str], list[str]]:
    """Those of ``keys`` that are taken, and what is said of the others. What is known to be edited uses up nothing of
    the limit: it is not sent."""
    found = storage.find_results()
    kept = set() if edited else {*find_edited(storage, found).edited, *corrected_by_kind(storage, found)}
    states = states_in_mode(settings, storage, ledger, found, now=utc_now())(settings.context.mode)
    taken = within_limit(settings, storage, states, [key for key in keys if key not in kept], limit_usd)
    said = f"--limit-usd {limit_usd:g}: {_records(len(taken.keys))} for about {dollars(taken.usd)}"
    return taken.keys + [key for key in keys if key in kept], [f"{said}, {taken.left:,} more are left"]


async def _price_line(settings: Settings, storage: Storage, ledger: Ledger, keys: Sequence[str]) -> str:
    def price() -> float | None:
        return price_of(settings, storage, states_now(settings, storage, ledger, now=utc_now()), keys)

    usd = await asyncio.to_thread(price)
    them = "it" if len(keys) == 1 else "them"
    return (
        f"to read {them} costs about {dollars(usd)}"
        if usd is not None
        else f"what it costs to read {them} is not known"
    )


def _acts_at_once(settings: Settings, selection: Selection) -> bool:
    return not selection.is_shown_first(field_count=len(settings.record.document_fields))


def _noted(storage: Storage, act: str, entries: Sequence[str]) -> list[str]:
    """Note for `quire why` what was done; [], or why that could not be noted. It is done all the same."""
    if not entries:
        return []
    try:
        storage.acts.keep_act(new_submission_id(), Act(utc_now(), act), entries)
    except OSError as error:
        return [f"quire why will not tell of this, which is done: {error}"]
    return []


@dataclass(frozen=True, slots=True)
class _Plan:
    """``keys``: the records; ``files``: the results of those that have one, as `operate.results_as_they_are` gives
    them, ``before``: how many of these were to be replaced already, ``usd``: what was paid for them, ``unknown``: of
    how many nobody knows that; ``flying``: the records in flight; ``edited``: those that are left as they are."""

    keys: list[str]
    files: pa.Table
    before: int
    usd: float
    unknown: int
    flying: list[str]
    edited: list[str]

    def lines(self, are: str) -> list[str]:
        count = len(self.files)
        are_given_up = f"{'is' if (count, are) == (1, 'are') else are} given up for a new reading"
        said = f"{_results(count)} {are_given_up}" if count else "no result is given up"
        if count:
            unknown = f", of {self.unknown} nobody knows what they cost" if self.unknown else ""
            said += f": {dollars(self.usd)} were paid for {'it' if count == 1 else 'them'}{unknown}"
            said += "; each stays in its place until the new one is written"
        lines = [said]
        if self.before:
            lines.append(f"{self.before} of them were asked for before")
        if without := len(self.keys) - count:
            lines.append(f"{_records(without)} without a result {are} tried again")
        if self.flying:
            lines.append(f"{_listed(self.flying)}: in flight already, and not sent a second time")
        return lines + self.left_out_lines()

    def left_out_lines(self) -> list[str]:
        if not self.edited:
            return []
        return [
            f"{_listed(self.edited)}: corrected, checked, edited or put there by a person, and left as it is without "
            "--edited"
        ]


def _plan(storage: Storage, ledger: Ledger, keys: Sequence[str], *, edited: bool) -> _Plan:
    files = operate.results_as_they_are(storage, keys)
    left: list[str] = []
    if not edited:
        is_edited = pc.or_(
            edited_by_content(files, results_table(storage, keys=keys, write=False)),
            vouched_for(files, storage.corrections.read()),
        )
        left = files.filter(is_edited)["record_key"].to_pylist()
        files = files.filter(pc.invert(is_edited))
    kept, given_up = set(left), files["record_key"].to_pylist()
    keys = [key for key in keys if key not in kept]
    paid = paid_for(storage, given_up)
    flying = set(inflight_keys(storage, resolve(storage, ledger).open_ids())).intersection(keys)
    before = len(storage.to_be_replaced(given_up))
    return _Plan(list(keys), files, before, paid.usd, paid.unknown, sorted(flying), left)


async def undo_rerun_text(config: str | None, words: Words, *, dry_run: bool = False) -> str:
    """Let results stay that were to be replaced; without words all of them. ``dry_run``: only say which. Raises
    QuireError."""
    settings, storage, selection = *_opened(config), words.selection()
    async with open_ledger(settings) as ledger:
        await ensure_home(settings, storage, ledger)
        state = await ledger.read()
        keys = await asyncio.to_thread(select_to_be_replaced, settings, storage, state, selection)
        if dry_run:
            return f"{_listed(keys) or 'no result'}: would stay as it is; nothing is done"
        kept = await operate.undo_rerun(storage, ledger, keys)
        problem = _noted(storage, "undo-rerun", encode_ranges(kept))
        flying = set(inflight_keys(storage, resolve(storage, await ledger.read()).open_ids())).intersection(kept)
    said = (
        f"{_results(len(kept))} {'stays' if len(kept) == 1 else 'stay'} as {'it is' if len(kept) == 1 else 'they are'}"
    )
    if flying:
        said += f"\n{_listed(sorted(flying))}: in flight already; that answer is paid for, and will not be written"
    return "\n".join([said, *problem])


async def unblock_text(config: str | None, words: Words, *, dry_run: bool = False, yes: bool = False) -> str:
    """Have dead letters and held records tried again. ``dry_run``, ``yes``: as for `rerun_text`. Raises QuireError."""
    settings, storage, selection = *_opened(config), words.selection()
    async with open_ledger(settings) as ledger:
        await ensure_home(settings, storage, ledger)
        state = await ledger.read()
        keys = await asyncio.to_thread(select_records, settings, storage, state, selection)
        fields, entries = len(settings.record.document_fields), selection.entries
        if selection.narrows and not keys:
            return NOBODY
        if dry_run or not (yes or _acts_at_once(settings, selection)):
            said = f"{_listed(keys) or ', '.join(entries)}: would be tried again; nothing is done"
            if dry_run and not selection.is_shown_first(field_count=fields):
                return said
            return "\n".join(
                [await _price_line(settings, storage, state, keys), said + "; --yes does it" * (not dry_run)]
            )
        entries = tuple(encode_ranges(keys) if selection.narrows else as_meant(entries, keys))
        reset = await operate.unblock(ledger, [parse_entry(each, field_count=fields) for each in entries])
    let_go = await operate.unblock_held(storage, keys)
    done = list(dict.fromkeys([*(run.entry for run in reset.runs()), *encode_ranges(let_go)]))
    return "\n".join([_counts_line(len(reset), len(let_go)), *_noted(storage, "unblock", done)])


def _counts_line(reset: int, let_go: int) -> str:
    return f"{reset} counts reset" + (f", {let_go} held records let go of" if let_go else "")


def _opened(config: str | None) -> tuple[Settings, Storage]:
    settings = load_settings(config_path(config))
    return settings, make_storage(settings)


def _results(count: int) -> str:
    return "1 result" if count == 1 else f"{count} results"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _listed(keys: Collection[str]) -> str:
    ranges = encode_ranges(keys)
    more = f" and {len(ranges) - MAX_RANGES} more" if len(ranges) > MAX_RANGES else ""
    return ", ".join(ranges[:MAX_RANGES]) + more
