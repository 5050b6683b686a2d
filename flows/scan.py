"""The scanner: walks the page images and refreshes the record manifest. Which records are sent stands in `submit`."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from assets.domain.errors import ManifestError
from assets.reports import escape
from assets.scan_notes import GapsOfKind
from assets.sources import SourceProblem, left_out
from flows.render import look_at_sources, render_sources
from flows.runtime.logs import logger
from flows.runtime.one_line import one_line
from flows.runtime.passes import ScanPass, one_run_of_passes, open_pass
from flows.runtime.printable import printable
from flows.runtime.runs import counted, ended, named
from flows.runtime.wiring import utc_now
from flows.tables.image_checks import write_checks
from flows.tables.image_scan import Scanned, scan_images
from flows.tables.left_out import count_left_out, tell_left_out
from flows.tables.outdated import notice_outdated
from flows.tables.scanned import gaps_told
from flows.tables.spreads import write_spreads


@dataclass(frozen=True, slots=True)
class ScanReport:
    """``records``: rows of the manifest; ``added``, ``removed``: against the one before; ``problems``: files left out;
    ``changed``: whether the manifest was written; ``gaps``: what is missing between pages, by kind; ``notes``: what a
    person should know beside, a line each."""

    records: int
    added: int
    removed: int
    problems: int
    changed: bool
    gaps: Mapping[str, GapsOfKind] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def followed_by(self, later: "ScanReport") -> "ScanReport":
        """Both together."""
        added, removed = self.added + later.added, self.removed + later.removed
        changed = self.changed or later.changed
        return replace(later, added=added, removed=removed, changed=changed)


@flow(name="scan", flow_run_name=named("scan"), persist_result=False)
@one_line
async def scan(config: str | None = None, full: bool = False) -> ScanReport:
    """Refresh the list of all pages from the tree of page images; sends nothing. Like `quire scan`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        full: Ask for every file, also in folders whose time is as it was, and open all images of a document in which
            anything changed. Waits while a pass runs, and leaves an artifact.
    """
    with one_run_of_passes(utc_now()) if full else nullcontext():
        return await _scan(config, full=full)


async def _scan(config: str | None, *, full: bool) -> ScanReport:
    async with open_pass(config) as p:
        report = await scan_records(p, full=full)
        said = f"{counted(report.records, 'page')}, {report.added:,} new, {report.removed:,} gone, " + (
            f"{counted(report.problems, 'file')} left out"
        )
        if full:
            await p.services.teller.publish(
                "full-scan", f"{escape(said)}\n", description="Every image file was asked for"
            )
        return await ended(p.services.teller, counted(report.records, "page"), said, report)


async def scan_records(p: ScanPass, *, full: bool = False) -> ScanReport:
    """Render PDFs, walk, warn, and replace the manifest if it changed. ``full``: ask for every file, also in folders
    whose time is as it was, and open all images of a document anew of which anything changed. Raises ManifestError,
    RenderError, OSError."""
    settings, storage, mirror = p.services.settings, p.services.storage, p.services.mirror
    sources = await render_sources(p)
    if full:
        p.lease.check()
        storage.forget_results()
    documents = mirror.observe("source_documents", documents=sources.documents)
    scanned = await scan_images(p, documents, sources.problems, full=full)
    problems = await tell_left_out(p, scanned.problems)
    if scanned.checks is not None:
        p.lease.check()
        await asyncio.to_thread(write_checks, storage, scanned.checks)
    if scanned.gutters is not None:
        p.lease.check()
        await asyncio.to_thread(write_spreads, storage, scanned.gutters)
    if not scanned.is_changed:
        # Nothing was made, so Prefect is told of nothing: a pass every few minutes would fill its database with that.
        await notice_outdated(p, scanned.table)
        p.lease.check()
        await asyncio.to_thread(scanned.seen.write, settings, storage)
        return _report(scanned, problems)
    before, made = scanned.rest, scanned.table

    async def write(table: pa.Table) -> dict[str, int]:
        if before is not None and len(before) and not len(table):
            raise ManifestError(
                settings.paths.page_images,
                f"not one page is left of {len(before)}: {_first_left_out(storage.root, scanned.problems)}is the "
                f"folder mounted, do filters and allow list fit? If they are meant to be gone, delete "
                f"{storage.records_path}",
            )
        p.lease.check()
        await asyncio.to_thread(storage.write_records, table)
        await notice_outdated(p, table)
        return {"records": len(table), "problems": problems}

    async def tell(pages: pa.Table) -> dict[str, int]:
        return {"pages": scanned.pages_in_all, "left_out": problems}

    async def make() -> None:
        pages = scanned.pages
        await mirror.materialize("page_images", documents, made=pages, write=tell, **scanned.images_are)
        await mirror.materialize("record_manifest", pages, made=made, write=write, **scanned.manifest_is)

    await mirror.subflow("scan", make)
    p.lease.check()
    await asyncio.to_thread(scanned.seen.write, settings, storage)
    found = _report(scanned, problems)
    logger().info(
        "Record manifest: %d records, %d new, %d gone, %d files left out",
        found.records,
        found.added,
        found.removed,
        found.problems,
    )
    if line := gaps_told(settings, found.gaps):
        logger().info("%s", line)
    return found


def _first_left_out(root: Path, problems: Sequence[SourceProblem]) -> str:
    found = [each for each in problems if each.left_out]
    if not found:
        return ""
    others = f", and {len(found) - 1:,} more" if found[1:] else ""
    return f"left out is {printable(str(root / found[0].path))} ({printable(found[0].reason)}){others}; "


async def look_at_records(p: ScanPass, *, full: bool = False, limit: int | None = None) -> tuple[ScanReport, int]:
    """What a scan would find, and of how many PDFs it would make images first. Writes nothing. ``limit``: no further
    document is looked into once so many pages were found. Raises ManifestError, OSError."""
    sources, to_render = await asyncio.to_thread(look_at_sources, p)
    documents = p.services.mirror.observe("source_documents", documents=sources.documents)
    scanned = await scan_images(p, documents, sources.problems, full=full, limit=limit, may_write=False)
    problems = count_left_out(left_out(scanned.problems))
    is_whole = limit is None or scanned.count < limit
    report = replace(_report(scanned, problems), changed=False)
    return report if is_whole else replace(report, added=report.records, removed=0), to_render


def _report(scanned: Scanned, problems: int) -> ScanReport:
    new = scanned.made["record_key"]
    old = new.slice(0, 0) if scanned.rest is None else scanned.rest["record_key"]
    stayed = int(pc.sum(pc.is_in(new, value_set=old.combine_chunks()), min_count=0).as_py())
    counts = scanned.count, len(new) - stayed, len(old) - stayed, problems
    return ScanReport(*counts, changed=scanned.is_changed, gaps=scanned.gaps, notes=scanned.notes)
