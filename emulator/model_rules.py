"""What a request may set, by the model that is asked. Where nothing is documented the stricter reading holds; only of
a generation that is not known nothing is refused."""

import re
from collections.abc import Mapping
from typing import Any

from emulator.refusals import RequestRefused
from emulator.schemas import camel

_LEVELS = (
    (r"gemini-4", ("LOW", "MEDIUM", "HIGH", "XHIGH")),
    (r"gemini-3[.0-9]*-flash-lite", ("MINIMAL", "LOW", "MEDIUM", "HIGH")),
    (r"gemini-3", ("LOW", "MEDIUM", "HIGH")),
)
_RESOLUTIONS = tuple(f"MEDIA_RESOLUTION_{level}" for level in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH"))
_OF_A_PART = (*_RESOLUTIONS, "MEDIA_RESOLUTION_ULTRA_HIGH")


def check_generation(generation: Mapping[str, Any], model: str) -> None:
    """``generation``: a generationConfig with its names in camelCase. Raises RequestRefused."""
    if generation_of(model) >= 3 and generation.get("candidateCount") is not None:
        raise RequestRefused(f"candidateCount is not supported by {model}.")
    if model.startswith("gemini-4-neon"):
        for name in ("presencePenalty", "frequencyPenalty"):
            if generation.get(name) is not None:
                raise RequestRefused(f"Penalty is not enabled for models/{model}: {name}.")
    _check_resolution(generation.get("mediaResolution"), _RESOLUTIONS, model)
    thinking = generation.get("thinkingConfig")
    if isinstance(thinking, dict):
        _check_thinking({camel(name): value for name, value in thinking.items()}, model)


def check_part_resolution(part: Mapping[str, Any], model: str) -> None:
    """``part``: with its names in camelCase. Raises RequestRefused."""
    own = part.get("mediaResolution")
    _check_resolution(own.get("level") if isinstance(own, dict) else own, _OF_A_PART, model)
    if own is not None and generation_of(model) < 3:
        raise RequestRefused(f"mediaResolution of a part is not supported by {model}.")


def generation_of(model: str) -> int:
    match = re.search(r"gemini-(\d+)", model)
    return int(match.group(1)) if match else 3


def _check_resolution(value: object, known: tuple[str, ...], model: str) -> None:
    if value is not None and value not in known:
        raise RequestRefused(f"Invalid value at 'media_resolution' for {model}: \"{value}\"")


def _check_thinking(thinking: Mapping[str, Any], model: str) -> None:
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    generation = generation_of(model)
    if budget is not None and generation >= 3:
        raise RequestRefused(f"thinking_budget is not supported by {model}; use thinking_level.")
    if level is None:
        return
    levels = next((known for begin, known in _LEVELS if re.match(begin, model)), None)
    if generation < 3:
        raise RequestRefused(f"thinking_level is not supported by {model}.")
    if levels is not None and str(level).upper() not in levels:
        raise RequestRefused(f"Thinking level {level} is not supported by {model}.")
