"""Keeps what was read of a collection, and reads it again when its files have changed: aside, while what was read
before is still shown. A look costs a part of what reading costs, and is made once in a while, when somebody asks.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from assets.corrections import CorrectionKind
from assets.domain.errors import QuireError, words_of
from assets.domain.ledger import Ledger
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.questions.status import read_ledger_or_files
from flows.runtime.wiring import utc_now
from viewer.standing import Standing, read_standing

LEAST_PAUSE_SECONDS = 3.0
SHARE = 20
"""Looking takes at most so small a part of the time: after a look of a second nothing is looked at for 20."""
_WATCHED = (
    *("records.parquet", "batches", "outcomes", "reruns.parquet", "image_hashes.parquet", "result_checks.parquet"),
    *("stuck.json", "let_go.json", "tries", "left_out.parquet", "corrections.parquet"),
)
AskLedger = Callable[[], Awaitable[tuple[Ledger, str | None]]]


@dataclass
class Keeper:
    """``ask_ledger``: gives the ledger, and why Prefect was not asked; None: Prefect, or where it does not answer the
    files; ``on_news``: is told each standing that is read, in a thread."""

    settings: Settings
    storage: Storage
    ask_ledger: AskLedger | None = None
    on_news: Callable[[Standing], None] = lambda _: None
    problem: str | None = None
    _standing: Standing | None = None
    _stamp: list[object] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _next_look: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def standing(self) -> Standing:
        assert self._standing is not None, "read first"  # noqa: S101 - the caller's promise
        return self._standing

    def look_soon(self) -> None:
        """Have it looked at aside whether there is something new, unless that was done a moment ago."""
        if time.monotonic() >= self._next_look and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._look())

    def saved(self, record_key: str, kind: CorrectionKind) -> None:
        """A person has saved something: it is shown at once, and read with the next look, which is soon."""
        number = self.standing.number_of(record_key)
        if number is not None:
            self._standing = self.standing.after_saving(number, kind)
        self._next_look = 0.0

    async def refresh(self) -> None:
        """Look now, and read what has changed. Raises ManifestError, OSError."""
        started = time.monotonic()
        asked = self.ask_ledger() if self.ask_ledger else read_ledger_or_files(self.settings, self.storage)
        ledger, problem = await asked
        await asyncio.to_thread(self._read, ledger, problem)
        ended = time.monotonic()
        self._next_look = ended + max(LEAST_PAUSE_SECONDS, SHARE * (ended - started))

    async def _look(self) -> None:
        """What cannot be read is told on each page, which goes on showing what was read before."""
        try:
            await self.refresh()
            self.problem = None
        except QuireError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = f"{error.filename or 'a file'} cannot be read: {words_of(error)}"
        except Exception as error:  # what was read before stays of use, whatever this is
            self.problem = f"{type(error).__name__}: {error}".partition("\n")[0]
        if self.problem is not None:
            self._next_look = time.monotonic() + LEAST_PAUSE_SECONDS

    def _read(self, ledger: Ledger, problem: str | None) -> None:
        # One at a time: what was read later must not be followed by what was read before.
        with self._lock:
            found = self.storage.find_results()
            stamp = [ledger.active, ledger.counts, problem, *self._files(), *_of_results(found)]
            if self._standing is not None and stamp == self._stamp:
                return
            self._standing = read_standing(self.settings, self.storage, ledger, found, problem, now=utc_now())
            self._stamp = stamp
            self.on_news(self._standing)

    def _files(self) -> list[object]:
        there = [found_at(self.storage.manifests / name) for name in _WATCHED]
        return [None if each is None else (each.st_ino, each.st_size, each.st_mtime_ns) for each in there]


def _of_results(found: FoundResults) -> tuple[object, ...]:
    files = found.by_document
    return files.documents, files.labels, files.bytes, files.modified_ns
