"""Whether an image file still has the content that it had when it was sent: by its size, by its time, and only where
these leave a doubt by its SHA-256. Of which record it is stands with who asks.
"""

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flows.gateways.files.atomic import naming


@dataclass(frozen=True, slots=True)
class ImageThen:
    """An image as it was sent. ``path``: relative to the project's root; ``frame``: which page of the file, from 0;
    ``modified_ns``: since 1970, UTC; ``sha256``: of the file, in hex."""

    path: str
    frame: int
    bytes: int
    modified_ns: int
    sha256: str


class ImageNow(StrEnum):
    """The image of a page beside the one that was sent. ``touched``: its file has another time or another name, and the
    same content."""

    SAME = "same"
    TOUCHED = "touched"
    REPLACED = "replaced"
    GONE = "gone"


def image_now(root: Path, path: str, frame: int, then: ImageThen) -> ImageNow:
    """Look at the file that is the page's now: ``path`` below ``root``, page ``frame`` of it. It is read only if it has
    the size of the one that was sent, and another time or another name. Blocks. Raises OSError."""
    file = os.path.join(root, path)  # noqa: PTH118 - for each image of a batch
    try:
        found = os.stat(file)  # noqa: PTH116 - likewise
        if frame != then.frame or found.st_size != then.bytes:
            return ImageNow.REPLACED
        if path == then.path and found.st_mtime_ns == then.modified_ns:
            return ImageNow.SAME
        return ImageNow.TOUCHED if sha256_of(Path(file)) == then.sha256 else ImageNow.REPLACED
    except (FileNotFoundError, NotADirectoryError):
        return ImageNow.GONE


def sha256_of(path: Path) -> str:
    """In hex. Blocks. Raises OSError."""
    with naming(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
