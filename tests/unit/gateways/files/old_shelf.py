"""A shelf as collections had it while a page was a number of 1 or more, and what a scan made of it then:
`old_shelf.json` was written by the release before labels.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.images import gradient, png_of, small_jpeg, small_webp, tiff

FIELDS = ("state", "school", "year")
EXPECTED: list[dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
COLUMNS = (
    "record_key",
    *FIELDS,
    "page",
    "image_path",
    "image_frame",
    "image_frames",
    "image_mime_type",
    "image_bytes",
    "image_width",
    "image_height",
    "predecessor",
)
_PLAIN = [f"AL/Adams/1901/{page:04}.jpg" for page in (*range(1, 13), 15, 16, 100)]
_NO_PAGES = ["AL/Adams/1901/-3.jpg", "AL/Adams/1901/cover.jpg", "AL/Adams/1901/notes.txt", "AL/Adams/1901/٤.jpg"]


def several_pages(pages: int) -> bytes:
    return tiff(*(gradient(60, 80 + at) for at in range(pages)))


def make(folder: Path) -> None:
    """The shelf, in a folder of page images."""
    contents = dict.fromkeys([*_PLAIN, *_NO_PAGES], small_jpeg())
    contents |= {f"TX/Peñón/1901-02/{name}": png_of(60, 80) for name in ("9.png", "10.PNG", "99.png")}
    contents |= {"TX/Peñón/1901-02/100.webp": small_webp(), "TX/Peñón/1902/2147483647.jpg": small_jpeg()}
    contents |= {f"TX/Twice/1901/{name}": small_jpeg() for name in ("1.jpg", "4.jpg", "5.jpg")}
    contents |= {"TX/Twice/1901/04.jpeg": png_of(90, 70)}
    contents |= {"CA/Book/1850/0001.tif": several_pages(3), "CA/Book/1850/0007.tif": several_pages(2)}
    contents |= {"CA/Book/1851/1.tif": several_pages(6), "CA/Book/1851/3.jpg": small_jpeg()}
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def rows(manifest: pa.Table, columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
    """The manifest as it can be compared: without times."""
    found: list[dict[str, Any]] = manifest.select(list(columns)).to_pylist()
    return found
