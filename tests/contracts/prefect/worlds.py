"""The two worlds that the ledger contract is held against: a real Prefect server, and the twin in memory."""

from contextlib import AsyncExitStack
from typing import Any, Protocol

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableUpdate

from flows.gateways.ports import LedgerGateway
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.ledger import PrefectLedger
from flows.gateways.prefect.locks import PrefectLock
from tests.twins.ledger import InMemoryLedger, InMemoryLock, InMemoryVariables


class World(Protocol):
    """What a test can do besides the port: be a second process, or a person in Prefect's UI. Names are short, without
    the collection."""

    prefix: str

    def gateway(self) -> LedgerGateway:
        """Another process's ledger of the same collection."""
        ...

    async def values(self) -> dict[str, object]: ...

    async def tags(self, name: str) -> list[str]: ...

    async def stamps(self) -> dict[str, object]:
        """What changes for each Variable when it is written, even with the same value."""
        ...

    async def put(self, name: str, value: object) -> None:
        """Save a Variable as a person would, creating it if need be."""
        ...

    async def put_tags(self, name: str, tags: list[str]) -> None: ...

    async def remove(self, name: str) -> None: ...

    def lose_lease(self) -> None:
        """From now on the holder of the ledger lock can no longer be sure of it."""
        ...


class PrefectWorld:
    def __init__(self, collection: str, client: PrefectClient, stack: AsyncExitStack) -> None:
        self.collection = collection
        self.prefix = f"{collection}_"
        self._client = client
        self._stack = stack
        self._skipped_seconds = 0.0

    def gateway(self) -> PrefectLedger:
        api = PrefectApi()
        self._stack.push_async_callback(api.close)
        lock = PrefectLock(
            f"{self.prefix}quire_ledger", api=api, clock=lambda: self._skipped_seconds, poll_seconds=0.05
        )
        return PrefectLedger(collection=self.collection, field_count=3, lock=lock, api=api)

    async def values(self) -> dict[str, object]:
        return {name: row["value"] for name, row in (await self._rows()).items()}

    async def tags(self, name: str) -> list[str]:
        tags: list[str] = (await self._rows())[name]["tags"]
        return tags

    async def stamps(self) -> dict[str, object]:
        return {name: row["updated"] for name, row in (await self._rows()).items()}

    async def put(self, name: str, value: object) -> None:
        if name in await self.values():
            await self._client.update_variable(VariableUpdate(name=self.prefix + name, value=value))
        else:
            await self._client.request("POST", "/variables/", json={"name": f"{self.prefix}{name}", "value": value})

    async def put_tags(self, name: str, tags: list[str]) -> None:
        await self._client.update_variable(VariableUpdate(name=self.prefix + name, tags=tags))

    async def remove(self, name: str) -> None:
        await self._client.delete_variable_by_name(f"{self.prefix}{name}")

    def lose_lease(self) -> None:
        self._skipped_seconds += 41

    async def _rows(self) -> dict[str, dict[str, Any]]:
        body = {"variables": {"name": {"like_": self.prefix}}}
        rows = (await self._client.request("POST", "/variables/filter", json=body)).json()
        return {row["name"].removeprefix(self.prefix): row for row in rows}


class MemoryWorld:
    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.prefix = f"{collection}_"
        self._lock = InMemoryLock()
        self._variables = InMemoryVariables()

    def gateway(self) -> InMemoryLedger:
        return InMemoryLedger(collection=self.collection, lock=self._lock, variables=self._variables)

    async def values(self) -> dict[str, object]:
        return {name.removeprefix(self.prefix): value for name, value in self._variables.values.items()}

    async def tags(self, name: str) -> list[str]:
        return self._variables.tags[self.prefix + name]

    async def stamps(self) -> dict[str, object]:
        return {name: self._variables.writes.count(self.prefix + name) for name in await self.values()}

    async def put(self, name: str, value: object) -> None:
        self._variables.write(self.prefix + name, value, [])

    async def put_tags(self, name: str, tags: list[str]) -> None:
        self._variables.tags[self.prefix + name] = tags

    async def remove(self, name: str) -> None:
        self._variables.delete(self.prefix + name)

    def lose_lease(self) -> None:
        assert self._lock.lease is not None
        self._lock.lease.is_lost = True
