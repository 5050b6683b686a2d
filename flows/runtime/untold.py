"""A mirror and a teller that tell Prefect nothing: for work that needs files alone. What they stand for is in `mirror`
and `telling`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from prefect.client.orchestration import PrefectClient

from assets.catalog import CATALOG
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.gateways.ports import Lease
from flows.gateways.prefect.api import PrefectApi
from flows.runtime.mirror import Mirror, Write
from flows.runtime.telling import Teller

R = TypeVar("R")


class UntoldMirror(Mirror):
    """Assets are made, checked and written, without a task of Prefect's."""

    async def materialize(
        self,
        name: str,
        *upstream: Any,
        made: Any = None,
        write: Write | None = None,
        about: str = "",
        **settings: Any,
    ) -> Any:
        value = made if made is not None else await asyncio.to_thread(self.observe, name, *upstream, **settings)
        if write is not None:
            await write(value)
        return value

    async def subflow(self, name: str, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        return await call()


class UntoldTeller(Teller):
    """Tells nobody anything, and opens no client."""

    def __init__(self) -> None:
        super().__init__(PrefectApi(), collection="")

    async def _tell(self, what: str, send: Callable[[PrefectClient], Awaitable[object]]) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class UntoldServices:
    """What a scan needs of services."""

    settings: Settings
    storage: Storage
    mirror: UntoldMirror
    teller: UntoldTeller


@dataclass(frozen=True, slots=True)
class UntoldScan:
    """A scan of which Prefect hears nothing: see `flows.runtime.passes.ScanPass`."""

    services: UntoldServices
    lease: Lease


def untold_scan(settings: Settings, storage: Storage, lease: Lease) -> UntoldScan:
    """``lease``: the right to write what the scan finds."""
    mirror = UntoldMirror(CATALOG, collection=settings.collection, retries=settings.retries)
    return UntoldScan(UntoldServices(settings, storage, mirror, UntoldTeller()), lease)
