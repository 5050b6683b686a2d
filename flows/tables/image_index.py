"""What a scan remembers of the documents' folders (`manifests/index/images`), so that the next one looks again only at
those that changed, and makes nothing anew of the others. What makes a folder's time believed stands in
`flows.gateways.files.folder_times`.

Beside its folder a document hangs on what is known of its images (`assets.image_checks`), and on which of its unfit
images have a result; all else that it hangs on is the same for all, and goes into a fingerprint.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.domain.record import SEPARATOR
from assets.scan_notes import GapsOfKind
from assets.sources import LEFT_OUT_SCHEMA, SourceProblem
from flows.gateways.files.folder_times import FolderClocks, FolderLook, look_at_folders
from flows.gateways.files.index_files import read_index, write_index
from flows.gateways.files.listing import Listing
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.gateways.files.trees import Document, FoundDocument, ImageWalk
from flows.runtime.logs import logger
from flows.tables.known_images import rows_by_folder

_PAIR = pa.struct([pa.field("taken", pa.string()), pa.field("other", pa.string())])
_PROBLEM = pa.struct(list(LEFT_OUT_SCHEMA))
INDEX_SCHEMA = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("stamp", pa.string(), nullable=False),
        pa.field("is_settled", pa.bool_(), nullable=False),
        pa.field("listing", pa.binary(), nullable=False),
        pa.field("has_links", pa.bool_(), nullable=False),
        pa.field("pages", pa.int32(), nullable=False),
        pa.field("checks", pa.string(), nullable=False),
        pa.field("unfit", pa.list_(pa.string()), nullable=False),
        pa.field("done", pa.list_(pa.string()), nullable=False),
        pa.field("problems", pa.list_(_PROBLEM), nullable=False),
        pa.field("copies", pa.list_(_PAIR), nullable=False),
    ]
)
"""Described in manifests/README.md."""
_SUMMARY = b"quire.summary"


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """A row of INDEX_SCHEMA. ``checks``: what was known of its images, in a few bytes; ``unfit``: the records whose
    images cannot be sent, ``done``: those of them that have a result."""

    place: str
    stamp: str
    is_settled: bool
    listing: bytes
    has_links: bool
    pages: int
    checks: str
    unfit: list[str]
    done: list[str]
    problems: list[dict[str, Any]]
    copies: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Summary:
    """What goes for the index as a whole. ``fingerprint``: of all that each document hangs on; ``records``: the stamp
    of the record manifest that was made; ``count``: its rows; ``gaps``, ``notes``: what a person should know of it."""

    fingerprint: str
    records: str
    count: int = 0
    gaps: Mapping[str, GapsOfKind] = field(default_factory=dict)
    notes: Sequence[str] = ()


class ImageIndex:
    """A `SeenDocuments`."""

    def __init__(self, rows: dict[str, SeenDocument], summary: Summary | None, clocks: FolderClocks) -> None:
        self._rows, self.summary, self._clocks = rows, summary, clocks
        self._looks: dict[str, FolderLook | None] = {}
        self._is_full, self._stale = False, frozenset[str]()

    @classmethod
    def read(cls, storage: Storage, clocks: FolderClocks, fingerprint: str) -> "ImageIndex":
        """Empty where it goes by something else than ``fingerprint`` and today's record manifest, or cannot be read:
        then every folder is looked into."""
        try:
            table = read_index(index_path(storage), INDEX_SCHEMA)
            summary = None if table is None else _summary_of(table)
            if table is None or summary is None or (summary.fingerprint, summary.records) != (
                fingerprint, stamp_of(storage.records_path),
            ):  # fmt: skip
                return cls({}, None, clocks)
            columns = (table[name].to_pylist() for name in INDEX_SCHEMA.names)
            return cls({row[0]: SeenDocument(*row[1:]) for row in zip(*columns, strict=True)}, summary, clocks)
        except (OSError, pa.ArrowException) as error:
            logger().warning("Every folder of images is looked into: what was seen of them cannot be read: %s", error)
            return cls({}, None, clocks)

    def forget(self) -> None:
        """Nothing of what was seen."""
        self._rows, self.summary = {}, None

    def expect(self, storage: Storage, checks: pa.Table, *, full: bool) -> None:
        """Find out of which documents something else is known now. ``checks``: IMAGE_CHECK_SCHEMA; ``full``: no folder
        is believed to hold what it held without a look. Raises ManifestError, OSError."""
        digests = _digests(checks)
        unfit = [key for row in self._rows.values() for key in row.unfit]
        done = storage.done_among(unfit) if unfit else set()
        self._is_full = full
        self._stale = frozenset(
            document
            for document, row in self._rows.items()
            if row.checks != digests.get(row.place, "") or {key for key in row.unfit if key in done} != set(row.done)
        )

    # --- a `SeenDocuments`

    def to_look_at(self, documents: Sequence[Document]) -> Sequence[Document]:
        looks = look_at_folders([directory for _, directory in documents], self._clocks)
        names = [SEPARATOR.join(fields) for fields, _ in documents]
        self._looks = dict(zip(names, looks, strict=True))
        return [each for each, name, look in zip(documents, names, looks, strict=True) if self._is_other(name, look)]

    def _is_other(self, document: str, look: FolderLook | None) -> bool:
        row = self._rows.get(document)
        if row is None or look is None or self._is_full or document in self._stale:
            return True
        return not (row.is_settled and look.is_settled and row.stamp == look.stamp)

    def is_as_it_was(self, fields: tuple[str, ...], listing: Listing) -> bool:
        document = SEPARATOR.join(fields)
        row = self._rows.get(document)
        return bool(row and listing.digest and listing.digest == row.listing and document not in self._stale)

    # --- what was found

    def kept(self, walk: ImageWalk) -> dict[tuple[str, ...], SeenDocument]:
        """The documents that hold what they held."""
        found = (fields for fields in walk.order if walk.documents.get(fields) is None)
        return {fields: self._rows[SEPARATOR.join(fields)] for fields in found}

    def are_all_kept(self, walk: ImageWalk) -> bool:
        """Whether there is no other document than there was, and each holds what it held."""
        return self.summary is not None and not walk.found and len(walk.order) == len(self._rows)

    def write(
        self,
        storage: Storage,
        walk: ImageWalk,
        later: Mapping[tuple[str, ...], "Later"],
        checks: pa.Table,
        summary: Summary,
    ) -> None:
        """Keep what was seen. ``later``: what was found out of the documents that were looked into after the walk. What
        cannot be written is looked at again."""
        digests = _digests(checks)
        rows: dict[str, SeenDocument] = {}
        for fields in walk.order:
            document = SEPARATOR.join(fields)
            found, look = walk.documents.get(fields), self._looks.get(document)
            if found is not None:
                row = _row_of(found, later.get(fields, Later()), digests.get(found.place, ""))
            else:
                row = self._rows[document]
            if row is not None and look is not None:
                settled = look.is_settled and not row.has_links
                is_same = (row.stamp, row.is_settled) == (look.stamp, settled)
                rows[document] = row if is_same else replace(row, stamp=look.stamp, is_settled=settled)
        if summary == self.summary and rows == self._rows:
            return
        names = INDEX_SCHEMA.names[1:]
        columns = [pa.array(list(rows), pa.string())]
        columns += [
            pa.array([getattr(row, name) for row in rows.values()], INDEX_SCHEMA.field(name).type) for name in names
        ]
        table = pa.table(columns, schema=INDEX_SCHEMA.with_metadata({_SUMMARY: json.dumps(asdict(summary)).encode()}))
        try:
            write_index(index_path(storage), table)
        except OSError as error:
            logger().warning("The next scan looks into every folder of images again: %s", error)


@dataclass(frozen=True, slots=True)
class Later:
    """``problems``: of the images of a document, told after the walk; ``unfit``: see `SeenDocument`, key -> done."""

    problems: list[SourceProblem] = field(default_factory=list)
    unfit: dict[str, bool] = field(default_factory=dict)


def index_path(storage: Storage) -> Path:
    return storage.manifests / "index" / "images.arrow"


def stamp_of(path: Path) -> str:
    """Tells whether a file is another one, or was changed. Raises OSError."""
    found = found_at(path)
    return "" if found is None else f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def problems_of(rows: Collection[SeenDocument]) -> list[SourceProblem]:
    return [SourceProblem(**problem) for row in rows for problem in row.problems]


def _row_of(found: FoundDocument, later: Later, checks: str) -> SeenDocument | None:
    """None: what was found may be another thing by the next scan."""
    if found.listing is None:
        return None
    return SeenDocument(
        place=found.place,
        stamp="",
        is_settled=False,
        listing=found.listing.digest,
        has_links=found.listing.has_links,
        pages=len(found.images),
        checks=checks,
        unfit=sorted(later.unfit),
        done=sorted(key for key, is_done in later.unfit.items() if is_done),
        problems=[asdict(each) for each in [*found.problems, *later.problems]],
        copies=[{"taken": taken.path, "other": other.path} for taken, other in found.copies],
    )


def _digests(checks: pa.Table) -> dict[str, str]:
    """Folder -> what is known of its images, in a few bytes."""
    rows = checks.set_column(3, "image_modified_at", checks["image_modified_at"].cast(pa.int64())).to_pylist()
    return {
        folder: blake2b(repr([rows[at] for at in places]).encode(), digest_size=16).hexdigest()
        for folder, places in rows_by_folder(checks).items()
    }


def _summary_of(table: pa.Table) -> Summary | None:
    try:
        found = json.loads((table.schema.metadata or {})[_SUMMARY])
        found["gaps"] = {kind: GapsOfKind(**gap) for kind, gap in found["gaps"].items()}
        return Summary(**found)
    except (KeyError, TypeError, ValueError):
        return None
