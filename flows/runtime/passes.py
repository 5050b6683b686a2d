"""What holds a pass together: its services, its lock, and who may write. Subflows called inside a pass share it;
called alone each opens its own.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from assets.domain.errors import WAY_BACK, HomeMismatchError, LockBusyError, PassBusyError
from config.settings import check_folders, load_settings
from flows.gateways.files.storage import Storage
from flows.gateways.ports import Lease, LedgerGateway
from flows.runtime.wiring import Services, config_path, new_home_id, open_services


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
        await ensure_home(services.storage, services.ledger)
        opened = Pass(services, lease, run_started_at or services.now(), accept_vanished)
        token = _current.set(opened)
        try:
            yield opened
        finally:
            _current.reset(token)


async def ensure_home(storage: Storage, ledger: LedgerGateway) -> None:
    """See that this folder and this Prefect database belong together, and make the tie on the very first pass.

    Raises HomeMismatchError; nothing is written then.
    """
    if await check_home(storage, ledger):
        return
    here = storage.read_home()
    if here is None:
        storage.create_home(new_home_id())
        here = storage.read_home()
    if here is None or await ledger.create_home(here) != here:
        file = storage.manifests / "home.json"
        raise HomeMismatchError(f"another folder took this Prefect database while {file} was made; {WAY_BACK}")


async def check_home(storage: Storage, ledger: LedgerGateway) -> bool:
    """Whether this folder and this Prefect database are tied; False before the very first pass. Writes nothing.

    Raises HomeMismatchError.
    """
    here, there = storage.read_home(), await ledger.read_home()
    if here is not None and here == there:
        return True
    file = storage.manifests / "home.json"
    if here is not None and there is not None:
        raise HomeMismatchError(
            f"{file} and the Variable quire_home hold different ids: this folder belongs to another Prefect database "
            f"(check PREFECT_API_URL and paths.manifests); {WAY_BACK}"
        )
    if here is None and there is not None:
        raise HomeMismatchError(
            f"the Variable quire_home is there but {file} is not: is the folder mounted, is paths.manifests right? "
            f"{WAY_BACK}"
        )
    if storage.submissions():
        missing = "the Variable quire_home is missing" if here is not None else f"{file} is missing"
        raise HomeMismatchError(
            f"{missing}, but {storage.manifests / 'batches'} holds batch manifests: is this the right Prefect database "
            f"(PREFECT_API_URL)? {WAY_BACK}"
        )
    return False
