"""The packages that only some commands need, and one line where they are not installed. What an extra is made of stands
in ``pyproject.toml``.
"""

from importlib.util import find_spec

from assets.domain.errors import MissingExtraError

READER = ("cv2", "onnxruntime", "rapidocr")
"""What the local Gemini reads images with."""


def require_extra(extra: str, *modules: str) -> None:
    """Raise MissingExtraError if one of the modules that ``extra`` brings is not there. Nothing is imported."""
    missing = tuple(name for name in modules if find_spec(name) is None)
    if missing:
        raise MissingExtraError(extra, missing)
