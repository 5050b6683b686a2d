"""How long ``quire view`` takes to answer over a million pages: the 95th percentile of the server's own time for each
of its five views, asked for documents, pages and words here and there, against the same over 1,000 pages.

All that a reader waits for but the network and the browser: the application is called in its process, through the guard
that looks for the token. The collection is read, and its text indexed, before; both are told, and are no part of it:
the index is made once for a collection, and the reading is done aside while pages are shown.

One page in a hundred has failed. All results have the same text, so that a search for one of its words finds a million
pages, which is the worst that can be asked for.

By hand with 100,000 records, on two cores that others kept busy: 32 ms for the collection, 71 for a document, 117 for a
page, 106 for a search and 80 for a kind of failure, of which a third was work of ours; with 1,000 records 12, 72, 89,
89 and 9. What a page takes is the reading of its outcomes and of one group of the record manifest.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from unittest.mock import patch

import httpx
import numpy as np

from benchmarks.rows import PEAK, Bar, Row, Taken

PREPARE = ("-m", "benchmarks.viewer", "--prepare", "{data}", "{records}", "{submissions}")
SIZE = {"records": 1_000_000, "submissions": 2_000}
QUICK = {"records": 20_000, "submissions": 200}
VIEWS = ("collection", "document", "page", "search", "failure")
ASKED = 60
"""Of each view, after one that is not counted."""
FAILED_SHARE = 100
TOKEN = "a" * 32
MB = 1_000_000

ROWS = [
    Row(
        "viewer",
        "the five views of quire view, {records} records",
        "the same with 1,000 records",
        (
            *(Bar(0.2, of=f"{view}_p95_seconds", taken=Taken.ALONE, unit=f"s for the {view}") for view in VIEWS),
            Bar(10, of="p95_seconds"),
            Bar(2_000 * MB, of=PEAK, taken=Taken.ALONE, unit="MB"),
        ),
        ("-m", "benchmarks.viewer", "{data}/large"),
        ("-m", "benchmarks.viewer", "{data}/small"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
        repeats=3,
    )
]


def prepare(folder: Path, records: int, submissions: int) -> None:
    """Two collections as `closed_collection` makes them, with pages that have failed, and their text indexed."""
    from benchmarks.closed_collection import make

    for name, (pages, batches) in {"small": (1_000, 20), "large": (records, submissions)}.items():
        # Nothing of it has to outlive a power cut.
        with patch.object(os, "fsync", lambda _: None):
            make(folder / name, pages, batches, failed_share=FAILED_SHARE)
        asyncio.run(_measure(folder / name, asked=0))


async def _measure(folder: Path, asked: int = ASKED) -> Mapping[str, float]:
    from config.settings import load_settings
    from flows.questions.status import ledger_of_files
    from flows.runtime.wiring import make_storage
    from viewer.app import create_app
    from viewer.room import Room

    settings = load_settings(folder / "quire.yaml", environ={})
    storage = make_storage(settings)

    async def ask() -> tuple[object, None]:
        return await asyncio.to_thread(ledger_of_files, storage), None

    room = Room.of(settings, storage, ask)  # type: ignore[arg-type]
    figures: dict[str, float] = {}
    try:
        began = time.perf_counter()
        await room.keeper.refresh()
        read = time.perf_counter()
        await asyncio.to_thread(room.indexing.wait)
        figures |= {"reading_seconds": read - began, "indexing_seconds": time.perf_counter() - read}
        app = create_app(room, token=TOKEN, hosts=["bench"], cookie="quire")
        everything = list[float]()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as client:
            client.cookies.set("quire", TOKEN)
            for view in VIEWS if asked else ():
                took, worked = list[float](), list[float]()
                for place in _places(view, room, asked + 1):
                    started, working = time.perf_counter(), time.process_time()
                    answer = await client.get(place)
                    took.append(time.perf_counter() - started)
                    worked.append(time.process_time() - working)
                    assert answer.status_code == 200, (place, answer.text[:300])
                figures[f"{view}_p95_seconds"] = quantiles(took[1:], n=20)[-1]
                figures[f"{view}_p95_cpu_seconds"] = quantiles(worked[1:], n=20)[-1]
                everything += took[1:]
        if asked:
            figures |= {"p95_seconds": quantiles(everything, n=20)[-1], "n": len(everything)}
    finally:
        room.close()
    return figures


def _places(view: str, room: object, count: int) -> list[str]:
    """Addresses, the same in each run, all over the collection."""
    from viewer.room import Room

    assert isinstance(room, Room)
    standing, chance = room.standing, np.random.default_rng(1)
    numbers = chance.integers(0, len(standing), count)
    keys = standing.records.keys(np.sort(numbers)).to_pylist()
    columns = ["document", "failing", "usd", "outdated"]
    asked = {
        "collection": [f"/?sort={columns[at % 4]}&order=down&page={1 + at % 9}" for at in range(count)],
        "document": [f"/document/{key.rpartition(':')[0]}" for key in keys],
        "page": [f"/page/{key}" for key in keys],
        "search": [
            ["/search?q=presents", "/search?q=%22all+men%22&state=done", "/search?q=presents&document=School00003",
             "/search?state=dead"][at % 4] + f"&page={1 + at % 7}" for at in range(count)
        ],
        "failure": [f"/failures/blocked?page={1 + at}" for at in range(count)],
    }  # fmt: skip
    return asked[view]


if __name__ == "__main__":
    if sys.argv[1] == "--prepare":
        prepare(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        from benchmarks.measuring import measured

        with measured() as measured_figures:
            measured_figures |= asyncio.run(_measure(Path(sys.argv[1])))
