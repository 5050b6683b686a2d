"""Two readings of the same pages beside each other: which pages are drawn, how far the readings are from what should
have been read or from each other, and what that means, in a line. Error rates and agreement stand in `assets.quality`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from assets.numbering import IntArray
from assets.quality.agreement import Agreement, agreement_of
from assets.quality.errors import edits_of
from assets.quality.intervals import Rate, difference_of, rate_of
from assets.quality.normal import AS_IT_IS, Normalization


def drawn(candidates: IntArray, first: IntArray, count: int, *, seed: int) -> IntArray:
    """``count`` of ``candidates``, sorted, the same for the same seed; those of ``first`` before all others."""
    chance = np.random.default_rng(seed)
    of_first = np.intersect1d(candidates, first)
    others = np.setdiff1d(candidates, of_first)
    order = np.concatenate((chance.permutation(of_first), chance.permutation(others)))
    found: IntArray = np.sort(order[:count])
    return found


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Over the pages that have a truth and were read by all: error rates in characters and in words."""

    pages: int
    characters: Rate
    words: Rate


@dataclass(frozen=True, slots=True)
class Comparison:
    """``accuracy``: of each side, in their order, empty without truth; ``difference``: by how much the first side's
    error rate in characters is above the second's, with the interval of a paired bootstrap; ``agreement``: of the two
    readings on all pages that both have, None of fewer than one."""

    accuracy: tuple[Accuracy, ...]
    difference: Rate | None
    agreement: Agreement | None


def compared(
    readings: Sequence[Mapping[str, str]], truth: Mapping[str, str], normalization: Normalization = AS_IT_IS
) -> Comparison:
    """``readings``: of two sides, record key -> text; ``truth``: likewise, of the pages that have one."""
    both = sorted(set(readings[0]).intersection(*readings[1:]))
    known = [key for key in both if key in truth]
    accuracy, edits = list[Accuracy](), []
    for texts in readings if known else ():
        found = edits_of([truth[key] for key in known], [texts[key] for key in known], normalization)
        edits.append(found)
        rates = (rate_of(found.char_edits, found.chars), rate_of(found.word_edits, found.words))
        accuracy.append(Accuracy(len(known), *rates))
    difference = None
    if len(edits) == 2:
        difference = difference_of(edits[0].char_edits, edits[1].char_edits, edits[0].chars)
    agreement = None
    if both and len(readings) == 2:
        first, second = ([texts[key] for key in both] for texts in readings)
        agreement = agreement_of(first, second, normalization)
    return Comparison(tuple(accuracy), difference, agreement)


def advice(comparison: Comparison, usd: Sequence[float | None], names: Sequence[str] = ("A", "B")) -> str:
    """What it means, in one sentence. ``usd``: what a page has cost on each side, None: not known."""
    cost = _cost(usd, names)
    difference, rates = comparison.difference, comparison.accuracy
    if difference is None or difference.rate is None:
        if comparison.agreement is None or comparison.agreement.characters.rate is None:
            return f"{names[1]} {cost}; no page was read by both, so nothing more can be said"
        differ = 1 - comparison.agreement.characters.rate
        return (
            f"{names[1]} {cost}, and differs from {names[0]} in {differ:.2%} of the characters; which of the two is "
            "right, only pages tell that a person has corrected or checked"
        )
    pages = rates[0].pages
    of_each = f"{rates[1].characters.rate or 0:.2%} against {rates[0].characters.rate or 0:.2%}"
    if difference.rate == 0:
        return f"{names[1]} {cost} and makes as many errors ({of_each} of the characters, {_pages(pages)})"
    fewer = "fewer" if difference.rate > 0 else "more"
    surely = "significant" if is_significant(difference) else "not significant"
    return (
        f"{names[1]} {cost} and makes {abs(difference.rate) * 100:.2f} {fewer} errors in 100 characters ({of_each}; "
        f"{surely} at {_pages(pages)})"
    )


def is_significant(difference: Rate) -> bool:
    """Whether the interval of a difference leaves no doubt which side is better."""
    low, high = difference.low, difference.high
    return low is not None and high is not None and (low > 0 or high < 0)


def _cost(usd: Sequence[float | None], names: Sequence[str]) -> str:
    first, second = usd
    if not first or not second:
        return f"costs what is not known beside {names[0]}"
    times = second / first
    if abs(times - 1) < 0.05:
        return "costs as much"
    return f"costs {times:.1f} times as much" if times > 1 else f"costs {times:.2f} times as much"


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count:,} pages"


def marked(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    """How one text becomes another, word by word: ("same", text, text), ("other", what was there, what is). White
    space goes with the word before it."""
    one, other = _words(before), _words(after)
    matcher = SequenceMatcher(None, [word.strip() for word in one], [word.strip() for word in other], autojunk=False)
    for kind, low, high, other_low, other_high in matcher.get_opcodes():
        yield "same" if kind == "equal" else "other", "".join(one[low:high]), "".join(other[other_low:other_high])


def _words(text: str) -> list[str]:
    words = list[str]()
    for at, each in enumerate(text):
        if at == 0 or (text[at - 1].isspace() and not each.isspace()):
            words.append("")
        words[-1] += each
    return words
