"""What single pages are expected to cost: the reckoning of ``quire estimate``, page by page, so that what is made anew
can be told by document and by cause, and can stop below a sum. Of a million pages it is an array.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.candidates import States
from assets.domain.errors import ConfigError, PromptError, QuireError, SchemaError
from assets.domain.money import dollars
from assets.domain.tokens import text_tokens
from assets.estimates import FloatArray, Rates, Tariff, images_tokens, usd_of, with_sizes_before
from assets.numbering import NOWHERE, IntArray
from assets.requests import RequestTemplate, request_texts, schema_bytes
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.protocol.claiming import facts_of
from flows.runtime.wiring import make_template, new_submission_id, utc_now
from flows.tables.derived import submissions_table
from flows.tables.weighing import rates_of, tariff_of

SAMPLED_PROMPTS = 200
"""Prompts differ from page to page by little more than their keys."""
STRETCH = 200_000
"""So many rows are read together."""


def rows_of(states: States, numbers: IntArray) -> pa.Table:
    """The rows of these records with all that an estimate goes by: see `States.rows` and `with_sizes_before`."""
    rows = states.rows(numbers)
    before = rows["predecessor"].filter(rows["takes_image"])
    return with_sizes_before(rows, states.rows_of_keys(before)) if len(before) else rows


def prompt_tokens(template: RequestTemplate, record_keys: pa.ChunkedArray | pa.Array) -> float:
    """The mean of a request's text by the rule of thumb, prompt and schema together, without context: of a sample of
    these records."""
    if len(record_keys) == 0:
        return 0.0
    keys = record_keys.take(pa.array(_sampled(len(record_keys)))).to_pylist()
    texts = request_texts(keys, [None] * len(keys), template=template)
    schema = schema_bytes(template)
    text_bytes = np.array([len(text.encode(errors="replace")) + schema for text in texts], dtype=np.int64)
    return float(text_tokens(text_bytes).mean())


def _sampled(count: int) -> IntArray:
    return np.unique(np.linspace(0, count - 1, SAMPLED_PROMPTS).astype(np.int64))


@dataclass(frozen=True, slots=True)
class PagePrices:
    """``day``: on which the pages would be sent, in ``tariff``; ``rates``: what answers have had so far."""

    settings: Settings
    template: RequestTemplate
    tariff: Tariff
    rates: Rates

    @classmethod
    def of(cls, settings: Settings, storage: Storage) -> "PagePrices | None":
        """By today's settings; None where prompt or schema cannot be loaded, or no price is known: then nobody can tell
        what a page costs. Raises ManifestError, OSError."""
        try:
            model, template = make_template(settings)
        except (ConfigError, PromptError, SchemaError):
            return None
        now = utc_now()
        tariff = tariff_of(settings, now.date())
        if tariff.price is None:
            return None
        facts = facts_of(settings, model, template, new_submission_id(), created_at=now)
        return cls(settings, template, tariff, rates_of(settings, submissions_table(storage, write=False), facts))

    def usd(self, states: States, numbers: IntArray) -> FloatArray:
        """US dollars of each of these records, if it is answered the first time. Raises ManifestError, OSError."""
        sample = states.records.keys(numbers[_sampled(len(numbers))] if len(numbers) else numbers)
        of_prompt = prompt_tokens(self.template, sample) * self.rates.text_scale
        parts = [
            self._usd(rows_of(states, numbers[at : at + STRETCH]), of_prompt) for at in range(0, len(numbers), STRETCH)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def _usd(self, rows: pa.Table, of_prompt: float) -> FloatArray:
        assert self.tariff.price is not None  # noqa: S101 - see `of`
        has_before = rows["predecessor"].is_valid().to_numpy(zero_copy_only=False)
        with_result = has_before & ~rows["takes_image"].to_numpy(zero_copy_only=False)
        # The result of the page before is an answer like those that are expected.
        with_result &= self.settings.context.mode.waits_for_result
        asked: FloatArray = images_tokens(rows, self.tariff) + of_prompt + self.rates.output_tokens * with_result
        answered: FloatArray = np.full(len(rows), self.rates.output_tokens + self.rates.thinking_tokens)
        return usd_of(self.tariff.price, asked, answered)


def price_of(settings: Settings, storage: Storage, states: States, record_keys: Sequence[str]) -> float | None:
    """About what it costs to read these records, in dollars; None: not known, see `PagePrices.of`. Raises
    ManifestError, OSError."""
    prices = PagePrices.of(settings, storage)
    return float(prices.usd(states, states.records.known(record_keys)).sum()) if prices is not None else None


@dataclass(frozen=True, slots=True)
class WithinLimit:
    """``keys``: the first of the records that cost no more together than the limit, in the order of the pages;
    ``left``: how many others there are; ``usd``: what those cost that are taken."""

    keys: list[str]
    left: int
    usd: float


def within_limit(
    settings: Settings, storage: Storage, states: States, record_keys: Sequence[str], limit_usd: float
) -> WithinLimit:
    """Raises QuireError where no price is known, ManifestError, OSError."""
    prices = PagePrices.of(settings, storage)
    if prices is None:
        raise QuireError(
            f"what a page costs is not known, so that nothing can stop below {dollars(limit_usd)}: see quire estimate"
        )
    numbers = states.records.numbers_of_keys(record_keys)
    numbers = np.unique(numbers[numbers != NOWHERE])
    together = np.cumsum(prices.usd(states, numbers))
    count = int(np.searchsorted(together, limit_usd, side="right"))
    keys: list[str] = states.records.keys(numbers[:count]).to_pylist()
    return WithinLimit(keys, len(numbers) - count, float(together[count - 1]) if count else 0.0)
