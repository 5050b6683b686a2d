"""``quire demo``: the whole of the main job on one machine, in order. The parts stand in the modules beside this one.

Prefect is imported late, by `flows.terminal.watch` and its like: it reads the environment once, and that is made first.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from assets.candidates import RecordState
from assets.domain.errors import QuireError
from config.settings import Settings, load_settings
from flows.demo.pages import DemoPages, UndegradedReading, check_size, make_pages
from flows.demo.place import DemoFolder, isolate
from flows.demo.summary import (
    Findings,
    count_failures,
    sent_since,
    text_of,
    what_next,
    where,
    word_errors_of,
)
from flows.demo.viewing import running_viewer, start_viewer
from flows.gateways.files.storage import Storage
from flows.setup.servers import Servers
from flows.terminal.display import Display, logging_into
from flows.terminal.facts import fact
from flows.terminal.running import tell_prefect_the_rest

if TYPE_CHECKING:
    from flows.pipeline import PassReport

JOB_PATIENCE_SECONDS = 120.0
"""After so long the next pass looks for itself, whatever the books say."""


async def run_demo(folder: Path, *, keep: bool, documents: int, pages: int) -> None:
    """Set up, read every page, say how it went. Raises QuireError if it did not go as it should.

    ``folder``: absolute. ``documents``: at most 4; ``pages``: of each document, 2 to 6. Changes the
    environment of this process.
    """
    place = DemoFolder(folder)
    place.make()
    isolate(os.environ, place)
    console = Console(highlight=False)
    with _alone(place):
        await _run(place, Display(console), keep=keep, documents=documents, pages=pages)


async def _run(place: DemoFolder, display: Display, *, keep: bool, documents: int, pages: int) -> None:
    started = time.monotonic()
    check_size(place, documents=documents, pages=pages)
    servers = Servers(place.servers, os.environ)
    display.say(f"Quire's demo, in {place.path}")
    with display.live():
        display.doing("starting Prefect's server and the local Gemini")
        try:
            servers.launch()
            os.environ["PREFECT_API_URL"] = f"{servers.prefect_url}/api"
            display.doing("making the scans")
            made = await asyncio.to_thread(make_pages, place, documents=documents, pages=pages)
            reading = UndegradedReading(place, made)
            try:
                reading.start()
                await servers.wait_until_ready()
                display.say(f"  {len(made.images)} scans of {made.size[0]} documents are there")
                display.say(f"  Prefect's server: {servers.prefect_url}   local Gemini: {servers.emulator_url}")
                place.write_config(gemini_url=servers.emulator_url)
                found, waves = await _read_pages(place, display, servers, made, reading)
            finally:
                reading.end()
            if keep:
                servers.keep()
        finally:
            display.doing("ending the servers")
            await asyncio.to_thread(servers.end)
    # Here, as it imports Prefect.
    from flows.demo.exporting import export_each

    with display.live():
        display.doing("exporting what was read")
        exported = await export_each(place)
        if keep:
            display.doing("starting the viewer")
            await asyncio.to_thread(start_viewer, place)
    viewer = running_viewer(place)
    storage = _storage(place, load_settings(place.config))
    ui = servers.prefect_url
    for line in [
        "",
        *text_of(found, storage, place, waves=waves, seconds=time.monotonic() - started),
        "",
        *where(place, prefect_url=ui, is_kept=servers.are_kept),
        *exported.lines(place),
        *(fact("viewer", f"{viewer.address}      (for you alone: whoever has it sees all pages)") if viewer else []),
        "",
        *what_next(
            place,
            found,
            prefect_url=ui,
            pids=servers.pids + ([viewer.pid] if viewer else []),
            is_kept=servers.are_kept,
            has_viewer=viewer is not None,
        ),
    ]:
        display.say(line)
    if problems := found.problems():
        raise QuireError(f"the demo did not end as it should: {'; '.join(problems)}; the logs are in {place.logs}")


async def _read_pages(
    place: DemoFolder, display: Display, servers: Servers, made: DemoPages, reading: UndegradedReading
) -> tuple[Findings, int]:
    """Passes until nothing is left; what was found, and in how many waves. Everything that knows Prefect."""
    display.doing("loading Prefect")
    from flows.terminal.show import read_status, release_text
    from flows.terminal.watch import run_watch

    config = str(place.config)
    settings = load_settings(place.config)
    storage = _storage(place, settings)
    with logging_into(place.log):
        try:
            before = await read_status(config)
            if before.batches and servers.is_new("emulator"):
                for batch in before.batches:
                    await release_text(config, batch.name, cancel=False)
                display.say(f"  {len(before.batches)} batches of an interrupted demo released: their Gemini is gone")
            elif before.batches:
                display.resume(batches=len(before.batches))
                display.say("  an interrupted demo goes on; its hold on the pass ends a minute after its last word")
            failed = await asyncio.to_thread(count_failures, storage)
            await servers.set_rules(_rules(made, failed, settings))
            books = await servers.books()
            display.doing("reading the pages: the local Gemini reads each scan with OCR")

            async def after_pass(report: "PassReport") -> None:
                display.passed(report)

            async def until_a_job_ends(seconds: float) -> None:
                await _until_a_job_ends(servers, seconds)

            await run_watch(
                config,
                after_pass=after_pass,
                on_trouble=lambda error: display.say(f"  a pass stopped, the next one goes on: {error}"),
                sleep=until_a_job_ends,
            )
            after = await read_status(config)
            if reading.is_running:
                display.doing("reading the undegraded pages, to compare with")
            undegraded = await asyncio.to_thread(reading.texts)
            books_after = await servers.books()
        finally:
            await tell_prefect_the_rest()
    failures = await asyncio.to_thread(count_failures, storage)
    done = tuple(key for key in made.images if storage.result_path(key).exists())
    degraded, clean = await asyncio.to_thread(word_errors_of, storage, made, done, undegraded)
    return (
        Findings(
            pages=made,
            max_retries=settings.execution.max_retries,
            done=done,
            dead=tuple(after.dead_letters),
            failures=failures,
            degraded=degraded,
            undegraded=clean,
            sent=sent_since(books, books_after),
            left=tuple(books_after["existing_files"]),
            batches=len(storage.closed_submissions()),
            is_first=not before.states[RecordState.DONE] and not failed,
        ),
        display.standing.waves_begun,
    )


def _rules(made: DemoPages, failed: dict[str, int], settings: Settings) -> list[dict[str, object]]:
    """What the local Gemini is to answer to the two pages; any other is read. ``auto``: what comes without a rule."""
    rules: list[dict[str, object]] = [{"key": made.dead, "steps": ["empty"]}]
    if not failed.get(made.flaky):
        rules.append({"key": made.flaky, "steps": ["empty", "auto"]})
    return rules


async def _until_a_job_ends(servers: Servers, seconds: float) -> None:
    """Passes that find nothing new cost time on a small machine: the next one waits for something to settle."""
    deadline = time.monotonic() + JOB_PATIENCE_SECONDS
    first: set[str] | None = None
    while time.monotonic() < deadline:
        servers.ensure_alive()
        jobs = (await servers.books())["jobs"]
        active = {job["name"] for job in jobs if job["state"] in ("PENDING", "RUNNING")}
        if first is None:
            first = active
            if not first:
                await asyncio.sleep(seconds)
                return
        if first - active:
            return
        await asyncio.sleep(0.25)


def _storage(place: DemoFolder, settings: Settings) -> Storage:
    return Storage(
        root=settings.root,
        manifests=settings.paths.manifests,
        output_results=settings.paths.output_results,
        document_fields=settings.record.document_fields,
    )


@contextlib.contextmanager
def _alone(place: DemoFolder) -> Iterator[None]:
    """Raises QuireError if another demo runs in the same folder."""
    with place.lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise QuireError(
                f"another quire demo is running in {place.path}: wait for its end, or give another --folder"
            ) from None
        yield
