"""A `record.page_pattern` that takes names which the one in force does not: shown to a person, never used by itself."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress

from assets.domain.errors import RecordKeyError
from assets.domain.labels import USUAL_PAGES, canonical_label

MAX_STEMS = 500
"""So many names are looked at."""
_MAX_SHAPES = 6
_GROUP = "(?P<page>"
_USUAL_INNER = USUAL_PAGES[len(_GROUP) : -1]


def pattern_for(stems: Sequence[str], pattern: str, *, others: int) -> tuple[str, bool] | None:
    """A pattern that takes as many of ``stems``, names without their endings, as it can, each as a page of its own,
    beside what ``pattern`` takes, and whether it takes all; None where none is found. ``others``: how many names
    ``pattern`` takes.

    Where the names are more than those, what all begin and end with is taken for no part of the label (``IMG_0012`` is
    12); else for a part of it (``map-2``).
    """
    some = list(dict.fromkeys(stems))[:MAX_STEMS]
    candidates = [_around(some)] if len(some) > others else []
    candidates += _with_alternatives(pattern, "|".join(_shapes(some)))
    taken = [_taken(each, some) for each in candidates]
    best = max(taken)
    return (candidates[taken.index(best)], best == len(some)) if best else None


def _around(stems: Sequence[str]) -> str:
    """The usual names between what all of them begin and end with."""
    fronts = Counter(re.split("[0-9]", stem, maxsplit=1)[0] for stem in stems)
    backs = Counter(re.split("[0-9]", stem[::-1], maxsplit=1)[0][::-1] for stem in stems)
    front, back = (next(iter(each)) if len(each) == 1 else "" for each in (fronts, backs))
    return f"{_escaped(front)}{_GROUP}{'[0-9]+' if back else _USUAL_INNER}){_escaped(back)}"


def _shapes(stems: Iterable[str]) -> list[str]:
    """What the names look like, most frequent first: their numbers may be others, and a capital before one."""
    found = Counter(re.sub("[0-9]+", "[0-9]+", re.sub(r"(?<![A-Za-z])[A-Z](?=[0-9])", "\0", stem)) for stem in stems)
    parts = (re.split(r"(\[0-9\]\+|\0)", shape) for shape, _ in found.most_common(_MAX_SHAPES))
    return ["".join({"\0": "[A-Z]", "[0-9]+": "[0-9]+"}.get(part, _escaped(part)) for part in each) for each in parts]


def _with_alternatives(pattern: str, more: str) -> list[str]:
    """The pattern with further alternatives in its group, and likewise with all around the group left away."""
    start = pattern.find(_GROUP)
    end = _close_of(pattern, start)
    before, inner, after = pattern[:start], pattern[start + len(_GROUP) : end], pattern[end + 1 :]
    group = f"{_GROUP}{inner}|{more})"
    return [f"{before}{group}{after}", f"{before and f'(?:{before})?'}{group}{after and f'(?:{after})?'}"]


def _close_of(pattern: str, start: int) -> int:
    """Where the group that begins at ``start`` ends."""
    depth, at, is_set = 0, start, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif is_set:
            is_set = character != "]"
        elif character == "[":
            is_set = True
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0:
                return at
        at += 1
    return len(pattern) - 1


def _taken(pattern: str, stems: Sequence[str]) -> int:
    """How many names become pages of their own."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return 0
    labels = set()
    for stem in stems:
        with suppress(RecordKeyError):
            if (match := compiled.fullmatch(stem)) is not None:
                labels.add(canonical_label(match["page"] or ""))
    return len(labels)


def _escaped(text: str) -> str:
    return re.escape(text).replace(r"\-", "-").replace(r"\ ", " ")
