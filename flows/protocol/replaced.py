"""Pages whose image is not the one any more that was sent, when the answer is there: looked for before an answer is
judged, on the disk and not in the record manifest, which is as old as the last scan.

The image of a page that is gone is no other one: the answer is of what the page was, as far as anybody knows, it is
paid for, and an unmounted folder of images must not have a whole batch read again.
"""

import asyncio
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from assets.domain.record import document_of, label_of, parse_key
from assets.domain.spread_words import SplitSpreads
from assets.sources import join_key
from config.settings import Settings
from flows.gateways.files.contents import ImageNow, ImageThen, image_now
from flows.gateways.files.storage import Storage
from flows.gateways.files.trees import keys_by_name, walk_images
from flows.gateways.images.headers import read_header
from flows.runtime.logs import warn_of_each
from flows.runtime.passes import Pass
from flows.tables.known_images import known_files

PART_ROWS = 2_000
MAX_NAMES = 20_000

_TYPES = {"path": pa.string(), "frame": pa.int32(), "bytes": pa.int64(), "modified_at": pa.int64()}
_TYPES |= {"sha256": pa.string()}
# The time as a number: Python's datetime has no nanoseconds.
IMAGE_COLUMNS = (
    *(f"image_{name}" for name in _TYPES),
    "context_key",
    *(f"context_image_{name}" for name in _TYPES),
)
"""Of a batch manifest, beside ``record_key``: which images were sent."""
Place = tuple[str, int]
"""Path from the project's root, and which page of that file."""


async def replaced_images(p: Pass, batch_manifest: pa.Table) -> dict[str, str]:
    """Record key -> what is another image now, in words, of the records that are not done yet. Raises ManifestError,
    OSError."""
    return await asyncio.to_thread(find_replaced, p.services.settings, p.services.storage, batch_manifest)


def warn_of_replaced(found: Mapping[str, str]) -> None:
    """``found``: of records that have an answer."""
    warn_of_each(found, "Answered for another image than the one there now, so that the answer is not written")


def find_replaced(settings: Settings, storage: Storage, rows: pa.Table) -> dict[str, str]:
    """The same, of rows of a batch manifest; blocks. They are looked at part by part: an object for each image of a
    large batch would fill the memory."""
    others: list[_Sent] = []
    doubtful: dict[str, list[_Sent]] = {}
    by_name = _ByName(settings)
    for start in range(0, len(rows), PART_ROWS):
        part = rows.slice(start, PART_ROWS)
        now: dict[tuple[str, ImageThen], ImageNow] = {}
        for each in (*_own(part), *_before(part)):
            at = (each.of, each.image)
            if at not in now:
                now[at] = ImageNow.GONE
                if by_name.can_be(each.of, each.image):
                    now[at] = image_now(storage.root, each.image.path, each.image.frame, each.image)
            if now[at] is ImageNow.GONE:
                doubtful.setdefault(each.of, []).append(each)
            elif now[at] is ImageNow.REPLACED:
                others.append(each)
    if doubtful:
        places = _walk(settings, storage, doubtful)
        for key, images in doubtful.items():
            for each in images:
                path, frame = places.get(key, (each.image.path, each.image.frame))
                if image_now(storage.root, path, frame, each.image) is ImageNow.REPLACED:
                    others.append(each)
    done = storage.done_among(dict.fromkeys(each.record_key for each in others))
    # Of a page's own image first, in the order in which they were sent.
    in_order = sorted(others, key=lambda each: each.of != each.record_key)
    reasons: dict[str, str] = {}
    for each in in_order:
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
    columns = (rows[f"{prefix}{name}"].cast(type_).to_pylist() for name, type_ in _TYPES.items())
    return (ImageThen(*each) for each in zip(*columns, strict=True))


class _ByName:
    """Of which record an image can be, by its place and its name alone."""

    def __init__(self, settings: Settings) -> None:
        folder = os.path.relpath(settings.paths.page_images, settings.root).replace(os.sep, "/")
        self._folder = "" if folder == "." else folder
        self._depth, self._fixed = settings.record.depth, settings.record.fixed
        self._pattern = re.compile(settings.record.page_pattern)
        self._splits = settings.images.split_spreads is SplitSpreads.AUTO
        self._documents: dict[str, str] = {}
        self._labels: dict[tuple[str, int], frozenset[str]] = {}

    def can_be(self, record_key: str, image: ImageThen) -> bool:
        """What a folder says, and what a file's name in it says, is reckoned once each: names return in each
        document."""
        folder, _, name = image.path.rpartition("/")
        document, labels = self._documents.get(folder), self._labels.get((name, image.frame))
        if document is None or labels is None:
            keys = self._keys(image)
            if not keys:
                return False
            document, labels = document_of(next(iter(keys))), frozenset(map(label_of, keys))
            if max(len(self._documents), len(self._labels)) > MAX_NAMES:
                self._documents.clear()
                self._labels.clear()
            self._documents[folder], self._labels[name, image.frame] = document, labels
        return document_of(record_key) == document and label_of(record_key) in labels

    def _keys(self, image: ImageThen) -> set[str]:
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
        known=known_files(records),
        read_header=read_header,
        page_pattern=settings.record.page_pattern,
        file_pages=settings.record.file_pages,
        max_pixels=settings.safety.max_image_pixels,
        wants=lambda fields: fields in documents,
        prefer=settings.images.prefer,
    )
    return {join_key(image.fields, image.label): (image.path, image.frame) for image in walk.images}
