"""What holds a pass together: its services, its lock, and who may write. Subflows called inside a pass share it;
called alone each opens its own.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from assets.domain.errors import LockBusyError, PassBusyError
from config.settings import check_folders, load_settings
from flows.gateways.ports import Lease
from flows.runtime.home import ensure_home
from flows.runtime.wiring import Services, config_path, open_services


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass that holds its lock. Ask ``lease.check()`` before each write to the world. ``run_started_at``: when the
    run began that the pass is a part of, for the cap of a run (UTC); ``accept_vanished``: a person has said that
    missing results are meant to be missing; ``told``: lines that are said once in a pass, however many batches have a
    reason to say them."""

    services: Services
    lease: Lease
    run_started_at: datetime
    accept_vanished: bool = False
    told: set[str] = field(default_factory=set)


class OperatorsLease:
    """The operator's commands take the ledger lock alone, so that they work while a pass runs: the ledger's own lease
    is checked with each write of a Variable, and no other is held."""

    def check(self) -> None:
        """Nothing to check."""


_current: ContextVar[Pass | None] = ContextVar("quire_pass", default=None)


@asynccontextmanager
async def open_pass(
    config: str | None, *, wait: bool = False, run_started_at: datetime | None = None, accept_vanished: bool = False
) -> AsyncIterator[Pass]:
    """The pass that is under way, or a new one under the pass lock.

    ``wait``: wait for our turn. ``run_started_at``: None: the run is this pass. Raises PassBusyError if another pass
    runs and ``wait`` is false, ConfigError, HomeMismatchError.
    """
    current = _current.get()
    if current is not None:
        yield current
        return
    settings = load_settings(config_path(config))
    check_folders(settings)
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        try:
            lease = await stack.enter_async_context(services.pass_lock.hold(wait=wait))
        except LockBusyError as busy:
            raise PassBusyError(busy.lock, str(busy)) from None
        await ensure_home(settings, services.storage, services.ledger, accept_vanished=accept_vanished)
        opened = Pass(services, lease, run_started_at or services.now(), accept_vanished)
        token = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(token)
