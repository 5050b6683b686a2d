"""Answers that were given to the wrong page: two pages with each other's text, or one text twice. Told, without anybody
having read the pages, by what hangs together from page to page: printed page numbers, sentences that go on, catchwords.
With gold, by a truth that another page's answer fits better.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assets.reading import ASIDE, FURNITURE, Content

ROMAN = re.compile(r"(?=[ivxlcdm])(m{0,3})(cm|cd|d?c{0,4})(xc|xl|l?x{0,4})(ix|iv|v?i{0,4})")
_ARABIC = re.compile(r"[^\w]*([0-9]{1,5})[^\w]*")
_ROMAN_SERIES = -1_000_000
"""Roman pages are a series of their own."""
AROUND = 2
"""A page's number is held against those of so many numbered pages on either side."""
REACH = 4
"""No page farther away says anything of it."""
LEAST_GAIN = 4
"""By so much the joints of the pages must be better with two of them exchanged: two joints of three are then right
that were wrong before."""
MOST_WRONG = 0.03
"""Where more of a document's other joints are wrong, its clues are not good enough to tell anything by."""
TWICE_NEAR = 3
TWICE_GROUP = 5
TWICE_LEAST_WORDS = 50
TWICE_SHARE = 0.8
"""Two pages at most TWICE_NEAR apart have the same text if they share so much of their groups of TWICE_GROUP words."""
_ENDS = ".!?:;\"'”’»)]"


@dataclass(frozen=True, slots=True)
class Clue:
    """What an answer tells of where it belongs. ``number``: as printed; ``goes_on``, ``begins_within``: whether its
    text runs on to the next page, and from the one before; None where that cannot be told, as of a table, or where the
    answer's own word and its text do not agree; ``first_word``, ``catchword``: with which its text begins, and the
    single word below it."""

    number: int | None
    goes_on: bool | None
    begins_within: bool | None
    first_word: str
    catchword: str


def clue_of(content: Content) -> Clue:
    text = [each for each in content.blocks if each.kind not in FURNITURE | ASIDE and each.text.strip()]
    goes_on = begins_within = None
    if text and text[-1].kind == "paragraph":
        is_open = text[-1].text.rstrip()[-1] not in _ENDS
        goes_on = is_open if is_open == content.continues_next else None
    if text and text[0].kind == "paragraph":
        is_within = next((each for each in text[0].text if each.isalpha()), "").islower()
        begins_within = is_within if is_within == content.continues_previous else None
    last = content.blocks[-1].text.split() if content.blocks else []
    is_catchword = len(last) == 1 and len(content.blocks) > 1 and any(each.isalpha() for each in last[0])
    words = text[0].text.split() if text else []
    return Clue(
        number_of(content.page_number),
        goes_on,
        begins_within,
        _bare(words[0]) if words else "",
        _bare(last[0]) if is_catchword else "",
    )


def number_of(printed: str) -> int | None:
    """A page number as a number; Roman ones stand in a series of their own. None: it is none."""
    if (arabic := _ARABIC.fullmatch(printed)) is not None:
        return int(arabic[1])
    text = printed.strip(" .-–—[]()").lower()
    roman = ROMAN.fullmatch(text)
    if roman is None:
        return None
    values = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
    digits = [values[each] for each in text]
    total = sum(-one if one < other else one for one, other in zip(digits, [*digits[1:], 0], strict=True))
    return _ROMAN_SERIES + total


def swapped_by_numbers(numbers: Sequence[int | None]) -> list[tuple[int, int]]:
    """Pairs of pages of which each bears the number that the pages around the other call for. ``numbers``: of a
    document's answers, in the order of its pages."""
    step = _step(numbers)
    pages_with: dict[int, list[int]] = {}
    for page, number in enumerate(numbers):
        if number is not None:
            pages_with.setdefault(number, []).append(page)
    found = set()
    for page, number in enumerate(numbers):
        expected = _expected(numbers, page, {page}, step)
        if number is None or expected is None or number == expected:
            continue
        for other in pages_with.get(expected, []):
            pair = {page, other}
            if (
                _expected(numbers, page, pair, step) == expected == numbers[other]
                and _expected(numbers, other, pair, step) == number
            ):
                found.add((min(pair), max(pair)))
    return sorted(found)


def swapped_by_joints(clues: Sequence[Clue]) -> list[tuple[int, int]]:
    """Pairs of neighbouring pages whose text joins the pages around them, and each other, far better the other way
    round; of two pairs that share a page the better one, and both where nothing tells which. Pages whose numbers say
    that they are right are left alone."""
    numbers = [each.number for each in clues]
    step, gains = _step(numbers), dict[int, float]()
    for page in range(len(clues) - 1):
        if any(
            numbers[each] is not None and numbers[each] == _expected(numbers, each, {each}, step)
            for each in (page, page + 1)
        ):
            continue
        before, one, other, behind = (clues[at] if 0 <= at < len(clues) else None for at in range(page - 1, page + 3))
        as_it_is = _joint(before, one) + _joint(one, other) + _joint(other, behind)
        exchanged = _joint(before, other) + _joint(other, one) + _joint(one, behind)
        gains[page] = exchanged - as_it_is
    joints = [_joint(one, other) for one, other in pairwise(clues)]
    known, wrong = sum(joint != 0 for joint in joints), sum(joint < 0 for joint in joints)
    gains = {
        page: gain
        for page, gain in gains.items()
        if wrong - sum(joint < 0 for joint in joints[max(0, page - 1) : page + 2]) <= MOST_WRONG * known
    }
    return [
        (page, page + 1)
        for page, gain in gains.items()
        if gain >= max(LEAST_GAIN, gains.get(page - 1, 0), gains.get(page + 1, 0))
    ]


def twice(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of pages close by with the same text. ``texts``: of a document's answers, in the order of its pages."""
    groups = [_groups(text) for text in texts]
    return [
        (page, other)
        for page in range(len(texts))
        for other in range(page + 1, min(page + 1 + TWICE_NEAR, len(texts)))
        if min(len(groups[page]), len(groups[other])) >= TWICE_LEAST_WORDS
        and len(groups[page] & groups[other]) >= TWICE_SHARE * len(groups[page] | groups[other])
    ]


def _step(numbers: Sequence[int | None]) -> int:
    """By how much the number goes up from page to page: 2 where an image is a leaf or a spread."""
    known = [(page, number) for page, number in enumerate(numbers) if number is not None]
    steps = Counter(
        (other - number) // (at - page)
        for (page, number), (at, other) in pairwise(known)
        if (other - number) % (at - page) == 0
    )
    return 2 if steps[2] > steps[1] else 1


def _expected(numbers: Sequence[int | None], page: int, without: set[int], step: int) -> int | None:
    """The number that most of the pages around call for, two of them at least."""
    votes: Counter[int] = Counter()
    for way in (-1, 1):
        for at in _numbered(numbers, page, way, without):
            votes[(numbers[at] or 0) + step * (page - at)] += 1
    if not votes:
        return None
    number, count = votes.most_common(1)[0]
    return number if count >= 2 and 2 * count > votes.total() else None


def _numbered(numbers: Sequence[int | None], page: int, way: int, without: set[int]) -> Iterator[int]:
    count = 0
    for distance in range(1, REACH + 1):
        at = page + way * distance
        if 0 <= at < len(numbers) and at not in without and numbers[at] is not None and count < AROUND:
            count += 1
            yield at


def _joint(before: Clue | None, after: Clue | None) -> float:
    """How well one page follows the other."""
    if before is None or after is None:
        return 0
    if before.catchword and before.catchword == after.first_word:
        return 3
    if before.goes_on is None or after.begins_within is None:
        return 0
    if before.goes_on != after.begins_within:
        return -1
    return 2 if before.goes_on else 0.5


def _groups(text: str) -> set[tuple[str, ...]]:
    words = text.casefold().split()
    return {tuple(words[at : at + TWICE_GROUP]) for at in range(len(words) - TWICE_GROUP + 1)}


def _bare(word: str) -> str:
    return word.strip("-–—.,;:!?\"'()[]").casefold()
