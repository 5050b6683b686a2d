"""What the next batch may hold, and what its records weigh: settings, manifests and outcomes brought to the functions
of `assets.estimates`, `assets.spending` and `assets.planning`. Reads only; what is sent is decided in `submit`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.models import answering
from assets.domain.money import dollars
from assets.domain.tries import Try
from assets.estimates import Rates, Tariff, images_tokens, measured_rates, row_estimates
from assets.planning import SPENDING_WINDOW, IntArray, Room, SubmissionFacts, Weights
from assets.repair import output_bounds
from assets.requests import RequestTemplate, request_texts, schema_bytes
from assets.spending import (
    CAPS,
    WINDOW,
    Cap,
    Spent,
    caps,
    room_of,
    sent_usd,
    spending,
    spent_by_tries,
    tightest,
    way_of_asking,
)
from config.settings import Settings
from config.values import OTHER_MODELS
from flows.gateways.files.storage import Storage
from flows.tables.derived import submissions_table
from flows.tables.prices import check_price, price_of
from flows.tables.relatives import relatives

FRAME_BYTES = 1000
"""What a line of the input file has around its texts and its schema, at most."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the open submissions hold of the limits. ``batches``: how many; ``tokens``: input, of today's model."""

    batches: int
    upload_bytes: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Scales:
    """Everything that a batch is cut by. ``caps``: those that are set; ``unpriced``: open submissions of which nobody
    knows what they can cost; ``recent_usd``: what was sent in the last 10 minutes is expected to cost."""

    settings: Settings
    template: RequestTemplate
    tariff: Tariff
    rates: Rates
    load: Load
    caps: tuple[Cap, ...]
    unpriced: int
    recent_usd: float

    def weigh(self, storage: Storage, rows: pa.Table) -> tuple[pa.Table, Weights]:
        """Estimates (ESTIMATE_SCHEMA) and weights of runnable records, which have BEFORE_COLUMNS where images of pages
        before go along, and may have the column ``repair``. Raises PromptError, ManifestError."""
        mode = self.settings.context.mode
        keys = rows["record_key"].to_pylist()
        context = context_keys(storage, rows) if mode.waits_for_result else [None] * len(keys)
        if "repair" not in rows.column_names:
            rows = rows.append_column("repair", pa.nulls(len(rows), pa.string()))
        repairs, with_image = rows["repair"], rows["takes_image"].to_pylist()
        texts = request_texts(
            keys,
            context,
            template=self.template,
            previous_results=storage.results(),
            repairs=repairs.to_pylist(),
            with_image=with_image,
        )
        prompt_bytes = _sizes(texts)
        if mode.waits_for_result and any(with_image):
            # Where that image is refused the request goes without it, in other words, which may be more of them.
            alone = request_texts(keys, [None] * len(keys), template=self.template, repairs=repairs.to_pylist())
            prompt_bytes = np.where(with_image, np.maximum(prompt_bytes, _sizes(alone)), prompt_bytes)
        of_images = images_tokens(rows, self.tariff)
        schema = schema_bytes(self.template)
        bounds = output_bounds(repairs, self.tariff.output_bound_tokens)
        estimates = row_estimates(of_images, prompt_bytes + schema, self.tariff, self.rates, output_bounds=bounds)
        image_bytes = rows["image_bytes"].to_numpy()
        return estimates, Weights(
            upload_bytes=image_bytes,
            # JSON writes some characters with a backslash before them.
            input_bytes=prompt_bytes * 2 + schema * 2 + FRAME_BYTES,
            input_tokens=of_images + estimates["estimated_text_tokens"].to_numpy(),
            max_usd=pc.fill_null(estimates["max_usd"], 0.0).to_numpy(),
            estimated_usd=pc.fill_null(estimates["estimated_usd"], 0.0).to_numpy(),
        )

    def room(self) -> Room:
        """For the next batch."""
        limits, tight = self.settings.limits, tightest(self.caps)
        return Room(
            records=self.settings.execution.batch_size_limit,
            input_bytes=limits.input_file_bytes,
            upload_bytes=limits.storage_bytes - self.load.upload_bytes,
            tokens=enqueued_tokens(self.settings) - self.load.tokens,
            usd=-inf if self.unpriced and tight is not None else room_of(tight),
            usd_from=tight.name if tight is not None else "",
            is_empty=self.load.batches == 0,
            window_usd=inf if (limit := window_usd(self.settings)) is None else limit - self.recent_usd,
            is_window_empty=self.recent_usd == 0,
        )

    def with_batch(self, batch_manifest: pa.Table) -> "Scales":
        """After another batch was sent."""
        load = Load(
            self.load.batches + 1,
            self.load.upload_bytes + _upload_bytes(batch_manifest),
            self.load.tokens + _input_tokens(batch_manifest),
        )
        most, expected = (
            float(pc.sum(batch_manifest[name], min_count=0).as_py()) for name in ("max_usd", "estimated_usd")
        )
        held_against = tuple(replace(cap, open_usd=cap.open_usd + most) for cap in self.caps)
        return replace(self, load=load, caps=held_against, recent_usd=self.recent_usd + expected)


def read_scales(
    settings: Settings, template: RequestTemplate, storage: Storage, facts: SubmissionFacts, *, run_started_at: datetime
) -> Scales:
    """Read what is open and what was spent. ``facts``: of a submission that would be made now.

    Raises ConfigError where a cap is set and a price is missing or past its day, ManifestError, OSError.
    """
    closed, opened, tries = submissions_table(storage), _open_submissions(storage), storage.tries.all()
    others = [_Books.of(each) for each in relatives(storage)]
    since = facts.created_at - WINDOW
    for each in (closed, *(other.closed for other in others)):
        _check_prices(settings, each, day=facts.created_at.date())
    asked = _asked_since(run_started_at, facts.created_at)
    spent = _spent(settings, closed, opened, tries, since=asked)
    for other in others:
        spent += _spent(settings, *other, since=asked)
    recent_usd = sum(
        _recent_usd(each, open_, tried, since) for each, open_, tried in [(closed, opened, tries), *others]
    )
    return Scales(
        settings=settings,
        template=template,
        tariff=tariff_of(settings, facts.created_at.date()),
        rates=rates_of(settings, closed, facts),
        load=Load(
            len(opened),
            sum(_upload_bytes(table) for table, _ in opened),
            sum(_input_tokens(table) for table, each in opened if each.model == settings.model.name),
        ),
        caps=_caps(settings, spent, run_started_at=run_started_at, now=facts.created_at),
        unpriced=sum(
            1
            for opens in (opened, *(other.opened for other in others))
            for table, _ in opens
            if table["max_usd"].null_count
        ),
        recent_usd=recent_usd,
    )


class _Books(NamedTuple):
    """What a relative has spent. ``opened``: batch manifests with their facts."""

    closed: pa.Table
    opened: list[tuple[pa.Table, SubmissionFacts]]
    tries: list[Try]

    @classmethod
    def of(cls, storage: Storage) -> "_Books":
        return cls(submissions_table(storage, write=False), _open_submissions(storage), storage.tries.all())


def _recent_usd(
    closed: pa.Table, opened: list[tuple[pa.Table, SubmissionFacts]], tries: list[Try], since: datetime
) -> float:
    tried = sum(each.usd + each.unsure_usd for each in spent_by_tries(tries) if since < each.created_at)
    return sent_usd(closed, ((each, table) for table, each in opened), since=since) + tried


def read_caps(settings: Settings, storage: Storage, *, run_started_at: datetime, now: datetime) -> tuple[Cap, ...]:
    """The caps that are set. Raises ManifestError, OSError."""
    spent = read_spent(settings, storage, since=_asked_since(run_started_at, now))
    return _caps(settings, spent, run_started_at=run_started_at, now=now)


def _asked_since(run_started_at: datetime, now: datetime) -> datetime:
    """From when on a cap may ask when something was made."""
    return min(run_started_at, now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


def _caps(settings: Settings, spent: list[Spent], *, run_started_at: datetime, now: datetime) -> tuple[Cap, ...]:
    return tuple(caps(spent, _set_caps(settings), run_started_at=run_started_at, day=now.date()))


def _set_caps(settings: Settings) -> dict[str, float]:
    limits = {name: getattr(settings.budget, name) for name in CAPS}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _check_prices(settings: Settings, closed: pa.Table, *, day: date) -> None:
    """A cap means nothing while a price is missing, today's or that of what was sent without one: raise ConfigError."""
    for cap in _set_caps(settings):
        check_price(settings, settings.model.name, day, cap=f"budget.{cap}")
        for row in closed.filter(closed["usd"].is_null()).select(["model", "created_at"]).to_pylist():
            check_price(settings, row["model"], row["created_at"].date(), cap=f"budget.{cap}")


def read_spent(settings: Settings, storage: Storage, *, since: datetime) -> list[Spent]:
    """Every submission and every try with its dollars, what was made before ``since`` as one sum; those of its runs,
    too, which compare settings. Raises ManifestError, OSError."""
    return [
        spent for each in (storage, *relatives(storage)) for spent in _spent(settings, *_Books.of(each), since=since)
    ]


def _open_submissions(storage: Storage) -> list[tuple[pa.Table, SubmissionFacts]]:
    """What has no outcomes yet, claimed or not."""
    closed = storage.closed_submissions()
    return [storage.read_batch_manifest(each) for each in storage.submissions() if each not in closed]


def _spent(
    settings: Settings,
    closed: pa.Table,
    opened: list[tuple[pa.Table, SubmissionFacts]],
    tries: list[Try],
    *,
    since: datetime,
) -> list[Spent]:
    in_flight = [(facts, table) for table, facts in opened]
    sent = spending(closed, in_flight, partial(price_of, settings), since=since)
    return sent + spent_by_tries(tries)


def tariff_of(settings: Settings, day: date) -> Tariff:
    """What holds for a request that is sent on ``day`` (UTC)."""
    return Tariff(
        model=answering(settings.model.name, day),
        generation_config=settings.model.generation_config,
        price=price_of(settings, settings.model.name, day),
        max_side_pixels=settings.uploads.max_side_pixels,
    )


def rates_of(settings: Settings, closed: pa.Table, facts: SubmissionFacts) -> Rates:
    """What answers have had so far that were asked for as ``facts`` say, or else what the settings expect."""
    budget = settings.budget
    expected = Rates(budget.expected_output_tokens, budget.expected_thinking_tokens)
    alike = pc.equal(closed["way_of_asking"], way_of_asking(facts))
    return measured_rates(closed.filter(alike), expected)


def enqueued_tokens(settings: Settings) -> int:
    """The most input tokens of the model that may be at Gemini together."""
    by_word = settings.limits.enqueued_tokens
    # The longest: flash is a part of flash-lite.
    words = [word for word in by_word if word in settings.model.name and word != OTHER_MODELS]
    return by_word[max(words, key=len, default=OTHER_MODELS)][settings.limits.tier - 1]


def window_usd(settings: Settings) -> float | None:
    """What Google lets the project spend in any 10 minutes; None: nothing is held back by it."""
    by_tier = settings.limits.usd_per_10_minutes
    return None if by_tier is None else by_tier[settings.limits.tier - 1]


def _sizes(texts: Iterable[str]) -> IntArray:
    """In bytes, as UTF-8."""
    return np.array([len(text.encode(errors="replace")) for text in texts], dtype=np.int64)


def context_keys(storage: Storage, rows: pa.Table) -> list[str | None]:
    """For each row its predecessor, where that one has a result to send along."""
    with_result = pc.if_else(rows["takes_image"], pa.scalar(None, pa.string()), rows["predecessor"])
    predecessors: Sequence[str | None] = with_result.to_pylist()
    present = storage.present_among(key for key in predecessors if key is not None)
    return [key if key in present else None for key in predecessors]


def explain(scales: Scales, held_by: str, weights: Weights) -> str:
    """Why the next record is not sent now, in a line."""
    load = scales.load
    if held_by.startswith("budget."):
        if scales.unpriced:
            return (
                f"{held_by}: {scales.unpriced} batches in flight were sent without a known price: they must end first"
            )
        cap = next(cap for cap in scales.caps if cap.name == held_by)
        return (
            f"{held_by} is {dollars(cap.usd)}: {dollars(cap.spent_usd)} are spent, what is in flight can cost "
            f"{dollars(cap.open_usd)}, {_unsure(cap)}and the next record {dollars(float(weights.max_usd[0]))}"
        )
    if held_by == SPENDING_WINDOW:
        return (
            f"{held_by} is {dollars(window_usd(scales.settings) or 0.0)}: batches for about "
            f"{dollars(scales.recent_usd)} were sent in the last 10 minutes; a later pass sends more"
        )
    if held_by == "limits.storage_bytes":
        return f"{held_by}: the images of {load.batches} batches hold {load.upload_bytes / 1e9:.1f} GB at Gemini"
    return f"{held_by}: {load.batches} batches with {load.tokens:,} input tokens are at Gemini"


def _unsure(cap: Cap) -> str:
    return f"what answered without a usage that adds up {dollars(cap.unsure_usd)}, " if cap.unsure_usd else ""


def _upload_bytes(batch_manifest: pa.Table) -> int:
    return int(pc.sum(batch_manifest["file_bytes"], min_count=0).as_py())


def _input_tokens(batch_manifest: pa.Table) -> int:
    of_images = pc.sum(batch_manifest["estimated_image_tokens"], min_count=0).as_py()
    return int(of_images + pc.sum(batch_manifest["estimated_text_tokens"], min_count=0).as_py())
