"""The mirror without Prefect: assets are made and checked, calls are tried again, reports are dropped. For passes by
the thousand, as a task of Prefect's costs more than what is in it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from assets.domain.errors import QuireError
from assets.graph import AssetGraph
from config.failing import RetriesSection
from flows.gateways.prefect.api import PrefectApi
from flows.runtime.mirror import Mirror, Write
from flows.runtime.telling import Teller

R = TypeVar("R")


class DirectMirror(Mirror):
    def __init__(self, graph: AssetGraph, *, collection: str, retries: RetriesSection) -> None:
        super().__init__(graph, collection=collection, retries=retries)
        self._graph, self._attempts = graph, retries.attempts

    async def materialize(
        self,
        name: str,
        *upstream: Any,
        made: Any = None,
        write: Write | None = None,
        about: str = "",
        **settings: Any,
    ) -> Any:
        value = made if made is not None else await asyncio.to_thread(self._graph[name], *upstream, **settings)
        if write is not None:
            await write(value)
        return value

    async def subflow(self, name: str, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        return await call()

    async def retried(self, name: str, call: Callable[[], Awaitable[R]]) -> R:
        for left in reversed(range(self._attempts)):
            try:
                return await call()
            except QuireError as error:
                if not (error.retry_helps and left):
                    raise
        raise AssertionError("the last try returns or raises")


class SilentTeller(Teller):
    """Tells nobody anything."""

    def __init__(self) -> None:
        super().__init__(PrefectApi(), collection="")

    async def _tell(self, what: str, send: object) -> None:
        pass
