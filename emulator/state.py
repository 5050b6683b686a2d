"""Everything that the emulator holds while it runs, and how it is put together."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.batches import JobStore
from emulator.books import Books
from emulator.clock import Clock
from emulator.engines.protocol import Engine
from emulator.engines.script import ScriptEngine
from emulator.faults import FaultTable
from emulator.files import FileStore
from emulator.ids import IdSource
from emulator.options import EmulatorOptions
from emulator.rules import RuleBook, read_rules
from emulator.uploads import Uploads


class EmulatorState:
    """Raises ValueError for a rules file that cannot be used, ImportError for an engine that is not installed."""

    def __init__(self, options: EmulatorOptions) -> None:
        self.options = options
        self.rules = RuleBook(read_rules(options.rules_file) if options.rules_file else None)
        self.engine: Engine = ScriptEngine(self.rules, seed=options.seed, behind=_engine_behind(options))
        self.ids = IdSource(options.seed)
        self._executor = ThreadPoolExecutor(options.engine_threads, thread_name_prefix="emulator-engine")
        self._own_spool = options.spool is None
        self._spool = Path(tempfile.mkdtemp(prefix="gemini-emulator-")) if options.spool is None else options.spool
        self._build()

    def _build(self) -> None:
        """A new folder for each life of the state: work of an earlier one cannot touch it."""
        spool = self._spool / f"run-{self.ids.new(8)}"
        spool.mkdir(parents=True)
        self.spool = spool
        self.clock = Clock(manual=self.options.clock == "manual")
        self.faults = FaultTable()
        self.books = Books()
        self.files = FileStore(self.options, self.clock, self.ids, spool)
        self.uploads = Uploads(self.files, self.ids)
        self.jobs = JobStore(
            self.options, self.clock, self.ids, self.files, self.rules, self.books, self.engine, self._executor
        )

    @property
    def answers_at_once(self) -> bool:
        """Whether a call may wait for the answers of a job that is due: they take no time worth speaking of."""
        return self.options.engine == "script"

    def reset(self) -> None:
        """Back to the start: no files, jobs, faults or counts, the first rules, the clock at the present."""
        shutil.rmtree(self.spool, ignore_errors=True)
        self.rules.reset()
        self._build()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._spool if self._own_spool else self.spool, ignore_errors=True)


def _engine_behind(options: EmulatorOptions) -> Engine | None:
    """The engine for keys that no rule names. OCR is imported only if it is asked for: its packages are optional."""
    if options.engine == "script":
        return None
    from emulator.engines.ocr import OcrEngine

    engine: Engine = OcrEngine()
    return engine
