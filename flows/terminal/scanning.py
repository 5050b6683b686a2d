"""``quire scan``: the record manifest made anew of files alone. Where a Prefect answers, no pass runs meanwhile; where
none does, none can. The flow of the same name, which Prefect starts, stands in `flows.scan`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from assets.candidates import waves_by_mode
from assets.domain.errors import LockBusyError, PrefectUnavailableError
from assets.pace import Forecast
from config.settings import Settings, check_folders, load_settings
from flows.gateways.files.storage import Storage
from flows.gateways.ports import Lease
from flows.questions.forecasting import forecast_of
from flows.questions.status import ledger_of_files, read_ledger_or_files, states_in_mode
from flows.runtime.home import check_home, check_settings
from flows.runtime.passes import OperatorsLease
from flows.runtime.printable import printable, printable_json
from flows.runtime.ready import check_ready
from flows.runtime.untold import untold_scan
from flows.runtime.wiring import config_path, make_storage, open_pass_lock, utc_now
from flows.scan import ScanReport, look_at_records, scan_records
from flows.tables.scanned import gaps_told
from flows.terminal.facts import short
from flows.terminal.nothing_found import why_no_pages
from flows.terminal.show import forecast_lines, waves_text

BUSY = "another pass is running; nothing to do here"


async def scan_text(
    config: str | None,
    *,
    full: bool = False,
    as_json: bool = False,
    dry_run: bool = False,
    limit: int | None = None,
) -> tuple[str, bool]:
    """Refresh the record manifest; what was found and done, and how many waves it will take; and whether there was
    anything at all. ``full``: ask for every file; ``dry_run``: write nothing; ``limit``: likewise, and look at so
    many pages and whole documents only. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    check_folders(settings)
    storage = make_storage(settings)
    if dry_run or limit is not None:
        report, to_render = await look_at_records(
            untold_scan(settings, storage, OperatorsLease()), full=full, limit=limit
        )
        is_there = bool(report.records or to_render)
        return _looked(settings, storage, report, to_render, limit, as_json=as_json), is_there
    try:
        async with _held(settings, storage, wait=full) as (lease, problem):
            report = await scan_records(untold_scan(settings, storage, lease), full=full)
    except LockBusyError:
        return "null" if as_json else BUSY, True
    waves, ends = await _waves_left(settings, storage, problem)
    if as_json:
        also = {"waves_by_mode": waves, "forecast": ends.as_json(), "prefect_problem": problem}
        return printable_json({**asdict(report), **also}), bool(report.records)
    lines = [_found(report)]
    if report.records:
        is_written = "is written" if report.changed else "is as it was"
        lines.append(f"the record manifest {is_written}: {short(storage.records_path)}")
        lines.append(f"waves left: {waves_text(waves)}")
        lines += forecast_lines(waves, ends)
    else:
        lines += why_no_pages(settings)
    lines += _noted(settings, report)
    lines += [f"By the files alone, Prefect was not asked: {problem}"] if problem is not None else []
    return "\n".join(lines), bool(report.records)


@asynccontextmanager
async def _held(settings: Settings, storage: Storage, *, wait: bool) -> AsyncIterator[tuple[Lease, str | None]]:
    """The pass lock, where a Prefect answers, and None; else a word that nothing can be locked, and why. Folders that
    belong to something else are refused either way. Raises LockBusyError, HomeMismatchError."""
    try:
        await check_ready(str(settings.source) if settings.source else None)
    except PrefectUnavailableError as error:
        home = storage.home.read()
        if home is not None:
            check_settings(settings, storage, home)
            storage.home.check_marks()
        yield OperatorsLease(), str(error)
        return
    async with open_pass_lock(settings) as (ledger, lock), lock.hold(wait=wait) as lease:
        await check_home(settings, storage, ledger)
        yield lease, None


async def _waves_left(settings: Settings, storage: Storage, problem: str | None) -> tuple[dict[str, int], Forecast]:
    """By context mode; and when it may be done in each."""
    if problem is None:
        ledger, _ = await read_ledger_or_files(settings, storage)
    else:
        ledger = await asyncio.to_thread(ledger_of_files, storage)

    def count() -> tuple[dict[str, int], Forecast]:
        now = utc_now()
        states = states_in_mode(settings, storage, ledger, now=now)
        waves = waves_by_mode(states)
        return waves, forecast_of(settings, storage, states(settings.context.mode), waves, now=now)

    return await asyncio.to_thread(count)


def _looked(
    settings: Settings, storage: Storage, report: ScanReport, to_render: int, limit: int | None, *, as_json: bool
) -> str:
    is_part = limit is not None and report.records >= limit
    if as_json:
        return printable_json({**asdict(report), "pdfs_to_render": to_render, "is_whole": not is_part, "dry_run": True})
    lines = [_found(report, is_part=is_part)]
    if to_render:
        pdfs = "1 PDF" if to_render == 1 else f"{to_render} PDFs"
        lines.append(f"images would be made of {pdfs} first, whose pages are not counted here")
    lines += _noted(settings, report)
    if not report.records and not to_render:
        lines += why_no_pages(settings)
    lines.append(f"nothing is done: {short(storage.records_path)} is not written")
    return "\n".join(lines)


def _noted(settings: Settings, report: ScanReport) -> list[str]:
    line = gaps_told(settings, report.gaps)
    return [*([line] if line else []), *(printable(note) for note in report.notes)]


def _found(report: ScanReport, *, is_part: bool = False) -> str:
    if is_part:
        return f"{report.records} records in the first documents, {report.problems} files left out; there may be more"
    return f"{report.records} records, {report.added} new, {report.removed} gone, {report.problems} files left out"
