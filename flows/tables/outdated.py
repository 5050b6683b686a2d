"""Which results are outdated, from `manifests/results`, the record manifest and the content of those images
whose time is another one than that of the image that was read. What is compared is decided in `assets.outdated`.

An image that has not changed costs nothing. What was read of the others is kept in `manifests/image_hashes.parquet`; a
scan reads so many of them and no more, and the next one goes on.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.candidates import STATES, RecordState, States
from assets.context import ContextMode
from assets.domain.errors import ConfigError, ManifestError, PromptError, SchemaError
from assets.domain.record import encode_ranges
from assets.domain.schema import schema_hash
from assets.numbering import IntArray, Records
from assets.outdated import (
    IMAGE_COLUMNS,
    IMAGE_HASH_SCHEMA,
    MADE_COLUMNS,
    Making,
    Outdated,
    Pairs,
    Reason,
    outdated,
    paired,
    to_be_hashed,
)
from assets.planning import text_hash
from config.settings import Settings
from flows.gateways.files.contents import sha256_of
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger
from flows.runtime.passes import ScanPass
from flows.runtime.wiring import make_template
from flows.tables.corrections import corrected_by_kind
from flows.tables.derived import placed_results

BYTES_A_SCAN = 2_000_000_000
"""So much is read of images in a scan, which takes half a minute from a slow disk: a pass is to be short."""
MAX_RANGES = 10
"""A line that lists records stays readable."""
_TABLE = "image_hashes"
_GOES_BY, _TOLD = b"quire.goes_by", b"quire.told"


def find_outdated(settings: Settings, storage: Storage, states: States, numbers: IntArray | None = None) -> Outdated:
    """Of the records that are done; of ``numbers`` alone, where they are given. Writes nothing. Raises ManifestError,
    OSError."""
    found = outdated(_pairs(storage, states, numbers, MADE_COLUMNS), _read(storage)[0], making(settings))
    if not len(found):
        return found
    # What a person has vouched for is of no prompt, schema, model or context.
    return found.but_for_image(states.records.known(corrected_by_kind(storage)))


def _pairs(storage: Storage, states: States, numbers: IntArray | None, columns: Sequence[str]) -> Pairs:
    done, wanted = states.codes == STATES.index(RecordState.DONE), None
    if numbers is not None:
        wanted = np.zeros(len(states), dtype=bool)
        wanted[numbers] = True
    return paired(states.records, placed_results(storage, columns), done, wanted)


def making(settings: Settings) -> Making:
    """What a result would be made by now."""
    try:
        _, template = make_template(settings)
    except (ConfigError, PromptError, SchemaError):
        # Whoever sends something is told why.
        return Making(settings.model.name, None, None, *_context(settings))
    hashes = text_hash(template.prompt), schema_hash(template.response_schema)
    return Making(settings.model.name, *hashes, *_context(settings))


def _context(settings: Settings) -> tuple[ContextMode, int | None]:
    return settings.context.mode, settings.context.max_chain


async def notice_outdated(p: ScanPass, manifest: pa.Table | None) -> None:
    """Read those images that have to be read, and say how many results were made from another one, when they have
    become more. What goes wrong is made good by a later scan. ``manifest``: None: as it is written."""
    storage = p.services.storage
    try:
        found = await asyncio.to_thread(_compare, storage, manifest)
        if found is None:
            return
        if len(found.keys) > found.told:
            _tell(found.keys)
        p.lease.check()
        await asyncio.to_thread(_write, storage, found)
    except (ManifestError, OSError) as error:
        logger().warning("Which results are outdated is not known now: %s", error)


@dataclass(frozen=True, slots=True)
class _Compared:
    """``hashes``: those that are needed; ``goes_by``: "" where something is left to be read; ``keys``: whose image is
    another; ``told``: how many they were when that was told last."""

    hashes: pa.Table
    goes_by: str
    keys: list[str]
    told: int


def _compare(storage: Storage, manifest: pa.Table | None) -> _Compared | None:
    """None: nothing has changed since the last time."""
    before, goes_by, told = _read(storage)
    stamps = json.dumps([_stamp(storage.records_path), storage.parts("results").stamp()])
    if goes_by == stamps:
        return None
    results = placed_results(storage, IMAGE_COLUMNS)
    if not len(results) and not goes_by:
        return None
    records = storage.records() if manifest is None else Records.of(manifest)
    if records is None:
        return None
    nothing = Making("", None, None)
    pairs = paired(records, results, np.ones(len(records), dtype=bool))
    suspects = outdated(pairs, before, nothing)
    if len(suspects) or len(suspects.unknown):
        pairs = paired(records, results, records.mask(storage.find_results().done_pages))
    wanted = to_be_hashed(pairs)
    kept = before.join(wanted, IMAGE_HASH_SCHEMA.names[:3], join_type="inner")
    missing = wanted.join(before, IMAGE_HASH_SCHEMA.names[:3], join_type="left anti")
    added, is_complete = _hashed(storage.root, missing.group_by(IMAGE_HASH_SCHEMA.names[:3]).aggregate([]))
    hashes = pa.concat_tables([kept.select(IMAGE_HASH_SCHEMA.names).cast(IMAGE_HASH_SCHEMA), added])
    hashes = hashes.group_by(IMAGE_HASH_SCHEMA.names).aggregate([]).cast(IMAGE_HASH_SCHEMA).sort_by("image_path")
    found = outdated(pairs, hashes, nothing)
    return _Compared(hashes.combine_chunks(), stamps if is_complete else "", found.keys(Reason.IMAGE), told)


def _hashed(root: Path, images: pa.Table) -> tuple[pa.Table, bool]:
    """As many of ``images`` as may be read in a scan, with their hashes; and whether these are all."""
    images, read_bytes, is_complete = images.sort_by("image_path"), 0, True
    rows: list[tuple[str, int, int, str]] = []
    columns = (images["image_path"], images["image_bytes"], images["image_modified_at"].cast(pa.int64()))
    for path, size, modified_ns in zip(*(column.to_pylist() for column in columns), strict=True):
        if rows and read_bytes + size > BYTES_A_SCAN:
            return _hash_table(rows), False
        read_bytes += size
        try:
            sha256 = sha256_of(root / path)
        except OSError as error:
            logger().warning("Cannot be compared with the image that was read: %s: %s", path, error.strerror or error)
            is_complete = False
            continue
        found = found_at(root / path)
        if found is not None and (found.st_size, found.st_mtime_ns) == (size, modified_ns):
            rows.append((path, size, modified_ns, sha256))
    return _hash_table(rows), is_complete


def _hash_table(rows: list[tuple[str, int, int, str]]) -> pa.Table:
    types = (pa.string(), pa.int64(), pa.int64(), pa.string())
    arrays = [pa.array([row[at] for row in rows], type_) for at, type_ in enumerate(types)]
    return pa.table(arrays, names=IMAGE_HASH_SCHEMA.names).cast(IMAGE_HASH_SCHEMA)


def _tell(keys: list[str]) -> None:
    ranges = encode_ranges(keys)
    shown = ", ".join(ranges[:MAX_RANGES])
    more = f" and {len(ranges) - MAX_RANGES} more" if len(ranges) > MAX_RANGES else ""
    results = "1 result was" if len(keys) == 1 else f"{len(keys)} results were"
    logger().warning(
        "%s made from another image than the one there now: %s%s (quire status --outdated lists them, quire rerun "
        "--outdated has them read again)",
        results,
        shown,
        more,
    )


def _read(storage: Storage) -> tuple[pa.Table, str, int]:
    """What was read of images, by what that goes, and how many outdated results were told of. Empty where the table is
    missing or damaged: the next scan makes it anew."""
    try:
        table = storage.read_derived(_TABLE, IMAGE_HASH_SCHEMA)
        metadata = table.schema.metadata or {}
        return table.replace_schema_metadata(None), metadata[_GOES_BY].decode(), int(metadata[_TOLD])
    except (ManifestError, KeyError, ValueError):
        return IMAGE_HASH_SCHEMA.empty_table(), "", 0


def _write(storage: Storage, found: _Compared) -> None:
    metadata = {_GOES_BY: found.goes_by.encode(), _TOLD: b"%d" % len(found.keys)}
    storage.write_derived(_TABLE, found.hashes.replace_schema_metadata(metadata))


def _stamp(path: Path) -> list[int] | None:
    found = found_at(path)
    return [found.st_size, found.st_mtime_ns] if found is not None else None
