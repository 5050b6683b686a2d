"""Pages with nothing on them: nearly white, nearly black, or of one shade all over. Judged by the means of squares of
pixels, so that neither the grain of paper nor a few specks count, and a single page number does.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from PIL import Image

from flows.gateways.images.headers import JPEG, OpenImage

SQUARE_PIXELS = 8
"""The side of a square, and how much smaller a JPEG is decoded for it, which libjpeg does by itself."""
_TOLERANCE = 10
"""So far from the shade of the page, of 255, a square may be and has nothing on it. A pencil's stroke is further
off."""
_NEARLY_BLACK, _NEARLY_WHITE = 20, 240
_SPECKS, _SPECKS_SHARE = 3, 1e-4
"""So many of the squares may be specks, and no larger share of a small page; a page number takes twenty."""
_JPEG_BYTES_A_PIXEL = 1.5
"""Times the mean of the numbers by which a JPEG's details are divided: 29 at a quality of 75, 6 at 95."""
_USUAL_DIVISOR = 29
_FIRST_SHARES = (1 / 8, 1 / 2)
_INTERLACE_AT = 28
"""In a PNG's head: whether its rows come in turns, coarse ones first."""
_LOSSLESS_SHARE = 1 / 100
"""A file with fewer bytes than this, of what its pixels take, may be of a blank page; one with more has something on
it. Measured: paper with some grain has 0.05 bytes a pixel as JPEG of a quality of 75, without any a thousandth as PNG;
pages full of text have four times as much."""


def may_be_blank(opened: OpenImage, size_bytes: int, *, bits: int) -> bool:
    """Whether the file is so small for its pixels that it is worth a look. Decodes nothing."""
    width, height = opened.size
    if opened.kind is JPEG:
        divisors = getattr(opened.image, "quantization", {}).get(0) or [_USUAL_DIVISOR]
        return size_bytes * float(np.mean(divisors)) < _JPEG_BYTES_A_PIXEL * width * height
    channels = len(opened.image.getbands())
    return size_bytes * 8 < _LOSSLESS_SHARE * width * height * bits * channels


def begins_written(reopen: Callable[[], AbstractContextManager[OpenImage]]) -> bool:
    """Whether something is on a PNG's page, as far as its first rows tell: on most pages it is. How large the file is
    tells nothing where paper has a grain, as nothing of that is lost. ``reopen``: opens the page. Raises whatever
    Pillow does, ImageError, OSError."""
    for share in _FIRST_SHARES:
        with reopen() as opened:
            image = opened.image
            if opened.head[_INTERLACE_AT] or len(image.tile) != 1:
                return True
            width, height = image.size
            rows = max(1, round(share * height))
            # Its rows stand one after the other: no more of them are decoded than it says to have.
            image._size = width, rows
            image.tile = [image.tile[0]._replace(extents=(0, 0, width, rows))]
            image.load()
            if blank_words(image, part=share) is None:
                return True
    return False


def blank_words(image: Image.Image, *, reduced: int = 1, part: float = 1.0) -> str | None:
    """What kind of blank a page is, in words; None: there is something on it. ``image``: with 8 bits a sample, or 1;
    ``reduced``: how much smaller than the page it is; ``part``: how much of the page it is."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGB")
    factor = max(1, SQUARE_PIXELS // reduced)
    squares = np.asarray((image.reduce(factor) if factor > 1 else image).convert("L")).astype(np.int16)
    most = min(_SPECKS, _SPECKS_SHARE * squares.size / part)
    shade = int(np.median(squares))
    if np.count_nonzero(squares > _NEARLY_BLACK) <= most:
        return "blank: nearly black"
    if np.count_nonzero(np.abs(squares - shade) > _TOLERANCE) > most:
        return None
    return "blank: nearly white" if shade >= _NEARLY_WHITE else "blank: of one shade all over"
