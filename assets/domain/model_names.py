"""Names of models as answers give them, held against the name that was asked for. What is asked is a setting; what the
difference costs stands in `assets.spending`.
"""

import re

_VERSION = re.compile(r"(-\d+)+")


def model_id(said: str) -> str:
    """``gemini-3.8-flash`` for ``models/gemini-3.8-flash``: without the folders before it, in lower case."""
    return said.strip().rpartition("/")[2].lower()


def is_same_model(one: str, other: str) -> bool:
    """Whether two names mean the same model: they are equal, or one has a version of numbers behind the other's name,
    such as ``-001`` or ``-09-2026``. Words behind it make another model: ``-lite``, ``-preview``."""
    short, long = sorted((model_id(one), model_id(other)), key=len)
    behind = long.removeprefix(short)
    return short != "" and long.startswith(short) and (not behind or _VERSION.fullmatch(behind) is not None)
