"""The kinds of image files, as the settings name them."""

from enum import StrEnum


class ImageKind(StrEnum):
    """A kind of file, by its content; in the order in which one is taken where no setting says otherwise: first those
    that Gemini takes as they are, then the largest part of what archives keep."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    TIF = "tif"
    JP2 = "jp2"
    HEIC = "heic"
    AVIF = "avif"
    BMP = "bmp"
    GIF = "gif"
