"""Images of a batch before they go up: prepared in threads of their own, and what is found of them on the way is kept.
How one is prepared stands in `gateways.images.preparing`, what is known of images in `tables.image_checks`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pyarrow as pa

from assets.image_checks import Stamp, stamps
from config.images import ImageVerification
from flows.gateways.gemini.uploads import UploadItem, UploadReport
from flows.gateways.images.preparing import prepare
from flows.gateways.ports import Prepared
from flows.runtime.passes import Pass
from flows.tables.image_checks import decoded_before, note_decoded, note_unfit

PREPARING_THREADS = 8
"""Threads of their own, for reading and converting images: those that wait for memory must not keep others busy."""
_COLUMNS = [
    "record_key",
    "image_path",
    "image_frame",
    "image_frames",
    "image_mime_type",
    "image_bytes",
    "image_modified_at",
    "image_width",
    "image_height",
    "image_left",
    "image_right",
]


@dataclass(slots=True)
class Preparation:
    """``sources``: record key, path, frame and kind of each image; ``items``: the same, to be uploaded."""

    p: Pass
    rows: pa.Table
    sources: list[dict[str, Any]]
    items: list[UploadItem]
    decodes: set[str]
    _limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(PREPARING_THREADS))

    async def prepare(self, item: UploadItem, done: Callable[[], None]) -> Prepared:
        """Raises ImageError, OSError. ``done``: is called when it is."""
        settings = self.p.services.settings
        call = partial(
            prepare,
            item.path,
            item.frame,
            max_side_pixels=settings.uploads.max_side_pixels,
            jpeg_quality=settings.uploads.jpeg_quality,
            max_pixels=settings.safety.max_image_pixels,
            decodes=item.key in self.decodes,
            send_blank=settings.images.send_blank,
            columns=item.columns,
        )
        prepared = await anyio.to_thread.run_sync(call, limiter=self._limiter)
        done()
        return prepared

    async def note(self, report: UploadReport) -> None:
        """Keep what was found: no later pass reads an image again that is as it was."""
        storage = self.p.services.storage
        if report.unfit:
            self.p.lease.check()
            await asyncio.to_thread(note_unfit, storage, self.rows, report.unfit)
        if whole := self.decodes.intersection(report.prepared):
            self.p.lease.check()
            of_key = dict(zip(self.rows["record_key"].to_pylist(), stamps(self.rows), strict=True))
            await asyncio.to_thread(note_decoded, storage, [of_key[key] for key in sorted(whole)])


async def prepare_images(p: Pass, rows: pa.Table, context_rows: pa.Table) -> Preparation:
    """Of the images of ``rows`` and of ``context_rows``, which go along. Raises OSError."""
    storage, verify = p.services.storage, p.services.settings.images.verify
    every = pa.concat_tables([rows.select(_COLUMNS), context_rows.select(_COLUMNS)])
    sources: list[dict[str, Any]] = every.select(
        [*_COLUMNS[:3], "image_mime_type", "image_left", "image_right"]
    ).to_pylist()
    items = [
        UploadItem(
            key=row["record_key"],
            path=storage.root / row["image_path"],
            frame=row["image_frame"],
            mime_type=row["image_mime_type"],
            n=n,
            columns=(row["image_left"], row["image_right"]) if row["image_right"] is not None else None,
        )
        for n, row in enumerate(sources)
    ]
    decodes = set[str]()
    if verify is ImageVerification.DECODE:
        before: set[Stamp] = await asyncio.to_thread(decoded_before, storage, every)
        keys = every["record_key"].to_pylist()
        decodes = {key for key, stamp in zip(keys, stamps(every), strict=True) if stamp not in before}
    return Preparation(p, every, sources, items, decodes)
