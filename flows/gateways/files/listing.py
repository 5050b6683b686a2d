"""A folder's content in a few bytes, so that a folder that was listed again is known to hold what it held, without an
object for each of its files.
"""

import hashlib
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BYTES = 16


@dataclass(frozen=True, slots=True)
class Listing:
    """``digest``: of the names in a folder and of what the file system says of each file: its number, size and times;
    b"" where that cannot be told. ``has_links``: what a link leads to may change while the folder stays."""

    digest: bytes
    has_links: bool


def listing_of(entries: Sequence[os.DirEntry[str]], passed_over: Iterable[str]) -> Listing:
    """``entries``: of a folder; ``passed_over``: names in it that nobody looks at."""
    has_links = any(entry.is_symlink() for entry in entries)
    try:
        found = [entry.stat() for entry in entries]
        facts = array("q", [each.st_mtime_ns for each in found])
        facts.extend([each.st_size for each in found])
        facts.extend([each.st_ctime_ns for each in found])
        numbers = array("Q", [each.st_ino for each in found])
    except (OSError, OverflowError):
        return Listing(b"", has_links)
    names = "/".join([*(entry.name for entry in entries), "", *sorted(passed_over)])
    content = hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=_BYTES)
    content.update(b"\0")
    content.update(facts)
    content.update(numbers)
    return Listing(content.digest(), has_links)
