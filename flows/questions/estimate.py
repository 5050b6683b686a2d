"""``quire estimate``: what is left to be read, in pages, tokens and dollars, and how each number was reached. Reads the
manifests only: sizes of images stand there since the scan, prompts are rendered for a sample of the pages.

What a batch weighs when it is cut stands in `weighing`; the rules of counting in `assets.estimates`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from assets.candidates import RecordState, States, count_states, in_running_order
from assets.domain.errors import ManifestError
from assets.domain.ledger import Ledger
from assets.domain.models import setting
from assets.domain.money import dollars
from assets.domain.tokens import media_resolution
from assets.estimates import Rates, Tariff, images_tokens
from assets.numbering import IntArray
from assets.requests import RequestTemplate
from assets.spending import Cap, Spent
from config.settings import Settings, load_settings
from flows.gateways.files.storage import Storage
from flows.protocol.claiming import facts_of
from flows.questions.page_prices import prompt_tokens, rows_of
from flows.questions.status import read_ledger_or_files, states_now
from flows.runtime.printable import printable_json
from flows.runtime.wiring import config_path, make_storage, make_template, new_submission_id, utc_now
from flows.tables.derived import submissions_table
from flows.tables.prices import notices, price_source
from flows.tables.weighing import rates_of, read_caps, read_spent, tariff_of


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the records that are not done, not in flight and not given up will take, if each is answered the first time.

    ``records``: how many; ``with_context``: how many of them get the result or the image of the page before,
    ``with_image``: the image; tokens are sums; ``text_tokens`` are corrected by ``rates``; dollars are None without a
    price.
    """

    model: str
    records: int
    with_context: int
    with_image: int
    image_tokens: int
    prompt_tokens: int
    context_tokens: int
    output_tokens: int
    thinking_tokens: int
    usd: float | None
    rates: Rates

    @property
    def input_tokens(self) -> int:
        return self.image_tokens + self.prompt_tokens + self.context_tokens


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """``left``: how many pages are to be sent in all; ``day``: today, UTC; ``tariff``: what holds then;
    ``price_source``: where its price is from; ``spent``: by what was sent so far; ``caps``: those that are set;
    ``prefect_problem``: why Prefect could not be asked, or None."""

    settings: Settings
    estimate: Estimate
    left: int
    states: Mapping[str, int]
    spent: tuple[Spent, ...]
    caps: tuple[Cap, ...]
    day: date
    tariff: Tariff
    price_source: str
    prefect_problem: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.estimate),
            "left": self.left,
            "input_tokens": self.estimate.input_tokens,
            "spent_usd": sum(each.usd for each in self.spent),
            "open_usd": sum(each.open_usd for each in self.spent),
            "caps": [asdict(cap) for cap in self.caps],
            "price": self.tariff.price.as_json() if self.tariff.price else None,
            "prefect_problem": self.prefect_problem,
        }


async def read_estimate(config: str | None, *, limit: int | None = None) -> EstimateReport:
    """``limit``: of so many pages at most, those that would be sent first. Raises ConfigError, SchemaError,
    PromptError, StateError."""
    settings = load_settings(config_path(config))
    storage = make_storage(settings)
    if storage.read_records() is None:
        raise ManifestError(storage.records_path, "is missing; run quire scan first")
    ledger, problem = await read_ledger_or_files(settings, storage)
    return await asyncio.to_thread(estimate_of, settings, storage, ledger, problem, limit=limit)


def estimate_of(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    problem: str | None = None,
    *,
    limit: int | None = None,
    states: States | None = None,
) -> EstimateReport:
    """Read and count. ``limit``: see `read_estimate`; ``states``: if they were read already."""
    model, template = make_template(settings)
    if states is None:
        states = states_now(settings, storage, ledger, now=utc_now())
    numbers = states.of(RecordState.RUNNABLE, RecordState.POSTPONED, RecordState.WAITING)
    in_all = len(numbers)
    if limit is not None:
        numbers = _first(states, limit, settings)
    left = rows_of(states, numbers)
    now = utc_now()
    tariff = tariff_of(settings, now.date())
    facts = facts_of(settings, model, template, new_submission_id(), created_at=now)
    closed = submissions_table(storage, write=False)
    return EstimateReport(
        settings=settings,
        estimate=_estimate(settings, template, left, tariff, rates_of(settings, closed, facts)),
        left=in_all,
        states={state.value: count for state, count in count_states(states).items() if count},
        spent=tuple(read_spent(settings, storage, since=now)),
        caps=read_caps(settings, storage, run_started_at=now, now=now),
        day=now.date(),
        tariff=tariff,
        price_source=price_source(settings, settings.model.name, now.date()),
        prefect_problem=problem,
    )


def _first(states: States, limit: int, settings: Settings) -> IntArray:
    """Those that can be sent now in the order in which they are, then the others that are left."""
    now = in_running_order(states, context_mode=settings.context.mode).numbers
    return np.concatenate((now, states.of(RecordState.POSTPONED, RecordState.WAITING)))[:limit]


def _estimate(settings: Settings, template: RequestTemplate, left: pa.Table, tariff: Tariff, rates: Rates) -> Estimate:
    mode = settings.context.mode
    has_before = left["predecessor"].is_valid().to_numpy(zero_copy_only=False)
    takes_image = left["takes_image"].to_numpy(zero_copy_only=False)
    of_images = int(images_tokens(left, tariff).sum())
    with_result = int(np.count_nonzero(has_before & ~takes_image)) if mode.waits_for_result else 0
    of_prompts = round(prompt_tokens(template, left["record_key"]) * rates.text_scale * len(left))
    # The result of the page before is an answer like those that are expected.
    of_context = round(rates.output_tokens) * with_result
    output, thinking = round(rates.output_tokens * len(left)), round(rates.thinking_tokens * len(left))
    usd = None
    if tariff.price is not None:
        usd = tariff.price.usd(input_tokens=of_images + of_prompts + of_context, output_tokens=output + thinking)
    return Estimate(
        model=settings.model.name,
        records=len(left),
        with_context=with_result + int(np.count_nonzero(takes_image)),
        with_image=int(np.count_nonzero(takes_image)),
        image_tokens=of_images,
        prompt_tokens=of_prompts,
        context_tokens=of_context,
        output_tokens=output,
        thinking_tokens=thinking,
        usd=usd,
        rates=rates,
    )


async def estimate_json(config: str | None, *, limit: int | None = None) -> str:
    return printable_json((await read_estimate(config, limit=limit)).as_json())


async def estimate_text(config: str | None, *, limit: int | None = None) -> str:
    return shown(await read_estimate(config, limit=limit))


def shown(report: EstimateReport) -> str:
    """A table for people: each number, and how it was reached."""
    found, settings, rates = report.estimate, report.settings, report.estimate.rates
    basis = f"mean of {rates.answers:,} answers so far" if rates.answers else "as the settings expect"
    corrected = f", x {rates.text_scale:.2f} as the answers tell" if rates.answers else ""
    level = media_resolution(settings.model.generation_config).lower()
    shrunk = settings.uploads.max_side_pixels
    rows = [
        ("images", found.image_tokens, f"by the rules of {report.tariff.model}, resolution {level}" + _shrunk(shrunk)),
        ("prompt and schema", found.prompt_tokens, f"rendered for a sample, 4 bytes a token{corrected}"),
        ("context", found.context_tokens, _context_basis(settings, found)),
        ("input together", found.input_tokens, ""),
        ("output", found.output_tokens, f"{rates.output_tokens:,.0f} a page, {basis}"),
        ("thinking", found.thinking_tokens, f"{rates.thinking_tokens:,.0f} a page, {basis}; {_thinking(settings)}"),
    ]
    first = f"the first {found.records:,} of " if found.records < report.left else ""
    lines = [f"{first}{report.left:,} pages are to be sent, {_others(report.states)}"]
    lines += [f"{name:<18}{count:>16,}  {how}".rstrip() for name, count, how in rows]
    lines.append(_cost_line(report))
    spent, opened = sum(each.usd for each in report.spent), sum(each.open_usd for each in report.spent)
    lines.append(f"spent so far {dollars(spent)}; what is in flight can cost {dollars(opened)} at most")
    lines += [
        f"{cap.name} is {dollars(cap.usd)}, {dollars(max(0.0, cap.room_usd))} of it are left" for cap in report.caps
    ]
    lines += notices(settings, report.day)
    lines.append("Pages that fail are sent again and paid again; that is not in it.")
    if report.prefect_problem is not None:
        lines.append(f"From the files alone, Prefect was not asked: {report.prefect_problem}")
    return "\n".join(lines)


def _cost_line(report: EstimateReport) -> str:
    found, price = report.estimate, report.tariff.price
    if found.usd is None or price is None:
        return f"no price of {report.tariff.model} is known: add it as prices.{report.tariff.model}"
    looked_up = f"; {report.price_source}" if report.price_source else ""
    return (
        f"about {dollars(found.usd)}: ${price.input_usd:g} a million tokens in, ${price.output_usd:g} out, "
        f"times {price.batch_factor:g} as a batch{looked_up}"
    )


def _context_basis(settings: Settings, found: Estimate) -> str:
    mode, with_result = settings.context.mode, found.with_context - found.with_image
    said = [f"the result of the page before, for {with_result:,} pages"] if mode.waits_for_result else []
    if mode.sends_image or found.with_image:
        said.append(f"the image of the page before, for {found.with_image:,} pages, is among the images")
    return "; ".join(said) or "none (context.mode)"


def _shrunk(max_side_pixels: int | None) -> str:
    return f", at most {max_side_pixels} pixels a side" if max_side_pixels else ""


def _thinking(settings: Settings) -> str:
    config = settings.model.generation_config
    key = setting(config, "thinking_config")
    said = None if key is None else config[key]
    if not isinstance(said, Mapping):
        return "thinking_config is left to Gemini"
    return "thinking_config " + ", ".join(f"{name} {value}" for name, value in said.items())


def _others(states: Mapping[str, int]) -> str:
    others = [(state, states.get(state, 0)) for state in ("done", "inflight", "dead", "held")]
    return ", ".join(f"{count:,} {state}" for state, count in others)
