"""Scans that are wider than high, drawn for tests: two pages with a gutter between them, and what only looks like
it."""

import numpy as np

from tests.damaged import page
from tests.images import Drawn

HEIGHT = 900


def spread(gutter: float = 0.5, *, width: int = 1400, slant: int = 0, depth: int = 90) -> Drawn:
    """Two pages of text in a book that lies open: towards the gutter the paper gets darker. ``slant``: by so many
    pixels the gutter leans over the height."""
    drawn = np.full((HEIGHT, width), 235.0)
    cut = round(gutter * width)
    for left, right in ((0, cut), (cut, width)):
        text = page(right - left - 160, HEIGHT - 120)
        drawn[60 : HEIGHT - 60, left + 80 : right - 80] = text
    shadow = depth * np.exp(-np.abs(np.arange(width) - cut) / 12.0)
    for row in range(HEIGHT):
        drawn[row] -= np.roll(shadow, round(slant * (row / HEIGHT - 0.5)))
    return _shades(drawn)


def two_leaves(*, width: int = 1400, gap: int = 60) -> Drawn:
    """Two sheets side by side on a dark desk."""
    drawn = spread(width=width, depth=0).astype(float)
    drawn[:, width // 2 - gap // 2 : width // 2 + gap // 2] = 15
    drawn[:, :40] = 15
    drawn[:, -40:] = 15
    return _shades(drawn)


def one_wide_page(width: int = 1400) -> Drawn:
    """Text from edge to edge."""
    return _shades(np.pad(page(width - 160, HEIGHT - 120).astype(float), ((60, 60), (80, 80)), constant_values=235))


def two_columns(width: int = 1400) -> Drawn:
    """Of a newspaper: nothing but white between them."""
    return spread(width=width, depth=0)


def table(width: int = 1400, *, rules: int = 7) -> Drawn:
    """A form with lines from top to bottom, one of them in its middle."""
    drawn = np.full((HEIGHT, width), 235.0)
    for at in np.linspace(100, width - 100, rules).round().astype(int):
        drawn[:, at : at + 4] = 30
    return _shades(drawn)


def line_in_the_middle(width: int = 1400) -> Drawn:
    """A printed line between two columns, from edge to edge."""
    drawn = spread(width=width, depth=0).astype(float)
    drawn[:, width // 2 : width // 2 + 2] = 20
    return _shades(drawn)


def _shades(drawn: Drawn) -> Drawn:
    noise = np.random.default_rng(4).normal(0, 3, drawn.shape)
    return np.clip(np.rint(drawn + noise), 0, 255).astype(np.uint8)
