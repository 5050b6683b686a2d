"""Pages whose image is not the one any more that was sent, when the answer is there: looked for before an answer is
judged, on the disk and not in the record manifest, which is as old as the last scan.

The image of a page that is gone is no other one: the answer is of what the page was, as far as anybody knows, it is
paid for, and an unmounted folder of images must not have a whole batch read again.
"""

import asyncio
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import parse_key
from assets.domain.spread_words import SplitSpreads
from assets.sources import join_key
from config.settings import Settings
from flows.gateways.files.contents import ImageNow, ImageThen, image_now
from flows.gateways.files.storage import Storage
from flows.gateways.files.trees import keys_by_name, walk_images
from flows.gateways.images.headers import read_header
from flows.runtime.logs import warn_of_each
from flows.runtime.passes import Pass
from flows.tables.known_images import known_images, named_frames

Place = tuple[str, int]
"""Path from the project's root, and which page of that file."""


async def replaced_images(p: Pass, batch_manifest: pa.Table, answered: Collection[str]) -> dict[str, str]:
    """Record key -> what is another image now, in words, of the records among ``answered`` that are not done yet. Each
    is told. Raises ManifestError, OSError."""
    settings, storage = p.services.settings, p.services.storage
    rows = batch_manifest.filter(pc.is_in(batch_manifest["record_key"], value_set=pa.array(answered, pa.string())))
    found = await asyncio.to_thread(find_replaced, settings, storage, rows)
    warn_of_each(found, "Answered for another image than the one there now, so that the answer is not written")
    return found


def find_replaced(settings: Settings, storage: Storage, rows: pa.Table) -> dict[str, str]:
    """The same, of rows of a batch manifest; blocks."""
    sent = [*_own(rows), *_before(rows)]
    now: dict[tuple[str, ImageThen], ImageNow] = {}
    doubtful: dict[str, list[_Sent]] = {}
    by_name = _ByName(settings)
    for each in sent:
        at = (each.of, each.image)
        if at not in now:
            now[at] = ImageNow.GONE
            if each.of in by_name.keys(each.image):
                now[at] = image_now(storage.root, each.image.path, each.image.frame, each.image)
        if now[at] is ImageNow.GONE:
            doubtful.setdefault(each.of, []).append(each)
    if doubtful:
        places = _walk(settings, storage, doubtful)
        for key, images in doubtful.items():
            for each in images:
                path, frame = places.get(key, (each.image.path, each.image.frame))
                now[key, each.image] = image_now(storage.root, path, frame, each.image)
    others = [each for each in sent if now[each.of, each.image] is ImageNow.REPLACED]
    done = storage.done_among(dict.fromkeys(each.record_key for each in others))
    reasons: dict[str, str] = {}
    for each in others:
        if each.record_key in done:
            continue
        whose = "its image" if each.of == each.record_key else f"the image of the page before, {each.of},"
        reasons.setdefault(each.record_key, f"{whose} is not the one any more that was sent")
    return reasons


@dataclass(frozen=True, slots=True)
class _Sent:
    """An image that went along for ``record_key``: that of the record ``of``."""

    record_key: str
    of: str
    image: ImageThen


def _own(rows: pa.Table) -> Iterator[_Sent]:
    for key, image in zip(rows["record_key"].to_pylist(), _images(rows, "image_"), strict=True):
        yield _Sent(key, key, image)


def _before(rows: pa.Table) -> Iterator[_Sent]:
    rows = rows.filter(rows["context_image_sha256"].is_valid())
    columns = (rows[name].to_pylist() for name in ("record_key", "context_key"))
    for key, before, image in zip(*columns, _images(rows, "context_image_"), strict=True):
        yield _Sent(key, before, image)


def _images(rows: pa.Table, prefix: str) -> Iterator[ImageThen]:
    # The time as a number: Python's datetime has no nanoseconds.
    types = {"path": pa.string(), "frame": pa.int32(), "bytes": pa.int64(), "modified_at": pa.int64()}
    types |= {"sha256": pa.string()}
    columns = (rows[f"{prefix}{name}"].cast(type_).to_pylist() for name, type_ in types.items())
    return (ImageThen(*each) for each in zip(*columns, strict=True))


class _ByName:
    """Of which record an image can be, by its place and its name alone."""

    def __init__(self, settings: Settings) -> None:
        folder = os.path.relpath(settings.paths.page_images, settings.root).replace(os.sep, "/")
        self._folder = "" if folder == "." else folder
        self._depth, self._fixed = settings.record.depth, settings.record.fixed
        self._pattern = re.compile(settings.record.page_pattern)
        self._splits = settings.images.split_spreads is SplitSpreads.AUTO

    def keys(self, image: ImageThen) -> set[str]:
        keys = keys_by_name(
            image.path,
            image.frame,
            folder=self._folder,
            depth=self._depth,
            page_pattern=self._pattern,
            fixed=self._fixed,
        )
        # It may be one of the two pages of a spread.
        return keys | {f"{key}.{half}" for key in keys for half in (1, 2)} if self._splits else keys


def _walk(settings: Settings, storage: Storage, keys: Collection[str]) -> dict[str, Place]:
    """Record key -> where its image is now, of all records in the documents of ``keys``: by their names, files that
    were moved or are numbered otherwise cannot be told from those that are gone."""
    documents = {parse_key(key).fields for key in keys}
    records = storage.read_records()
    walk = walk_images(
        settings.paths.page_images,
        root=storage.root,
        depth=settings.record.depth,
        fixed=settings.record.fixed,
        known=known_images(records),
        named=named_frames(records),
        read_header=read_header,
        page_pattern=settings.record.page_pattern,
        file_pages=settings.record.file_pages,
        max_pixels=settings.safety.max_image_pixels,
        wants=lambda fields: fields in documents,
        prefer=settings.images.prefer,
    )
    return {join_key(image.fields, image.label): (image.path, image.frame) for image in walk.images}
