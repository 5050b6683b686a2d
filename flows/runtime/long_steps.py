"""A bar in Prefect, and in a terminal, for a step that takes long: Prefect's begins once the step has, so that a short
one leaves nothing. The bar itself stands in `flows.runtime.telling`; rendering, which is always long, has one from the
beginning (`flows.render`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flows.runtime.progress import tell_step
from flows.runtime.telling import ProgressTeller, Teller

PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 5.0
SHOW_SECONDS = 0.25
"""How often a terminal is told, where somebody looks at one."""


@dataclass(slots=True)
class Done:
    """``count``: how much of it is done; whoever does it counts on, in any thread."""

    count: int = 0


@asynccontextmanager
async def long_step(
    teller: Teller,
    name: str,
    what: str,
    total: int,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    look_seconds: float = LOOK_SECONDS,
) -> AsyncIterator[Done]:
    """``name``: of the artifact, with dashes; ``what``: ``Uploading 200 images``; ``total``: how much there is to do, 0
    where nobody knows: then the bar stays at 0 percent and says how much is done."""
    done, bars = Done(), list[ProgressTeller]()
    ended = asyncio.Event()

    async def tell() -> None:
        if await _ends_within(ended, patience_seconds):
            return
        bars.append(await teller.begin_progress(name, what))
        told = -1
        while not await _ends_within(ended, look_seconds):
            if done.count != told:
                told = done.count
                percent = min(99.0, 100.0 * told / total) if total else 0.0
                await bars[0].update(percent, description=f"{what}: {told:,}" + (f" of {total:,}" if total else ""))

    async def show() -> None:
        shown = -1
        while not await _ends_within(ended, SHOW_SECONDS):
            if done.count != shown:
                shown = done.count
                tell_step(what, shown, total)

    telling = [asyncio.create_task(each()) for each in (tell, show)]
    try:
        yield done
    finally:
        ended.set()
        await asyncio.wait(telling)
        tell_step(what, 1, 1)
        for bar in bars:
            await bar.update(100.0, description=f"{what}: {done.count:,} done")


async def _ends_within(ended: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return False
    return True
