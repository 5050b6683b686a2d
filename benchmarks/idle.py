"""A pass that finds nothing to do: what it costs that a million pages are read, and how many submissions that took.

Each side is a whole process, ``quire run`` beside a Prefect server of its own with its database in a file; a pass of
before, which is not measured, has seen the same. Against the same pass over 1,000 records: there is no plain script
that knows what it has to look after.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.rows import PEAK, Bar, Row, Taken

PREPARE = ("-m", "benchmarks.closed_collection", "{data}", "{records}", "{submissions}", "{many}")
SIZE = {"records": 1_000_000, "submissions": 2_000, "many": 20_000}
QUICK = {"records": 20_000, "submissions": 200, "many": 2_000}
QUIRE = ("-c", "from flows.cli import main; main()")
ROOT = Path(__file__).parents[1]
MB = 1_000_000


def _side(which: str) -> tuple[str, ...]:
    return ("-m", "benchmarks.idle", f"{{data}}/{which}")


ROWS = [
    Row(
        "idle-records",
        "a pass with nothing to do, {records} records done by {submissions} submissions",
        "the same with 1,000 records",
        (Bar(1.5), Bar(400 * MB, of=PEAK, taken=Taken.ALONE, unit="MB")),
        _side("large"),
        _side("small"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    ),
    Row(
        "idle-submissions",
        "the same with {many} submissions",
        "with {submissions}",
        (Bar(1.2),),
        _side("long"),
        _side("large"),
        prepare=PREPARE,
        size=SIZE,
        quick=QUICK,
    ),
]


def measured_beside_prefect(folder: Path, command: Sequence[str]) -> None:
    """Run a command of Quire's in the collection ``folder`` twice, beside a Prefect server, and print as one line what
    the second time took. Raises SystemExit where it does not end well."""
    config = ("--config", str(folder / "quire.yaml"))
    with _prefect() as environment:
        tie = [sys.executable, "-m", "benchmarks.idle", "--tie", str(folder)]
        subprocess.run(tie, env=environment, cwd=ROOT, check=True)
        for _ in range(2):
            arguments = [sys.executable, "benchmarks/measuring.py", *QUIRE, *command, *config]
            done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"ended with {done.returncode}: {done.stderr[-2000:]}")
    print(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def _prefect() -> Iterator[dict[str, str]]:
    """A server with an empty database; the environment in which it is known."""
    from flows.setup.servers import Servers, ServersFolder, alone_on_this_machine

    with tempfile.TemporaryDirectory(prefix="quire-bench-") as name:
        of_servers = ServersFolder(Path(name))
        own = alone_on_this_machine(os.environ, of_servers)
        environment = {**os.environ, **own, "PYTHONPATH": str(ROOT), "GEMINI_API_KEY": "bench-key"}
        servers = Servers(of_servers, environment, ["prefect"])
        servers.launch()
        try:
            asyncio.run(servers.wait_until_ready())
            yield {**environment, "PREFECT_API_URL": f"{servers.prefect_url}/api"}
        finally:
            servers.end()


async def tie(folder: Path) -> None:
    """Tell a Prefect that is empty what it would have heard of the collection by now."""
    from config.settings import load_settings
    from flows.runtime.home import told_submissions
    from flows.runtime.wiring import make_storage, open_ledger

    settings = load_settings(folder / "quire.yaml")
    storage = make_storage(settings)
    home = storage.home.read()
    assert home is not None
    async with open_ledger(settings) as ledger:
        await ledger.create_home(home.id)
        async with ledger.transaction() as change:
            await change.note_submissions(**told_submissions(storage))


if __name__ == "__main__":
    if sys.argv[1] == "--tie":
        asyncio.run(tie(Path(sys.argv[2])))
    else:
        measured_beside_prefect(Path(sys.argv[1]), ["run", "--quiet"])
