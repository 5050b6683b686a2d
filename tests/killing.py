"""A pass in a process of its own, killed with -9: held up by the emulator at a call, or at one of its own effects on
the world.

What its end leaves behind in Prefect, two locks, is freed through Prefect's API, as waiting for the leases takes a
minute.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from flows.pipeline import NEEDS_PERSON_STATUS
from tests.prefect_server import PrefectServer
from tests.project import Project
from tests.standby import Standby

HOLD_UP_SECONDS = 20


@asynccontextmanager
async def killed_at(
    project: Project, server: PrefectServer, standby: Standby, call: str, **fault: Any
) -> AsyncIterator[None]:
    """Run a pass, hold it up at ``call`` of Gemini, and kill it there."""
    fault_id = project.gemini.add_fault(call, delay_seconds=HOLD_UP_SECONDS, **fault)
    child = standby.quire("run", "--config", str(project.config), server=server)
    try:
        await child.until_struck(project.gemini, fault_id)
        yield
    finally:
        child.kill()
    project.gemini.clear_faults()
    await free_locks(project)


async def killed_by_effect(
    project: Project, server: PrefectServer, standby: Standby, kill_at: int | str, when: str
) -> bool:
    """Run a pass that is killed ``when`` ("before", "after") it has its effect ``kill_at``: the number, or a part of
    its line; 0 for none. False: it ended before that."""
    log = effects_log(project)
    log.unlink(missing_ok=True)
    child = standby.quire(
        *("run", "--config", str(project.config)),
        server=server,
        effects={
            "log": str(log),
            "root": str(project.root),
            "gemini": project.gemini.base_url.removeprefix("http://"),
            "kill_at": kill_at,
            "when": when,
        },
    )
    status = await child.ended()
    if status in (0, NEEDS_PERSON_STATUS):
        return False
    assert status == -9, child.printed
    await free_locks(project)
    return True


def effects_log(project: Project) -> Path:
    """The file that has the effects of the last such pass, a line each."""
    return project.root / "effects.log"


async def free_locks(project: Project) -> None:
    """Let go of what a dead pass has held."""
    async with get_client() as client:
        for lock in ("pass", "ledger"):
            try:
                await client.delete_global_concurrency_limit_by_name(f"{project.collection}_quire_{lock}")
            except ObjectNotFound:
                continue
