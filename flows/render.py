"""The part of a scan that makes page images of PDFs: what has to be rendered, its log lines, its progress in Prefect.

Nothing is said or made in Prefect when there is nothing to render. How it is done stands in `gateways.pdf.rendering`.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assets.sources import SourcePdf, SourceProblem
from config.settings import Settings
from flows.gateways.files import atomic
from flows.gateways.files.presence import is_folder
from flows.gateways.pdf.rendering import Document, Progress, SourceFolders, not_current, plan_rendering, render_all
from flows.gateways.pdf.tree import walk_pdfs
from flows.gateways.pdf.worker import RenderSettings
from flows.runtime.logs import logger
from flows.runtime.passes import ScanPass
from flows.runtime.progress import tell_step
from flows.runtime.sources import page_reader, render_settings, source_tree
from flows.runtime.telling import ProgressTeller

_NO_FOLDER = "a PDF is a document: name a field in record.document_fields, and give the images a folder of their own"
LOOK_SECONDS = 1.0
"""How often progress is looked at. It is told when a whole percent was done: a hundred times at most."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """``documents``: every PDF with its number of pages, see `assets.sources.source_documents`; ``problems``: what a
    person should know of them, old and new."""

    documents: list[tuple[SourcePdf, int | None]] = field(default_factory=list)
    problems: list[SourceProblem] = field(default_factory=list)


async def render_sources(p: ScanPass) -> SourceReport:
    """See that the images of every PDF are there. Raises LeaseLostError, RenderError, OSError."""
    settings = p.services.settings
    paths, page_of = settings.paths, page_reader(settings)
    folders = SourceFolders(paths.source_documents, paths.page_images, files=atomic, page_of=page_of)
    if not is_folder(folders.source_documents):
        return SourceReport()
    looks = render_settings(settings)
    pdfs, problems = await asyncio.to_thread(_walk, settings)
    plan = await asyncio.to_thread(plan_rendering, pdfs, folders, looks, check=p.lease.check)
    documents = plan.known + (await _render(p, plan.todo, folders, looks) if plan.todo else [])
    documents.sort(key=lambda document: document.pdf.path)
    everything = problems + [problem for document in documents for problem in document.problems]
    found = [(document.pdf, document.pages) for document in documents]
    return SourceReport(found, _placed(p, everything))


def look_at_sources(p: ScanPass) -> tuple[SourceReport, int]:
    """Which PDFs there are, and of how many of them `render_sources` would make images. Writes nothing, and opens none.
    Raises OSError."""
    settings = p.services.settings
    if not is_folder(settings.paths.source_documents):
        return SourceReport(), 0
    pdfs, problems = _walk(settings)
    looks = render_settings(settings)
    images, page_of = settings.paths.page_images, page_reader(settings)
    todo = [pdf for pdf in pdfs if not_current(pdf, images, looks, page_of=page_of) is not None]
    return SourceReport([(pdf, None) for pdf in pdfs], _placed(p, problems)), len(todo)


def _walk(settings: Settings) -> tuple[list[SourcePdf], list[SourceProblem]]:
    tree = source_tree(settings.paths.source_documents, apart=(*settings.own_paths, settings.paths.page_images))
    pdfs, problems = walk_pdfs(tree, depth=len(settings.record.document_fields))
    if settings.record.fixed:
        # Their images would need a folder each, and the one document has none.
        return [], problems + [SourceProblem(pdf.path, _NO_FOLDER) for pdf in pdfs]
    return pdfs, problems


def _placed(p: ScanPass, problems: Sequence[SourceProblem]) -> list[SourceProblem]:
    place = _place(p.services.settings.paths.source_documents, p.services.storage.root)
    return [replace(problem, path=f"{place}/{problem.path}") for problem in problems]


def _place(folder: Path, root: Path) -> str:
    """``folder`` from ``root``, with forward slashes."""
    return os.path.relpath(folder, root).replace(os.sep, "/")


async def _render(
    p: ScanPass, todo: Sequence[SourcePdf], folders: SourceFolders, looks: RenderSettings
) -> list[Document]:
    settings = p.services.settings
    what = _counted(len(todo), "PDF")
    logger().info("Rendering %s", what)
    bar = await p.services.teller.begin_progress("rendering", f"Rendering {what}")
    progress = Progress()
    rendering = asyncio.create_task(
        asyncio.to_thread(
            render_all,
            todo,
            folders,
            looks,
            processes=settings.render.processes,
            check=p.lease.check,
            progress=progress,
        )
    )
    try:
        await _tell(rendering, progress, bar, len(todo))
    finally:
        # When we are cancelled, nothing may go on writing behind a pass that has ended.
        progress.stop.set()
        await asyncio.wait({rendering})
    documents = rendering.result()
    images = sum(document.images for document in documents)
    left_out = sum(problem.left_out for document in documents for problem in document.problems)
    told = f"Rendered {_counted(images, 'page')} of {what}" + (f", {left_out} left out" if left_out else "")
    tell_step("images of PDFs", 1, 1)
    logger().info(told)
    await bar.update(100.0, description=told)
    return documents


async def _tell(
    rendering: "asyncio.Task[list[Document]]", progress: Progress, bar: ProgressTeller, documents: int
) -> None:
    told = 0
    while not rendering.done():
        await asyncio.wait({rendering}, timeout=LOOK_SECONDS)
        percent = progress.percent(documents)
        if told < percent < 100:
            told = percent
            tell_step(f"making images of {_counted(documents, 'PDF')}, percent", percent, 100)
            await bar.update(float(percent))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
