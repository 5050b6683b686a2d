"""What is known of Gemini's models, in one table: how each may be set, when it ends, and what answers then. How images
count stands in `tokens`; prices are settings.

Source: Google's model pages, as of November 2026; no live call has confirmed them. Of a model that the table does not
know nothing is claimed: what the settings say is sent, and Google judges it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from assets.domain.generation import plain, refused_setting

NOTICE_DAYS = 60
"""So many days before its end a model is spoken of."""
SAMPLING = ("temperature", "top_p", "top_k")
"""Google: take them out of every request to Gemini 3 and later; low values can make an answer loop."""
RESOLUTIONS = ("LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
PART_ONLY_RESOLUTION = "ULTRA_HIGH"
"""It is no value of ``generation_config``: each image's part bears it."""

_WORDS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_LITTLE = ("thinking_level", "LOW")
_LEAST = ("thinking_level", "MINIMAL")
_BUDGET = ("thinking_budget", 512)


@dataclass(frozen=True, slots=True)
class Model:
    """``thinking``: what stands in the ``thinking_config`` where the settings have none; None: none is sent.
    ``levels``: the thinking levels that it takes; None: not known. ``takes_budget``: whether it takes a
    ``thinking_budget``; None: not known. ``takes_penalties``: whether it takes ``presence_penalty`` and
    ``frequency_penalty``. ``takes_max_items``: whether it takes bounds of lists in a schema. ``max_output_tokens``:
    what it answers at most, thinking included."""

    thinking: tuple[str, str | int] | None = None
    levels: tuple[str, ...] | None = None
    takes_budget: bool | None = None
    takes_penalties: bool = True
    takes_max_items: bool = True
    max_output_tokens: int = 65_536


_GEMINI_4_LEVELS = ("LOW", "MEDIUM", "HIGH", "XHIGH")
_MODELS: tuple[tuple[str, Model], ...] = (
    ("gemini-4-neon", Model(_LITTLE, _GEMINI_4_LEVELS, takes_budget=False, takes_penalties=False)),
    ("gemini-4", Model(_LITTLE, _GEMINI_4_LEVELS, takes_budget=False)),
    # These think MINIMAL by themselves, so LOW would make them dearer.
    (r"gemini-3(\.\d+)?-flash-lite", Model(_LEAST, _WORDS, takes_budget=False)),
    # A schema with any maxItems was answered with 400, and without it not (a public bisection, not tried by us).
    ("gemini-3.8-flash", Model(_LITTLE, ("LOW", "MEDIUM", "HIGH"), takes_budget=False, takes_max_items=False)),
    (r"gemini-3(\.\d+)?-(flash|pro)", Model(_LITTLE, _WORDS, takes_budget=False)),
    ("gemini-2.5", Model(_BUDGET, (), takes_budget=True)),
)
"""The beginning of a name, as a regular expression, to what is known of the model. The first one that fits counts."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """``day``: the first on which the model does not answer any more; ``successor``: what answers its requests from
    then on, at its own price; "": nothing does."""

    day: date
    successor: str = ""


RETIREMENTS: Mapping[str, Retirement] = {
    "gemini-2.5-flash": Retirement(date(2026, 12, 1), "gemini-3.5-flash-lite"),
    "gemini-2.5-pro": Retirement(date(2026, 12, 1), "gemini-3.8-flash"),
    "gemini-3.1-flash-lite": Retirement(date(2027, 5, 7)),
}


def model_of(name: str) -> Model:
    """What is known of the model with this id."""
    return next((model for begin, model in _MODELS if re.match(rf"{begin}(?![\w.])", name)), Model())


def generation_of(name: str) -> int:
    """4 for ``gemini-4-neon``; an unknown name is taken for a model of today, 3."""
    match = re.match(r"gemini-(\d+)", name)
    return int(match[1]) if match else 3


def answering(name: str, day: date) -> str:
    """The model that answers on ``day`` (UTC) when ``name`` is asked: itself, or its successor after its end."""
    end = RETIREMENTS.get(name)
    return end.successor if end is not None and end.successor and day >= end.day else name


def retirement_notice(name: str, day: date) -> str | None:
    """A line about a model that ends soon or has ended."""
    end = RETIREMENTS.get(name)
    days = (end.day - day).days if end is not None else NOTICE_DAYS + 1
    if end is None or days > NOTICE_DAYS:
        return None
    then = (
        f"{end.successor} answers in its place, at its own price; set model.name to it, or to another"
        if end.successor
        else "choose another model.name"
    )
    return f"{name} {f'ends on {end.day}, in {days} days' if days > 0 else f'has ended on {end.day}'}: {then}"


def setting(generation_config: Mapping[str, Any], name: str) -> str | None:
    """The key by which ``generation_config`` names the setting ``name``: in snake_case or camelCase. None: it does
    not."""
    return next((key for key in generation_config if plain(key) == plain(name)), None)


def as_sent(name: str, generation_config: Mapping[str, Any]) -> dict[str, Any]:
    """``generation_config`` as the model should get it: without what is left out (see `left_out`), a media resolution
    by its full name, and with little thinking unless it speaks of thinking itself: a page is read, not pondered, and
    thinking is paid for as output. A ``thinking_config`` of null is taken out, which leaves it to Gemini."""
    without = left_out(name, generation_config)
    config = {key: value for key, value in generation_config.items() if key not in without}
    resolution = setting(config, "media_resolution")
    if resolution is not None and config[resolution] is not None:
        config[resolution] = f"MEDIA_RESOLUTION_{resolution_word(config[resolution])}"
    key = setting(config, "thinking_config")
    if key is None:
        thinking = model_of(name).thinking
        return config if thinking is None else {**config, "thinking_config": dict([thinking])}
    if config[key] is None:
        del config[key]
    return config


def left_out(name: str, generation_config: Mapping[str, Any]) -> list[str]:
    """The keys of ``generation_config`` that are not sent to the model: SAMPLING, from Gemini 3 on."""
    if not name.startswith("gemini-") or generation_of(name) < 3:
        return []
    return [key for key in (setting(generation_config, each) for each in SAMPLING) if key is not None]


def refusal(name: str, generation_config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first key of ``generation_config`` that is refused whatever the model, or that the model would answer with a
    400 on every line, and why; None: there is none that is known of."""
    if (found := refused_setting(generation_config)) is not None:
        return found
    for penalty in ("presence_penalty", "frequency_penalty"):
        key = setting(generation_config, penalty)
        if key is not None and not model_of(name).takes_penalties:
            return key, f"{name} refuses penalties; take this line out"
    return _resolution_refusal(name, generation_config) or _thinking_refusal(name, generation_config)


def _resolution_refusal(name: str, generation_config: Mapping[str, Any]) -> tuple[str, str] | None:
    key = setting(generation_config, "media_resolution")
    if key is None or generation_config[key] is None:
        return None
    level = resolution_word(generation_config[key])
    if level not in (*RESOLUTIONS, "UNSPECIFIED"):
        return key, f"must be one of {', '.join(RESOLUTIONS)}"
    if level == PART_ONLY_RESOLUTION and generation_of(name) < 3:
        return key, f"{name} does not know {level}, which came with Gemini 3"
    return None


def _thinking_refusal(name: str, generation_config: Mapping[str, Any]) -> tuple[str, str] | None:
    model, key = model_of(name), setting(generation_config, "thinking_config")
    config = None if key is None else generation_config[key]
    if config is None:
        return None
    if not isinstance(config, Mapping):
        return str(key), "must be a mapping such as {thinking_level: LOW}, or null to leave it to Gemini"
    level, budget = setting(config, "thinking_level"), setting(config, "thinking_budget")
    if level is not None and model.levels is not None and str(config[level]).upper() not in model.levels:
        known = f"its levels are {', '.join(model.levels)}" if model.levels else "it takes a thinking_budget only"
        return f"{key}.{level}", f"{name} does not know the level {config[level]}; {known}"
    if budget is not None and model.takes_budget is False:
        levels = ", ".join(model.levels or ())
        return f"{key}.{budget}", f"{name} takes no thinking_budget; give a thinking_level instead: {levels}"
    return None


def resolution_word(value: object) -> str:
    """LOW for ``low`` and ``MEDIA_RESOLUTION_LOW``."""
    return str(value).upper().removeprefix("MEDIA_RESOLUTION_")
