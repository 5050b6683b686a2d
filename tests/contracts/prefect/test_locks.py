"""What every Lock promises, and what the real one does when a lease, a holder or the limit itself is lost."""

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

from assets.domain.errors import LeaseLostError, LockBusyError, StateError
from flows.gateways.ports import Lock
from flows.gateways.prefect.ledger import PrefectLedger
from flows.gateways.prefect.locks import LOOK_AGAIN_SECONDS, HeldLease, PrefectLock
from tests.prefect_server import PrefectServer
from tests.twins.ledger import InMemoryLock

ROOT = Path(__file__).parents[3]


class TurnedClock:
    """A clock that a test turns; its sleepers wake when their time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self._somebody_sleeps = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.now + seconds, woken))
        self._somebody_sleeps.set()
        await woken.wait()

    def turn(self, seconds: float) -> None:
        self.now += seconds
        for due, woken in self._sleepers:
            if due <= self.now:
                woken.set()
        self._sleepers = [(due, woken) for due, woken in self._sleepers if due > self.now]
        if not self._sleepers:
            self._somebody_sleeps.clear()

    async def until_somebody_sleeps(self) -> None:
        async with asyncio.timeout(20):
            await self._somebody_sleeps.wait()


@pytest.fixture
def make_lock(world_kind: str, collection: str) -> Callable[[], Lock]:
    """Makes the same lock for one more process."""
    if world_kind == "memory":
        shared = InMemoryLock(f"{collection}_quire_pass")
        return lambda: shared
    return lambda: PrefectLock(f"{collection}_quire_pass", poll_seconds=0.05)


async def test_a_second_holder_is_told_in_one_line(make_lock: Callable[[], Lock]) -> None:
    first, second = make_lock(), make_lock()
    async with first.hold(wait=False) as lease:
        lease.check()
        with pytest.raises(LockBusyError, match=r"^another pass is running .*quire_pass") as raised:
            async with second.hold(wait=False):
                pytest.fail("two passes ran at once")
        assert "\n" not in str(raised.value)
        assert raised.value.lock == first.name


async def test_it_is_free_again_after_the_body_also_after_an_error(make_lock: Callable[[], Lock]) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        async with make_lock().hold(wait=False):
            raise RuntimeError("boom")
    async with make_lock().hold(wait=False):
        pass


async def test_it_is_free_again_after_a_cancellation(make_lock: Callable[[], Lock]) -> None:
    entered = asyncio.Event()

    async def body() -> None:
        async with make_lock().hold(wait=False):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    async with make_lock().hold(wait=False):
        pass


async def test_who_waits_gets_it_next_and_never_at_the_same_time(make_lock: Callable[[], Lock]) -> None:
    inside = 0
    peak = 0

    async def body() -> None:
        nonlocal inside, peak
        async with make_lock().hold(wait=True):
            inside += 1
            peak = max(peak, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(body() for _ in range(4)))
    assert peak == 1


async def test_waiting_has_an_end_if_one_is_set(prefect_api_url: str, collection: str) -> None:
    clock = TurnedClock()
    first = PrefectLock(f"{collection}_quire_ledger")
    second = PrefectLock(
        f"{collection}_quire_ledger", what="change", wait_limit_seconds=300, clock=clock, sleep=clock.sleep
    )
    async with first.hold(wait=False):
        waiting = asyncio.create_task(_enter(second))
        await clock.until_somebody_sleeps()
        clock.turn(301)
        with pytest.raises(LockBusyError, match="another change is running, for 301 seconds now"):
            await waiting


async def _enter(lock: Lock) -> None:
    async with lock.hold(wait=True):
        pass


async def test_a_lease_is_renewed_and_stale_after_40_seconds_without(prefect_api_url: str, collection: str) -> None:
    clock = TurnedClock()
    async with PrefectLock(f"{collection}_quire_pass", clock=clock, sleep=clock.sleep).hold(wait=False) as lease:
        for _ in range(5):
            await clock.until_somebody_sleeps()
            clock.turn(15)
        await clock.until_somebody_sleeps()
        lease.check()
        clock.now += 39.9
        lease.check()
        clock.now += 0.2
        with pytest.raises(LeaseLostError, match="last renewed 40 seconds ago"):
            lease.check()


async def test_a_lease_that_the_server_no_longer_knows_is_lost(prefect_api_url: str, collection: str) -> None:
    clock = TurnedClock()
    async with PrefectLock(f"{collection}_quire_pass", clock=clock, sleep=clock.sleep).hold(wait=False) as lease:
        assert isinstance(lease, HeldLease)
        await clock.until_somebody_sleeps()
        async with get_client() as client:
            await client.release_concurrency_slots_with_lease(lease.lease_id)
        clock.turn(15)
        async with asyncio.timeout(20):
            while not _is_lost(lease):  # noqa: ASYNC110 - nothing else tells that the renewal was answered
                await asyncio.sleep(0.01)
        with pytest.raises(LeaseLostError, match="is gone"):
            lease.check()


def _is_lost(lease: HeldLease) -> bool:
    try:
        lease.check()
    except LeaseLostError:
        return True
    return False


def test_a_renewal_after_the_lease_had_run_out_does_not_count() -> None:
    clock = TurnedClock()
    lease = HeldLease("quire_pass", uuid.uuid4(), renewed_at=0.0, lease_seconds=60, clock=clock)
    clock.now = 61
    lease.renewed(61)
    with pytest.raises(LeaseLostError, match="is gone"):
        lease.check()


@pytest.mark.parametrize("is_first_hold", [True, False])
@pytest.mark.parametrize("change", [{"active": False}, {"limit": 2}])
async def test_a_limit_that_no_longer_locks_is_refused(
    prefect_api_url: str, collection: str, change: dict[str, int], is_first_hold: bool
) -> None:
    name = f"{collection}_quire_pass"
    clock = TurnedClock()
    lock = PrefectLock(name, clock=clock)
    await _enter(lock)
    clock.now += LOOK_AGAIN_SECONDS
    async with get_client() as client:
        await client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate.model_validate(change))
    with pytest.raises(StateError, match=f"concurrency limit {name} no longer locks"):
        await _enter(PrefectLock(name) if is_first_hold else lock)


async def test_a_limit_that_was_deleted_is_made_again(prefect_api_url: str, collection: str) -> None:
    name = f"{collection}_quire_pass"
    await _enter(PrefectLock(name))
    async with get_client() as client:
        await client.delete_global_concurrency_limit_by_name(name)
    async with PrefectLock(name).hold(wait=False):
        with pytest.raises(LockBusyError):
            async with PrefectLock(name).hold(wait=False):
                pytest.fail("two passes ran at once")


async def test_a_killed_holder_lets_go_when_its_lease_ends(
    prefect_server: PrefectServer, prefect_api_url: str, collection: str
) -> None:
    lock = PrefectLock(f"{collection}_quire_pass")
    holder = await _worker(prefect_server, "hold", collection, "quire_pass")
    assert holder.stdout is not None
    async with asyncio.timeout(60):
        assert await holder.stdout.readline() == b"held\n"
    os.kill(holder.pid, signal.SIGKILL)
    await holder.wait()
    with pytest.raises(LockBusyError):
        async with lock.hold(wait=False):
            pytest.fail("the lock of a dead holder was free at once")
    # The lease is made to end in the server's own files, as waiting for it would take a minute.
    _end_all_leases(prefect_server.home / "concurrency_leases")
    async with asyncio.timeout(40):
        await _enter(lock)


async def test_two_processes_with_fifty_changes_each_lose_none(
    prefect_server: PrefectServer, prefect_api_url: str, collection: str
) -> None:
    ledger = PrefectLedger(collection=collection, field_count=3, lock=PrefectLock(f"{collection}_quire_ledger"))
    async with ledger:
        await ledger.create_home("home-1")
        workers = [await _worker(prefect_server, "change", collection, name) for name in ("A", "B")]
        async with asyncio.timeout(120):
            assert [await worker.wait() for worker in workers] == [0, 0]
        snapshot = await ledger.read()
    assert len(snapshot.counts) == 100
    assert len(snapshot.active) == 100


async def _worker(server: PrefectServer, *arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.contracts.prefect.worker", *arguments)
    return await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=server.environment(), stdout=asyncio.subprocess.PIPE
    )


def _end_all_leases(folder: Path) -> None:
    """Tests run one after the other, so all leases that are left belong to the holder that was killed."""
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    index = folder / "expirations.json"
    for file in folder.glob("*-*.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "expiration": past}))
    index.write_text(json.dumps(dict.fromkeys(json.loads(index.read_text()), past)))
