"""The mirror without Prefect, and without pauses: for passes by the thousand, as a task of Prefect's costs more than
what is in it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from assets.domain.errors import QuireError
from assets.graph import AssetGraph
from config.failing import RetriesSection
from flows.runtime.untold import UntoldMirror

R = TypeVar("R")


class DirectMirror(UntoldMirror):
    def __init__(self, graph: AssetGraph, *, collection: str, retries: RetriesSection) -> None:
        super().__init__(graph, collection=collection, retries=retries)
        self._attempts = retries.attempts

    async def retried(self, name: str, call: Callable[[], Awaitable[R]]) -> R:
        for left in reversed(range(self._attempts)):
            try:
                return await call()
            except QuireError as error:
                if not (error.retry_helps and left):
                    raise
        raise AssertionError("the last try returns or raises")
