"""The ledger on Prefect Variables: the only user of Prefect's Variables. What a value means, and how it may change, is
`assets.domain.ledger`; here it is read in one request, and written stage by stage under the ledger lock.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from assets.domain.errors import WAY_BACK, HomeMismatchError, LedgerError
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
    variable_names,
    variable_writes,
)
from assets.domain.ledger_parsing import parse_ledger
from assets.domain.ledger_rebuilding import rebuilt_ledger
from flows.gateways.ports import Lease, Lock
from flows.gateways.prefect.api import PrefectApi, status_of

TAG = "quire"
_NOT_FOUND = 404
_PAGES_ASKED = 60
"""Page numbers asked for at once: with three paged Variables and the two without pages below 200, the most that one
answer of ``/variables/filter`` holds (Prefect 3.8)."""


class PrefectLedger:
    """LedgerGateway on the Variables of one collection.

    ``collection``: its name, or "". ``field_count``: document fields in a record key. ``lock``: the ledger lock.
    ``api``: shared with others; without one, a client of its own, closed at the end of ``async with``. Not for use
    from several event loops.
    """

    def __init__(self, *, collection: str, field_count: int, lock: Lock, api: PrefectApi | None = None) -> None:
        self._prefix = collection_prefix(collection)
        self._tags = [TAG, collection] if collection else [TAG]
        self._field_count = field_count
        self._lock = lock
        self._owns_api = api is None
        self._api = api or PrefectApi()
        self._home: Home | None = None
        self._latest: Ledger | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_api:
            await self._api.close()

    async def read(self) -> Ledger:
        """A validated snapshot, in one request for up to 60 pages of each Variable.

        Raises LedgerError, also when there is no ``quire_home``: Variables that vanished must not look like empty ones.
        Raises HomeMismatchError when it is another home, or an older state of it, than this gateway has seen before,
        PrefectUnavailableError.
        """
        values = await self._read_values()
        home = self._home_in(values)
        if home is None:
            raise LedgerError(
                self._home_name,
                "there is none, so this Prefect database does not know this collection",
                way_out=f"check PREFECT_API_URL and the setting collection, or {WAY_BACK}",
            )
        self._remember(home)
        self._latest = await asyncio.to_thread(parse_ledger, values, prefix=self._prefix, field_count=self._field_count)
        return self._latest

    async def recall(self) -> Ledger:
        """What was read or written last; without either, `read`."""
        return self._latest or await self.read()

    def transaction(self) -> AbstractAsyncContextManager["PrefectTransaction"]:
        """Take the ledger lock (waiting for it), read afresh, and let the body write."""
        return self._transaction()

    async def read_home(self) -> Home | None:
        """What ``quire_home`` holds, or None if there is no such Variable. Raises LedgerError, HomeMismatchError."""
        home = self._home_in(await self._filter([self._home_name]))
        if home is not None:
            self._remember(home)
        return home

    async def create_home(self, home_id: str) -> str:
        """Create missing Variables empty, then ``quire_home``, so that a crash in between leaves what the next call
        accepts. Returns the id that stands there then: somebody else's, if they were first.

        Raises LedgerError if a Variable that holds something is there without a ``quire_home``.
        """
        async with self._lock.hold(wait=True) as lease:
            values = await self._read_values()
            there = self._home_in(values)
            if there is None:
                self._refuse_strangers(values)
                for base, empty in EMPTY_VALUES.items():
                    if f"{self._prefix}{base}" not in values:
                        await self._create(f"{self._prefix}{base}", empty, lease.check)
                made = Home(home_id)
                created = await self._create(self._home_name, home_value(made), lease.check)
                there = made if created else self._home_in(await self._filter([self._home_name]))
        if there is None:
            raise LedgerError(self._home_name, "it was deleted while it was made", way_out="run the pass again")
        self._remember(there)
        return there.id

    async def rebuild(
        self, home: Home, *, records: Mapping[str, tuple[str, Sequence[str]]], counts: Mapping[str, int]
    ) -> None:
        """Make the Variables say this and nothing else, whatever they say now. ``quire_home`` goes first and comes
        last, so that what is half done is never taken for whole. Raises LedgerError if it does not fit; then nothing
        was written."""
        target = rebuilt_ledger(self._prefix, records, counts)
        async with self._lock.hold(wait=True) as lease:
            there = await self._read_values()
            if self._home_name in there:
                await self._delete(self._home_name, lease.check)
            for name in there.keys() - target.stored.keys() - {self._home_name}:
                await self._delete(name, lease.check)
            for name, value in target.stored.items():
                if name in there or not await self._create(name, value, lease.check):
                    await self._update(name, value, lease.check)
            await self._create(self._home_name, home_value(home), lease.check)
        self._home, self._latest = home, None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator["PrefectTransaction"]:
        async with self._lock.hold(wait=True) as lease:
            yield PrefectTransaction(await self.read(), partial(self._write_changes, lease), lease.check)

    @property
    def _home_name(self) -> str:
        return f"{self._prefix}{HOME}"

    def _home_in(self, values: Mapping[str, object]) -> Home | None:
        return parse_home(self._home_name, values[self._home_name]) if self._home_name in values else None

    def _remember(self, home: Home) -> None:
        before, self._home = self._home, home
        if before is None or (before.id == home.id and (home.newest or "") >= (before.newest or "")):
            return
        raise HomeMismatchError(
            f"the Variable {self._home_name} changed while we ran, so the Prefect database was exchanged: nothing "
            "more is written; check PREFECT_API_URL"
        )

    def _refuse_strangers(self, values: Mapping[str, object]) -> None:
        empty = {f"{self._prefix}{base}": value for base, value in EMPTY_VALUES.items()}
        for name, value in values.items():
            # Further pages count too: an empty one is as harmless as an empty first page.
            if value != empty.get(name) and not (name not in empty and value in ({}, [])):
                raise LedgerError(
                    name,
                    f"it holds something, but there is no {self._home_name} that says whose it is",
                    way_out=f"if it is this collection's, {WAY_BACK}; otherwise delete it",
                )

    async def _read_values(self) -> dict[str, object]:
        """The values of all our Variables that are there. Page numbers may have gaps that a person made; a gap of 30
        ends the search."""
        values: dict[str, object] = {}
        first = 1
        while True:
            last = first + _PAGES_ASKED - 1
            values |= await self._filter(variable_names(self._prefix, first_page=first, last_page=last))
            upper_half = variable_names(self._prefix, first_page=last - _PAGES_ASKED // 2 + 1, last_page=last)
            if values.keys().isdisjoint(upper_half):
                return values
            first = last + 1

    async def _filter(self, names: Sequence[str]) -> dict[str, object]:
        return await _filtered(self._api, {"any_": list(names)}, 0)

    async def _write_changes(self, lease: Lease, before: Ledger, after: Ledger) -> None:
        for name, value in variable_writes(before, after).items():
            if value is None:
                await self._delete(name, lease.check)
            elif name in before.stored or not await self._create(name, value, lease.check):
                await self._update(name, value, lease.check)
        self._latest = after

    async def _update(self, name: str, value: object, check: Callable[[], None]) -> None:
        """Write a Variable that is there. No tags are sent, so that a person's stay (3.8: what is unset stays)."""

        async def send(client: PrefectClient) -> None:
            await client.update_variable(VariableUpdate(name=name, value=value))

        try:
            await self._api.call(send, before_each_try=check)
        except httpx.HTTPStatusError as error:
            if status_of(error) != _NOT_FOUND:
                raise
            raise LedgerError(
                name,
                "it was deleted while we were about to write it",
                way_out=f"run the pass again; if the Prefect database was wiped, {WAY_BACK}",
            ) from error

    async def _create(self, name: str, value: object, check: Callable[[], None]) -> bool:
        """Create a Variable; False if it is there already."""

        async def send(client: PrefectClient) -> None:
            await client.create_variable(VariableCreate(name=name, value=value, tags=self._tags))

        try:
            await self._api.call(send, before_each_try=check)
        except ObjectAlreadyExists:
            return False
        return True

    async def _delete(self, name: str, check: Callable[[], None]) -> None:
        async def send(client: PrefectClient) -> None:
            await client.delete_variable_by_name(name)

        # It may be gone: a try of ours took effect and its answer was lost.
        with suppress(ObjectNotFound):
            await self._api.call(send, before_each_try=check)


class PrefectTransaction:
    """LedgerTransaction: one change of the Variables while the ledger lock is held."""

    def __init__(
        self, ledger: Ledger, write: Callable[[Ledger, Ledger], Awaitable[None]], check: Callable[[], None]
    ) -> None:
        self.ledger = ledger
        self._write = write
        self._check = check

    def check(self) -> None:
        self._check()

    async def set_active(self, names: Sequence[str]) -> Ledger:
        return await self._advance(lambda: [set_active(self.ledger, names)])

    async def apply_counts(self, changes: Iterable[CountChange]) -> Ledger:
        return await self._advance(lambda: apply_counts(self.ledger, changes))

    async def set_views(self, records: Mapping[str, tuple[str, Sequence[str]]]) -> Ledger:
        return await self._advance(lambda: [set_views(self.ledger, records)])

    async def remove_counts(self, keys: Iterable[str]) -> Ledger:
        return await self._advance(lambda: remove_counts(self.ledger, keys))

    async def note_submissions(self, *, newest: str = "", closed: int = 0) -> Ledger:
        return await self._advance(lambda: [note_submissions(self.ledger, newest, closed)])

    async def _advance(self, reckon: Callable[[], list[Ledger]]) -> Ledger:
        """Write the stages that ``reckon`` finds. In a thread: a change of 100,000 records takes seconds, in which the
        lease has to be renewed."""
        for stage in await asyncio.to_thread(reckon):
            await self._write(self.ledger, stage)
            self.ledger = stage
        return self.ledger


async def read_collections(api: PrefectApi) -> dict[str, Ledger | LedgerError]:
    """Every collection in this Prefect, by name, with what its Variables say, or why they cannot be understood. Further
    pages of counts than a few dozen are not looked at."""
    found: dict[str, Ledger | LedgerError] = {}
    for home in sorted(await _home_names(api)):
        prefix = home.removesuffix(HOME)
        values = await _filtered(api, {"any_": variable_names(prefix, first_page=1, last_page=_PAGES_ASKED)}, 0)
        try:
            found[prefix.removesuffix("_")] = parse_ledger(values, prefix=prefix)
        except LedgerError as error:
            found[prefix.removesuffix("_")] = error
    return found


async def _home_names(api: PrefectApi) -> set[str]:
    names: set[str] = set()
    offset = 0
    while page := await _filtered(api, {"like_": HOME}, offset):
        names |= {name for name in page if name == HOME or name.endswith(f"_{HOME}")}
        offset += len(page)
    return names


async def _filtered(api: PrefectApi, name_is: Mapping[str, object], offset: int) -> dict[str, object]:
    async def send(client: PrefectClient) -> Any:
        # PrefectClient.read_variables takes no filter (3.8).
        body = {"variables": {"name": dict(name_is)}, "limit": 200, "offset": offset, "sort": "NAME_ASC"}
        return (await client.request("POST", "/variables/filter", json=body)).json()

    return {variable["name"]: variable["value"] for variable in await api.call(send)}
