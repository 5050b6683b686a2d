"""The scanner: walks the page images and refreshes the record manifest. Which records are sent stands in `submit`."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect import flow

from assets.domain.errors import ManifestError
from assets.domain.names import meeting_documents
from assets.manifest import is_wanted
from assets.reports import escape
from assets.sources import PageImage, SourceProblem
from config.settings import Settings
from flows.gateways.files.trees import ImageWalk, walk_allowed, walk_images
from flows.gateways.files.trial import folds_case
from flows.gateways.images.headers import read_header
from flows.render import render_sources
from flows.runtime.logs import logger
from flows.runtime.long_steps import long_step
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, one_run_of_passes, open_pass
from flows.runtime.runs import counted, ended, named
from flows.runtime.wiring import utc_now
from flows.tables.known_images import known_images
from flows.tables.left_out import tell_left_out
from flows.tables.outdated import notice_outdated


@dataclass(frozen=True, slots=True)
class ScanReport:
    """``records``: rows of the manifest; ``added``, ``removed``: against the one before; ``problems``: files left out;
    ``changed``: whether the manifest was written."""

    records: int
    added: int
    removed: int
    problems: int
    changed: bool


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


async def scan_records(p: Pass, *, full: bool = False) -> ScanReport:
    """Render PDFs, walk, warn, and replace the manifest if it changed. ``full``: believe nothing of what was known of
    an image. Raises ManifestError, RenderError, OSError."""
    settings, storage = p.services.settings, p.services.storage
    before = storage.read_records()
    depth = len(settings.record.document_fields)
    sources = await render_sources(p)
    allowed, not_allowed = None, list[SourceProblem]()
    if settings.paths.allow_list is not None:
        allowed, not_allowed = await asyncio.to_thread(
            walk_allowed, settings.paths.allow_list, root=storage.root, depth=depth
        )
    filters = _filters(settings)
    async with long_step(p.services.teller, "scanning", "Looking at the page images of documents", 0) as done:

        def wants(fields: tuple[str, ...]) -> bool:
            done.count += 1
            return is_wanted(fields, settings.record.document_fields, filters)

        walk: ImageWalk = await asyncio.to_thread(
            walk_images,
            settings.paths.page_images,
            root=storage.root,
            depth=depth,
            known=known_images(None if full else before),
            read_header=read_header,
            page_pattern=settings.record.page_pattern,
            max_pixels=settings.safety.max_image_pixels,
            wants=wants,
            allowed=allowed,
            apart=(*settings.own_paths, settings.paths.source_documents),
        )
    images, meeting = await asyncio.to_thread(_apart, walk.images, settings.paths.output_results)
    left_out = await tell_left_out(p, sources.problems + walk.problems + not_allowed + meeting)
    documents = p.services.mirror.observe("source_documents", documents=sources.documents)
    mirror, fields = p.services.mirror, settings.record.document_fields
    images_are: dict[str, Any] = {"images": images, "document_fields": fields}
    manifest_is: dict[str, Any] = {"document_fields": fields, "filters": filters, "allowed": allowed}
    pages = await asyncio.to_thread(mirror.observe, "page_images", documents, **images_are)
    table = await asyncio.to_thread(mirror.observe, "record_manifest", pages, **manifest_is)
    if before is not None and before.equals(table):
        # Nothing was made, so Prefect is told of nothing: a pass every few minutes would fill its database with that.
        await notice_outdated(p, table)
        return ScanReport(len(table), 0, 0, left_out, changed=False)

    async def write(table: pa.Table) -> dict[str, int]:
        if before is not None and len(before) and not len(table):
            raise ManifestError(
                settings.paths.page_images,
                f"not one page is left of {len(before)}: is the folder mounted, do filters and allow list fit? If they "
                f"are meant to be gone, delete {storage.records_path}",
            )
        p.lease.check()
        await asyncio.to_thread(storage.write_records, table)
        await notice_outdated(p, table)
        return {"records": len(table), "problems": left_out}

    async def make() -> None:
        await mirror.materialize("page_images", documents, made=pages, **images_are)
        await mirror.materialize("record_manifest", pages, made=table, write=write, **manifest_is)

    await mirror.subflow("scan", make)
    old = set(before["record_key"].to_pylist()) if before is not None else set()
    new = set(table["record_key"].to_pylist())
    found = ScanReport(len(table), len(new - old), len(old - new), left_out, changed=True)
    logger().info(
        "Record manifest: %d records, %d new, %d gone, %d files left out",
        found.records,
        found.added,
        found.removed,
        found.problems,
    )
    return found


def _apart(images: list[PageImage], results: Path) -> tuple[list[PageImage], list[SourceProblem]]:
    """The images whose results have a folder of their own, and the documents of which they would be in the folder of
    another: none is sent, as the results of one would be taken for the other's. Raises OSError."""
    if not folds_case(results):
        return images, []
    places = {image.fields: image.path.rpartition("/")[0] for image in images}
    meeting = meeting_documents(places)
    problems = [
        SourceProblem(
            place,
            f"capitals do not count in {results}, where its results would lie with those of "
            f"{'/'.join(meeting[fields])}; rename one of them",
        )
        for fields, place in places.items()
        if fields in meeting
    ]
    return [image for image in images if image.fields not in meeting], problems


def _filters(settings: Settings) -> dict[str, Sequence[str] | range]:
    return {
        name: wanted if isinstance(wanted, tuple) else range(wanted.start, wanted.end + 1)
        for name, wanted in settings.filters.items()
    }
