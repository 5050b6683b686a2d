"""Pages on which the same words come again and again: a model in a loop. Told by the share of word groups that have
stood on the page before."""

from dataclasses import dataclass

GROUP_WORDS = 6
"""So many words in a row do not come twice on most pages."""
LEAST_REPEATED = 12
LEAST_SHARE = 0.2
"""A page with fewer groups that come again, or a smaller share of them, is left alone: a table has its "do. do."."""


@dataclass(frozen=True, slots=True)
class Loop:
    """``share``: of the groups of GROUP_WORDS words those that have stood there before, from 0 to 1; ``group``: the one
    that comes most often, ``times``: how often."""

    share: float
    group: str
    times: int


def loop_in(text: str) -> Loop | None:
    """None: nothing comes again to speak of. What has neither letter nor digit is no word: leaders are no loop."""
    words = [word for word in text.split() if any(each.isalnum() for each in word)]
    counts: dict[tuple[str, ...], int] = {}
    for at in range(len(words) - GROUP_WORDS + 1):
        group = tuple(words[at : at + GROUP_WORDS])
        counts[group] = counts.get(group, 0) + 1
    total = sum(counts.values())
    repeated = total - len(counts)
    if repeated < LEAST_REPEATED or repeated < LEAST_SHARE * total:
        return None
    group, times = max(counts.items(), key=lambda each: each[1])
    return Loop(repeated / total, " ".join(group), times)
