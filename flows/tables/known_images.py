"""What the record manifest says of image files, so that a walk opens only those that are new."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.manifest import document_rows
from assets.sources import ImageHeader
from flows.gateways.files.image_files import KnownImages, NamedFrames
from flows.gateways.files.trees import KnownFiles

_NAMES = ("image_path", "image_bytes", "image_modified_at", "image_mime_type")
_SIZES = ("image_frame", "image_frames", "image_width", "image_height")


def known_files(before: pa.Table | None) -> KnownFiles:
    """What ``before``, the last record manifest, says of all files."""
    return KnownFiles(known_images(before), named_frames(before))


class ManifestFiles:
    """What is known of the files of documents, put together for each document that is asked for: of a million pages
    those of a few documents are. ``before``: reads the last record manifest; ``checks``: see `known_images`;
    ``heads``: whether what their heads say is believed."""

    def __init__(
        self,
        before: Callable[[], pa.Table | None],
        checks: pa.Table,
        document_fields: Sequence[str],
        *,
        heads: bool,
    ) -> None:
        self._read, self._checks, self._document_fields = before, checks, document_fields
        self._heads = heads
        self._reading = Lock()
        self._known: tuple[pa.Table | None, Mapping[tuple[str, ...], tuple[int, int]]] | None = None

    def images(self, fields: tuple[str, ...], place: str) -> KnownImages:
        rows = self._rows(fields) if self._heads else None
        if rows is None:
            return {}
        return known_images(rows, self._checks.take(pa.array(self._checks_in.get(place, []), pa.int64())))

    def named(self, fields: tuple[str, ...]) -> NamedFrames:
        return named_frames(self._rows(fields))

    @cached_property
    def _checks_in(self) -> Mapping[str, list[int]]:
        """The rows of the checks by the folders of their files."""
        return rows_by_folder(self._checks)

    def _rows(self, fields: tuple[str, ...]) -> pa.Table | None:
        with self._reading:
            if self._known is None:
                table = self._read()
                self._known = table, {} if table is None else document_rows(table, self._document_fields)
        table, places = self._known
        start, end = places.get(fields, (0, 0))
        return None if table is None else table.slice(start, end - start)


def rows_by_folder(table: pa.Table) -> dict[str, list[int]]:
    """The rows of a table with the column image_path by the folders of their files."""
    found: dict[str, list[int]] = {}
    for row, path in enumerate(table["image_path"].to_pylist()):
        found.setdefault(path.rpartition("/")[0], []).append(row)
    return found


def named_frames(before: pa.Table | None) -> NamedFrames:
    """What a page of each file of several pages was called by ``before``, the last record manifest: path -> (number of
    the page in the file, from 0; its label). No page of a spread that was cut: its label has the half's number."""
    if before is None:
        return {}
    wanted = pc.greater(before["image_frames"], 1)
    if "image_left" in before.column_names:
        wanted = pc.and_(wanted, pc.and_(before["image_left"].is_null(), before["image_right"].is_null()))
    rows = before.select(["image_path", "image_frame", "record_key"]).filter(wanted)
    columns = (rows[name].to_pylist() for name in rows.column_names)
    return {path: (frame, key.rpartition(SEPARATOR)[2]) for path, frame, key in zip(*columns, strict=True)}


def known_images(before: pa.Table | None, checks: pa.Table | None = None) -> KnownImages:
    """What is known of each file: ``before``, the last record manifest, and ``checks``, the images that are not sent
    (`assets.image_checks.IMAGE_CHECK_SCHEMA`). A file of which not all pages are in either is not known: nothing there
    tells how large the others are."""
    if before is None:
        return {}
    if checks is not None and len(checks):
        wanted = [*_NAMES, *_SIZES]
        before = pa.concat_tables([before.select(wanted), checks.select(wanted)])
    columns = [
        before["image_path"].to_pylist(),
        before["image_bytes"].to_pylist(),
        before["image_modified_at"].cast(pa.int64()).to_pylist(),
    ]
    names = ("image_mime_type", "image_frame", "image_frames", "image_width", "image_height")
    files: dict[tuple[str, int, int], ImageHeader] = {}
    pages: dict[tuple[str, int, int], dict[int, tuple[int, int]]] = {}
    headers: dict[tuple[str, int, int], ImageHeader] = {}  # most scans of a book are alike
    for file, mime_type, frame, frames, width, height in zip(
        zip(*columns, strict=True), *(before[name].to_pylist() for name in names), strict=True
    ):
        if frames == 1:
            kind = (mime_type, width, height)
            files[file] = headers.get(kind) or headers.setdefault(kind, ImageHeader(mime_type, ((width, height),)))
            continue
        sizes = pages.setdefault(file, {})
        sizes[frame] = (width, height)
        if len(sizes) == frames:
            files[file] = ImageHeader(mime_type, tuple(sizes[each] for each in range(frames)))
    return files
