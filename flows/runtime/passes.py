"""What holds a pass together: its services, its lock, and who may write. Subflows called inside a pass share it;
called alone each opens its own.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from assets.domain.errors import LockBusyError, PassBusyError
from config.settings import Settings, check_folders, load_settings
from flows.gateways.files.storage import Storage
from flows.gateways.ports import Lease
from flows.runtime.home import ensure_home
from flows.runtime.mirror import Mirror
from flows.runtime.runs import tag_run
from flows.runtime.telling import Teller
from flows.runtime.wiring import Services, config_path, open_services


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass that holds its lock. Ask ``lease.check()`` before each write to the world. ``run_started_at``: when the
    run began that the pass is a part of, for the cap of a run (UTC); ``accept_vanished``: a person has said that
    missing results are meant to be missing; ``told``: lines that are said once in a pass, however many batches have a
    reason to say them; ``only``: the record keys, ranges and documents of which alone something may be sent; empty: no
    such bound."""

    services: Services
    lease: Lease
    run_started_at: datetime
    accept_vanished: bool = False
    only: tuple[str, ...] = ()
    told: set[str] = field(default_factory=set)


class ScanServices(Protocol):
    """What a scan works with."""

    @property
    def settings(self) -> Settings: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def mirror(self) -> Mirror: ...

    @property
    def teller(self) -> Teller: ...


class ScanPass(Protocol):
    """As much of a pass as a scan needs: no Variable, and nothing of Gemini."""

    @property
    def services(self) -> ScanServices: ...

    @property
    def lease(self) -> Lease: ...


class OperatorsLease:
    """The operator's commands take the ledger lock alone, so that they work while a pass runs: the ledger's own lease
    is checked with each write of a Variable, and no other is held."""

    def check(self) -> None:
        """Nothing to check."""


_current: ContextVar[Pass | None] = ContextVar("quire_pass", default=None)
_run_started_at: ContextVar[datetime | None] = ContextVar("quire_run_started_at", default=None)
_only: ContextVar[tuple[str, ...]] = ContextVar("quire_only", default=())


@contextmanager
def one_run_of_passes(started_at: datetime) -> Iterator[None]:
    """All passes within belong to one run, which began then (UTC): ``budget.max_usd_per_run`` counts from there, and
    each of them waits for its turn while another pass runs. No parameter of a flow: nobody should fill it in."""
    token = _run_started_at.set(started_at)
    try:
        yield
    finally:
        _run_started_at.reset(token)


@contextmanager
def nothing_sent_but(entries: Sequence[str]) -> Iterator[None]:
    """Passes within send nothing but pages of these ``entries``: see `Pass`. No parameter of a flow, either: a schedule
    that keeps to a few pages would leave all others without a word."""
    token = _only.set(tuple(entries))
    try:
        yield
    finally:
        _only.reset(token)


@asynccontextmanager
async def open_pass(config: str | None, *, accept_vanished: bool = False) -> AsyncIterator[Pass]:
    """The pass that is under way, or a new one under the pass lock.

    Raises PassBusyError if another pass runs, and this is no pass of a run (`one_run_of_passes`), ConfigError,
    HomeMismatchError.
    """
    current = _current.get()
    if current is not None:
        yield current
        return
    settings = load_settings(config_path(config))
    check_folders(settings)
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        await tag_run(services.teller, settings)
        started_at = _run_started_at.get()
        try:
            lease = await stack.enter_async_context(services.pass_lock.hold(wait=started_at is not None))
        except LockBusyError as busy:
            raise PassBusyError(busy.lock, str(busy)) from None
        await ensure_home(settings, services.storage, services.ledger, accept_vanished=accept_vanished)
        opened = Pass(services, lease, started_at or services.now(), accept_vanished, only=_only.get())
        token = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(token)
