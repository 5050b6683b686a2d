"""What the images of a IIIF manifest are called: by the places of their canvases, or by the labels of these where every
page has one of its own, and all stand in the order of the canvases. A label that was forced would be another page's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from assets.domain.labels import is_roman, natural_key
from assets.domain.page_names import PageNames
from assets.domain.page_orders import PageOrder
from assets.fetching import Canvas
from assets.page_order import OrderRules

_WORD_BEFORE = re.compile(
    r"(?:f|ff|fol|folio|bl|blatt|p|pp|pag|page|s|seite|leaf|n|no|nr)(?:\.\s*|\s+)(?=\S)", re.IGNORECASE
)
"""What stands before a label in many manifests, and is no part of it: "f. 12r", "Page iv", "Bl. 3"."""
_SIDE = re.compile(r"([0-9]+)\s*(r|v)(?:ecto|erso)?\.?", re.IGNORECASE)
_DIGITS = 4


def numbered(number: int) -> str:
    """The name of a page's image without its ending: ``0012``."""
    return f"{number:0{_DIGITS}d}"


def page_stems(
    canvases: Sequence[Canvas],
    names: PageNames,
    *,
    label_of: Callable[[str], str | None],
    order: OrderRules,
) -> tuple[dict[int, str], str]:
    """Number -> the name of the page's image without its ending; and why it is no label though labels are wanted, "" if
    it is. ``label_of``: the page label that a scan makes of such a name, None for none."""
    plain = {canvas.number: numbered(canvas.number) for canvas in canvases}
    if names is PageNames.NUMBER:
        return plain, ""
    stems, labels = dict[int, str](), dict[str, Canvas]()
    for canvas in canvases:
        stem = _stem(canvas.label)
        label = label_of(stem) if stem else None
        if label is None:
            return (
                plain,
                f"page {canvas.number} is called {canvas.label!r}, which is no page label by record.page_pattern",
            )
        if label.casefold() in labels:
            other = labels[label.casefold()].number
            return plain, f"the pages {other} and {canvas.number} are both called {label}"
        stems[canvas.number], labels[label.casefold()] = stem, canvas
    place = _order(order, {label: stems[canvas.number] for label, canvas in labels.items()})
    for before, after in pairwise(labels):
        if place(before) > place(after):
            return plain, f"{before} stands before {after} in the manifest, and behind it by record.page_order"
    return stems, ""


def _order(rules: OrderRules, stems: Mapping[str, str]) -> Callable[[str], Any]:
    """The place that a scan gives a page of this document, as `page_order.ranks` has it. ``stems``: by label, what the
    file is called."""
    if rules.order is PageOrder.FILE_NAME:
        return lambda label: (rules.end_of(label), natural_key(stems[label]))
    letters = any(len(label) == 1 and label.isalpha() and not is_roman(label) for label in stems)
    return partial(rules.key, letters=letters)


def _stem(label: str) -> str:
    """``f. 12 recto`` and ``[12r]`` are ``0012r``; "" for what could not be a file's name."""
    text = label.strip().strip("[]()").strip()
    text = _WORD_BEFORE.sub("", text, count=1) if _WORD_BEFORE.match(text) else text
    if (side := _SIDE.fullmatch(text)) is not None:
        text = side[1] + side[2].lower()
    # Padded, so that any program lists the files in their order.
    text = re.sub(r"[0-9]+", lambda match: match[0].zfill(_DIGITS), text)
    is_safe = text.isprintable() and not text.startswith(".") and not any(each in '/\\:*?"<>|' for each in text)
    return text if is_safe and len(text.encode()) <= 100 else ""
