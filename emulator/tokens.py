"""How many tokens a request and an answer have. Image tokens follow the published rules; text is taken at four
characters a token, which is near enough to count with and easy to work out by hand in a test."""

import math
from pathlib import Path

from PIL import Image

from emulator.model_rules import generation_of

CHARACTERS_PER_TOKEN = 4
TILE_TOKENS = 258
TILE_PIXELS = 768
SMALL_IMAGE_PIXELS = 384
GEMINI_3_IMAGE_TOKENS = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}
DEFAULT_RESOLUTION = "HIGH"


def text_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def image_tokens(size: tuple[int, int], model: str, resolution: str | None) -> int:
    """Tokens of one page image.

    ``size``: width and height in pixels. ``resolution``: LOW, MEDIUM, HIGH or ULTRA_HIGH with or without
    MEDIA_RESOLUTION_ before it; None or unspecified: the model's default. Before Gemini 3: 258, or 258 for each tile of
    768 pixels.
    """
    if generation_of(model) >= 3:
        level = (resolution or "").upper().removeprefix("MEDIA_RESOLUTION_")
        return GEMINI_3_IMAGE_TOKENS.get(level, GEMINI_3_IMAGE_TOKENS[DEFAULT_RESOLUTION])
    width, height = size
    if width <= SMALL_IMAGE_PIXELS and height <= SMALL_IMAGE_PIXELS:
        return TILE_TOKENS
    return TILE_TOKENS * math.ceil(width / TILE_PIXELS) * math.ceil(height / TILE_PIXELS)


def image_size(path: Path) -> tuple[int, int, str] | None:
    """Width, height and PIL's format name, from the header alone; None if it is no picture."""
    try:
        with Image.open(path) as image:
            return image.width, image.height, image.format or ""
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
