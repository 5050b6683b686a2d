"""Where text stands on a page, in pixels of its upright image. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from assets.reading import SCALE
from exports.pages import Page


@dataclass(frozen=True, slots=True)
class Placed:
    """A block that has a box. ``box``: x, y, width and height in pixels, each side one at least."""

    kind: str
    text: str
    box: tuple[int, int, int, int]


def placed(page: Page, size: tuple[int, int]) -> Iterator[Placed]:
    """The blocks that have a box, in reading order. ``size``: width and height of the upright image."""
    for block in page.content.blocks:
        if block.box is not None and block.text.strip():
            yield Placed(block.kind, block.text, in_pixels(block.box, size))


def in_pixels(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """``box``: y_min, x_min, y_max, x_max in thousandths. Returns x, y, width, height."""
    top, left, bottom, right = box
    x, y = left * size[0] // SCALE, top * size[1] // SCALE
    return x, y, max(1, right * size[0] // SCALE - x), max(1, bottom * size[1] // SCALE - y)
