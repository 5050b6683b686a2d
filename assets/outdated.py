"""Which results were made from another image, prompt, schema or model than today's: a state, worked out from what made
a result (`provenance`) and what stands there now, so that whoever looks later sees the same. What is done about it is
for a person to say.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.model_names import is_same_model

BoolArray = npt.NDArray[np.bool_]


class Reason(StrEnum):
    """What is another one today."""

    IMAGE = "image"
    PROMPT = "prompt"
    SCHEMA = "schema"
    MODEL = "model"


MADE_COLUMNS = (
    *("record_key", "image_frame", "image_bytes", "image_modified_at", "image_sha256"),
    *("prompt_hash", "response_schema_hash", "model"),
)
"""What of RESULTS_SCHEMA in `provenance` it goes by."""

IMAGE_HASH_SCHEMA = pa.schema(
    [
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("image_sha256", pa.string(), nullable=False),
    ]
)
"""Described in manifests/README.md."""

OUTDATED_SCHEMA = pa.schema(
    [
        pa.field("record_key", pa.string(), nullable=False),
        *(pa.field(reason.value, pa.bool_(), nullable=False) for reason in Reason),
    ]
)


@dataclass(frozen=True, slots=True)
class Making:
    """What a result would be made by now. Hashes as in `assets.planning.SubmissionFacts`; None: not known, since prompt
    or schema cannot be loaded."""

    model: str
    prompt_hash: str | None
    response_schema_hash: str | None


def to_be_hashed(results: pa.Table, images: pa.Table) -> pa.Table:
    """The images of which only their content can tell whether they are others: of the size of the one that was read,
    with another time. Nothing of an image that has not changed.

    ``results``: MADE_COLUMNS; ``images``: record_key, image_path, image_frame, image_bytes and
    image_modified_at of the records that are done. Columns: record_key, image_path, image_bytes, image_modified_at.
    """
    then, there = _paired(results, images)
    _, is_doubtful = _compared(then, there)
    columns = ["record_key", *IMAGE_HASH_SCHEMA.names[:3]]
    return there.select(columns).filter(pa.array(is_doubtful))


def outdated(results: pa.Table, images: pa.Table, hashes: pa.Table, making: Making) -> tuple[pa.Table, int]:
    """The records whose result is outdated, a row each with its reasons, in the order of ``results``; and of how many
    records nobody knows yet whether their image is another.

    ``hashes``: IMAGE_HASH_SCHEMA, of images that `to_be_hashed` named. Columns: OUTDATED_SCHEMA.
    """
    then, there = _paired(results, images)
    is_other, is_doubtful = _compared(then, there)
    doubtful = np.flatnonzero(is_doubtful)
    at = pc.index_in(_identity(there.take(doubtful)), value_set=_identity(hashes).combine_chunks())
    known = hashes["image_sha256"].take(at.combine_chunks())
    differs = pc.fill_null(pc.not_equal(known, then["image_sha256"].take(pa.array(doubtful))), False)
    is_other[doubtful] = differs.to_numpy(zero_copy_only=False)
    reasons = {
        Reason.IMAGE: is_other,
        Reason.PROMPT: _differs(then["prompt_hash"], making.prompt_hash),
        Reason.SCHEMA: _differs(then["response_schema_hash"], making.response_schema_hash),
        Reason.MODEL: _of_another_model(then["model"], making.model),
    }
    columns = {"record_key": then["record_key"]} | {name.value: pa.array(values) for name, values in reasons.items()}
    table = pa.table(columns).cast(OUTDATED_SCHEMA)
    return table.filter(pa.array(np.logical_or.reduce(list(reasons.values())))), int(at.null_count)


def _paired(results: pa.Table, images: pa.Table) -> tuple[pa.Table, pa.Table]:
    """What each result was made from, and in the same row the image that is there now; of records that have both."""
    at = pc.index_in(results["record_key"], value_set=images["record_key"].combine_chunks())
    is_there = at.is_valid()
    return results.filter(is_there), images.take(at.drop_null().combine_chunks())


def _compared(then: pa.Table, there: pa.Table) -> tuple[BoolArray, BoolArray]:
    """Which images are others for sure, by their size or their place in the file, and which may be."""
    is_other = pc.or_(*(pc.not_equal(then[name], there[name]) for name in ("image_bytes", "image_frame")))
    is_newer = pc.not_equal(then["image_modified_at"], there["image_modified_at"])
    return _array(is_other), _array(pc.and_(is_newer, pc.invert(is_other)))


def _identity(images: pa.Table) -> pa.ChunkedArray:
    """A file as it was at a moment, as one text."""
    parts = (images["image_bytes"], images["image_modified_at"].cast(pa.int64()))
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), images["image_path"], " ")


def _differs(values: pa.ChunkedArray, value: str | None) -> BoolArray:
    return np.zeros(len(values), dtype=bool) if value is None else _array(pc.not_equal(values, value))


def _of_another_model(models: pa.ChunkedArray, model: str) -> BoolArray:
    others = [name for name in models.unique().to_pylist() if not is_same_model(model, name)]
    return _array(pc.is_in(models, value_set=pa.array(others, pa.string())))


def _array(values: pa.ChunkedArray) -> BoolArray:
    found: BoolArray = values.to_numpy(zero_copy_only=False).copy()
    return found
