"""What a model costs on a day, by the settings, and what a person should know of the model and its price. Caps are held
in `weighing`; how dollars are worked out stands in `assets.domain.money`.

Nothing here looks at a clock: the day comes in, and is that of UTC.
"""

from dataclasses import replace
from datetime import date

from assets.domain.models import answering, retirement_notice
from assets.domain.money import Price
from config.settings import Settings
from config.values import ModelPrice


def price_of(settings: Settings, model: str, day: date) -> Price | None:
    """What the settings say that ``model`` costs on ``day``: its successor's price after its end, the last one that is
    known where no other is. Cached tokens cost as much as others where nothing is said."""
    found = _holding(settings, model, day)
    if found is None:
        return None
    cached = found.input_usd if found.cached_usd is None else found.cached_usd
    return Price(found.input_usd, found.output_usd, cached, found.batch_factor)


def at_standard_price(price: Price | None) -> Price | None:
    """What a request outside of a batch pays."""
    return None if price is None else replace(price, batch_factor=1.0)


def price_source(settings: Settings, model: str, day: date) -> str:
    """Where and when the price was looked up, and its last day; "" where the settings say nothing of it."""
    found = _holding(settings, model, day)
    if found is None:
        return ""
    until = f"good until {found.valid_until}" if found.valid_until is not None else ""
    return ", ".join(each for each in (found.source, found.as_of, until) if each)


def check_price(settings: Settings, model: str, day: date, *, cap: str) -> None:
    """``cap``: a setting that is set; it means nothing without a price that holds. Raises ConfigError."""
    priced, found = answering(model, day), _holding(settings, model, day)
    name = model if priced == model else f"{priced}, which answers for {model},"
    if found is None:
        raise settings.error(cap, f"is set, but the price of {name} is not known: add it as prices.{priced}")
    if found.is_past(day):
        raise settings.error(
            cap, f"is set, but the price of {name} was good until {found.valid_until}: write today's as prices.{priced}"
        )


def notices(settings: Settings, day: date) -> list[str]:
    """What is worth a WARNING before something is sent, a line each."""
    model = settings.model.name
    found = [
        f"model.generation_config.{key} is not sent to {model}: Google says to leave it out of every request to Gemini "
        "3 and later, where it can make an answer loop; take the line out of your settings"
        for key in settings.model.left_out
    ]
    if (notice := retirement_notice(model, day)) is not None:
        found.append(notice)
    price = _holding(settings, model, day)
    if price is not None and price.is_past(day):
        found.append(
            f"the price of {answering(model, day)} was good until {price.valid_until} and is used on: what estimates "
            f"and reports say may be too low; write today's as prices.{answering(model, day)}"
        )
    return found


def _holding(settings: Settings, model: str, day: date) -> ModelPrice | None:
    found = settings.prices.get(answering(model, day))
    return found.holding_on(day) if found is not None else None
