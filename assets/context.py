"""What a page is told about the page before it: the context modes, and what each means. Everybody else asks here, so
that another mode is one more entry of this list, and what its prompt makes of the template's variable ``context_mode``.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class ContextMode(StrEnum):
    """``waits_for_result``: a record waits for its predecessor's result, which goes along in its prompt;
    ``sends_image``: the predecessor's image goes along before its own; ``about``: what a person reads of it."""

    waits_for_result: bool
    sends_image: bool
    about: str

    PREVIOUS_RESULT = (
        "previous_result",
        True,
        False,
        "a page waits for the result of the page before and gets it as context",
    )
    PREVIOUS_IMAGE = "previous_image", False, True, "it gets the image of the page before, without waiting"
    NONE = "none", False, False, "no context, no waiting"

    def __new__(
        cls, name: str, waits_for_result: bool = False, sends_image: bool = False, about: str = ""
    ) -> "ContextMode":
        mode = str.__new__(cls, name)
        mode._value_ = name
        mode.waits_for_result = waits_for_result
        mode.sends_image = sends_image
        mode.about = about
        return mode

    @property
    def sends_anything(self) -> bool:
        return self.waits_for_result or self.sends_image

    @property
    def longest_chain_first(self) -> bool:
        """The order of sending. Else it is the manifest's alone: neighbours in one batch share the image that one is
        and the other gets along."""
        return self.waits_for_result

    def of_request(self, *, with_image: bool) -> "ContextMode":
        """What the prompt of one request is told: a page that takes an image where others wait for a result (see
        `takes_image`) needs to hear what the first of two images is."""
        return type(self).PREVIOUS_IMAGE if with_image else self

    def waves(self, lines: IntArray) -> int:
        """How many rounds of batches it takes. ``lines``: the lengths of the lines of records that wait for each other,
        each with a record at its head that can go; without waiting they are all 1."""
        return int(lines.max(initial=0)) if self.waits_for_result else min(1, len(lines))


ALONE = ContextMode("none")
"""For pages that are read apart from those around them."""


def line_starts(follows: BoolArray, *, mode: ContextMode, max_chain: int | None = None) -> BoolArray:
    """At which records a line begins of those that wait for each other, or would if nothing were done. ``follows``:
    whether each record has a page before it, which then is the row above. In a mode that waits for results a chain is
    cut after every ``max_chain`` pages, by their places in it alone, so that each pass cuts at the same."""
    if max_chain is None or not mode.waits_for_result:
        return ~follows
    rows = np.arange(len(follows))
    place = rows - np.maximum.accumulate(np.where(follows, 0, rows))
    starts: BoolArray = place % max_chain == 0
    return starts


def takes_image(
    follows: BoolArray, has_result: BoolArray, *, mode: ContextMode, max_chain: int | None = None
) -> BoolArray:
    """Which records take the image of the page before along. ``follows``: see `line_starts`; ``has_result``: whether
    the page before has one.

    In a mode that waits for results it is the page behind a cut: it does not wait, and the image stands in for the
    result. Where that result is there already it goes along as ever: nothing has to be waited for.
    """
    if not mode.waits_for_result:
        return follows & mode.sends_image
    return follows & ~has_result & line_starts(follows, mode=mode, max_chain=max_chain)


def described() -> str:
    """All modes, for a person."""
    return "; ".join(f"`{mode.value}`: {mode.about}" for mode in ContextMode) + "."
