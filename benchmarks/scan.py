"""How near a scan is to a bare walk of the same tree: ratios, all measured in one run.

    python -m benchmarks.scan [pages]

A ratio of 3 means: three times as long as ``os.scandir`` alone over the same files, each of which it stats.
"""

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from PIL import Image

from assets.manifest import record_manifest
from assets.sources import page_images
from flows.gateways.files.results import walk_results
from flows.gateways.files.storage import Storage
from flows.gateways.files.trees import walk_images
from flows.gateways.images.headers import read_header
from flows.tables.known_images import known_files

FIELDS = ("state", "school", "year")
PAGES_PER_DOCUMENT = 200
PAGE_PATTERN = "(?P<page>[0-9]+)"


def main(pages: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_tree(root / "images", pages)
        storage = Storage(root=root, manifests=root, output_results=root / "results", document_fields=FIELDS)
        bare_walk(root / "images")
        bare = timed(lambda: bare_walk(root / "images"))
        first = timed(lambda: scan(storage, root / "images"))
        again = timed(lambda: scan(storage, root / "images"))
        (root / "images" / "S0" / "School" / "1800" / "1.jpg").write_bytes(jpeg() + b"changed")
        changed = timed(lambda: scan(storage, root / "images"))
        nothing_done = timed(lambda: walk_results(root / "results", depth=3))
        print(f"{pages} pages; a bare walk takes {bare:.2f} s")
        for name, seconds in [
            ("first scan, with all headers", first),
            ("scan of an unchanged tree", again),
            ("scan after one change", changed),
            ("walk of empty results", nothing_done),
        ]:
            print(f"{name:<30} {seconds / bare:5.1f} x the bare walk")


def jpeg() -> bytes:
    """A real one, tiny, as a scanner's software leaves it: with a comment and a resolution."""
    buffer = io.BytesIO()
    Image.new("L", (60, 80), 255).save(buffer, "JPEG", dpi=(300, 300), comment=b"scanned")
    return buffer.getvalue()


def make_tree(folder: Path, pages: int) -> None:
    content = jpeg()
    for document in range(pages // PAGES_PER_DOCUMENT):
        place = folder / f"S{document % 50}" / "School" / str(1800 + document // 50)
        place.mkdir(parents=True)
        for page in range(1, PAGES_PER_DOCUMENT + 1):
            (place / f"{page}.jpg").write_bytes(content)


def bare_walk(folder: Path) -> int:
    size, open_folders = 0, [os.fspath(folder)]
    while open_folders:
        with os.scandir(open_folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    open_folders.append(entry.path)
                else:
                    size += entry.stat().st_size
    return size


def scan(storage: Storage, folder: Path) -> pa.Table:
    before = storage.read_records()
    walk = walk_images(
        folder,
        root=storage.root,
        depth=len(FIELDS),
        known=known_files(before),
        read_header=read_header,
        page_pattern=PAGE_PATTERN,
        max_pixels=150_000_000,
    )
    table = record_manifest(page_images(None, images=walk.images, document_fields=FIELDS), document_fields=FIELDS)
    if before is None or not before.equals(table):
        storage.write_records(table)
    return table


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
