"""``quire plan``: what would be read anew, why, by document and at what price, and what is still to be read at all.
Sends nothing; ``quire rerun --outdated`` does. By numbers and arrays: a million pages take some seconds.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState, States
from assets.domain.errors import ManifestError
from assets.domain.ledger import Ledger
from assets.domain.money import dollars
from assets.numbering import BoolArray, IntArray
from assets.outdated import Outdated, Reason
from assets.selection import named, with_reasons
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.questions.page_prices import PagePrices
from flows.questions.status import read_ledger_or_files, states_in_mode
from flows.runtime.printable import printable_json
from flows.runtime.wiring import config_path, make_storage, utc_now
from flows.tables.corrections import corrected_by_kind
from flows.tables.edited import find_edited
from flows.tables.outdated import find_outdated

MAX_DOCUMENTS = 20
"""So many are listed in the terminal; the JSON has all."""
TO_BE_READ = (RecordState.RUNNABLE, RecordState.POSTPONED, RecordState.WAITING)


@dataclass(frozen=True, slots=True)
class Cause:
    """Results that are outdated for one and the same cause. ``what``: it, in words; ``usd``: what it costs to read them
    anew, None: not known. A page that has two causes counts for both."""

    reason: str
    what: str
    pages: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """``pages``: how many of its results are outdated; ``reasons``: for which reason how many."""

    document: str
    pages: int
    reasons: Mapping[str, int]
    usd: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """``results``: how many records are done; ``outdated``: how many of them would be read anew, each once; ``edited``:
    outdated results that a person has made or vouched for, which are not among them; ``not_compared``: results whose
    image has another time, and was not compared yet; ``to_be_read``: records that wait for nobody but a pass,
    ``again``: those of them that have a result, which a person wants read again; ``for_a_person``: dead letters and
    held records; dollars are None where no price is known; ``prefect_problem``: why the files alone were asked."""

    collection: str
    results: int
    outdated: int
    outdated_usd: float | None
    causes: tuple[Cause, ...]
    documents: tuple[PlannedDocument, ...]
    edited: int
    not_compared: int
    to_be_read: int
    again: int
    to_be_read_usd: float | None
    for_a_person: int
    reasons: tuple[str, ...] = field(default=())
    prefect_problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def read_plan(config: str | None, words: Sequence[str] = ()) -> Plan:
    """``words``: reasons, and record keys, ranges or documents; of all of them without. Raises ConfigError,
    ManifestError, RecordKeyError, QuireError for a name that there is not."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    if not storage.has_records():
        raise ManifestError(storage.records_path, "is missing; run quire scan first")
    ledger, problem = await read_ledger_or_files(settings, storage)
    return await asyncio.to_thread(plan_of, settings, storage, ledger, words, problem)


def plan_of(
    settings: Settings, storage: Storage, ledger: Ledger, words: Sequence[str] = (), problem: str | None = None
) -> Plan:
    entries, reasons = with_reasons(words)
    results = storage.find_results()
    states = states_in_mode(settings, storage, ledger, results, now=utc_now())(settings.context.mode)
    wanted = _wanted(settings, states, entries)
    found = find_outdated(settings, storage, states, None if wanted is None else np.flatnonzero(wanted))
    chosen = reasons or tuple(Reason)
    is_chosen = np.logical_or.reduce([found.reasons[each] for each in chosen])
    of_people = [*find_edited(storage, results).edited, *corrected_by_kind(storage, results)]
    is_edited = np.isin(found.numbers, states.records.known(of_people))
    at = np.flatnonzero(is_chosen & ~is_edited)
    prices, numbers = PagePrices.of(settings, storage), found.numbers[at]
    usd = prices.usd(states, numbers) if prices is not None else None
    left = _within(states.of(*TO_BE_READ), wanted)
    left_usd = float(prices.usd(states, left).sum()) if prices is not None else None
    again = states.records.known(results.to_be_replaced["record_key"])
    return Plan(
        collection=settings.collection,
        results=len(_within(states.of(RecordState.DONE), wanted)),
        outdated=len(at),
        outdated_usd=float(usd.sum()) if usd is not None else None,
        causes=tuple(_causes(settings, found, at, usd, chosen)),
        documents=tuple(_documents(states, found, at, usd, chosen)),
        edited=int(np.count_nonzero(is_chosen & is_edited)),
        not_compared=len(found.unknown),
        to_be_read=len(left),
        again=int(np.count_nonzero(np.isin(left, again))),
        to_be_read_usd=left_usd,
        for_a_person=len(_within(states.of(RecordState.DEAD, RecordState.HELD), wanted)),
        reasons=tuple(each.value for each in reasons),
        prefect_problem=problem,
    )


def _wanted(settings: Settings, states: States, entries: Sequence[str]) -> BoolArray | None:
    if not entries:
        return None
    fields = len(settings.record.document_fields)
    keys = named(states.records.keys_of_document, entries, field_count=fields)
    wanted = np.zeros(len(states), dtype=bool)
    wanted[states.records.known(keys)] = True
    return wanted


def _within(numbers: IntArray, wanted: BoolArray | None) -> IntArray:
    return numbers if wanted is None else numbers[wanted[numbers]]


_THEN = {
    Reason.PROMPT: ("prompt_name", "prompt_version"),
    Reason.SCHEMA: ("schema_name",),
    Reason.MODEL: ("model",),
}


def _causes(settings: Settings, found: Outdated, at: IntArray, usd: Any, reasons: Sequence[Reason]) -> list[Cause]:
    """The most pages first, of each reason."""
    causes = []
    for reason in reasons:
        of_it = found.reasons[reason][at]
        if not of_it.any():
            continue
        names = _THEN.get(reason, ())
        then = found.then.select(names).take(pa.array(at[of_it])) if names else pa.table({})
        costs = usd[of_it] if usd is not None else np.zeros(np.count_nonzero(of_it))
        sums: list[dict[str, Any]] = [{"pages": len(costs), "usd": float(costs.sum())}]
        if names:
            grouped = then.append_column("usd", pa.array(costs)).group_by(list(names))
            table = grouped.aggregate([("usd", "sum"), ("usd", "count")]).rename_columns([*names, "usd", "pages"])
            sums = table.sort_by([("pages", "descending"), *((name, "ascending") for name in names)]).to_pylist()
        for row in sums:
            what = _in_words(settings, reason, row)
            causes.append(Cause(reason.value, what, row["pages"], row["usd"] if usd is not None else None))
    return causes


def _in_words(settings: Settings, reason: Reason, row: Mapping[str, Any]) -> str:
    match reason:
        case Reason.PROMPT:
            name, version = settings.prompt.name, settings.prompt.version
            if row["prompt_name"] != name:
                return f"prompt {row['prompt_name']} {row['prompt_version']} → {name} {version}"
            if row["prompt_version"] != version:
                return f"prompt {row['prompt_version']} → {version}"
            return f"prompt {version}, whose text is another now"
        case Reason.SCHEMA:
            now = settings.schema_.rpartition(":")[2]
            then = row["schema_name"].rpartition(":")[2]
            return f"schema {then} → {now}" if then != now else f"schema {now}, which asks for something else now"
        case Reason.MODEL:
            return f"model {row['model']} → {settings.model.name}"
        case Reason.CONTEXT:
            return "context: another result of the page before, or another context.mode"
        case Reason.IMAGE:
            return "image replaced"


def _documents(
    states: States, found: Outdated, at: IntArray, usd: Any, reasons: Sequence[Reason]
) -> list[PlannedDocument]:
    pages = states.records.pages
    codes = pages.codes[found.numbers[at]]
    count = len(pages.documents)
    of_each = np.bincount(codes, minlength=count)
    by_reason = {each: np.bincount(codes[found.reasons[each][at]], minlength=count) for each in reasons}
    costs = np.bincount(codes, weights=usd, minlength=count) if usd is not None else None
    there = np.flatnonzero(of_each)
    there = there[np.argsort(states.records.starts[there], kind="stable")]
    names = pc.take(pages.documents, pa.array(there)).to_pylist()
    return [
        PlannedDocument(
            name,
            int(of_each[code]),
            {each.value: int(counts[code]) for each, counts in by_reason.items() if counts[code]},
            float(costs[code]) if costs is not None else None,
        )
        for name, code in zip(names, there.tolist(), strict=True)
    ]


async def plan_json(config: str | None, words: Sequence[str] = ()) -> str:
    return printable_json((await read_plan(config, words)).as_json())


async def plan_text(config: str | None, words: Sequence[str] = ()) -> str:
    return shown(await read_plan(config, words))


def shown(plan: Plan) -> str:
    """For people, a line each."""
    lines = [_to_be_read(plan)] if plan.to_be_read else ["nothing is left to be read"]
    if plan.for_a_person:
        lines.append(f"{_pages(plan.for_a_person)} wait for a person: quire status tells which")
    if not plan.outdated:
        lines.append(f"none of {plan.results:,} results would be made anew" + _for(plan))
    else:
        lines.append(
            f"{plan.outdated:,} of {plan.results:,} results would be made anew{_about(plan.outdated_usd)}{_for(plan)}:"
        )
        lines += [f"  {each.what}: {_pages(each.pages)}{_about(each.usd)}" for each in plan.causes]
        lines += _document_lines(plan)
    if plan.edited:
        lines.append(
            f"{_pages(plan.edited)} besides whose result a person has made: quire rerun --edited sends them, too"
        )
    if plan.not_compared:
        lines.append(f"{plan.not_compared:,} images are not compared yet: the next scans do")
    if plan.outdated:
        reasons = plan.reasons or tuple(dict.fromkeys(each.reason for each in plan.causes))
        lines.append(f"quire rerun --outdated {','.join(reasons)} has them read anew; --limit-usd stops below a sum")
        lines.append("results stay until the new ones are written")
    if plan.outdated_usd is None:
        lines.append("what it costs is not known: quire estimate tells why")
    if plan.prefect_problem is not None:
        lines.append(f"From the files alone, Prefect was not asked: {plan.prefect_problem}")
    return "\n".join(lines)


def _to_be_read(plan: Plan) -> str:
    again = f", {plan.again:,} of them again" if plan.again else ""
    return f"{_pages(plan.to_be_read)} still to be read{again}{_about(plan.to_be_read_usd)}: quire run sends them"


def _document_lines(plan: Plan) -> list[str]:
    if len(plan.documents) < 2:
        return []
    lines = [f"in {len(plan.documents):,} documents:"]
    for each in plan.documents[:MAX_DOCUMENTS]:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in each.reasons.items())
        lines.append(f"  {each.document}: {_pages(each.pages)} ({reasons}){_about(each.usd)}")
    if len(plan.documents) > MAX_DOCUMENTS:
        lines.append(f"  ... and {len(plan.documents) - MAX_DOCUMENTS:,} more documents; --json tells all")
    return lines


def _for(plan: Plan) -> str:
    return f" for {', '.join(plan.reasons)}" if plan.reasons else ""


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count:,} pages"


def _about(usd: float | None) -> str:
    return f", about {dollars(usd)}" if usd is not None else ""
