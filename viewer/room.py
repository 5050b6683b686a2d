"""What all pages of the viewer are made from: the collection as it stands, its files, its index and its images."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from assets.domain.errors import QuireError
from assets.plain_rows import plain_rows
from assets.result_files import ResultFiles
from config.settings import Settings
from flows.gateways.files.storage import Storage
from viewer.index import TextIndex
from viewer.keeping import AskLedger, Keeper
from viewer.pictures import Pictures
from viewer.standing import Standing

STRETCH = 512
"""So many rows of the record manifest are read together: who looks at a page looks at its neighbours next."""
STRETCHES = 32


class Indexing:
    """Brings the index up to date in a thread of its own. ``done``, ``total``: results that are in it, and that there
    are; ``problem``: why it is not complete."""

    def __init__(self, index: TextIndex, storage: Storage) -> None:
        self._index, self._storage = index, storage
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next: ResultFiles | None = None
        self._stop = threading.Event()
        self.done = self.total = 0
        self.problem = ""

    @property
    def is_at_work(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wake(self, standing: Standing) -> None:
        with self._lock:
            self._next = standing.found.by_document
            if not self.is_at_work and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="quire-view-index", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Until all is in it."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def stop(self) -> None:
        self._stop.set()
        self.wait()

    def _run(self) -> None:
        while True:
            with self._lock:
                files, self._next = self._next, None
                if files is None or self._stop.is_set():
                    self._thread = None
                    return
            self.done, self.total = 0, len(files)
            try:
                is_ours = self._index.update(self._storage, files, self._count)
                self.problem = "" if is_ours else "another viewer is reading the text"
            except _StopError:
                pass
            except Exception as error:  # a search that is not complete must not end the viewer, and is told
                self.problem = str(error).partition("\n")[0]

    def _count(self, done: int) -> None:
        self.done = done
        if self._stop.is_set():
            raise _StopError


class _StopError(Exception):
    """The viewer ends."""


@dataclass
class Room:
    """``selected``: the standing of those records that alone are shown, None for all."""

    settings: Settings
    storage: Storage
    keeper: Keeper
    index: TextIndex
    pictures: Pictures
    indexing: Indexing
    selected: Standing | None = None
    _rows: "OrderedDict[tuple[int, int], tuple[Standing, pa.Table]]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, settings: Settings, storage: Storage, ask_ledger: AskLedger | None = None) -> "Room":
        """``ask_ledger``: see `Keeper`; None: Prefect is asked, or the files, where it does not answer."""
        keeper, folder = Keeper(settings, storage, ask_ledger), storage.manifests / "index"
        index = TextIndex(folder)
        pictures = Pictures(storage.root, index.path.parent, max_pixels=settings.safety.max_image_pixels)
        indexing = Indexing(index, storage)
        keeper.on_news = indexing.wake
        return cls(settings, storage, keeper, index, pictures, indexing)

    def close(self) -> None:
        self.indexing.stop()
        with suppress(OSError):
            self.index.close()

    @property
    def standing(self) -> Standing:
        return self.selected or self.keeper.standing

    def image_row(self, standing: Standing, number: int) -> Mapping[str, Any]:
        """Columns of the image in the record manifest. Raises ManifestError, OSError."""
        stretch = number // STRETCH
        return plain_rows(self._stretch(standing, stretch).slice(number - stretch * STRETCH, 1))[0]

    def image_rows(self, standing: Standing, first: int, end: int) -> list[dict[str, Any]]:
        """Likewise of all records from ``first`` to before ``end``."""
        rows = list[dict[str, Any]]()
        for stretch in range(first // STRETCH, (max(first, end - 1)) // STRETCH + 1):
            begin = stretch * STRETCH
            from_, to = max(first, begin) - begin, min(end, begin + STRETCH) - begin
            rows += plain_rows(self._stretch(standing, stretch).slice(from_, max(0, to - from_)))
        return rows

    def _stretch(self, standing: Standing, at: int) -> pa.Table:
        with self._lock:
            key = (id(standing.records), at)
            if key in self._rows:
                self._rows.move_to_end(key)
                return self._rows[key][1]
        numbers = np.arange(at * STRETCH, min(len(standing), (at + 1) * STRETCH))
        table = standing.records.read(numbers)
        with self._lock:
            # With what it is of, so that its number stays its own.
            self._rows[key] = (standing, table)
            while len(self._rows) > STRETCHES:
                self._rows.popitem(last=False)
        return table


class NotHereError(QuireError):
    """An address of a page that there is not."""
