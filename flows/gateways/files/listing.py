"""A folder's content in a few bytes, so that a folder that was listed again is known to hold what it held, without an
object for each of its files.
"""

import hashlib
import marshal
import os
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, methodcaller

_BYTES = 16
_NAME = attrgetter("name")
_IS_LINK, _STAT = methodcaller("is_symlink"), methodcaller("stat")
_FACTS = attrgetter("st_mtime_ns", "st_size", "st_ctime_ns", "st_ino")
_PLAIN = 2
"""The form of marshal that says the same of the same: later ones tell which objects are one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """``digest``: of the names in a folder and of what the file system says of each file: its number, size and times;
    b"" where that cannot be told. ``has_links``: what a link leads to may change while the folder stays."""

    digest: bytes
    has_links: bool


def listing_of(entries: Sequence[os.DirEntry[str]]) -> Listing:
    """``entries``: all of a folder. In another order they are another listing: then there is a look too much."""
    has_links = any(map(_IS_LINK, entries))
    try:
        facts = list(map(_FACTS, map(_STAT, entries)))
    except OSError:
        return Listing(b"", has_links)
    content = marshal.dumps([list(map(_NAME, entries)), facts], _PLAIN)
    return Listing(hashlib.blake2b(content, digest_size=_BYTES).digest(), has_links)
