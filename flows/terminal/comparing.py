"""What ``quire compare`` and ``quire second-read`` do and say: a run is priced and shown before anything is sent. How
it is read stands in `flows.compare`, what is found in `flows.questions.comparison`.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assets.candidates import RecordState, States
from assets.comparing import drawn
from assets.context import ALONE
from assets.domain.errors import ManifestError, QuireError
from assets.domain.money import dollars
from assets.numbering import IntArray
from config.settings import Settings, load_settings
from config.variants import frozen_sections
from flows.compare import SideReport, compare, create_run, settings_of_side
from flows.gateways.files.atomic import replace_text
from flows.gateways.files.runs import Run, Side, check_run_name
from flows.gateways.files.storage import Storage
from flows.gateways.prefect.api import engine_errors_told
from flows.questions.comparison import NAMES, STANDING, Findings, findings_of, findings_of_replaced, shown
from flows.questions.comparison_page import html_page
from flows.questions.page_prices import PagePrices
from flows.questions.status import read_ledger_or_files, states_now
from flows.runtime.passes import one_run_of_passes
from flows.runtime.printable import printable_json
from flows.runtime.ready import check_ready
from flows.runtime.wiring import config_path, make_storage, utc_now
from flows.tables.gold import read_gold

PAGE = "comparison.html"
NOTHING_SENT = "nothing is sent"


@dataclass(frozen=True, slots=True)
class Asked:
    """``sides``: one, to be held against the results, or two, as a person names them; ``sample``: pages, or a share
    with %; ``name``: of the run, "": by the time."""

    sides: tuple[str, ...]
    sample: str
    name: str = ""
    seed: int = 0
    yes: bool = False
    dry_run: bool = False
    watch: bool = False
    as_json: bool = False


async def start_text(config: str | None, asked: Asked, tell: Callable[[str], None] = lambda _: None) -> str:
    """Draw pages, say what they cost, and with ``yes`` have them read. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    run, numbers = await _planned(settings, storage, asked)
    said = _price_lines(settings, run, len(numbers))
    if asked.dry_run or not asked.yes:
        return "\n".join([*said, NOTHING_SENT if asked.dry_run else f"{NOTHING_SENT}; --yes sends it"])
    tell("\n".join(said))
    await check_ready(str(settings.source), service=True)
    await asyncio.to_thread(create_run, settings, storage, run, numbers)
    return await go_on_text(config, run.name, watch=asked.watch, as_json=asked.as_json)


async def go_on_text(
    config: str | None, name: str, *, watch: bool = False, as_json: bool = False, dry_run: bool = False
) -> str:
    """Bring a run on as far as it goes, and say what is found. ``watch``: until nothing of it is left; ``dry_run``:
    only look. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    run, reports = storage.runs.read(name), tuple[SideReport, ...]()
    if not run.has_ended and not dry_run:
        await check_ready(str(settings.source), service=True)
        with engine_errors_told(), one_run_of_passes(utc_now()):
            reports = await compare(config, name)
            while watch and not all(each.is_idle or each.stopped for each in reports):
                await asyncio.sleep(settings.batch.poll_interval_seconds)
                reports = await compare(config, name)
    return await asyncio.to_thread(_found, settings, storage, name, reports, as_json=as_json)


async def replaced_text(config: str | None, sample: str, *, seed: int, as_json: bool) -> str:
    """What the results of before are worth beside those that took their place. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    count = _count(sample, len(storage.replaced_results())) if sample else None
    found = await asyncio.to_thread(findings_of_replaced, storage, count, seed=seed, now=utc_now())
    return _said(storage, found, as_json=as_json)


def _found(settings: Settings, storage: Storage, name: str, reports: Sequence[SideReport], *, as_json: bool) -> str:
    run = storage.runs.read(name)
    found = findings_of(settings, storage, run)
    return _said(storage, found, reports, as_json=as_json)


def _said(storage: Storage, found: Findings, reports: Sequence[SideReport] = (), *, as_json: bool) -> str:
    path = storage.runs.place(found.run.name) / PAGE
    if any(side.texts for side in found.sides):
        replace_text(path, html_page(found))
    if as_json:
        return printable_json(found.as_json())
    return "\n".join([*_stopped(reports), *_state(found), shown(found, path)])


def _stopped(reports: Sequence[SideReport]) -> list[str]:
    return [f"side {each.label}: nothing more is sent: {each.stopped}" for each in reports if each.stopped]


def _state(found: Findings) -> list[str]:
    if found.run.has_ended:
        return []
    return [f"the run {found.run.name} is under way: quire compare {found.run.name} goes on, and so does each pass"]


async def runs_text(config: str | None) -> str:
    """All runs, a line each."""
    storage = make_storage(load_settings(config_path(config)))
    runs = [storage.runs.read(name) for name in storage.runs.names()]
    lines = [
        f"{run.name}  {' / '.join(side.words for side in run.sides)}  {run.pages} pages  "
        + ("done" if run.has_ended else "under way")
        for run in runs
    ]
    return "\n".join(lines or ["no run yet: quire compare current model=gemini-3.5-flash-lite --sample 50"])


async def _planned(settings: Settings, storage: Storage, asked: Asked) -> tuple[Run, IntArray]:
    name = asked.name or f"{utc_now():%Y%m%d-%H%M%S}"
    check_run_name(name)
    if not storage.has_records():
        raise ManifestError(storage.records_path, "is missing; run quire scan first")
    ledger, _ = await read_ledger_or_files(settings, storage)
    states = await asyncio.to_thread(states_now, settings, storage, ledger, now=utc_now())
    numbers = await asyncio.to_thread(_drawn, storage, states, asked)
    if settings.source is None:
        raise QuireError("settings that were made in Python have no file, and cannot be compared")
    labels = NAMES if len(asked.sides) == 2 else NAMES[1:]
    sides = tuple(
        Side(label.lower(), words, frozen_sections(words, settings.source, os.environ), None)
        for label, words in zip(labels, asked.sides, strict=True)
    )
    run = Run(name, utc_now(), asked.seed, len(numbers), sides)
    alone = replace(states, rules=replace(states.rules, context_mode=ALONE))
    priced = [replace(side, expected_usd=_price(settings, storage, alone, numbers, run, side)) for side in sides]
    return replace(run, sides=tuple(priced)), numbers


def _drawn(storage: Storage, states: States, asked: Asked) -> IntArray:
    """Of a second reading: of the pages that have a result."""
    is_second = len(asked.sides) == 1
    candidates = states.of(RecordState.DONE) if is_second else np.arange(len(states))
    if not len(candidates):
        raise QuireError("there is no page to draw from" + (" that has a result" if is_second else ""))
    known = states.records.known(read_gold(storage)["record_key"])
    count = _count(asked.sample, len(candidates))
    # A second reading tells of all results: what a person has looked at is no better drawn.
    return drawn(candidates, known[:0] if is_second else known, count, seed=asked.seed)


def _count(sample: str, of: int) -> int:
    """Raises QuireError."""
    try:
        count = round(float(sample[:-1]) / 100 * of) if sample.endswith("%") else int(sample)
    except ValueError:
        count = 0
    if count < 1 and not (sample.endswith("%") and sample[:-1].replace(".", "").isdigit()):
        raise QuireError(f"--sample {sample}: say how many pages, such as 50, or which share of them, such as 2%")
    return min(max(1, count), of)


def _price(
    settings: Settings, storage: Storage, states: States, numbers: IntArray, run: Run, side: Side
) -> float | None:
    """By the rates of the collection's own answers that were asked for in the same way, if there are any. Raises
    ConfigError where the settings of a side do not fit together."""
    prices = PagePrices.of(settings_of_side(settings, run, side), storage)
    return float(prices.usd(states, numbers).sum()) if prices is not None else None


def _price_lines(settings: Settings, run: Run, pages: int) -> list[str]:
    drawn_of = "1 page" if pages == 1 else f"{pages:,} pages"
    lines = [f"run {run.name}: {drawn_of}, drawn with seed {run.seed}, each read alone, without the page before"]
    if len(run.sides) == 1:
        lines.append(f"A: {STANDING}")
    for side in run.sides:
        cost = f"about {dollars(side.expected_usd)}" if side.expected_usd is not None else "what it costs is not known"
        model = settings_of_side(settings, run, side).model.name
        lines.append(f"{side.label.upper()}: {side.words} ({model}): {cost}")
    known = [side.expected_usd for side in run.sides if side.expected_usd is not None]
    if len(known) == len(run.sides) > 1:
        lines.append(f"together about {dollars(sum(known))}, under the caps of the collection")
    return lines


def second_words(model: str | None, prompt: str | None) -> str:
    """The setting of a second reading. Raises QuireError."""
    pairs = [f"{name}={value}" for name, value in (("model", model), ("prompt", prompt)) if value]
    if not pairs:
        raise QuireError("say with what the second reading is made: --model gemini-3.5-flash-lite, or --prompt v2")
    return ",".join(pairs)
