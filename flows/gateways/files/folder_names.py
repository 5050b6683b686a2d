"""The names in a folder of many files, without a look at any of them."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from flows.gateways.files.atomic import naming


def names_in(folder: Path) -> list[str]:
    """In no promised order; none where there is no such folder. Raises OSError."""
    with suppress(FileNotFoundError), naming(folder):
        return os.listdir(folder)  # noqa: PTH208 - a path for each of 20,000 takes ten times as long
    return []


class Names:
    """What the names in ``folder`` tell, each by ``read``. The folder is listed each time, so that what came or went is
    seen at once; names that are the same as the last time are not read again."""

    def __init__(self, folder: Path, read: Callable[[str], str | None]) -> None:
        self._folder = folder
        self._read = read
        # Together, as threads share them.
        self._last: tuple[list[str], tuple[str, ...]] = ([], ())

    def all(self) -> tuple[str, ...]:
        """What ``read`` makes of each name, sorted; without those of which it makes None. The same tuple where all is
        as it was. Raises OSError."""
        names, (before, found) = names_in(self._folder), self._last
        if names != before:
            found = tuple(sorted(each for name in names if (each := self._read(name)) is not None))
            self._last = names, found
        return found
