"""The section ``images`` of a configuration file: which images are pages that can be read. What is found of them stands
in `assets.image_checks`.
"""

from enum import StrEnum

from pydantic import Field

from assets.domain.image_kinds import ImageKind
from assets.domain.spread_words import SplitSpreads, SpreadOrder
from config.values import Section, Whole


class ImageVerification(StrEnum):
    """How closely an image is looked at before it goes up."""

    STRUCTURE = "structure"
    DECODE = "decode"


class ImagesSection(Section):
    """Which images are pages that can be read."""

    verify: ImageVerification = Field(
        default=ImageVerification.STRUCTURE,
        description="How it is told before an upload whether an image is whole: `structure`, by the end, the lengths "
        "and checksums of its file, and runs of zeros; `decode`: all of its pixels are decoded, too, once.",
    )
    send_blank: bool = Field(
        default=False,
        description="Whether pages with nothing on them, nearly white, nearly black or of one shade, are sent. false: "
        "they are left out.",
    )
    prefer: tuple[ImageKind, ...] = Field(
        default=(),
        max_length=9,
        description="Which of several files of one page is sent, such as a master `0001.tif` and an access copy "
        "`0001.jpg`: the first kind of this list that there is, of `jpg`, `png`, `webp`, `tif`, `jp2`, `heic`, `avif`, "
        "`bmp`, `gif`. []: the one that Gemini takes as it is, unless it is too small to be read. Files of other "
        "proportions, or two of one kind, are a question for a person: none is sent.",
    )
    split_spreads: SplitSpreads = Field(
        default=SplitSpreads.NEVER,
        description="`auto`: an image that is wider than 1.2 of its height, and whose gutter is found for sure, is two "
        "pages, `12.1` and `12.2`; one whose gutter is not sure stays one page, and is told. `never`: no image is cut.",
    )
    spread_order: SpreadOrder = Field(
        default=SpreadOrder.LEFT_TO_RIGHT,
        description="Which page of a spread comes first: `left_to_right`, or `right_to_left` as in Hebrew and Arabic.",
    )
    min_side_pixels: Whole = Field(
        default=200,
        ge=0,
        le=10_000,
        description="An image whose longer side has fewer pixels is left out: a thumbnail. 0: none is.",
    )
