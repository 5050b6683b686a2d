"""The scanner: walks the page images and refreshes the record manifest. Which records are sent stands in `submit`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from prefect import flow

from assets.domain.errors import ManifestError
from assets.sources import SourceProblem
from config.settings import Settings
from flows.gateways.storage import Storage
from flows.gateways.trees import ImageWalk, KnownImages, walk_allowed, walk_images
from flows.logs import logger
from flows.one_line import one_line
from flows.passes import Pass, open_pass
from flows.render import render_sources

MAX_WARNINGS = 200
"""A tree of a thousand thumbnails must not become a thousand rows in Prefect's database every ten minutes."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """``records``: rows of the manifest; ``added``, ``removed``: against the one before; ``problems``: files left out;
    ``changed``: whether the manifest was written."""

    records: int
    added: int
    removed: int
    problems: int
    changed: bool


@flow(name="scan", persist_result=False)
@one_line
async def scan(config: str | None = None) -> ScanReport:
    """Refresh manifests/records.parquet from the tree of page images. ``config``: path of the configuration file."""
    async with open_pass(config) as p:
        return await scan_records(p)


async def scan_records(p: Pass) -> ScanReport:
    """Render PDFs, walk, warn, and replace the manifest if it changed. Raises ManifestError, RenderError, OSError."""
    settings, storage = p.services.settings, p.services.storage
    before = storage.read_records()
    depth = len(settings.record.document_fields)
    sources = await render_sources(p)
    walk: ImageWalk = await asyncio.to_thread(
        walk_images, settings.paths.page_images, root=storage.root, depth=depth, known=known_images(before)
    )
    problems = sources.problems + walk.problems
    allowed = None
    if settings.paths.allow_list is not None:
        allowed, not_allowed = await asyncio.to_thread(walk_allowed, settings.paths.allow_list, depth=depth)
        problems += not_allowed
    _warn(problems)
    left_out = sum(problem.left_out for problem in problems)
    documents = p.services.mirror.observe("source_documents", documents=sources.documents)
    pages = await p.services.mirror.materialize(
        "page_images", documents, images=walk.images, document_fields=settings.record.document_fields
    )
    report: list[ScanReport] = []

    async def write(table: pa.Table) -> dict[str, int]:
        if before is not None and len(before) and not len(table):
            raise ManifestError(
                settings.paths.page_images,
                f"not one page is left of {len(before)}: is the folder mounted, do filters and allow list fit? If they "
                f"are meant to be gone, delete {storage.records_path}",
            )
        p.lease.check()
        report.append(await asyncio.to_thread(_replace, storage, before, table, left_out))
        return {"records": len(table), "problems": left_out}

    await p.services.mirror.materialize(
        "record_manifest",
        pages,
        document_fields=settings.record.document_fields,
        filters=_filters(settings),
        allowed=allowed,
        write=write,
    )
    found = report[0]
    if found.changed:
        logger().info(
            "Record manifest: %d records, %d new, %d gone, %d files left out",
            found.records,
            found.added,
            found.removed,
            found.problems,
        )
    return found


def _replace(storage: Storage, before: pa.Table | None, table: pa.Table, problems: int) -> ScanReport:
    changed = before is None or not before.equals(table)
    if changed:
        storage.write_records(table)
    old = set(before["record_key"].to_pylist()) if changed and before is not None else set()
    new = set(table["record_key"].to_pylist()) if changed else set()
    return ScanReport(len(table), len(new - old), len(old - new), problems, changed)


def known_images(before: pa.Table | None) -> KnownImages:
    if before is None:
        return {}
    columns = [
        before["image_path"].to_pylist(),
        before["image_bytes"].to_pylist(),
        before["image_modified_at"].cast(pa.int64()).to_pylist(),
    ]
    return dict(zip(zip(*columns, strict=True), before["image_mime_type"].to_pylist(), strict=True))


def _filters(settings: Settings) -> dict[str, Sequence[str] | range]:
    return {
        name: wanted if isinstance(wanted, tuple) else range(wanted.start, wanted.end + 1)
        for name, wanted in settings.filters.items()
    }


def _warn(problems: Sequence[SourceProblem]) -> None:
    for problem in problems[:MAX_WARNINGS]:
        # The path comes from a folder of somebody's: its control characters are shown, not obeyed.
        what = "Left out" if problem.left_out else "Please check"
        logger().warning("%s: %s: %s", what, _printable(problem.path), _printable(problem.reason))
    if len(problems) > MAX_WARNINGS:
        logger().warning("Left out: %d more files of this kind", len(problems) - MAX_WARNINGS)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
