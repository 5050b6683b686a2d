"""The images of the pages in the state machine of the protocol: each has a shade of its own, which says of which page
it is and which version of it, so that a text can be held against the image that it was read from.
"""

import hashlib
import io
import os
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from assets.manifest import record_manifest
from assets.sources import PageImage, page_images

FIELDS = ("state", "school", "year")
KEYS = ("A:x:1:1", "A:x:1:2", "A:x:1:3", "B:x:1:1")
"""Two documents: in the mode previous_result each page waits for the one before."""
VERSIONS = 3
_FOLDER = "dataset/page_images"
_BEGIN_NS = 1_700_000_000_000_000_000
_SECOND_NS = 1_000_000_000


class Images:
    """Those that lie in a folder. ``shades``: record key -> what is seen on its image now; ``then``: likewise when the
    present run began, ``done_then``: the records that were done; ``copies``: how often one was replaced;
    ``scanned``: how often when the last scan began that has ended."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.shades = {key: shade(key, 0) for key in KEYS}
        self.copies = self.scanned = 0
        self.then, self.done_then = dict(self.shades), frozenset[str]()
        for key in KEYS:
            path = root / path_of(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._put(key, 0, _BEGIN_NS)

    def run_begins(self, done: Iterable[str]) -> None:
        self.then, self.done_then = dict(self.shades), frozenset(done)

    def replace(self, key: str, version: int, *, keeps_time: bool) -> None:
        """Another version in the place of the one that is there, or the same once more. ``keeps_time``: with the time
        that it had at first, as a copy from a backup."""
        self.copies += 1
        since = version if keeps_time else VERSIONS + self.copies
        self._put(key, version, _BEGIN_NS + since * _SECOND_NS)
        self.shades[key] = shade(key, version)

    def _put(self, key: str, version: int, modified_ns: int) -> None:
        path = self._root / path_of(key)
        path.write_bytes(_content(key, version))
        os.utime(path, ns=(modified_ns, modified_ns))


def path_of(key: str) -> str:
    """From the project's root."""
    return f"{_FOLDER}/{key.replace(':', '/')}.png"


def shade(key: str, version: int) -> int:
    return 10 + 20 * (VERSIONS * KEYS.index(key) + version)


@lru_cache(maxsize=256)
def seen_in(content: bytes) -> int:
    """The shade of an image."""
    with Image.open(io.BytesIO(content)) as image:
        pixel = image.convert("L").getpixel((0, 0))
    assert isinstance(pixel, int)
    return pixel


@cache
def sha256(seen: int) -> str:
    """Of the file of that shade, in hex."""
    at, version = divmod((seen - 10) // 20, VERSIONS)
    return hashlib.sha256(_content(KEYS[at], version)).hexdigest()


@cache
def _content(key: str, version: int) -> bytes:
    """Two versions have the same size in bytes, the last one has another."""
    file = io.BytesIO()
    Image.new("L", (8 if version < VERSIONS - 1 else 40, 8), shade(key, version)).save(file, "PNG")
    return file.getvalue()


@cache
def manifest() -> Any:
    """The record manifest of the images as they are at first."""
    images = []
    for key in KEYS:
        *fields, page = key.split(":")
        file: dict[str, Any] = {"path": path_of(key), "bytes": len(_content(key, 0)), "modified_ns": _BEGIN_NS}
        image = {**file, "frame": 0, "mime_type": "image/png", "width": 8, "height": 8}
        images.append(PageImage(tuple(fields), page, **image))
    return record_manifest(page_images(None, images=images, document_fields=FIELDS), document_fields=FIELDS)
