"""What a scan finds of the page images, and what becomes of it: the record manifest, what is left out, what a person
should know. Of documents that hold what they held nothing is made anew (`flows.tables.image_index`). What a scan is,
and when it writes, stands in `flows.scan`.
"""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.domain.spread_words import SplitSpreads
from assets.image_checks import unfit_by, with_copies
from assets.manifest import Kept, is_wanted, with_kept
from assets.page_order import OrderRules
from assets.scan_notes import GapsOfKind, found_gaps
from assets.sources import ImageHeader, PageImage, SourceProblem
from assets.spreads import allowed_halves
from config.settings import Settings
from flows.gateways.files.folder_times import NEVER
from flows.gateways.files.storage import Storage
from flows.gateways.files.trees import FoundDocument, ImageWalk, walk_allowed, walk_images
from flows.gateways.files.trial import folds_case
from flows.gateways.images.headers import read_header
from flows.runtime.long_steps import long_step
from flows.runtime.passes import ScanPass
from flows.runtime.wiring import folder_clocks, tried_folder_clocks
from flows.tables.image_checks import read_checks, without_unfit
from flows.tables.image_index import ImageIndex, Later, Summary, problems_of, stamp_of
from flows.tables.known_images import ManifestFiles
from flows.tables.scanned import as_problems, table_notes, walk_notes, with_a_place
from flows.tables.spreads import split_spreads


@dataclass(frozen=True, slots=True)
class Scanned:
    """``pages``, ``made``: the assets `page_images` and `record_manifest` of the documents that were looked into;
    ``table``: the whole record manifest, and ``rest`` what the one before said of those documents; both None where
    nothing changed and none was read. ``count``: the records; ``pages_in_all``: the images of all documents;
    ``problems``: what is left out, and why, and the ``notes``; ``gaps``, ``notes``: what a person should know;
    ``images_are``, ``manifest_is``: what else the assets are made of; ``checks``, ``gutters``: what is known of
    images by now (`flows.tables.image_checks`, `flows.tables.spreads`), None: what was known before; ``seen``: keeps
    what was seen, once all else is written."""

    pages: pa.Table
    made: pa.Table
    table: pa.Table | None
    rest: pa.Table | None
    count: int
    pages_in_all: int
    problems: list[SourceProblem]
    gaps: Mapping[str, GapsOfKind]
    notes: tuple[str, ...]
    images_are: dict[str, Any]
    manifest_is: dict[str, Any]
    checks: pa.Table | None
    gutters: pa.Table | None
    seen: "Seen"

    @property
    def is_changed(self) -> bool:
        """Whether the record manifest is another one than before."""
        return self.table is not None and (self.rest is None or not self.rest.equals(self.made))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scan has seen, to be kept for the next one."""

    index: ImageIndex
    walk: ImageWalk
    later: Mapping[tuple[str, ...], Later]
    checks: pa.Table
    fingerprint: str
    summary: tuple[int, Mapping[str, GapsOfKind], list[str]]

    def write(self, settings: Settings, storage: Storage) -> None:
        """Once all that was made is written: the index goes by it. Raises OSError."""
        count, gaps, notes = self.summary
        fingerprint = f"{self.fingerprint} {_gutters_stamp(settings, storage)}"
        summary = Summary(fingerprint, stamp_of(storage.records_path), count, dict(gaps), notes)
        self.index.write(storage, self.walk, self.later, self.checks, summary)


async def scan_images(
    p: ScanPass,
    documents: pa.Table,
    problems: Sequence[SourceProblem],
    *,
    full: bool,
    limit: int | None = None,
    may_write: bool = True,
) -> Scanned:
    """``documents``: the asset source_documents; ``problems``: what is wrong with those; ``full``: see `flows.scan`;
    ``limit``: no further document is looked into once so many pages were found; ``may_write``: a trial
    file, as else nothing is written. Raises ManifestError, OSError."""
    settings, storage = p.services.settings, p.services.storage
    allowed, not_allowed = None, list[SourceProblem]()
    if settings.paths.allow_list is not None:
        depth, fixed = settings.record.depth, settings.record.fixed
        allowed, not_allowed = await asyncio.to_thread(
            walk_allowed, settings.paths.allow_list, root=storage.root, depth=depth, fixed=fixed
        )
    known_checks = await asyncio.to_thread(read_checks, storage)
    fingerprint = _fingerprint(settings, allowed)
    index = ImageIndex({}, None, NEVER)
    if limit is None:
        index = await asyncio.to_thread(
            _index, settings, storage, fingerprint, known_checks, full=full, may_write=may_write
        )
    to_open, may_be = allowed, allowed
    if allowed is not None and settings.images.split_spreads is SplitSpreads.AUTO:
        to_open, may_be = allowed_halves(allowed)
    look = partial(_walk, p, known_checks, to_open, index, full=full, limit=limit)
    walk = await look()
    is_part = index.summary is not None and not index.are_all_kept(walk)
    if is_part and await asyncio.to_thread(folds_case, settings.paths.output_results):
        # Documents may meet others there: what becomes of one hangs on all.
        index.forget()
        walk = await look()
    kept = index.kept(walk)
    images, meeting = await asyncio.to_thread(with_a_place, walk.images, settings.paths.output_results)
    images, unsure, gutters = await _split(p, images, {row.place for row in kept.values()}, full=full)
    checks = _without(known_checks, walk.found) if full else known_checks
    images, unfit, checks, standing = await asyncio.to_thread(without_unfit, storage, images, checks, settings.images)
    checks = with_copies(checks, [other for _, other in walk.copies])
    later = _later(walk, [*meeting, *unsure, *unfit], standing)
    by_document = {fields: [row] for fields, row in kept.items()}
    own = list(walk.above)
    for fields in walk.order:
        found = walk.documents.get(fields)
        own += problems_of(by_document[fields]) if found is None else [*found.problems, *later[fields].problems]
    copies = [(pair["taken"], pair["other"]) for row in kept.values() for pair in row.copies]
    copies += [(taken.path, other.path) for taken, other in walk.copies]
    order = OrderRules(settings.record.page_order, settings.record.page_order_names)
    images_are: dict[str, Any] = {"images": images, "document_fields": settings.record.document_fields}
    manifest_is: dict[str, Any] = {"document_fields": settings.record.document_fields, "filters": _filters(settings)}
    manifest_is |= {"allowed": may_be, "order": order, "at_gap": settings.context.at_gap}
    observe = p.services.mirror.observe
    pages = await asyncio.to_thread(observe, "page_images", documents, **images_are)
    made = await asyncio.to_thread(observe, "record_manifest", pages, **manifest_is)
    if index.summary is not None and index.are_all_kept(walk):
        table = rest = None
        count, gaps, own_notes = index.summary.count, index.summary.gaps, list(index.summary.notes)
    else:
        table, rest = await asyncio.to_thread(_whole, storage, made, settings.record.document_fields, set(kept))
        count, gaps = len(table), await asyncio.to_thread(found_gaps, table)
        own_notes = await asyncio.to_thread(table_notes, settings, table, order)
    pages_in_all = sum(row.pages for row in kept.values()) + len(walk.images)
    notes = [*walk_notes(settings, own, copies, pages=pages_in_all, is_empty=not count), *own_notes]
    told = [*problems, *own, *not_allowed, *as_problems(notes, settings.paths.page_images, storage.root)]
    news = None if checks.equals(known_checks) else checks
    seen = Seen(index, walk, later, checks, fingerprint, (count, gaps, own_notes))
    what = pages, made, table, rest, count, pages_in_all, told, gaps, tuple(notes)
    return Scanned(*what, images_are, manifest_is, news, gutters, seen)


def _index(
    settings: Settings, storage: Storage, fingerprint: str, checks: pa.Table, *, full: bool, may_write: bool
) -> ImageIndex:
    goes_by = f"{fingerprint} {_gutters_stamp(settings, storage)}"
    index = ImageIndex.read(storage, (tried_folder_clocks if may_write else folder_clocks)(settings), goes_by)
    index.expect(storage, checks, full=full)
    return index


async def _walk(
    p: ScanPass,
    checks: pa.Table,
    to_open: set[str] | None,
    index: ImageIndex,
    *,
    full: bool,
    limit: int | None,
) -> ImageWalk:
    settings, storage = p.services.settings, p.services.storage
    fields, filters = settings.record.document_fields, _filters(settings)
    pages_found = 0

    def read(path: str, *, max_pixels: int) -> ImageHeader:
        nonlocal pages_found
        header = read_header(path, max_pixels=max_pixels)
        pages_found += len(header.sizes)
        return header

    def wants(document: tuple[str, ...]) -> bool:
        is_enough = limit is not None and pages_found >= limit
        return not is_enough and is_wanted(document, fields, filters)

    # Whoever looks at so many pages and no more has each of them counted as it is opened.
    known = ManifestFiles(storage.read_records, checks, fields, heads=not full and limit is None)
    async with long_step(p.services.teller, "scanning", "Looking at the page images of documents", 0) as done:

        def count() -> None:
            done.count += 1

        return await asyncio.to_thread(
            _without_collector,
            walk_images,
            settings.paths.page_images,
            root=storage.root,
            depth=settings.record.depth,
            known=known,
            read_header=read,
            page_pattern=settings.record.page_pattern,
            file_pages=settings.record.file_pages,
            max_pixels=settings.safety.max_image_pixels,
            wants=wants,
            allowed=to_open,
            apart=(*settings.own_paths, settings.paths.source_documents),
            fixed=settings.record.fixed,
            prefer=settings.images.prefer,
            is_unfit=unfit_by(checks.slice(0, 0) if full else checks),
            seen=index if limit is None else None,
            on_document=count,
        )


def _without_collector(walk: Callable[..., ImageWalk], *arguments: Any, **options: Any) -> ImageWalk:
    """Nothing that a walk makes refers to itself, and with a million images that are new Python would look through all
    of them again and again."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        return walk(*arguments, **options)
    finally:
        if is_on:
            gc.enable()


async def _split(
    p: ScanPass, images: Sequence[PageImage], kept: set[str], *, full: bool
) -> tuple[list[PageImage], list[SourceProblem], pa.Table | None]:
    """The images, with the two pages of each spread; what a person should know; and where gutters are, if that is
    another than before. ``kept``: the places of documents that hold what they held."""
    settings, storage = p.services.settings, p.services.storage
    async with long_step(p.services.teller, "gutters", "Looking for the gutters of spreads", 0) as done:

        def count() -> None:
            done.count += 1

        return await asyncio.to_thread(split_spreads, settings, storage, images, kept=kept, full=full, on_image=count)


def _later(
    walk: ImageWalk, problems: Sequence[SourceProblem], standing: Mapping[str, bool]
) -> dict[tuple[str, ...], Later]:
    """Of the documents that were looked into, what was told of their images after the walk. ``standing``: the record
    keys of images that cannot be sent -> whether they are done."""
    later = {each.fields: Later() for each in walk.found}
    if not problems and not standing:
        return later
    of_place = {each.place: each.fields for each in walk.found}
    for problem in problems:
        at = problem.path if problem.path in of_place else problem.path.rpartition("/")[0]
        later[of_place[at]].problems.append(problem)
    for key, is_done in standing.items():
        later[tuple(key.split(SEPARATOR)[:-1])].unfit[key] = is_done
    return later


def _whole(
    storage: Storage, made: pa.Table, document_fields: Sequence[str], documents: set[tuple[str, ...]]
) -> tuple[pa.Table, pa.Table | None]:
    """The record manifest with the ``documents`` that hold what they held, and what the one before says of others."""
    before = storage.read_records()
    if before is None:
        return made, None
    kept = Kept(before, document_fields, documents)
    return with_kept(made, kept), kept.rest


def _without(checks: pa.Table, documents: Sequence[FoundDocument]) -> pa.Table:
    """Without what is known of the images of ``documents``."""
    places = pa.array([each.place for each in documents], pa.string())
    folders = pc.replace_substring_regex(checks["image_path"], pattern="/[^/]*$", replacement="")
    return checks.filter(pc.invert(pc.is_in(folders, value_set=places))).combine_chunks()


def _filters(settings: Settings) -> dict[str, Sequence[str] | range]:
    return {
        name: wanted if isinstance(wanted, tuple) else range(wanted.start, wanted.end + 1)
        for name, wanted in settings.filters.items()
    }


def _fingerprint(settings: Settings, allowed: set[str] | None) -> str:
    """Of all that each document hangs on: settings, the allow list, and who opens images."""
    sections = settings.record, settings.images, settings.context, settings.safety, settings.filters
    parts = [repr(each) for each in sections]
    parts += [repr((settings.paths, settings.own_paths)), version("quire"), version("pillow")]
    parts += ["" if allowed is None else repr(sorted(allowed))]
    return blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _gutters_stamp(settings: Settings, storage: Storage) -> str:
    """Of what is known of gutters, where any are looked for."""
    if settings.images.split_spreads is SplitSpreads.NEVER:
        return "none"
    return stamp_of(storage.derived_path("spreads"))
