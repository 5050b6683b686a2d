"""A bar for a step that takes long, and none for one that does not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from flows.runtime.long_steps import long_step
from flows.runtime.telling import ProgressTeller
from flows.runtime.untold import UntoldTeller


class ListeningTeller(UntoldTeller):
    """Keeps what it was told: the bars that were begun, and each update."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.told: list[tuple[float, str | None]] = []

    async def begin_progress(self, name: str, description: str) -> ProgressTeller:
        self.begun.append(f"{name}: {description}")
        return _Bar(self.told)


class _Bar(ProgressTeller):
    def __init__(self, told: list[tuple[float, str | None]]) -> None:
        async def nobody(what: str, send: Callable[[Any], Awaitable[object]]) -> None:
            """Nobody is asked."""

        super().__init__(nobody, uuid4(), "bar")
        self._told = told

    async def update(self, percent: float, *, description: str | None = None) -> None:
        self._told.append((percent, description))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - it is told by a task of its own
            await asyncio.sleep(0.001)


async def test_a_long_step_says_how_far_it_is_and_ends_at_a_hundred() -> None:
    teller = ListeningTeller()
    async with long_step(teller, "uploading", "Uploading", 4, patience_seconds=0.0, look_seconds=0.001) as done:
        done.count = 1
        await until(lambda: (25.0, "Uploading: 1 of 4") in teller.told)
        done.count = 4
        await until(lambda: (99.0, "Uploading: 4 of 4") in teller.told)

    assert teller.begun == ["uploading: Uploading"]
    assert teller.told[-1] == (100.0, "Uploading: 4 done")


async def test_of_how_much_there_is_it_says_nothing_where_nobody_knows() -> None:
    teller = ListeningTeller()

    async def fails() -> None:
        async with long_step(teller, "scanning", "Looking", 0, patience_seconds=0.0, look_seconds=0.001) as done:
            done.count = 1200
            await until(lambda: (0.0, "Looking: 1,200") in teller.told)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await fails()
    assert teller.told[-1] == (100.0, "Looking: 1,200 done"), "a bar that nobody moves any more would look as if it ran"


async def test_a_short_step_leaves_nothing() -> None:
    teller = ListeningTeller()
    async with long_step(teller, "uploading", "Uploading", 4) as done:
        done.count = 4
    assert (teller.begun, teller.told) == ([], [])
