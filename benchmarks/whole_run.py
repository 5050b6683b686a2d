"""A whole run over one-page records, from images to results, against a bare script with the SDK and no safety at all.

    python -m benchmarks.whole_run [records] [batch_size] [times]

Both read the same images and talk to the same local Gemini (``script`` engine, no latency), one after the other, each
as a command in a process of its own. Quire has a Prefect server with its database in a file beside it.
"""

import asyncio
import contextlib
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from config.settings import load_settings
from flows.runtime.wiring import make_template
from flows.setup.servers import Servers, ServersFolder, alone_on_this_machine

ROOT = Path(__file__).parents[1]
PAGES_A_DOCUMENT = 100
QUIRE = "from flows.cli import main; main()"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """``wall``, ``cpu``: seconds, the latter of the command and what it started; ``servers``: CPU seconds of each
    server meanwhile."""

    wall: float
    cpu: float
    servers: dict[str, float]

    @property
    def shown(self) -> str:
        servers = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.servers.items())
        return f"{self.wall:6.1f} s, of CPU {self.cpu:6.1f} s, {servers}"


@dataclass(frozen=True, slots=True)
class Place:
    """Servers that run, and the images that both read."""

    folder: Path
    environment: dict[str, str]
    images: Path
    gemini_url: str
    pids: dict[str, int]


@contextlib.contextmanager
def running_place(records: int) -> Iterator[Place]:
    """Servers, and a tree of images of ``records`` pages."""
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as name:
        folder = Path(name)
        make_images(folder / "images", records)
        of_servers = ServersFolder(folder / "servers")
        own = alone_on_this_machine(os.environ, of_servers)
        environment = {**os.environ, **own, "PYTHONPATH": str(ROOT), "GEMINI_API_KEY": "bench-key"}
        servers = Servers(of_servers, environment, ["prefect"])
        servers.launch()
        try:
            asyncio.run(servers.wait_until_ready())
            environment["PREFECT_API_URL"] = f"{servers.prefect_url}/api"
            with emulator(environment, folder) as (url, pid):
                pids = {"Prefect": servers.pids[0], "local Gemini": pid}
                yield Place(folder, environment, folder / "images", url, pids)
        finally:
            servers.end()


@contextlib.contextmanager
def emulator(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, int]]:
    """The local Gemini as a process of its own: its address and process id."""
    command = [sys.executable, "-c", QUIRE, "emulator", "--engine", "script", "--port", "0"]
    process = subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        yield re.findall(r"http://[^ ,]+", said)[0], process.pid
    finally:
        process.terminate()
        process.wait()


def make_images(folder: Path, records: int) -> None:
    """Light JPEGs, each another, with as much on them as a page has."""
    chance = random.Random(1)  # noqa: S311 - what is on the pages
    for n in range(records):
        place = folder / "CA" / "Lincoln" / str(1000 + n // PAGES_A_DOCUMENT)
        place.mkdir(parents=True, exist_ok=True)
        page = Image.frombytes("L", (60, 80), chance.randbytes(60 * 80))
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=60)
        (place / f"{n % PAGES_A_DOCUMENT + 1}.jpg").write_bytes(buffer.getvalue())


def run_quire(place: Place, batch_size: int) -> Cost:
    root = Path(tempfile.mkdtemp(dir=place.folder))
    (root / "quire.yaml").write_text(yaml.safe_dump(settings(place, root, batch_size)))
    command = [sys.executable, "-c", QUIRE, "run", "--watch", "--quiet", "--config", str(root / "quire.yaml")]
    cost = measured(place, command)
    found = sum(1 for _ in (root / "results").rglob("*.json"))
    expect(place, found)
    shutil.rmtree(root)
    return cost


def settings(place: Place, root: Path, batch_size: int) -> dict[str, object]:
    return {
        "collection": f"b{root.name[-8:].strip('_').lower()}",
        "gemini": {"base_url": place.gemini_url},
        "paths": {"page_images": str(place.images), "output_results": "results", "manifests": "manifests"},
        "context": {"mode": "none"},
        "images": {"min_side_pixels": 0},
        "execution": {"batch_size_limit": batch_size, "max_concurrent_batches": 100},
        "batch": {"poll_interval_seconds": 0.1},
        "limits": {"tier": 3},
    }


def run_bare(place: Place, batch_size: int) -> Cost:
    root = Path(tempfile.mkdtemp(dir=place.folder))
    (root / "quire.yaml").write_text(yaml.safe_dump(settings(place, root, batch_size)))
    loaded = load_settings(root / "quire.yaml")
    _, template = make_template(loaded)
    told = {"prompt": template.prompt, "config": template.config(), "model": loaded.model.name}
    (root / "template.json").write_text(json.dumps(told))
    arguments = [place.gemini_url, str(place.images), str(root / "out"), str(root / "template.json")]
    command = [sys.executable, "-m", "benchmarks.baselines.whole_run", *arguments, str(batch_size)]
    cost = measured(place, command)
    expect(place, sum(1 for _ in (root / "out").rglob("*.json")))
    shutil.rmtree(root)
    return cost


def expect(place: Place, found: int) -> None:
    wanted = sum(1 for _ in place.images.rglob("*.jpg"))
    if found != wanted:
        raise SystemExit(f"{found} results of {wanted}")


def measured(place: Place, command: Sequence[str]) -> Cost:
    """Run it with a local Gemini that has forgotten all. It must end well."""
    urllib.request.urlopen(  # noqa: S310 - our own
        urllib.request.Request(f"{place.gemini_url}/emulator/reset", method="POST")  # noqa: S310
    ).close()
    before = {name: cpu_seconds(pid) for name, pid in place.pids.items()}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE, cwd=place.folder)
    said = process.stdout.read() if process.stdout is not None else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ended with {process.returncode}: {said.decode()}")
    after = {name: cpu_seconds(pid) for name, pid in place.pids.items()}
    return Cost(wall, usage.ru_utime + usage.ru_stime, {name: after[name] - before[name] for name in before})


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS_A_SECOND


def main(records: int = 1000, batch_size: int = 100, times: int = 3) -> None:
    with running_place(records) as place:
        ratios = []
        for _ in range(times):
            bare, quire = run_bare(place, batch_size), run_quire(place, batch_size)
            ratios.append(quire.wall / bare.wall)
            print(f"bare  {bare.shown}\nquire {quire.shown}\n  {ratios[-1]:.2f} times", flush=True)
        print(f"{records} records, batches of {batch_size}: {statistics.median(ratios):.2f} times")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
