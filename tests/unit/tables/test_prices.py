"""Prices by the day: a change that is known, one that is not, and a model that has ended."""

from datetime import date
from pathlib import Path

import pytest

from assets.domain.errors import ConfigError
from assets.domain.money import Price
from config.settings import Settings, load_settings
from config.values import SHIPPED_PRICES
from flows.tables.prices import check_price, notices, price_of, price_source
from flows.tables.weighing import enqueued_tokens, tariff_of

CHANGE = date(2026, 12, 31)
AFTER = date(2027, 1, 1)
PAGE_INPUT_TOKENS, PAGE_OUTPUT_TOKENS = 1720, 1300
"""Of a usual page, as docs/costs.md has it."""
COSTS = Path(__file__).parents[3] / "docs/costs.md"


def load(folder: Path, text: str = "") -> Settings:
    path = folder / "quire.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ={})


def test_the_price_of_a_day_is_the_one_that_holds_on_it(tmp_path: Path) -> None:
    settings = load(tmp_path)
    for model in ("gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash"):
        assert price_of(settings, model, CHANGE) == Price(0.75, 3.75, 0.75, 0.5)
        assert price_of(settings, model, AFTER) == Price(1.5, 7.5, 1.5, 0.5)
    assert price_of(settings, "gemini-9", CHANGE) is None
    assert price_source(settings, "gemini-3.8-flash", CHANGE).endswith(", 2026-11-25, good until 2026-12-31")
    assert price_source(settings, "gemini-3.8-flash", AFTER).endswith(", 2026-11-25")
    assert notices(settings, AFTER) == []
    check_price(settings, "gemini-3.8-flash", AFTER, cap="budget.max_usd_total")


def test_prices_can_follow_each_other_more_than_once(tmp_path: Path) -> None:
    text = """prices:
      m: {input_usd: 1, output_usd: 1, valid_until: 2026-12-31, afterwards: {input_usd: 2, output_usd: 2,
          cached_usd: 0.5, valid_until: 2027-01-31, afterwards: {input_usd: 3, output_usd: 3, batch_factor: 1}}}
    """
    settings = load(tmp_path, text)
    days = (CHANGE, AFTER, date(2027, 1, 31), date(2027, 2, 1))
    found = [price_of(settings, "m", day) for day in days]
    assert [price.input_usd if price else None for price in found] == [1, 2, 2, 3]
    assert found[1] == Price(2, 2, 0.5, 0.5)
    assert found[3] == Price(3, 3, 3, 1), "each price has its own cache and factor"


def test_a_price_past_its_day_stops_a_cap_and_is_a_warning_otherwise(tmp_path: Path) -> None:
    text = (
        "model: {name: m}\nbudget: {max_usd_total: 5}\nprices: {m: {input_usd: 1, output_usd: 1, "
        "valid_until: 2026-12-31}}"
    )
    settings = load(tmp_path, text)
    check_price(settings, "m", CHANGE, cap="budget.max_usd_total")
    assert notices(settings, CHANGE) == []
    with pytest.raises(
        ConfigError,
        match=r"quire.yaml: budget.max_usd_total: is set, but the price of m was good until 2026-12-31: write today's "
        "as prices.m$",
    ):
        check_price(settings, "m", AFTER, cap="budget.max_usd_total")
    assert price_of(settings, "m", AFTER) == Price(1, 1, 1, 0.5), "the last one that is known"
    assert notices(settings, AFTER) == [
        "the price of m was good until 2026-12-31 and is used on: what estimates and reports say may be too low; write "
        "today's as prices.m"
    ]


def test_after_its_end_a_model_counts_and_costs_like_what_answers(tmp_path: Path) -> None:
    before, day = date(2026, 11, 30), date(2026, 12, 1)
    own = "prices: {gemini-2.5-flash: {input_usd: 0.3, output_usd: 2.5}}"
    settings = load(tmp_path, f"model: {{name: gemini-2.5-flash}}\n{own}")
    lite = price_of(settings, "gemini-3.5-flash-lite", day)
    assert tariff_of(settings, before).price == Price(0.3, 2.5, 0.3, 0.5)
    assert (tariff_of(settings, day).model, tariff_of(settings, day).price) == ("gemini-3.5-flash-lite", lite)
    assert price_of(settings, "gemini-2.5-pro", day) == price_of(settings, "gemini-3.8-flash", day)
    check_price(load(tmp_path, "model: {name: gemini-2.5-pro}"), "gemini-2.5-pro", day, cap="budget.max_usd_total")
    assert [line[:43] for line in notices(settings, before)] == ["gemini-2.5-flash ends on 2026-12-01, in 1 d"]


def test_what_is_not_sent_is_said(tmp_path: Path) -> None:
    settings = load(tmp_path, "model: {generation_config: {temperature: 0.1, topK: 4}}")
    assert [line.partition(":")[0] for line in notices(settings, CHANGE)] == [
        "model.generation_config.temperature is not sent to gemini-3.8-flash",
        "model.generation_config.topK is not sent to gemini-3.8-flash",
    ]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gemini-3.5-flash-lite", 10_000_000),
        ("gemini-3.8-flash", 3_000_000),
        ("gemini-3.1-pro-preview", 5_000_000),
        ("gemini-4-neon", 3_000_000),
        ("another", 3_000_000),
    ],
)
def test_enqueued_tokens_go_by_the_longest_word_or_by_other(tmp_path: Path, model: str, tokens: int) -> None:
    assert enqueued_tokens(load(tmp_path, f"model: {{name: {model}}}")) == tokens
    own = load(tmp_path, f"model: {{name: {model}}}\nlimits: {{tier: 2, enqueued_tokens: {{neon: [1, 2, 3]}}}}")
    assert (enqueued_tokens(own) == 2) is ("neon" in model), "what the file leaves out is as shipped"


def test_the_page_about_costs_says_what_the_shipped_prices_say() -> None:
    text = COSTS.read_text(encoding="utf-8")
    for model, price in SHIPPED_PRICES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{model}`"))
        for part in (price, price.afterwards):
            if part is not None:
                usd = (PAGE_INPUT_TOKENS * part.input_usd + PAGE_OUTPUT_TOKENS * part.output_usd) * part.batch_factor
                assert f"${usd / 1000:.2f}" in row, model
                assert f"{part.input_usd * part.batch_factor:g} / {part.output_usd * part.batch_factor:g}" in row, model
