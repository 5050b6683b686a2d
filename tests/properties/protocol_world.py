"""The world in which the protocol runs: Gemini, the Variables, a folder of files and a clock, all of which outlive a
process, and the processes that work on them, one after the other. Nothing is judged here (`protocol_laws`), nothing is
chosen (`test_protocol_machine`).

The product's code is the real one; it is only given twins for its gateways, and a mirror without Prefect.
"""

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from ulid import ULID

from assets.catalog import CATALOG
from assets.context import ContextMode
from assets.domain.errors import QuireError
from assets.domain.moments import Reading
from assets.domain.schema import response_schema
from assets.requests import RequestTemplate
from config.settings import Settings
from flows.poll import poll_batches
from flows.recover import recover
from flows.runtime.elapsed import CollectionClock
from flows.runtime.home import ensure_home
from flows.runtime.passes import OperatorsLease, Pass
from flows.runtime.untold import UntoldTeller
from flows.runtime.wiring import Services
from flows.scan import scan_records
from flows.submit import submit_batches
from flows.tables.outdated import notice_outdated
from tests.properties.protocol_images import FIELDS, KEYS, Images, manifest
from tests.twins.effects import Crash, Effects, Interruption, file_effects
from tests.twins.gemini import START, InMemoryGemini
from tests.twins.ledger import InMemoryLedger, InMemoryLock, InMemoryVariables
from tests.twins.mirror import DirectMirror
from tests.twins.storage import StorageTwin, Tables

PUT_BACK = timedelta(minutes=60)
GRACE = timedelta(seconds=900)
Work = Callable[[Pass], Awaitable[object]]


class PageText(BaseModel):
    """What a page becomes: of which page it is, which job read it, and what it saw."""

    model_config = ConfigDict(extra="forbid")

    page: str
    job: str
    shade: int

    @classmethod
    @cache
    def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]  # asked as it is
        """Made once: each submission asks for it."""
        return TypeAdapter(cls).json_schema()


class MendedText(PageText):
    """The same after the schema was corrected: what it refused before is allowed."""

    note: str = ""


class End(StrEnum):
    """How the run of a process ended."""

    FINISHED = "finished"
    STOPPED = "stopped"  # with an error that the product knows
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Ended:
    """``error``: with which it stopped."""

    how: End
    error: QuireError | None = None


class _DirectLoop(asyncio.SelectorEventLoop):
    """Does at once what is meant for a thread, so that the order of things is the same in each run."""

    def run_in_executor(  # type: ignore[override]  # the executor plays no part
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:
            future.set_exception(error)
        return future


class World:
    """Everything outside of a process. Tests edit ``variables.values`` as a person would, and let ``now`` go on: the
    true time, which Gemini's clock and the laws go by. ``clock_error``: how far the machine's time of day is off;
    ``boots``: how often it has been started.

    ``root``: a folder in memory, gone after `close`. ``submissions_begun``: the random part of a
    submission id -> when it got its id.
    """

    def __init__(self, *, context_mode: str, max_retries: int, max_chain: int | None = None) -> None:
        self.now = START
        self.clock_error = timedelta()
        self.boots = 1
        self._booted_at = START
        self.root = Path(tempfile.mkdtemp(prefix="quire-machine-", dir=_memory()))
        self.settings = _settings(context_mode, max_chain, max_retries).anchored(self.root)
        self.tables = Tables()
        self.variables = InMemoryVariables()
        self.ledger_lock, self.pass_lock = _locks()
        self.effects = Effects(is_changing=lambda: self.ledger_lock.lease is not None)
        self.gemini = InMemoryGemini(now=lambda: self.now, before_call=self.effects.before_call)
        self.submissions_begun: dict[str, datetime] = {}
        self._numbers = itertools.count(1)
        self._loop = _DirectLoop()
        self.model: type[PageText] = PageText
        self.images = Images(self.root)
        self.files = self.storage
        self.result_paths = {key: self.files.result_path(key) for key in KEYS}
        self.files.write_records(manifest())

    def close(self) -> None:
        self._loop.close()
        shutil.rmtree(self.root)

    def is_forked(self) -> None:
        """This process is a fork: the loop it finds is shared with the other one, and the threads are not there."""
        self._left_behind = self._loop  # collected, it would warn that it was not closed
        self._loop = _DirectLoop()

    @property
    def storage(self) -> StorageTwin:
        """As a process that has just started has it."""
        paths = self.settings.paths
        return StorageTwin(
            self.tables,
            root=self.root,
            manifests=paths.manifests,
            output_results=paths.output_results,
            document_fields=FIELDS,
        )

    def text_of(self, key: str) -> dict[str, Any] | None:
        """The output result of a record as it stands there; None: there is none. Raises ValueError for what is no
        JSON."""
        try:
            found: dict[str, Any] = json.loads(self.result_paths[key].read_bytes())
        except FileNotFoundError:
            return None
        return found

    # --- processes

    def run_pass(self, interruptions: Sequence[Interruption] = (), *, accept_vanished: bool = False) -> Ended:
        """A pass in a process of its own: poll, scan, submit. As long as no image was replaced since the last scan, it
        would find the same ones: then only its end is run."""

        async def work(p: Pass) -> None:
            await poll_batches(p)
            copies = self.images.copies
            if copies != self.images.scanned:
                await scan_records(p)
                self.images.scanned = copies
            elif copies:
                await notice_outdated(p, p.services.storage.read_records())
            await submit_batches(p)

        return self.run_locked(work, interruptions, accept_vanished=accept_vanished)

    def run_locked(
        self, work: Work, interruptions: Sequence[Interruption] = (), *, accept_vanished: bool = False
    ) -> Ended:
        """What holds the lock of the passes, in a process of its own."""

        async def run() -> None:
            services = self.services()
            async with services.pass_lock.hold(wait=False) as lease:
                p = Pass(services, lease, run_started_at=self._wall(), accept_vanished=accept_vanished)
                await ensure_home(services.settings, services.storage, services.ledger)
                await work(p)

        return self._run(run, interruptions)

    def run_recover(self) -> Ended:
        """``quire recover --yes`` in a process of its own."""

        async def run() -> None:
            await recover(self.services(), write=True)

        return self._run(run, ())

    def run_command(self, work: Work, interruptions: Sequence[Interruption] = ()) -> Ended:
        """A command of the operator's in a process of its own."""
        return self._run(lambda: self.command(work), interruptions)

    async def command(self, work: Work) -> None:
        """The same within a run of another process, which goes on when it has ended."""
        await work(Pass(self.services(), OperatorsLease(), run_started_at=self._wall()))

    def services(self) -> Services:
        """What a process that starts now works with."""
        settings = self.settings
        return Services(
            settings=settings,
            storage=self.storage,
            ledger=InMemoryLedger(
                lock=self.ledger_lock, variables=self.variables, before_call=self.effects.before_call
            ),
            gemini=self.gemini,
            pass_lock=self.pass_lock,
            mirror=DirectMirror(CATALOG, collection="", retries=settings.retries),
            teller=UntoldTeller(),
            model=self.model,
            template=_template(settings.context.mode, self.model),
            now=self._wall,
            clock=CollectionClock(
                settings.paths.manifests,
                read=self._reading,
                most_across_boots_seconds=settings.batch.poll_interval_seconds,
            ),
            sleep=self._sleep,
            new_submission_id=self._new_submission_id,
        )

    def start_again(self) -> None:
        """The machine, whose clock counts from then on."""
        self.boots += 1
        self._booted_at = self.now

    def _reading(self) -> Reading:
        return Reading(self._wall(), str(self.boots), (self.now - self._booted_at).total_seconds())

    def _wall(self) -> datetime:
        return self.now + self.clock_error

    def lose_lease(self) -> None:
        """The pass that runs can no longer be sure that no other one does."""
        if self.pass_lock.lease is not None:
            self.pass_lock.lease.is_lost = True

    def _run(self, work: Callable[[], Awaitable[None]], interruptions: Sequence[Interruption]) -> Ended:
        # No two runs at the same time: their order can be told from their files.
        self.now += timedelta(seconds=1)
        self.images.run_begins(self.files.done_among(KEYS))
        self.effects.begin(interruptions)
        error: QuireError | None = None
        try:
            with file_effects(self.effects):
                self._loop.run_until_complete(work())
        except QuireError as known:
            error = known
        except (Crash, BaseExceptionGroup):
            if not self.effects.is_dead:
                raise
        self._end_tasks()
        is_dead = self.effects.is_dead
        self.effects.end()
        if is_dead:
            # What only its memory held is gone; its locks get free when its leases run out.
            self.ledger_lock, self.pass_lock = _locks()
            return Ended(End.CRASHED)
        return Ended(End.STOPPED, error) if error is not None else Ended(End.FINISHED)

    def _end_tasks(self) -> None:
        left = asyncio.all_tasks(self._loop)
        if left:
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def _new_submission_id(self) -> str:
        milliseconds = int(self._wall().timestamp() * 1000)
        number = next(self._numbers)
        made = str(ULID(milliseconds.to_bytes(6, "big") + number.to_bytes(10, "big"))).lower()
        self.submissions_begun[made[10:]] = self.now
        return made


def _locks() -> tuple[InMemoryLock, InMemoryLock]:
    """Of the ledger and of the pass, free."""
    return InMemoryLock("quire_ledger"), InMemoryLock("quire_pass")


def _memory() -> str | None:
    """A folder in memory, where the machine has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


@cache
def _settings(context_mode: str, max_chain: int | None, max_retries: int) -> Settings:
    return Settings.model_validate(
        {
            "context": {"mode": context_mode, "max_chain": max_chain},
            "images": {"min_side_pixels": 0, "send_blank": True},
            "execution": {"max_retries": max_retries, "batch_size_limit": 2, "max_concurrent_batches": 3},
            "batch": {"adoption_grace_seconds": GRACE.total_seconds()},
            "retries": {"attempts": 2, "service_backoff_seconds": 0, "max_service_errors": 1000},
            # Counts that jump have tests of their own.
            "repair": {"blocked": False, "refused": False, "upload_refused": False},
            # One upload at a time, so that effects come in the same order in each run.
            "uploads": {"upload_retry_attempts": 2, "upload_retry_backoff_seconds": 1, "upload_concurrency": 1},
            # The breaker has tests of its own; here it would end most examples.
            "safety": {
                "put_back_minutes": PUT_BACK.total_seconds() / 60,
                "max_failed_batches_in_a_row": 10_000,
                "max_failure_rate": 1,
            },
        }
    )


@cache
def _template(context_mode: ContextMode, model: type[PageText]) -> RequestTemplate:
    return RequestTemplate(
        prompt="Read the page.",
        prompt_source="here",
        context_mode=context_mode,
        document_fields=FIELDS,
        response_schema=response_schema(model),
        generation_config={},
    )
