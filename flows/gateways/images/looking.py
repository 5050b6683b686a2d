"""Pixels of a page that goes up as its file is: looked at where they have to be, and not changed. What its file's
structure tells stands in `whole`."""

from contextlib import suppress

import numpy as np
from PIL import Image

from assets.domain.errors import ImageError
from assets.image_checks import BLANK
from flows.gateways.images.blank import SQUARE_PIXELS, blank_words
from flows.gateways.images.headers import JPEG, OpenImage, reading
from flows.gateways.images.structure import CUT_OFF, cut_off_at

_NOT_THERE = 128
"""The gray that libjpeg makes of blocks for which there are no data any more, in all channels."""
_FEWEST_ROWS = 8


class BlankPageError(ImageError):
    """A page with nothing on it."""

    kind = BLANK


def look(opened: OpenImage, *, decodes: bool, send_blank: bool) -> None:
    """Decode the page, and raise ImageError if that fails, BlankPageError if nothing is on it. ``decodes``: all of its
    pixels; else a JPEG's in an eighth of their size."""
    image, reduced = opened.image, 1
    if opened.kind is JPEG and not decodes:
        width, height = opened.size
        image.draft("", (max(1, width // SQUARE_PIXELS), max(1, height // SQUARE_PIXELS)))
        reduced = max(1, round(width / image.size[0]))
    with reading("the image"):
        image.load()
        if decodes:
            check_end(opened)
        words = None if send_blank else blank_words(image, reduced=reduced)
    if words is not None:
        raise BlankPageError(words)


def check_end(opened: OpenImage) -> None:
    """Raise ImageError for a JPEG that is loaded and ran out of data: libjpeg gives gray then, and only warns."""
    if opened.kind is not JPEG or opened.image.mode not in ("L", "RGB"):
        return
    pixels = np.asarray(opened.image)
    others = np.flatnonzero((pixels != _NOT_THERE).reshape(len(pixels), -1).any(axis=1))
    there = int(others[-1]) + 1 if others.size else 0
    if len(pixels) - there >= _FEWEST_ROWS:
        raise ImageError(f"{cut_off_at(there, len(pixels))}: its data end there")


def with_share(problem: str, opened: OpenImage) -> str:
    """``problem``, of an image that is cut off, with how much of its picture is there: it is decoded as far as it
    goes, since the file does not say how long it was."""
    if problem != CUT_OFF:
        return problem
    image = opened.image
    # It is cut off, and what Pillow makes of that is anything.
    with suppress(Exception):
        image.load()
    try:
        # What could not be decoded is black, and is not to be tried again.
        image.tile = []
        pixels = np.asarray(Image.Image.convert(image, "RGB"))
    except Exception:  # nothing of it could be decoded
        return problem
    rows = np.flatnonzero(pixels.reshape(len(pixels), -1).any(axis=1))
    return cut_off_at(int(rows[-1]) + 1, len(pixels)) if rows.size else problem
