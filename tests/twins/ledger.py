"""The ledger and its lock in memory. The Variables are a plain dictionary that a test may edit as a person would; it
refuses what Prefect refuses."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from assets.domain.errors import WAY_BACK, HomeMismatchError, LeaseLostError, LedgerError, LockBusyError
from assets.domain.home import Home, home_value, note_submissions, parse_home
from assets.domain.ledger import (
    EMPTY_VALUES,
    HOME,
    CountChange,
    Ledger,
    apply_counts,
    collection_prefix,
    remove_counts,
    set_active,
    set_views,
    variable_writes,
)
from assets.domain.ledger_parsing import parse_ledger
from assets.domain.ledger_rebuilding import rebuilt_ledger
from flows.gateways.ports import Lease


class InMemoryLease:
    """``is_lost``: set it, and every further write is refused."""

    def __init__(self) -> None:
        self.is_lost = False

    def check(self) -> None:
        if self.is_lost:
            raise LeaseLostError("our hold on the lock is gone")


class InMemoryLock:
    """A lock within one event loop. ``lease``: that of the present holder, or None."""

    def __init__(self, name: str = "lock") -> None:
        self.name = name
        self.lease: InMemoryLease | None = None
        self._lock = asyncio.Lock()

    def hold(self, *, wait: bool) -> AbstractAsyncContextManager[Lease]:
        return self._held(wait=wait)

    @asynccontextmanager
    async def _held(self, *, wait: bool) -> AsyncIterator[Lease]:
        if not wait and self._lock.locked():
            raise LockBusyError(self.name, f"another pass is running (it holds {self.name})")
        async with self._lock:
            self.lease = InMemoryLease()
            try:
                yield self.lease
            finally:
                self.lease = None


@dataclass
class InMemoryVariables:
    """What Prefect would hold. ``values``: full name -> JSON value; ``writes``: every name that was written or deleted,
    in order."""

    values: dict[str, object] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    def write(self, name: str, value: object, tags: Sequence[str]) -> None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > 5000:
            raise ValueError(f"Variable {name} would hold more than 5,000 bytes")
        self.values[name] = json.loads(text)
        self.tags.setdefault(name, list(tags))
        self.writes.append(name)

    def delete(self, name: str) -> None:
        del self.values[name], self.tags[name]
        self.writes.append(name)


async def _no_matter(call: str) -> None:
    """What is done before a call, if nobody wants to do anything."""


class InMemoryLedger:
    """LedgerGateway and LedgerTransaction in memory. Twins of one collection share ``variables`` and ``lock``.
    ``before_call``: awaited before each read, and before each write of one Variable."""

    def __init__(
        self,
        *,
        collection: str = "",
        field_count: int = 3,
        lock: InMemoryLock | None = None,
        variables: InMemoryVariables | None = None,
        before_call: Callable[[str], Awaitable[None]] = _no_matter,
    ) -> None:
        self.prefix = collection_prefix(collection)
        self.tags = ["quire", collection] if collection else ["quire"]
        self.field_count = field_count
        self.lock = lock or InMemoryLock()
        self.variables = variables or InMemoryVariables()
        self.before_call = before_call
        self._seen_home: Home | None = None
        self.latest: Ledger | None = None

    async def read(self) -> Ledger:
        if await self.read_home() is None:
            raise LedgerError(f"{self.prefix}{HOME}", "there is none", way_out=WAY_BACK)
        values = copy.deepcopy(self.variables.values)
        self.latest = parse_ledger(values, prefix=self.prefix, field_count=self.field_count)
        return self.latest

    async def recall(self) -> Ledger:
        return self.latest or await self.read()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["InMemoryTransaction"]:
        async with self.lock.hold(wait=True) as lease:
            yield InMemoryTransaction(await self.read(), lease, self)

    async def read_home(self) -> Home | None:
        await self.before_call("read_variables")
        name = f"{self.prefix}{HOME}"
        if name not in self.variables.values:
            return None
        home, seen = parse_home(name, self.variables.values[name]), self._seen_home
        if seen is not None and (seen.id != home.id or (seen.newest or "") > (home.newest or "")):
            raise HomeMismatchError(f"the Variable {name} changed while we ran")
        self._seen_home = home
        return home

    async def create_home(self, home_id: str) -> str:
        async with self.lock.hold(wait=True) as lease:
            if (there := await self.read_home()) is not None:
                return there.id
            values = self.variables.values
            for name, value in values.items():
                if name.startswith(self.prefix) and value != EMPTY_VALUES.get(name.removeprefix(self.prefix)):
                    raise LedgerError(name, "it holds something", way_out=f"{WAY_BACK}, or delete it")
            lease.check()
            for base, empty in {**EMPTY_VALUES, HOME: home_value(Home(home_id))}.items():
                if f"{self.prefix}{base}" not in values:
                    await self.before_call("write_variable")
                    self.variables.write(f"{self.prefix}{base}", empty, self.tags)
            self._seen_home = Home(home_id)
            return home_id

    async def rebuild(
        self, home: Home, *, records: Mapping[str, tuple[str, Sequence[str]]], counts: Mapping[str, int]
    ) -> None:
        target = rebuilt_ledger(self.prefix, records, counts).stored
        async with self.lock.hold(wait=True) as lease:
            lease.check()
            variable = f"{self.prefix}{HOME}"
            others = [each for each in self.variables.values if each not in target and each != variable]
            for name in [variable, *others]:
                if name in self.variables.values and name.startswith(self.prefix):
                    self.variables.delete(name)
            for name, value in {**target, variable: home_value(home)}.items():
                lease.check()
                self.variables.write(name, value, self.tags)
            self._seen_home, self.latest = home, None


class InMemoryTransaction:
    """LedgerTransaction of `InMemoryLedger`."""

    def __init__(self, ledger: Ledger, lease: Lease, owner: InMemoryLedger) -> None:
        self.ledger = ledger
        self._lease = lease
        self._owner = owner

    def check(self) -> None:
        self._lease.check()

    async def set_active(self, names: Sequence[str]) -> Ledger:
        return await self._advance([set_active(self.ledger, names)])

    async def apply_counts(self, changes: Iterable[CountChange]) -> Ledger:
        return await self._advance(apply_counts(self.ledger, changes))

    async def set_views(self, records: Mapping[str, tuple[str, Sequence[str]]]) -> Ledger:
        return await self._advance([set_views(self.ledger, records)])

    async def remove_counts(self, keys: Iterable[str]) -> Ledger:
        return await self._advance(remove_counts(self.ledger, keys))

    async def note_submissions(self, *, newest: str = "", closed: int = 0) -> Ledger:
        return await self._advance([note_submissions(self.ledger, newest, closed)])

    async def _advance(self, stages: Iterable[Ledger]) -> Ledger:
        for stage in stages:
            for name, value in variable_writes(self.ledger, stage).items():
                self._lease.check()
                await self._owner.before_call("write_variable")
                if value is None:
                    self._owner.variables.delete(name)
                else:
                    self._owner.variables.write(name, value, self._owner.tags)
            self.ledger = self._owner.latest = stage
        return self.ledger
