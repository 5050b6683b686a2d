"""How fast Prefect's database grows: rows and bytes for each kind of pass, and what that is in a year.

    python -m benchmarks.database [passes] [pages] [url]

A real server, a process worker and the deployments of ``prefect.yaml``, as compose.yaml has them; Gemini is the
emulator, with light images. ``passes``: of each kind; ``pages``: of a batch; ``url``: an empty PostgreSQL database
(``postgresql+asyncpg://...``), else SQLite in a file of its own. Three kinds of passes:

- idle: every page is done, nothing is sent or looked for;
- waiting: one batch is in flight, and its job has not ended;
- working: it settles one batch and sends the next.

Bytes are told with all free space taken out: SQLite's of a packed copy, without what is empty in its pages;
PostgreSQL's after ``VACUUM (FULL)``, with all indexes. Then the runs are removed by the call of ``quire prune``, the
events by Prefect's own service, and the file is looked at before and after it is packed.
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from PIL import Image
from prefect.settings import PREFECT_API_URL, temporary_settings

from emulator.options import EmulatorOptions
from emulator.server import running
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.retention import Removed, remove_old_runs
from flows.setup.servers import Servers, ServersFolder, alone_on_this_machine

ROOT = Path(__file__).parents[1]
COLLECTION = "growth"
JOB_SECONDS = (10.0, 20.0)
PATIENCE_SECONDS = 600.0
QUIET_SECONDS = 4
ALONE_SECONDS = 90

PASSES_A_DAY = 24 * 6
EVENT_DAYS = 7
"""PREFECT_SERVER_EVENTS_RETENTION_PERIOD of 3.9."""
PASSES_A_YEAR = 365 * PASSES_A_DAY
RUN_DAYS = 90
"""``safety.keep_run_days``, and the retention of Prefect's vacuum of runs, as they are shipped."""
PRUNED_DAYS = RUN_DAYS + 31
"""The oldest run on the day before the monthly ``prune``."""

GROUPS = {
    "events": ("events", "event_resources"),
    "runs": ("flow_run", "flow_run_state", "flow_run_input", "task_run", "task_run_state", "task_run_state_cache"),
    "logs": ("log",),
    "artifacts": ("artifact", "artifact_collection"),
}
OTHER = "other"
GROUP_OF = {table: group for group, tables in GROUPS.items() for table in tables}
KINDS = ("idle", "waiting", "working")
EVENTS_BY_NAME = "SELECT event, count(*) AS count FROM events GROUP BY event"


@dataclass(frozen=True, slots=True)
class Size:
    """``rows``, ``used_bytes``: by group; ``events``: rows by the event's name; ``file_bytes``: as the database lies,
    with its free space; ``at``: seconds of a clock that only runs forward."""

    rows: Counter[str]
    used_bytes: Counter[str]
    events: Counter[str]
    file_bytes: int
    at: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one pass, by group; ``events``: how many, by name; ``seconds``: how long it took, with what came after it."""

    rows: Mapping[str, float]
    used_bytes: Mapping[str, float]
    events: Mapping[str, float]
    seconds: float


class SqliteDatabase:
    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self) -> Counter[str]:
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as connection:
            return _rows(connection)

    def size(self) -> Size:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "packed.db"
            with contextlib.closing(sqlite3.connect(self._file, timeout=60)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("VACUUM INTO ?", [str(copy)])
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                used: Counter[str] = Counter()
                for table, size in connection.execute(
                    "SELECT m.tbl_name, sum(s.pgsize - s.unused) FROM dbstat s JOIN sqlite_master m USING (name) "
                    "GROUP BY m.tbl_name"
                ):
                    used[GROUP_OF.get(table, OTHER)] += size
                events = Counter(dict(connection.execute(EVENTS_BY_NAME).fetchall()))
                return Size(_rows(connection), used, events, self._file.stat().st_size, time.monotonic())

    def pack(self) -> None:
        with contextlib.closing(sqlite3.connect(self._file, timeout=60)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class PostgresDatabase:
    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")

    def rows(self) -> Counter[str]:
        return asyncio.run(self._rows())

    def size(self) -> Size:
        file_bytes = asyncio.run(self._bytes_of_all())
        self.pack()
        return asyncio.run(self._size(file_bytes))

    def pack(self) -> None:
        asyncio.run(self._execute("VACUUM (FULL)"))

    async def _tables(self, connection: Any) -> list[str]:
        found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [each["tablename"] for each in found]

    async def _rows(self) -> Counter[str]:
        rows: Counter[str] = Counter()
        async with self._connected() as connection:
            for table in await self._tables(connection):
                rows[GROUP_OF.get(table, OTHER)] += await connection.fetchval(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - names of the database's own
        return rows

    async def _size(self, file_bytes: int) -> Size:
        used: Counter[str] = Counter()
        async with self._connected() as connection:
            for table in await self._tables(connection):
                used[GROUP_OF.get(table, OTHER)] += await connection.fetchval(
                    "SELECT pg_total_relation_size(quote_ident($1)::regclass)", table
                )
            events = Counter({each["event"]: each["count"] for each in await connection.fetch(EVENTS_BY_NAME)})
        return Size(await self._rows(), used, events, file_bytes, time.monotonic())

    async def _bytes_of_all(self) -> int:
        async with self._connected() as connection:
            size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
            return size

    async def _execute(self, statement: str) -> None:
        async with self._connected() as connection:
            await connection.execute(statement)

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        import asyncpg  # type: ignore[import-untyped]  # comes with Prefect

        connection = await asyncpg.connect(self._url)
        try:
            yield connection
        finally:
            await connection.close()


def _rows(connection: sqlite3.Connection) -> Counter[str]:
    rows: Counter[str] = Counter()
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        [(count,)] = connection.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - names of the database's own
        rows[GROUP_OF.get(table, OTHER)] += count
    return rows


class Measured:
    """The collection that is measured: a server, a worker, the deployments, and what its passes made grow."""

    def __init__(self, folder: Path, database: SqliteDatabase | PostgresDatabase, api_url: str, gemini: str) -> None:
        self._folder, self._database, self._gemini = folder, database, gemini
        self._api = httpx.Client(base_url=api_url, timeout=60, trust_env=False)

    def passes(self, kind: str, count: int, *, before_each: Callable[[], None] = lambda: None) -> Growth:
        """Run them and say how much each one added. What is counted is first let come to rest."""
        first = self._at_rest()
        for number in range(count):
            before_each()
            self.run_pass()
            print(f"{kind}: pass {number + 1} of {count}", file=sys.stderr)
        return grown(first, self._at_rest(), count)

    def alone(self) -> Growth:
        """Nothing runs: what server and worker write by themselves in ALONE_SECONDS."""
        first = self._at_rest()
        time.sleep(ALONE_SECONDS)
        return grown(first, self._at_rest(), 1)

    def run_pass(self) -> None:
        """One run of the deployment, as the clock would have started it. Raises RuntimeError if it did not complete."""
        deployment = self._call("GET", "/deployments/name/pipeline/pipeline")["id"]
        run = self._call("POST", f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
        ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        wait_until(lambda: self._call("GET", f"/flow_runs/{run}")["state_type"] in ended, f"run {run}")
        found = self._call("GET", f"/flow_runs/{run}")
        if found["state_type"] != "COMPLETED":
            raise RuntimeError(f"the pass ended as {found['state_name']}: {found['state']['message']}")

    def end_jobs(self) -> None:
        advance = {"advance": sum(JOB_SECONDS) + 1}
        httpx.post(f"{self._gemini}/emulator/clock", json=advance, timeout=600, trust_env=False).raise_for_status()

    def pause_schedules(self) -> None:
        for each in self._call("POST", "/deployments/filter", {}):
            for schedule in each["schedules"]:
                address = f"/deployments/{each['id']}/schedules/{schedule['id']}"
                self._call("PATCH", address, {"active": False})

    def remove_runs(self) -> None:
        """As ``quire prune`` does it, with every run that has ended taken for old."""

        async def remove() -> Removed:
            async with PrefectApi() as api:
                return await remove_old_runs(
                    api, tags=["quire", COLLECTION], before=datetime.now(UTC), check=lambda: None
                )

        address = {PREFECT_API_URL: str(self._api.base_url).rstrip("/")}
        with temporary_settings(address):
            print(f"removed: {asyncio.run(remove())}", file=sys.stderr)

    @property
    def environment(self) -> dict[str, str]:
        place = ServersFolder(self._folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUIRE_"))}
        return {
            **kept,
            **alone_on_this_machine(kept, place),
            "PREFECT_API_URL": str(self._api.base_url).rstrip("/"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "QUIRE_CONFIG": str(self._folder / "quire.yaml"),
            "GEMINI_API_KEY": "any-text",
            "PYTHONPATH": str(ROOT),
        }

    def _at_rest(self) -> Size:
        """Events, logs and task runs are written late: once nothing has come for a while."""
        seen, since = self._database.rows(), time.monotonic()
        deadline = since + PATIENCE_SECONDS
        while time.monotonic() < since + QUIET_SECONDS:
            if time.monotonic() > deadline:
                raise RuntimeError(f"rows still come: {seen}")
            time.sleep(0.5)
            if (now := self._database.rows()) != seen:
                seen, since = now, time.monotonic()
        return self._database.size()

    size = _at_rest

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        for _ in range(60):
            answer = self._api.request(method, path, json=body)
            if answer.status_code != 503:  # SQLite while others write
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def grown(before: Size, after: Size, passes: int) -> Growth:
    groups = (*GROUPS, OTHER)
    return Growth(
        {group: (after.rows[group] - before.rows[group]) / passes for group in groups},
        {group: (after.used_bytes[group] - before.used_bytes[group]) / passes for group in groups},
        {name: count / passes for name, count in (after.events - before.events).items()},
        (after.at - before.at) / passes,
    )


def main(passes: int, pages: int, url: str | None) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_collection(folder, pages=pages * (passes + 2))
        database = PostgresDatabase(url) if url else SqliteDatabase(ServersFolder(folder).prefect_home / "prefect.db")
        options = EmulatorOptions(clock="manual", job_seconds=JOB_SECONDS)
        found: dict[str, Growth] = {}
        with running(options) as gemini:
            configure(folder, gemini, pages)
            with prefect_server(folder, url) as api_url:
                measured = Measured(folder, database, api_url, gemini)
                deploy(measured, folder)
                with worker(measured, folder):
                    measured.run_pass()  # the first batch, the first Variables
                    alone = measured.alone()
                    found["waiting"] = measured.passes("waiting", passes)
                    found["working"] = measured.passes("working", passes, before_each=measured.end_jobs)
                    while in_flight(folder):
                        measured.end_jobs()
                        measured.run_pass()
                    start = measured.size()
                    found["idle"] = measured.passes("idle", passes)
                full = measured.size()
                measured.remove_runs()
                left = measured.size()
            say_growth(found, alone, passes=passes, pages=pages)
            print(f"\nbefore the last passes {told(start)}; with all of them {told(full)}")
            print(f"old runs removed: {told(left)}; the database itself {left.file_bytes / 1e6:.1f} MB")
            soon = {
                "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "PT1S",
                "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "5",
            }
            with prefect_server(folder, url, soon):
                wait_until(lambda: database.rows()["events"] <= FEW, "the removal of events")
            gone = database.size()
            print(f"events removed, too: {told(gone)}; the database itself {gone.file_bytes / 1e6:.1f} MB")
            database.pack()
            print(f"and packed: the database itself {database.size().file_bytes / 1e6:.1f} MB")
            say_years(found)


FEW = 60
"""Rows of events that the server itself has by then written anew."""


def make_collection(folder: Path, *, pages: int) -> None:
    place = folder / "dataset" / "page_images" / "CA" / "Lincoln" / "1901"
    place.mkdir(parents=True)
    Image.new("L", (60, 80), 255).save(folder / "page.jpg")
    for page in range(1, pages + 1):
        (place / f"{page}.jpg").hardlink_to(folder / "page.jpg")


def configure(folder: Path, gemini: str, pages: int) -> None:
    settings = {
        "collection": COLLECTION,
        "root": ".",
        "context": {"mode": "none"},
        "execution": {"batch_size_limit": pages, "max_concurrent_batches": 1},
        "gemini": {"base_url": gemini},
    }
    (folder / "quire.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def in_flight(folder: Path) -> bool:
    """Whether a batch has no outcomes yet."""
    batches, outcomes = (
        {path.stem for path in (folder / "manifests" / name).glob("*.parquet")} for name in ("batches", "outcomes")
    )
    return bool(batches - outcomes)


@contextlib.contextmanager
def prefect_server(folder: Path, url: str | None, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its API's address."""
    place = ServersFolder(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUIRE_"))}
    own = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url} if url else {}
    servers = Servers(place, {**kept, **alone_on_this_machine(kept, place), **own, **(more or {})}, ("prefect",))
    try:
        servers.launch()
        asyncio.run(servers.wait_until_ready())
        yield f"{servers.prefect_url}/api"
    finally:
        servers.end()


def deploy(measured: Measured, folder: Path) -> None:
    """As docs/deployment.md says; then no pass comes but those that are measured."""
    for command in (
        ["work-pool", "create", "quire-process", "--type", "process"],
        ["work-pool", "create", "quire-docker", "--type", "docker"],
        ["--no-prompt", "deploy", "--all"],
    ):
        arguments = [sys.executable, "-m", "prefect", *command]
        run_to_end(arguments, measured.environment, ROOT, str(folder / "deploy.log"))
    measured.pause_schedules()


@contextlib.contextmanager
def worker(measured: Measured, folder: Path) -> Iterator[None]:
    arguments = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "quire-process", "--type", "process"]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            arguments, env=measured.environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_to_end(arguments: list[str], environment: Mapping[str, str], folder: Path, log: str) -> None:
    """Raises RuntimeError with what it said if it failed."""
    ended = subprocess.run(arguments, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    (folder / log).write_text(ended.stdout + ended.stderr, encoding="utf-8")
    if ended.returncode:
        raise RuntimeError(f"{arguments}: {ended.stdout}{ended.stderr}")


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not end")
        time.sleep(0.5)


def told(size: Size) -> str:
    parts = ", ".join(f"{group} {size.used_bytes[group] / 1e6:.2f}" for group in (*GROUPS, OTHER))
    return f"{sum(size.used_bytes.values()) / 1e6:.1f} MB in use ({parts})"


def say_growth(found: Mapping[str, Growth], alone: Growth, *, passes: int, pages: int) -> None:
    print(f"{passes} passes of each kind, batches of {pages} pages; a pass adds (rows, KB):")
    print(f"{'':<10}" + "".join(f"{kind:>20}" for kind in KINDS))
    for group in (*GROUPS, OTHER):
        print(f"{group:<10}" + "".join(_cell(found[kind].rows[group], found[kind].used_bytes[group]) for kind in KINDS))
    totals = [(sum(found[kind].rows.values()), sum(found[kind].used_bytes.values())) for kind in KINDS]
    print(f"{'together':<10}" + "".join(_cell(rows, size) for rows, size in totals))
    for kind in KINDS:
        print(f"{kind}: {_events(found[kind])}")
    rows, size = sum(alone.rows.values()), sum(alone.used_bytes.values())
    print(f"no pass, {alone.seconds:.0f} s: {rows:.0f} rows, {size / 1e3:.1f} KB: {_events(alone)}")


def _events(growth: Growth) -> str:
    most = sorted(growth.events.items(), key=lambda each: -each[1])
    return f"in {growth.seconds:.0f} s " + ", ".join(f"{count:.1f} {name}" for name, count in most)


def _cell(rows: float, size: float) -> str:
    return f"{rows:>11.1f}{size / 1e3:>9.1f}"


def say_years(found: Mapping[str, Growth]) -> None:
    """A pass each ten minutes for a year, all of one kind. Events are never kept longer than EVENT_DAYS."""
    print("\nafter a year of passes of one kind, MB:")
    print(f"{'':<46}" + "".join(f"{kind:>10}" for kind in KINDS))
    for name, days in (
        ("no run removed", 365),
        (f"monthly prune, keep_run_days {RUN_DAYS}, at most", PRUNED_DAYS),
        (f"Prefect's vacuum of runs, {RUN_DAYS} days", RUN_DAYS),
    ):
        sizes = [year_bytes(found[kind], run_days=days) / 1e6 for kind in KINDS]
        print(f"{name:<46}" + "".join(f"{size:>10,.0f}" for size in sizes))


def year_bytes(growth: Growth, *, run_days: int) -> float:
    events = growth.used_bytes["events"] * PASSES_A_DAY * EVENT_DAYS
    others = sum(size for group, size in growth.used_bytes.items() if group != "events")
    return events + others * PASSES_A_DAY * run_days


if __name__ == "__main__":
    # So that server and worker end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 10,
        int(sys.argv[2]) if len(sys.argv) > 2 else 100,
        sys.argv[3] if len(sys.argv) > 3 else None,
    )
