"""Two-page spreads: which images may be one, and the two pages that become of one whose gutter was found. Where the
gutter is, `flows.gateways.images.spreads` sees.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import pyarrow as pa

from assets.domain.spread_words import SpreadOrder
from assets.image_checks import DECODED_SCHEMA, Stamp
from assets.sources import PageImage, SourceProblem

WIDER_THAN_HIGH = 1.2
SPREAD_SCHEMA = pa.schema([*DECODED_SCHEMA, pa.field("gutter", pa.float64())])
"""Wide images that were looked at; ``gutter``: a share of the width, null where none is sure, 0 for an
image that stands upright."""
UNSURE = "wider than a page, and where to cut it is not sure: it stays one page"


def may_be_spread(image: PageImage) -> bool:
    return image.width > WIDER_THAN_HIGH * image.height


def stamp_of(image: PageImage) -> Stamp:
    return image.path, image.frame, image.bytes, image.modified_ns


def allowed_halves(allowed: Set[str]) -> tuple[set[str], set[str]]:
    """Of the record keys of an allow list: those whose images are to be looked into, and those that may be records. A
    list may name a spread, or each of its pages."""
    of_halves = {key.rpartition(".")[0] for key in allowed if key.endswith((".1", ".2"))}
    return {*allowed, *of_halves}, {*allowed, *(f"{key}.{half}" for key in allowed for half in (1, 2))}


def split(
    images: Sequence[PageImage], gutters: Mapping[Stamp, float | None], order: SpreadOrder
) -> tuple[list[PageImage], list[SourceProblem]]:
    """``images`` with two pages for each spread, ``12.1`` and ``12.2``; and what a person should know of the wide ones
    that stay whole. ``gutters``: of all that may be spreads and were looked at."""
    if not gutters:
        return list(images), []
    labels = Counter((image.fields, image.label) for image in images)
    found, problems = list[PageImage](), list[SourceProblem]()
    for image in images:
        stamp = stamp_of(image)
        gutter = gutters.get(stamp)
        if stamp not in gutters or not may_be_spread(image):
            found.append(image)
            continue
        halves = _halves(image, gutter, order) if gutter else []
        taken = [half.label for half in halves if labels[half.fields, half.label]]
        if taken:
            words = f"a spread, but page {taken[0]} has an image of its own: it stays one page"
            problems.append(SourceProblem(image.path, words, left_out=False))
        elif gutter is None:
            problems.append(SourceProblem(image.path, UNSURE, left_out=False))
        found += halves if halves and not taken else [image]
    return found, problems


def _halves(image: PageImage, gutter: float, order: SpreadOrder) -> list[PageImage]:
    cut = min(image.width - 1, max(1, round(gutter * image.width)))
    columns = [(0, cut), (cut, image.width)]
    if order is SpreadOrder.RIGHT_TO_LEFT:
        columns.reverse()
    return [
        replace(image, label=f"{image.label}.{number}", left=left, right=right)
        for number, (left, right) in enumerate(columns, 1)
    ]
