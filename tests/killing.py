"""A pass in a process of its own, held up by the emulator at the point in question, and killed there with -9.

What its end leaves behind in Prefect, two locks, is freed through Prefect's API, as waiting for the leases takes a
minute.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from tests.emulator_server import API_KEY
from tests.prefect_server import PrefectServer
from tests.project import Project

ROOT = Path(__file__).parents[1]
QUIRE = (sys.executable, "-c", "from flows.cli import main; main()")
HOLD_UP_SECONDS = 20


@asynccontextmanager
async def killed_at(project: Project, server: PrefectServer, call: str, **fault: Any) -> AsyncIterator[None]:
    """Run a pass in a process of its own, hold it up at ``call``, kill it there, and let go of its locks."""
    fault_id = project.gemini.add_fault(call, delay_seconds=HOLD_UP_SECONDS, **fault)
    process = await asyncio.create_subprocess_exec(
        *QUIRE,
        *("run", "--config", str(project.config)),
        cwd=ROOT,
        env={**server.environment(), "GEMINI_API_KEY": API_KEY},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(120):
            await _until_struck(project, fault_id, process)
        yield
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    project.gemini.clear_faults()
    async with get_client() as client:
        for lock in ("pass", "ledger"):
            try:
                await client.delete_global_concurrency_limit_by_name(f"{project.collection}_quire_{lock}")
            except ObjectNotFound:
                continue


async def _until_struck(project: Project, fault_id: str, process: asyncio.subprocess.Process) -> None:
    while True:
        if any(row["id"] == fault_id and row["struck"] for row in project.gemini.faults()):
            return
        assert process.returncode is None, "the pass ended before it came there"
        await asyncio.sleep(0.05)
