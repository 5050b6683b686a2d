"""The command ``quire`` as a user calls it: a process of its own, with an environment and a folder of its own."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.standby import Standby, standing_by

QUIRE = Path(sys.executable).with_name("quire")
"""The command itself, for what hangs on its start: it takes seconds."""

_standbys: list[Standby] = []
_open = ExitStack()


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
    if not _standbys:
        folder = Path(_open.enter_context(tempfile.TemporaryDirectory()))
        _standbys.append(_open.enter_context(standing_by(folder)))
    child = _standbys[0].quire_in(*arguments, env=env, cwd=cwd)
    try:
        code = await child.ended()
    except BaseException:
        child.kill()
        raise
    return Ended(code, child.printed, child.errors)


@contextmanager
def commands() -> Iterator[None]:
    """Around all tests: what stands by for `run_quire` since its first call is ended."""
    with _open:
        yield
    _standbys.clear()
