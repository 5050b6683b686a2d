"""Runs that compare settings: the same pages read once more, by one or two settings, in batches of their own, whose
answers never touch the results.

Each side of a run is a small collection of its own below ``manifests/runs``, so that its batches are claimed, posted,
adopted and settled by the same code under the same promises, and what it costs counts against the caps of all
(`flows.tables.relatives`). It is made under the pass lock of the collection, as two who spend at once could pass a cap
together. What is found of a run stands in `flows.questions.comparison`.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from prefect import flow

from assets.candidates import RecordState
from assets.domain.errors import ManifestError, QuireError
from assets.domain.ledger import collection_prefix
from assets.manifest import manifest_schema
from assets.numbering import IntArray
from config.settings import Settings
from config.variants import side_settings
from flows.gateways.files.runs import Run, Runs, Side
from flows.gateways.files.storage import Storage
from flows.poll import PollReport, poll_batches
from flows.runtime.home import ensure_home
from flows.runtime.logs import logger
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import named
from flows.runtime.wiring import Services, make_storage, open_services
from flows.submit import SubmitReport, submit_batches

OpenServices = Callable[[Settings], AbstractAsyncContextManager[Services]]


@dataclass(frozen=True, slots=True)
class SideReport:
    """What a pass did for one side. ``is_idle``: nothing of it is in flight, or can be sent by itself."""

    label: str
    settled: int
    sent: int
    is_idle: bool
    stopped: str | None


def settings_of_side(settings: Settings, run: Run, side: Side) -> Settings:
    """By what a side is read. Raises ConfigError."""
    if settings.source is None:
        raise QuireError("settings that were made in Python have no file, and cannot be compared")
    return side_settings(
        settings.source,
        os.environ,
        side.sections,
        collection=f"{collection_prefix(settings.collection)}compare_{run.name}_{side.label}",
        folder=Runs(settings.paths.manifests).place(run.name) / side.label,
    )


def create_run(settings: Settings, storage: Storage, run: Run, numbers: IntArray) -> None:
    """Make a run of the records with these numbers, under the pass lock. ``run.json`` comes last: without it there is
    none. Raises QuireError where there is one of that name, ManifestError, OSError."""
    if run.name in storage.runs.names():
        storage.runs.create(run)
    if (records := storage.read_records()) is None:
        raise ManifestError(storage.records_path, "is missing; run quire scan first")
    rows = records.take(pa.array(np.sort(numbers)))
    # Each stands alone: the page before was not drawn.
    alone = pa.nulls(len(rows), pa.string())
    rows = rows.set_column(rows.schema.get_field_index("predecessor"), "predecessor", alone)
    for side in run.sides:
        make_storage(settings_of_side(settings, run, side)).write_records(
            rows.cast(manifest_schema(settings.record.document_fields))
        )
    storage.runs.create(run)


@flow(name="compare", flow_run_name=named("compare"), persist_result=False)
@one_line
async def compare(config: str | None = None, run: str = "") -> tuple[SideReport, ...]:
    """Bring a run that compares settings on: settle what has finished, send what can be sent. Like `quire compare RUN`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        run: The name of the run.
    """
    async with open_pass(config) as p:
        return await advance(p, p.services.storage.runs.read(run))


async def advance(p: Pass, run: Run, opened: OpenServices = open_services) -> tuple[SideReport, ...]:
    """Bring each side of a run as far as it goes now. ``p``: a pass of the collection, whose lock and whose caps hold.
    Raises what a pass raises."""
    reports = []
    for side in run.sides:
        async with _side_pass(p, settings_of_side(p.services.settings, run, side), opened) as its:
            polled = await poll_batches(its)
            reports.append(_report(side.label, polled, await submit_batches(its)))
    if all(each.is_idle for each in reports) and not run.has_ended:
        p.lease.check()
        p.services.storage.runs.write(replace(run, has_ended=True))
    return tuple(reports)


async def advance_open_runs(p: Pass, opened: OpenServices = open_services) -> None:
    """Bring on all runs that have not ended, so that what was sent is settled whoever looks. Trouble with one holds up
    nobody. Raises LeaseLostError alone."""
    runs = p.services.storage.runs
    for name in runs.names():
        try:
            run = runs.read(name)
            if not run.has_ended:
                await advance(p, run, opened)
        except (QuireError, OSError) as error:
            p.lease.check()
            logger().warning("The run %s is not brought on: %s; quire compare %s tries again", name, error, name)


@asynccontextmanager
async def _side_pass(p: Pass, settings: Settings, opened: OpenServices) -> AsyncIterator[Pass]:
    async with opened(settings) as services:
        await ensure_home(settings, services.storage, services.ledger)
        yield Pass(services, p.lease, p.run_started_at)


def _report(label: str, polled: PollReport, submitted: SubmitReport) -> SideReport:
    by_itself = submitted.states[RecordState.RUNNABLE] + submitted.states[RecordState.POSTPONED]
    left = by_itself - submitted.sent - len(submitted.kept_back) - len(submitted.unreadable)
    is_idle = not (polled.running or submitted.sent or left > 0)
    return SideReport(label, polled.settled, submitted.sent, is_idle, submitted.stopped)
