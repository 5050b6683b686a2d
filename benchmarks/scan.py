"""Scans of page images against walks of the same tree.

    python -m benchmarks.scan prepare FOLDER DOCUMENTS PAGES
    python -m benchmarks.scan first|full|same|changed FOLDER

What is measured is the scan of a pass, all of it: the walk, what is left out, the record manifest, what is remembered.
Of Prefect there is nothing in it; Python's start is not, nor what
a process does once, but in the first scan. The tree lies as a collection does that nobody has worked
on for a minute: a folder that was changed a moment ago is looked into again by the next scan.

What stands in the way of the bars: after ten documents changed the record manifest, one table of a million rows, is
read and written whole, which takes longer than a bare walk; when nothing changed, the levels above are listed, and
there is a Python object for each document. A first scan makes an object for each page on the way to its row.
"""

import asyncio
import io
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import measured
from benchmarks.rows import Bar, Row

MODULE = ("-m", "benchmarks.scan")
PREPARE = (*MODULE, "prepare", "{data}", "{documents}", "{pages}")
WALK = "benchmarks/baselines/walk.py"
SIZE = {"documents": 10_000, "pages": 100}
QUICK = {"documents": 1_000}
CONFIG = """
paths: {page_images: images, output_results: results, manifests: %s}
record: {document_fields: [state, school, year]}
context: {mode: none}
images: {min_side_pixels: 0}
"""
CHANGED = 10

ROWS = [
    Row(
        name="scan-full",
        work="full scan of 1 M unchanged files in 10,000 documents",
        against="a walk that stats each",
        bars=(Bar(1.4),),
        ours=(*MODULE, "full", "{data}"),
        theirs=(WALK, "stat", "{data}"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    ),
    Row(
        name="scan-same",
        work="scan when nothing changed",
        against="a bare walk that counts",
        bars=(Bar(0.5),),
        ours=(*MODULE, "same", "{data}"),
        theirs=(WALK, "count", "{data}"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    ),
    Row(
        name="scan-changed",
        work="rescan after 10 documents changed",
        against="a bare walk that counts",
        bars=(Bar(0.5),),
        ours=(*MODULE, "changed", "{data}"),
        theirs=(WALK, "count", "{data}"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    ),
    Row(
        name="scan-first",
        work="first scan with image headers",
        against="a loop that opens each file and reads 64 bytes",
        bars=(Bar(3),),
        ours=(*MODULE, "first", "{data}"),
        theirs=(WALK, "heads", "{data}"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
        repeats=3,
    ),
]


def main(what: str, folder: Path, *numbers: int) -> None:
    if what == "prepare":
        prepare(folder, *numbers)
    elif what == "first":
        first(folder)
    else:
        again(folder, what)


def prepare(folder: Path, documents: int, pages: int) -> None:
    kinds = [("jpg", _image("JPEG")), ("png", _image("PNG"))]
    for document in range(documents):
        place = _place(folder, document)
        place.mkdir(parents=True)
        for page in range(1, pages + 1):
            suffix, content = kinds[page % 2]
            (place / f"{page}.{suffix}").write_bytes(content)
    (folder / "quire.yaml").write_text(CONFIG % "manifests")
    (folder / "first.yaml").write_text(CONFIG % "first")
    _rest(folder)
    ready(folder / "quire.yaml")(full=False)


def first(folder: Path) -> None:
    shutil.rmtree(folder / "first", ignore_errors=True)
    run = ready(folder / "first.yaml")
    with measured() as figures:
        figures["n"] = run(full=False)
    shutil.rmtree(folder / "first")


def again(folder: Path, what: str) -> None:
    run = ready(folder / "quire.yaml")
    # What a process does once, such as importing Arrow's functions, is no part of a pass after the first.
    run(full=False)
    if what == "changed":
        for document in range(CHANGED):
            page = _place(folder, document * 97) / "2.jpg"
            aside = page.with_name(".aside")
            aside.write_bytes(page.read_bytes())
            aside.replace(page)
    with measured() as figures:
        figures["n"] = run(full=what == "full")
    if what == "changed":
        _rest(folder)


def ready(config: Path) -> Callable[..., int]:
    """A scan of the collection of ``config``, without Prefect; with ``full`` it gives the number of records."""
    from config.settings import load_settings
    from flows.runtime.passes import OperatorsLease
    from flows.runtime.untold import untold_scan
    from flows.runtime.wiring import make_storage
    from flows.scan import scan_records

    settings = load_settings(config, environ={})
    scan = untold_scan(settings, make_storage(settings), OperatorsLease())

    def run(*, full: bool) -> int:
        return asyncio.run(scan_records(scan, full=full)).records

    return run


def _place(folder: Path, document: int) -> Path:
    state, school, year = document % 50, document // 50 % 20, 1800 + document // 1000
    return folder / "images" / f"S{state:02d}" / f"School{school:02d}" / str(year)


def _rest(folder: Path) -> None:
    """As if nobody had worked on the tree for an hour."""
    then = time.time() - 3600
    for place, _, _ in os.walk(folder / "images"):
        if Path(place).stat().st_mtime > then:
            os.utime(place, (then, then))


def jpeg() -> bytes:
    return _image("JPEG")


def _image(kind: str) -> bytes:
    """A real one, tiny, as a scanner's software leaves it: with a resolution."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (60, 80), 255).save(buffer, kind, dpi=(300, 300))
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *(int(each) for each in sys.argv[3:]))
