"""The command ``quire`` as a user calls it: a process of its own."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUIRE = Path(sys.executable).with_name("quire")
TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Ended:
    """``code``: exit status; ``out``, ``err``: what it printed."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """What it printed to standard error in its own name, without Prefect's log."""
        return [line for line in self.err.splitlines() if " | " not in line and line.strip()]


async def run_quire(*arguments: str, env: Mapping[str, str], cwd: Path) -> Ended:
    """Run ``quire`` to its end, without holding up this process's event loop."""
    process = await asyncio.create_subprocess_exec(
        QUIRE, *arguments, env=env, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
