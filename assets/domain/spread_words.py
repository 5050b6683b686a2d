"""What becomes of spreads, as the settings name it. How they are split stands in `assets.spreads`."""

from enum import StrEnum


class SplitSpreads(StrEnum):
    """Whether spreads become two pages."""

    AUTO = "auto"
    NEVER = "never"


class SpreadOrder(StrEnum):
    """Which page of a spread comes first."""

    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
