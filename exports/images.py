"""Page images as an export needs them: their size when they are upright."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets.domain.errors import ImageError
from flows.gateways.images.headers import open_page
from flows.gateways.images.orientation import orientation_of


def upright_size(path: Path, row: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height in pixels of the image as it is seen, and as boxes are told of it. ``row``: columns of the image
    in the record manifest. Opens the file, for which way is up; of one that is gone, or cannot be read any more, it is
    as the record manifest says."""
    width, height = row["image_width"], row["image_height"]
    try:
        with open_page(path, row["image_frame"]) as opened:
            is_turned = orientation_of(opened, ()) >= 5
    except (ImageError, OSError):
        is_turned = False
    return (height, width) if is_turned else (width, height)
