"""Where the gutter of a two-page spread is: a shadow or a gap that goes from the top of the image to its bottom, near
its middle, and the only one of its kind. What is less than that, such as the rule of a table or the white between two
columns, is no gutter: a page that is cut through its middle is worse than one that is not cut.
"""

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from assets.sources import check_sizes
from assets.spreads import WIDER_THAN_HIGH
from flows.gateways.images.depth import sample_bits
from flows.gateways.images.headers import JPEG, open_page, reading
from flows.gateways.images.orientation import orientation_of
from flows.gateways.images.pixels import shrunk_size, to_upload
from flows.gateways.images.preparing import ALL_CONVERSIONS

_SEEN_PIXELS = 800
"""So wide an image is looked at: a line of a table is gone by then, or one pixel."""
_MIDDLE = 0.1
"""The gutter lies no further from the middle than this share of the width."""
_DARKER = 12
"""By so many of 255 shades it is darker than the paper beside it."""
_WHOLE, _HARDLY = 0.93, 0.6
"""In so large a share of the rows; and in no more than this share of them anything else is, a column of letters,
say."""
_THINNEST, _WIDEST = 3, 0.12
"""It is as many pixels wide, of the image as it is looked at, at least, and no larger share of the width: a printed
line is thinner."""
_EDGE = 0.1
"""What lies at the left and right edge does not count: there the desk is seen."""
Profile = npt.NDArray[np.float64]


def find_gutter(path: Path, frame: int, *, max_pixels: int) -> float | None:
    """Where the gutter of an image is, as a share of its width as it stands upright; 0: it stands upright and is no
    spread; None: there is no gutter for sure. Decodes the image. Raises ImageError, OSError."""
    with open_page(path, frame) as opened:
        check_sizes([opened.size], max_pixels=max_pixels)
        with reading("its header"):
            orientation = orientation_of(opened, ())
        if opened.kind is JPEG:
            opened.image.draft("", shrunk_size(opened.size, _SEEN_PIXELS))
        width, height = opened.image.size
        with ALL_CONVERSIONS.hold(width * height), reading("the image"):
            image = to_upload(
                opened,
                bits=sample_bits(opened),
                orientation=orientation,
                max_side_pixels=_SEEN_PIXELS,
                reopen=partial(open_page, path, frame),
            )
            seen = np.asarray(image.convert("L"))
    if seen.shape[1] <= WIDER_THAN_HIGH * seen.shape[0]:
        return 0.0
    return gutter_in(seen)


def gutter_in(gray: npt.NDArray[np.uint8]) -> float | None:
    """The same, of a spread in shades of gray, 0 for black."""
    width = gray.shape[1]
    # The paper of each row: most of what is in it.
    paper = np.percentile(gray, 60, axis=1, keepdims=True)
    rows = paper[:, 0] > 2 * _DARKER
    if rows.mean() < _WHOLE:
        return None
    dark: Profile = (gray[rows] < paper[rows] - _DARKER).mean(axis=0)
    middle = slice(round(width * (0.5 - _MIDDLE)), round(width * (0.5 + _MIDDLE)))
    best = middle.start + int(dark[middle].argmax())
    if dark[best] < _WHOLE:
        return None
    left, right = best, best
    while left > 0 and dark[left - 1] > _HARDLY:
        left -= 1
    while right < width - 1 and dark[right + 1] > _HARDLY:
        right += 1
    others = dark.copy()
    others[max(0, left - 2) : right + 3] = 0
    inside = others[round(width * _EDGE) : round(width * (1 - _EDGE))]
    if not _THINNEST <= right - left + 1 <= _WIDEST * width or inside.max() > _HARDLY:
        return None
    depth = gray[rows][:, left : right + 1].mean(axis=0)
    deepest = np.flatnonzero(depth <= depth.min() + 1)
    return float((left + deepest.mean() + 0.5) / width)
