"""The orders in which the pages of a document can stand, and what becomes of the page before where some are missing:
words of the settings. How pages are ordered stands in `assets.page_order`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

End = Literal["first", "last"]
PAGE_ORDER_NAMES: Mapping[str, End] = {"front": "first", "cover": "first", "back": "last"}
"""The names of a collection that says nothing else."""


class PageOrder(StrEnum):
    """``natural``: by the labels, Arabic numbers, then Roman ones, then words; ``roman_first``: likewise, Roman numbers
    before Arabic ones; ``file_name``: by the names of the files, their numbers by value."""

    NATURAL = "natural"
    ROMAN_FIRST = "roman_first"
    FILE_NAME = "file_name"


class AtGap(StrEnum):
    """Whether a page has the page before it where others are missing between the two."""

    FOLLOW = "follow"
    BREAK = "break"
