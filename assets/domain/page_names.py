"""What fetched images are called by, as the settings name it. The names are made in `assets.canvas_names`."""

from enum import StrEnum


class PageNames(StrEnum):
    """``number``: the place of the canvas in the manifest; ``label``: the label of the canvas."""

    NUMBER = "number"
    LABEL = "label"
