"""What a page is told about the page before it: the context modes, and what each means. Everybody else asks here, so
that another mode is one more entry of this list, and what its prompt makes of the template's variable ``context_mode``.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

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

    def waves(self, lines: IntArray) -> int:
        """How many rounds of batches it takes. ``lines``: the lengths of the lines of records that wait for each other,
        each with a record at its head that can go; without waiting they are all 1."""
        return int(lines.max(initial=0)) if self.waits_for_result else min(1, len(lines))


def described() -> str:
    """All modes, for a person."""
    return "; ".join(f"`{mode.value}`: {mode.about}" for mode in ContextMode) + "."
