"""What kind of page it is, by what most of its text is; and in which script."""

import unicodedata
from collections import Counter

from assets.reading import FURNITURE, Content

EMPTY = "empty"
_KINDS = {"table": "table", "list": "list", "entry": "entries"}
_LETTERS = 400
"""So many letters tell the script of a page."""


def kind_of(content: Content) -> str:
    """``prose``, ``list``, ``table``, ``entries`` or ``empty``: of which most of its characters are."""
    counts: Counter[str] = Counter()
    for block in content.blocks:
        if block.kind not in FURNITURE:
            counts[_KINDS.get(block.kind, "prose")] += len(block.text.strip())
    return max(counts, key=lambda kind: (counts[kind], kind)) if counts.total() else EMPTY


def script_of(text: str) -> str:
    """``latin``, ``greek``, ``cyrillic``, ``cjk``, ...: that of most letters, by their names in Unicode; "empty" where
    there is no letter."""
    letters = [each for each in text if each.isalpha()][:_LETTERS]
    counts = Counter(unicodedata.name(each, "unknown").partition(" ")[0].lower() for each in letters)
    return max(counts, key=lambda name: (counts[name], name)) if counts else EMPTY
