"""Images that are not sent: found when their bytes are read for the upload, kept in `manifests/image_checks.parquet`,
and left out by each scan from then on, for as long as their file is as it was. What is told of them is decided in
`assets.image_checks`.

A page that has its result stays a page, whatever its image is like.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ManifestError, UnfitImageError
from assets.image_checks import DECODED_SCHEMA, IMAGE_CHECK_SCHEMA, Sorted, Stamp, sort_out, stamps, with_rows
from assets.sources import PageImage, SourceProblem, join_key
from config.images import ImagesSection
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger

_CHECKS, _DECODED = "image_checks", "decoded_images"


def read_checks(storage: Storage) -> pa.Table:
    """Columns: IMAGE_CHECK_SCHEMA. Empty where the table is missing or damaged: uploads make it anew. Raises
    OSError."""
    return _read(storage, _CHECKS, IMAGE_CHECK_SCHEMA)


def without_unfit(
    storage: Storage, images: Sequence[PageImage], checks: pa.Table, settings: ImagesSection
) -> tuple[list[PageImage], list[SourceProblem], pa.Table, dict[str, bool]]:
    """The images that can be sent; the others as problems; what is known of images by now; and the record key of each
    that cannot be sent -> whether it is done, and so a page all the same. Writes nothing. Raises ManifestError,
    OSError."""
    found: Sorted = sort_out(images, checks, min_side_pixels=settings.min_side_pixels, send_blank=settings.send_blank)
    keys = {join_key(image.fields, image.label) for image, _, _ in found.unfit}
    done = storage.done_among(keys) if keys else set()
    fit, problems = found.fit, list[SourceProblem]()
    for image, kind, reason in found.unfit:
        key = join_key(image.fields, image.label)
        if key in done:
            fit.append(image)
            continue
        of = f"page {image.frame + 1} of the file: " if image.frames > 1 else ""
        problems.append(SourceProblem(image.path, of + reason, kind=kind, record_key=key))
    return fit, problems, found.checks, {key: key in done for key in keys}


def write_checks(storage: Storage, checks: pa.Table) -> None:
    """Raises OSError."""
    storage.write_derived(_CHECKS, checks)


def note_unfit(storage: Storage, rows: pa.Table, unfit: Mapping[str, UnfitImageError]) -> None:
    """Keep what was found of images. ``rows``: of the record manifest, ``unfit``: record key -> what was found. An
    image that has changed since the scan is not noted: the next one looks at it anew. What cannot be written is found
    again."""
    found = rows.filter(pc.is_in(rows["record_key"], value_set=pa.array(list(unfit), pa.string())))
    added = []
    for row, (_, _, size_bytes, modified_ns) in zip(
        found.drop_columns("image_modified_at").to_pylist(), stamps(found), strict=True
    ):
        error = unfit[row["record_key"]]
        if (size_bytes, modified_ns) == (error.size_bytes, error.modified_ns):
            of_image = {name: row[name] for name in IMAGE_CHECK_SCHEMA.names if name in row}
            added.append({**of_image, "image_modified_at": modified_ns, "kind": error.kind, "reason": error.reason})
    try:
        if added:
            write_checks(storage, with_rows(read_checks(storage), added))
    except OSError as error:
        logger().warning("image_checks.parquet is behind, these images are read again: %s", error)


def decoded_before(storage: Storage, rows: pa.Table) -> set[Stamp]:
    """Those pages of ``rows``, of the record manifest, that were decoded before and are whole. Raises OSError."""
    table = _read(storage, _DECODED, DECODED_SCHEMA)
    return set(stamps(table.filter(pc.is_in(table["image_path"], value_set=rows["image_path"].combine_chunks()))))


def note_decoded(storage: Storage, decoded: Sequence[Stamp]) -> None:
    """Keep that these pages were decoded and are whole, so that a second try does not do it again."""
    if not decoded:
        return
    columns = [pa.array([stamp[at] for stamp in decoded]) for at in range(len(DECODED_SCHEMA))]
    added = pa.table(columns, names=DECODED_SCHEMA.names).cast(DECODED_SCHEMA)
    try:
        table = pa.concat_tables([_read(storage, _DECODED, DECODED_SCHEMA), added])
        storage.write_derived(_DECODED, table.combine_chunks())
    except OSError as error:
        logger().warning("decoded_images.parquet is behind, these images are decoded again: %s", error)


def _read(storage: Storage, name: str, schema: pa.Schema) -> pa.Table:
    try:
        return storage.read_derived(name, schema).replace_schema_metadata(None)
    except ManifestError:
        return schema.empty_table()
