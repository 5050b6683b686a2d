"""How many tokens images and texts have, by the published rules. What they cost stands in `money`; what a whole request
is taken to have in `assets.estimates`.

Source of the rules: Google's token guide, as of November 2026. Gemini 3 and 4 count an image by its media resolution,
whatever its size; older models count 258, or 258 for each tile of 768 pixels if a side is over 384.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from assets.domain.models import generation_of, resolution_word, setting

IntArray = npt.NDArray[np.int64]

TEXT_BYTES_PER_TOKEN = 4
"""A rule of thumb for European languages; the answers tell better (see `assets.estimates`)."""
RESOLUTION_TOKENS: Mapping[str, int] = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}
DEFAULT_RESOLUTION = "HIGH"
TILE_TOKENS = 258
TILE_PIXELS = 768
SMALL_IMAGE_PIXELS = 384


def image_tokens(widths: IntArray, heights: IntArray, *, model: str, generation_config: Mapping[str, Any]) -> IntArray:
    """Tokens of each image. ``widths``, ``heights``: in pixels, as they are sent."""
    if generation_of(model) >= 3:
        return np.full(len(widths), RESOLUTION_TOKENS[media_resolution(generation_config)], dtype=np.int64)
    tiles = -(-widths // TILE_PIXELS) * -(-heights // TILE_PIXELS)
    is_small = (widths <= SMALL_IMAGE_PIXELS) & (heights <= SMALL_IMAGE_PIXELS)
    tokens: IntArray = np.where(is_small, TILE_TOKENS, TILE_TOKENS * tiles)
    return tokens


def media_resolution(generation_config: Mapping[str, Any]) -> str:
    """LOW, MEDIUM, HIGH or ULTRA_HIGH, as the setting ``model.generation_config`` has it; what it does not say is the
    default. Each image of a request has the same."""
    key = setting(generation_config, "media_resolution")
    level = "" if key is None else resolution_word(generation_config[key])
    return level if level in RESOLUTION_TOKENS else DEFAULT_RESOLUTION


def max_output_tokens(generation_config: Mapping[str, Any]) -> int | None:
    """The most that an answer may have, thinking included; None: the model's own limit."""
    key = setting(generation_config, "max_output_tokens")
    said = None if key is None else generation_config[key]
    return said if type(said) is int and said > 0 else None


def shrunk(widths: IntArray, heights: IntArray, max_side_pixels: int | None) -> tuple[IntArray, IntArray]:
    """The sizes of images after they were shrunk to ``max_side_pixels``; None: as they are."""
    if max_side_pixels is None:
        return widths, heights
    scale = np.minimum(1.0, max_side_pixels / np.maximum(np.maximum(widths, heights), 1))
    return tuple(np.maximum(1, np.rint(side * scale)).astype(np.int64) for side in (widths, heights))  # type: ignore[return-value]


def text_tokens(text_bytes: IntArray) -> IntArray:
    """An estimate, rounded up, for texts of so many bytes in UTF-8."""
    return -(-text_bytes // TEXT_BYTES_PER_TOKEN)
