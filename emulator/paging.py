"""Page tokens for the list calls. A token names the last item shown, so that what is created or deleted between two
pages neither repeats nor hides an item."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from emulator.errors import ServiceError

Item = TypeVar("Item")


def page_of(
    newest_first: Sequence[Item], ordinal: Callable[[Item], int], page_size: int, token: str
) -> tuple[list[Item], str]:
    """One page of items whose ordinals fall, and the token of the next page ("" if this is the last).

    Raises ServiceError 400 for a token that is none of ours.
    """
    below = _read_token(token) if token else None
    rest = [item for item in newest_first if below is None or ordinal(item) < below]
    page = rest[:page_size]
    return page, _write_token(ordinal(page[-1])) if len(rest) > page_size else ""


def page_size_of(text: str | None, *, default: int, largest: int) -> int:
    """The page size that a query asks for. Raises ServiceError 400 for what is no size."""
    if text is None or text == "":
        return default
    try:
        size = int(text)
    except ValueError:
        raise ServiceError(400, f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\"") from None
    if size < 0:
        raise ServiceError(400, "page_size must not be negative.")
    return min(size, largest) if size else default


def _write_token(ordinal: int) -> str:
    return base64.urlsafe_b64encode(f"before {ordinal}".encode()).decode().rstrip("=")


def _read_token(token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        return int(text.removeprefix("before "))
    except (binascii.Error, ValueError):
        raise ServiceError(400, "Page token is invalid.") from None
