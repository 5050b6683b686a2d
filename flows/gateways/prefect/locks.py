"""Locks between processes: strict global concurrency limits of Prefect, held by leases. Which locks there are, and what
they guard, is the business of `flows.runtime.wiring` and of the ledger gateway.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.responses import ConcurrencyLimitWithLeaseResponse, GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from assets.domain.errors import LeaseLostError, LockBusyError, PrefectUnavailableError, StateError
from flows.gateways.ports import Lease
from flows.gateways.prefect.api import PrefectApi, status_of

LEASE_SECONDS = 60.0
"""The shortest that Prefect 3.8 takes (``increment-with-lease``, read in its source)."""
RENEW_EVERY_SECONDS = 15.0
RENEW_AGAIN_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 15.0
"""For so long a limit that was looked at is taken to lock."""
STALE_SECONDS = 40.0
"""How old the last renewal may be when a write begins. With the 10 seconds that a call may take, the write has ended
before the lease can."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

_LOCKED, _GONE = 423, 410
_logger = logging.getLogger(__name__)


def boot_clock() -> float:
    """Seconds since boot. ``time.monotonic`` stands still on Linux while the machine is suspended; a lease does not."""
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)


class HeldLease:
    """A lease that is held, and when it was last renewed: the moment before that request was sent, since the server
    counts from some later one."""

    def __init__(self, lock: str, lease_id: UUID, *, renewed_at: float, lease_seconds: float, clock: Clock) -> None:
        self.lock = lock
        self.lease_id = lease_id
        self._renewed_at = renewed_at
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._is_gone = False

    def check(self) -> None:
        """Raise LeaseLostError unless the lease was renewed within the last 40 seconds."""
        age_seconds = self._clock() - self._renewed_at
        if self._is_gone or age_seconds >= STALE_SECONDS:
            what = "is gone" if self._is_gone else f"was last renewed {age_seconds:.0f} seconds ago"
            raise LeaseLostError(
                f"our hold on {self.lock} {what}, so another process may have it: stopped before the next write; "
                "the next pass goes on from here"
            )

    def renewed(self, sent_at: float) -> None:
        """Note a renewal that was sent at ``sent_at``. One that came after the lease had run out is none: the server
        may have freed the lock meanwhile."""
        if sent_at - self._renewed_at >= self._lease_seconds:
            self._is_gone = True
        self._renewed_at = sent_at

    def lost(self) -> None:
        self._is_gone = True


class PrefectLock:
    """A strict global concurrency limit of one slot.

    ``what``: what a holder is called in the message of LockBusyError. ``wait_limit_seconds``: how long
    ``hold(wait=True)`` waits at most; None waits for ever. ``api``: shared with others; without one, each hold opens a
    client of its own. ``clock``: counts seconds, never goes back.
    """

    def __init__(
        self,
        name: str,
        *,
        what: str = "pass",
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = 0.25,
        wait_limit_seconds: float | None = None,
        api: PrefectApi | None = None,
        clock: Clock = boot_clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self._what = what
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._wait_limit_seconds = wait_limit_seconds
        self._api = api
        self._clock = clock
        self._sleep = sleep
        self._looked_at: float | None = None

    def hold(self, *, wait: bool) -> AbstractAsyncContextManager[Lease]:
        """Hold it; not reentrant. ``wait=False`` raises LockBusyError at once when somebody else holds it.

        A holder that dies frees it when its lease runs out and the server has noticed: 60 to 75 seconds. An answer
        that is lost on the way can leave the slot taken for that long, too.

        Raises LockBusyError, PrefectUnavailableError, and StateError if a person has switched the limit off.
        """
        return self._held(wait=wait)

    @asynccontextmanager
    async def _held(self, *, wait: bool) -> AsyncIterator[Lease]:
        api = self._api or PrefectApi()
        try:
            lease = await self._acquire(api, wait=wait)
            renewing = asyncio.create_task(self._keep(api, lease))
            try:
                yield lease
            finally:
                # The release must go out even when the body was cancelled, or the next holder waits for a minute.
                with anyio.CancelScope(shield=True):
                    await _stopped(renewing)
                    await self._release(api, lease)
        finally:
            if self._api is None:
                with anyio.CancelScope(shield=True):
                    await api.close()

    async def _acquire(self, api: PrefectApi, *, wait: bool) -> HeldLease:
        started_at = self._clock()
        if self._looked_at is None or started_at - self._looked_at >= LOOK_AGAIN_SECONDS:
            await api.call(self._ensure_limit)
            self._looked_at = started_at
        has_warned = False
        while True:
            sent_at = self._clock()
            lease_id = await self._try_once(api)
            if lease_id is not None:
                return HeldLease(
                    self.name, lease_id, renewed_at=sent_at, lease_seconds=self._lease_seconds, clock=self._clock
                )
            waited_seconds = self._clock() - started_at
            if not wait or (self._wait_limit_seconds is not None and waited_seconds >= self._wait_limit_seconds):
                raise LockBusyError(self.name, self._busy_message(waited_seconds if wait else 0))
            if waited_seconds >= 2 * self._lease_seconds and not has_warned:
                has_warned = True
                _logger.warning("Still waiting: %s", self._busy_message(waited_seconds))
            await self._sleep(self._poll_seconds)

    def _busy_message(self, waited_seconds: float) -> str:
        since = f", for {waited_seconds:.0f} seconds now" if waited_seconds >= 1 else ""
        return (
            f"another {self._what} is running{since} (it holds Prefect's concurrency limit {self.name}); "
            "if its process is gone, the limit frees itself within two minutes"
        )

    async def _ensure_limit(self, client: PrefectClient) -> None:
        """Create the limit if it is missing; never touch one that is there, whose slot may be taken. A limit that is
        switched off, or has more than one slot, locks nothing (3.9.1), so it is looked at, if that was not done a
        moment ago. More than one slot is told with each lease, too."""
        try:
            limit: GlobalConcurrencyLimitResponse = await client.read_global_concurrency_limit_by_name(self.name)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):
                await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=self.name, limit=1))
            return
        if not limit.active or limit.limit != 1 or limit.slot_decay_per_second:
            raise self._no_lock()

    def _no_lock(self) -> StateError:
        return StateError(
            f"Prefect's concurrency limit {self.name} no longer locks: it must be active, with a limit of 1 and no "
            "slot decay; correct it in Prefect's UI under Concurrency, or delete it when no pass is running"
        )

    async def _try_once(self, api: PrefectApi) -> UUID | None:
        """The id of the lease, or None if the slot is taken."""
        try:
            response = await api.call(
                lambda client: client.increment_concurrency_slots_with_lease(
                    names=[self.name], slots=1, mode="concurrency", lease_duration=self._lease_seconds
                )
            )
        except httpx.HTTPStatusError as error:
            if status_of(error) == _LOCKED:
                return None
            raise
        granted = ConcurrencyLimitWithLeaseResponse.model_validate(response.json())
        if not granted.limits:
            # Somebody deleted the limit a moment ago: what was granted locks nothing.
            await api.call(self._ensure_limit)
            return None
        if granted.limits[0].limit != 1:
            await api.call(lambda client: client.release_concurrency_slots_with_lease(granted.lease_id))
            raise self._no_lock()
        return granted.lease_id

    async def _keep(self, api: PrefectApi, lease: HeldLease) -> None:
        """Renew until cancelled, or until the server says that the lease is gone."""
        wait_seconds = RENEW_EVERY_SECONDS
        while True:
            await self._sleep(wait_seconds)
            sent_at = self._clock()
            try:
                await api.call(
                    lambda client: client.renew_concurrency_lease(lease.lease_id, self._lease_seconds), attempts=1
                )
            except (PrefectUnavailableError, httpx.HTTPError) as error:
                if status_of(error) == _GONE:
                    lease.lost()
                    return
                _logger.warning("Could not renew our hold on %s: %s", self.name, error)
                wait_seconds = RENEW_AGAIN_SECONDS
            else:
                lease.renewed(sent_at)
                wait_seconds = RENEW_EVERY_SECONDS

    async def _release(self, api: PrefectApi, lease: HeldLease) -> None:
        try:
            await api.call(lambda client: client.release_concurrency_slots_with_lease(lease.lease_id))
        except (PrefectUnavailableError, httpx.HTTPError) as error:
            _logger.warning("Could not release %s; it frees itself when its lease runs out: %s", self.name, error)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.error("Renewing a lease ended with an error", exc_info=error)
