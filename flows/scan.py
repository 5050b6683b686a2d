"""The scanner: walks the page images and refreshes the record manifest. Which records are sent stands in `submit`."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect import flow

from assets.domain.errors import ManifestError
from assets.domain.spread_words import SplitSpreads
from assets.image_checks import unfit_by, with_copies
from assets.manifest import is_wanted
from assets.page_order import OrderRules
from assets.reports import escape
from assets.scan_notes import GapsOfKind, found_gaps
from assets.sources import ImageHeader, PageImage, SourceProblem, left_out
from assets.spreads import allowed_halves
from config.settings import Settings
from flows.gateways.files.trees import ImageWalk, walk_allowed, walk_images
from flows.gateways.images.headers import read_header
from flows.render import SourceReport, look_at_sources, render_sources
from flows.runtime.logs import logger
from flows.runtime.long_steps import long_step
from flows.runtime.one_line import one_line
from flows.runtime.passes import ScanPass, one_run_of_passes, open_pass
from flows.runtime.printable import printable
from flows.runtime.runs import counted, ended, named
from flows.runtime.wiring import utc_now
from flows.tables.image_checks import read_checks, without_unfit, write_checks
from flows.tables.known_images import known_images, named_frames
from flows.tables.left_out import count_left_out, tell_left_out
from flows.tables.outdated import notice_outdated
from flows.tables.scanned import as_problems, gaps_told, notes_of, with_a_place
from flows.tables.spreads import split_spreads, write_spreads


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
        full: Open every image anew, also those whose size and time are as they were. Waits while a pass runs, and
            leaves an artifact.
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
            await p.services.teller.publish("full-scan", f"{escape(said)}\n", description="Every image was opened anew")
        return await ended(p.services.teller, counted(report.records, "page"), said, report)


async def scan_records(p: ScanPass, *, full: bool = False) -> ScanReport:
    """Render PDFs, walk, warn, and replace the manifest if it changed. ``full``: believe nothing of what was known of
    an image. Raises ManifestError, RenderError, OSError."""
    storage, mirror = p.services.storage, p.services.mirror
    before = storage.read_records()
    sources = await render_sources(p)
    walked = await _walk(p, before, sources, full=full)
    problems = await tell_left_out(p, walked.problems)
    if walked.checks is not None:
        p.lease.check()
        await asyncio.to_thread(write_checks, storage, walked.checks)
    if walked.gutters is not None:
        p.lease.check()
        await asyncio.to_thread(write_spreads, storage, walked.gutters)
    documents, pages, table = walked.documents, walked.pages, walked.table
    if before is not None and before.equals(table):
        # Nothing was made, so Prefect is told of nothing: a pass every few minutes would fill its database with that.
        await notice_outdated(p, table)
        return ScanReport(len(table), 0, 0, problems, changed=False, gaps=walked.gaps, notes=walked.notes)

    async def write(table: pa.Table) -> dict[str, int]:
        if before is not None and len(before) and not len(table):
            raise ManifestError(
                p.services.settings.paths.page_images,
                f"not one page is left of {len(before)}: {_first_left_out(storage.root, walked.problems)}is the folder "
                f"mounted, do filters and allow list fit? If they are meant to be gone, delete {storage.records_path}",
            )
        p.lease.check()
        await asyncio.to_thread(storage.write_records, table)
        await notice_outdated(p, table)
        return {"records": len(table), "problems": problems}

    async def tell(pages: pa.Table) -> dict[str, int]:
        return {"pages": len(pages), "left_out": problems}

    async def make() -> None:
        await mirror.materialize("page_images", documents, made=pages, write=tell, **walked.images_are)
        await mirror.materialize("record_manifest", pages, made=table, write=write, **walked.manifest_is)

    await mirror.subflow("scan", make)
    found = _report(before, walked, problems, changed=True)
    logger().info(
        "Record manifest: %d records, %d new, %d gone, %d files left out",
        found.records,
        found.added,
        found.removed,
        found.problems,
    )
    if line := gaps_told(p.services.settings, found.gaps):
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
    before = p.services.storage.read_records()
    sources, to_render = await asyncio.to_thread(look_at_sources, p)
    walked = await _walk(p, before, sources, full=full, limit=limit)
    problems = count_left_out(left_out(walked.problems))
    is_whole = limit is None or len(walked.table) < limit
    report = _report(before if is_whole else None, walked, problems, changed=False)
    return report, to_render


@dataclass(frozen=True, slots=True)
class _Walked:
    """``documents``, ``pages``, ``table``: the assets of these names; ``problems``: what is left out, and why, and the
    ``notes``; ``gaps``, ``notes``: see `ScanReport`; ``images_are``, ``manifest_is``: what else the assets are made
    of; ``checks``: what is known of images by now, see `flows.tables.image_checks`, or None: what was known before;
    ``gutters``: see `flows.tables.spreads`, likewise."""

    documents: pa.Table
    pages: pa.Table
    table: pa.Table
    problems: list[SourceProblem]
    gaps: Mapping[str, GapsOfKind]
    notes: tuple[str, ...]
    images_are: dict[str, Any]
    manifest_is: dict[str, Any]
    checks: pa.Table | None
    gutters: pa.Table | None


async def _walk(
    p: ScanPass, before: pa.Table | None, sources: SourceReport, *, full: bool, limit: int | None = None
) -> _Walked:
    settings, storage, mirror = p.services.settings, p.services.storage, p.services.mirror
    depth, fields, fixed = settings.record.depth, settings.record.document_fields, settings.record.fixed
    allowed, not_allowed = None, list[SourceProblem]()
    if settings.paths.allow_list is not None:
        allowed, not_allowed = await asyncio.to_thread(
            walk_allowed, settings.paths.allow_list, root=storage.root, depth=depth, fixed=fixed
        )
    to_open = allowed
    if allowed is not None and settings.images.split_spreads is SplitSpreads.AUTO:
        to_open, allowed = allowed_halves(allowed)
    filters = _filters(settings)
    known_checks = await asyncio.to_thread(read_checks, storage)
    checks = known_checks.slice(0, 0) if full else known_checks
    pages_found = 0

    def read(path: str, *, max_pixels: int) -> ImageHeader:
        nonlocal pages_found
        header = read_header(path, max_pixels=max_pixels)
        pages_found += len(header.sizes)
        return header

    async with long_step(p.services.teller, "scanning", "Looking at the page images of documents", 0) as done:

        def wants(document: tuple[str, ...]) -> bool:
            done.count += 1
            is_enough = limit is not None and pages_found >= limit
            return not is_enough and is_wanted(document, fields, filters)

        walk: ImageWalk = await asyncio.to_thread(
            walk_images,
            settings.paths.page_images,
            root=storage.root,
            depth=depth,
            # Whoever looks at so many pages and no more has each of them counted as it is opened.
            known=known_images(None if full or limit is not None else before, checks),
            read_header=read,
            page_pattern=settings.record.page_pattern,
            file_pages=settings.record.file_pages,
            named=named_frames(before),
            max_pixels=settings.safety.max_image_pixels,
            wants=wants,
            allowed=to_open,
            apart=(*settings.own_paths, settings.paths.source_documents),
            fixed=fixed,
            prefer=settings.images.prefer,
            is_unfit=unfit_by(checks),
        )
    images, meeting = await asyncio.to_thread(with_a_place, walk.images, settings.paths.output_results)
    images, unsure, gutters = await _split(p, images, full=full)
    images, unfit, checks = await asyncio.to_thread(without_unfit, storage, images, checks, settings.images)
    checks = with_copies(checks, [other for _, other in walk.copies])
    documents = mirror.observe("source_documents", documents=sources.documents)
    images_are: dict[str, Any] = {"images": images, "document_fields": fields}
    order = OrderRules(settings.record.page_order, settings.record.page_order_names)
    manifest_is: dict[str, Any] = {"document_fields": fields, "filters": filters, "allowed": allowed}
    manifest_is |= {"order": order, "at_gap": settings.context.at_gap}
    pages = await asyncio.to_thread(mirror.observe, "page_images", documents, **images_are)
    table = await asyncio.to_thread(mirror.observe, "record_manifest", pages, **manifest_is)
    notes = await asyncio.to_thread(notes_of, settings, walk, table, order)
    problems = sources.problems + walk.problems + not_allowed + meeting + unsure + unfit
    problems += as_problems(notes, settings.paths.page_images, storage.root)
    news = None if checks.equals(known_checks) else checks
    found = found_gaps(table), tuple(notes)
    return _Walked(documents, pages, table, problems, *found, images_are, manifest_is, news, gutters)


async def _split(
    p: ScanPass, images: Sequence[PageImage], *, full: bool
) -> tuple[list[PageImage], list[SourceProblem], pa.Table | None]:
    """The images, with the two pages of each spread; what a person should know; and where gutters are, if that is
    another than before."""
    settings, storage = p.services.settings, p.services.storage
    async with long_step(p.services.teller, "gutters", "Looking for the gutters of spreads", 0) as done:

        def count() -> None:
            done.count += 1

        return await asyncio.to_thread(split_spreads, settings, storage, images, full=full, on_image=count)


def _report(before: pa.Table | None, walked: _Walked, problems: int, *, changed: bool) -> ScanReport:
    old = set(before["record_key"].to_pylist()) if before is not None else set()
    new = set(walked.table["record_key"].to_pylist())
    counts = len(new), len(new - old), len(old - new), problems
    return ScanReport(*counts, changed=changed, gaps=walked.gaps, notes=walked.notes)


def _filters(settings: Settings) -> dict[str, Sequence[str] | range]:
    return {
        name: wanted if isinstance(wanted, tuple) else range(wanted.start, wanted.end + 1)
        for name, wanted in settings.filters.items()
    }
