"""Several files of one page, such as a master and its access copy: which of them is the page. Two pictures that may be
of different things are a question for a person: a guess could pay for the wrong one.
"""

from collections.abc import Callable, Mapping, Sequence

from assets.domain.image_kinds import ImageKind
from assets.sources import PageImage

MAX_SHAPE_DIFFERENCE = 0.02
"""How much the proportions of two files of one page may differ: one has lost a row of pixels, and not a margin."""
LEGIBLE_PIXELS = 1_000
"""A copy with fewer at its longer side, and with less than half of the other's, is a thumbnail and no copy to read."""


_RULE = "what Gemini takes as it is, unless images.prefer is set"


_KINDS = {
    "image/jpeg": ImageKind.JPG,
    "image/png": ImageKind.PNG,
    "image/webp": ImageKind.WEBP,
    "image/tiff": ImageKind.TIF,
    "image/jp2": ImageKind.JP2,
    "image/heic": ImageKind.HEIC,
    "image/avif": ImageKind.AVIF,
    "image/bmp": ImageKind.BMP,
    "image/gif": ImageKind.GIF,
}


def one_of(images: Sequence[PageImage], prefer: Sequence[ImageKind] = ()) -> PageImage | None:
    """The image of ``images``, all of one page, that is sent; None where that is a question for a person: two files of
    one kind, a file of several pages, or pictures of other proportions. ``prefer``: which kinds come first; by default
    those that Gemini takes as they are, as long as they are large enough to be read."""
    kinds = [_KINDS.get(image.mime_type) for image in images]
    if None in kinds or len(set(kinds)) < len(kinds) or any(image.frames > 1 for image in images):
        return None
    shapes = [image.width / image.height for image in images]
    if max(shapes) > min(shapes) * (1 + MAX_SHAPE_DIFFERENCE):
        return None
    largest = max(max(image.width, image.height) for image in images)
    order = [*prefer, *(kind for kind in ImageKind if kind not in prefer)]

    def place(image: PageImage) -> tuple[bool, int]:
        kind, side = _KINDS[image.mime_type], max(image.width, image.height)
        is_small = kind not in prefer and side < LEGIBLE_PIXELS and 2 * side < largest
        return is_small, order.index(kind)

    return min(images, key=place)


def settle(
    found: Mapping[str, Sequence[PageImage]],
    prefer: Sequence[ImageKind],
    is_unfit: Callable[[PageImage], bool],
) -> tuple[dict[str, Sequence[PageImage]], list[tuple[PageImage, PageImage]]]:
    """The images of each page, of several files the one that is sent; and each of these with one that is not.
    ``is_unfit``: tells an image that cannot be sent, as it is cut off: another file of its page is better."""
    settled: dict[str, Sequence[PageImage]] = dict(found)
    copies = []
    for label, images in found.items():
        if len(images) > 1:
            fit = [image for image in images if not is_unfit(image)] or images
            if (taken := one_of(images, prefer)) is not None and taken not in fit:
                taken = one_of(fit, prefer)
            if taken is not None:
                settled[label] = [taken]
                copies += [(taken, image) for image in images if image is not taken]
    return settled, copies


def copies_notes(copies: Sequence[tuple[str, str]], prefer: Sequence[ImageKind]) -> list[str]:
    """What to say where pages have several files, one line for all. ``copies``: the path of a file that is sent and of
    one that is not."""
    if not copies:
        return []
    taken, other = min(copies)
    chosen = len({each for each, _ in copies})
    pages = "1 page has" if chosen == 1 else f"{chosen:,} pages have"
    rule = (
        f"images.prefer: {', '.join(prefer)}" if prefer else "what Gemini takes as it is, unless images.prefer is set"
    )
    return [f"{pages} several files of which one is sent ({rule}), such as {taken} and not {other}"]
