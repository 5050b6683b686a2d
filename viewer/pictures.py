"""The images of pages as a browser shows them: made when they are asked for, of any kind of file that Quire reads.
Small ones are kept in ``manifests/index/thumbnails.sqlite``, which may be deleted at any time and grows to a bound.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.gateways.images.pictures import page_picture

SMALL_SIDE, FULL_SIDE = 320, 2_600
"""Pixels of the longer side."""
SMALL_QUALITY, FULL_QUALITY = 72, 85
MOST_BYTES = 400_000_000
"""Of all small images that are kept, some 30,000; the ones that were made first go first."""
AT_ONCE = 2
"""So many are decoded at a time: the others wait, and pages go on being shown."""
_TABLE = "CREATE TABLE IF NOT EXISTS small (name BLOB PRIMARY KEY, content BLOB NOT NULL, mime_type TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    mime_type: str


class Pictures:
    """``root``: of the collection; ``folder``: for what is kept; ``most_bytes``: of that. Every method blocks, and
    raises ImageError and OSError."""

    def __init__(self, root: Path, folder: Path, *, max_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._root, self._max_pixels, self._most_bytes = root, max_pixels, most_bytes
        self._path = folder / "thumbnails.sqlite"
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def full(self, row: Mapping[str, Any], side: int = FULL_SIDE) -> Picture:
        """``row``: columns of the image in the record manifest; ``side``: the longer one at most, in pixels."""
        with self._turn:
            return self._make(row, side, FULL_QUALITY)

    def small(self, row: Mapping[str, Any]) -> Picture:
        """Likewise."""
        name = version_of(row).encode()
        if (kept := self._kept(name)) is not None:
            return kept
        with self._turn:
            made = self._make(row, SMALL_SIDE, SMALL_QUALITY)
        self._keep(name, made)
        return made

    def _make(self, row: Mapping[str, Any], side: int, quality: int) -> Picture:
        left, right = row["image_left"], row["image_right"]
        content, mime_type = page_picture(
            self._root / row["image_path"],
            row["image_frame"],
            (left, right) if left is not None and right is not None else None,
            max_pixels=self._max_pixels,
            max_side_pixels=side,
            jpeg_quality=quality,
        )
        return Picture(content, mime_type)

    # What is kept only saves time: where it cannot be read or written, images are made again.

    def _kept(self, name: bytes) -> Picture | None:
        with suppress(sqlite3.Error):
            if self._path.exists():
                with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=5)) as base:
                    row = base.execute("SELECT content, mime_type FROM small WHERE name = ?", (name,)).fetchone()
                return None if row is None else Picture(*row)
        return None

    def _keep(self, name: bytes, made: Picture) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=5)) as base, base:
                base.execute("PRAGMA synchronous = OFF")
                base.execute(_TABLE)
                base.execute("INSERT OR REPLACE INTO small VALUES (?, ?, ?)", (name, made.content, made.mime_type))
                (held,) = base.execute("SELECT count(*) FROM small").fetchone()
                (pages,), (size,) = (base.execute(f"PRAGMA {each}").fetchone() for each in ("page_count", "page_size"))
                (free,) = base.execute("PRAGMA freelist_count").fetchone()
                if (pages - free) * size > self._most_bytes:
                    base.execute(
                        "DELETE FROM small WHERE rowid IN (SELECT rowid FROM small ORDER BY rowid LIMIT ?)",
                        (held // 5,),
                    )
        except sqlite3.OperationalError:
            return
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def version_of(row: Mapping[str, Any]) -> str:
    """Another one for another image, or another part of it."""
    parts = [row[name] for name in ("image_path", "image_frame", "image_left", "image_right", "image_bytes")]
    parts.append(row["image_modified_at"])
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()[:20]
