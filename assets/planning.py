"""How runnable records become batches, and the batch manifest: exactly the lines that are sent, in their order.

Which records are runnable stands in `candidates`; what a line looks like in `requests`.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from assets.domain.batch import RemoteFile
from assets.domain.model_names import is_same_model, model_id
from assets.domain.money import Price
from assets.estimates import ESTIMATE_SCHEMA
from assets.graph import Check, asset

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
_NO_IMAGES: Mapping[str, "ContextImage"] = MappingProxyType({})
SPENDING_WINDOW = "limits.usd_per_10_minutes"
_CONTEXT_IMAGE = {"path": pa.string(), "frame": pa.int32(), "bytes": pa.int64(), "modified_at": pa.int64()}
_CONTEXT_IMAGE |= {"sha256": pa.string()}
_IMAGE_COLUMNS = ("image_path", "image_frame", "image_mime_type")


@dataclass(frozen=True, slots=True)
class Weights:
    """What each row of a table weighs; arrays of its length. ``upload_bytes``: its image, ``input_bytes``: its line in
    the input file, ``input_tokens`` and ``estimated_usd``: as estimated, ``max_usd``: the most that it can cost.
    Dollars are 0 without a price."""

    upload_bytes: IntArray
    input_bytes: IntArray
    input_tokens: IntArray
    max_usd: FloatArray
    estimated_usd: FloatArray


@dataclass(frozen=True, slots=True)
class Room:
    """What the next batch may hold: ``records`` and ``input_bytes`` are limits of one batch, all else is what the open
    batches have left of a limit or a cap. ``usd``: infinite without a cap; ``usd_from``: the cap that is the tightest.
    ``is_empty``: there is no other open batch, so that a single record may go which is over a limit by itself.
    ``window_usd``: what Google's spending limit of 10 minutes has left, infinite without one; ``is_window_empty``:
    nothing was sent in these 10 minutes, so that a single record may go likewise."""

    records: int
    input_bytes: int
    upload_bytes: int
    tokens: int
    usd: float
    usd_from: str = ""
    is_empty: bool = True
    window_usd: float = inf
    is_window_empty: bool = True

    def first_of(self, weights: Weights) -> tuple[int, str]:
        """How many of the first rows fit, and by what the next one is kept out ("" if by nothing but a batch's size).

        A record over a limit of Gemini goes alone while nothing else is open, or it would never be sent; a cap of the
        budget has no exception.
        """
        of_one_batch = min(len(weights.upload_bytes), self.records, _fitting(weights.input_bytes, self.input_bytes))
        if self.is_empty:
            of_one_batch = max(of_one_batch, min(1, len(weights.upload_bytes)))
        together = {
            "limits.storage_bytes": _fitting(weights.upload_bytes, self.upload_bytes),
            "limits.enqueued_tokens": _fitting(weights.input_tokens, self.tokens),
        }
        if self.is_empty:
            together = {name: max(1, count) for name, count in together.items()}
        if self.window_usd != inf:
            fitting = _fitting(weights.estimated_usd, self.window_usd)
            together[SPENDING_WINDOW] = max(1, fitting) if self.is_window_empty else fitting
        if self.usd != inf:
            together[self.usd_from] = _fitting(weights.max_usd, self.usd)
        tightest = min(together, key=lambda name: together[name])
        if together[tightest] < of_one_batch:
            return together[tightest], tightest
        return of_one_batch, ""


def _fitting(weights: IntArray | FloatArray, limit: float) -> int:
    return int(np.searchsorted(np.cumsum(weights), limit, side="right"))


@dataclass(frozen=True, slots=True)
class SubmissionFacts:
    """What is true of a whole submission; travels in the batch manifest's metadata, as text.

    ``result_schema``: the pydantic model's own JSON Schema, against which results are judged even when the model in
    the code has changed since; ``response_schema_hash`` and ``prompt_hash``: SHA-256 in hex; ``created_at``: UTC;
    ``price``: the model's when it was sent, or None if none was known; ``prices``: likewise of every model that the
    settings had one of, by its id, as another model than the one that is asked may answer.
    """

    submission_id: str
    collection: str
    model: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    schema_name: str
    response_schema_hash: str
    result_schema: dict[str, Any]
    generation_config: dict[str, Any]
    context_mode: str
    created_at: datetime
    price: Price | None
    prices: Mapping[str, Price] = field(default_factory=dict)

    def price_of(self, answered_by: str | None) -> Price | None:
        """The price of what answered, in its own words (None: it did not say): as it was when the batch was sent. That
        of the model that was asked for, where no other is known."""
        if answered_by is None or is_same_model(self.model, answered_by):
            return self.price
        alike = (price for name, price in self.prices.items() if is_same_model(name, answered_by))
        return self.prices.get(model_id(answered_by)) or next(alike, self.price)

    def to_metadata(self) -> dict[str, str]:
        """Parquet metadata: text for every field, JSON where it is no text."""
        return {
            f"quire.{name}": value if isinstance(value, str) else _as_text(value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "SubmissionFacts":
        """Raises KeyError or ValueError for metadata that is not ours."""
        found = {name.removeprefix("quire."): text for name, text in metadata.items() if name.startswith("quire.")}
        return cls(
            submission_id=found["submission_id"],
            collection=found["collection"],
            model=found["model"],
            prompt_name=found["prompt_name"],
            prompt_version=found["prompt_version"],
            prompt_hash=found["prompt_hash"],
            schema_name=found["schema_name"],
            response_schema_hash=found["response_schema_hash"],
            result_schema=json.loads(found["result_schema"]),
            generation_config=json.loads(found["generation_config"]),
            context_mode=found["context_mode"],
            created_at=datetime.fromisoformat(found["created_at"]),
            price=Price.from_json(json.loads(found["price"])),
            # Earlier versions did not keep them.
            prices={name: Price(**price) for name, price in json.loads(found.get("prices", "{}")).items()},
        )


BATCH_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int32(), nullable=False),
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_frame", pa.int32(), nullable=False),
        pa.field("image_mime_type", pa.string(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("image_sha256", pa.string(), nullable=False),
        pa.field("file_name", pa.string()),
        pa.field("file_uri", pa.string()),
        pa.field("file_mime_type", pa.string()),
        pa.field("file_bytes", pa.int64()),
        pa.field("context_key", pa.string()),
        pa.field("context_file_name", pa.string()),
        pa.field("context_file_uri", pa.string()),
        pa.field("context_file_mime_type", pa.string()),
        pa.field("context_image_path", pa.string()),
        pa.field("context_image_frame", pa.int32()),
        pa.field("context_image_bytes", pa.int64()),
        pa.field("context_image_modified_at", pa.timestamp("ns", tz="UTC")),
        pa.field("context_image_sha256", pa.string()),
        *(pa.field(name, ESTIMATE_SCHEMA.field(name).type, nullable=False) for name in ESTIMATE_SCHEMA.names[:3]),
        *(pa.field(name, ESTIMATE_SCHEMA.field(name).type) for name in ESTIMATE_SCHEMA.names[3:]),
        pa.field("repair", pa.string()),
    ]
)
"""Described in manifests/README.md. The columns ``file_*`` are null for an image that Gemini refused."""


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image as it went up. ``file``: None if Gemini refused it; ``sha256`` (hex), ``bytes``, ``modified_ns``: of the
    original file as it was then, which may be another one than the last scan has seen."""

    file: RemoteFile | None
    sha256: str
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class ContextImage:
    """The image of the page before, as it went along. ``path``: relative to the project's root; ``frame``: which page
    of that file; ``bytes``, ``modified_at`` (nanoseconds since 1970, UTC), ``sha256``: of the original file."""

    file: RemoteFile
    path: str
    frame: int
    bytes: int
    modified_at: int
    sha256: str


def _each_record_once(table: pa.Table) -> str | None:
    return None if len(table) == len(table["record_key"].unique()) else "a record stands in it twice"


def _not_empty(table: pa.Table) -> str | None:
    return None if len(table) else "it has no rows"


@asset(checks=(Check("each record once", _each_record_once), Check("not empty", _not_empty)))
def batch_manifest(
    runnable_records: pa.Table,
    *,
    uploads: Mapping[str, SentImage],
    with_context: Collection[str],
    context_images: Mapping[str, ContextImage] = _NO_IMAGES,
    estimates: pa.Table,
    facts: SubmissionFacts,
) -> pa.Table:
    """Exactly the lines that are sent, in their order.

    ``uploads``: record key -> its image; runnable records that are not in it are left out. ``with_context``: the
    records whose predecessor's result or image goes along; ``context_images``: record key -> that image. ``estimates``:
    a row for each of ``runnable_records``, see `assets.estimates`. What is changed in a request (see `assets.repair`)
    is in their column ``repair``, if there is one. Columns: BATCH_SCHEMA; metadata: ``facts``.
    """
    at = [index for index, key in enumerate(runnable_records["record_key"].to_pylist()) if key in uploads]
    rows = runnable_records.take(pa.array(at, pa.int64()))
    keys: list[str] = rows["record_key"].to_pylist()
    images = [uploads[key] for key in keys]
    files = [image.file for image in images]
    predecessors = zip(keys, rows["predecessor"].to_pylist(), strict=True)
    context = [context_images.get(key) for key in keys]
    estimated = estimates.take(pa.array(at, pa.int64()))
    return (
        pa.table(
            {
                "position": pa.array(range(len(keys)), pa.int32()),
                "record_key": rows["record_key"],
                **{name: rows[name] for name in _IMAGE_COLUMNS},
                "image_bytes": pa.array([image.bytes for image in images], pa.int64()),
                "image_modified_at": pa.array([image.modified_ns for image in images], pa.int64()),
                "image_sha256": [image.sha256 for image in images],
                "file_name": pa.array([file.name if file else None for file in files], pa.string()),
                "file_uri": pa.array([file.uri if file else None for file in files], pa.string()),
                "file_mime_type": pa.array([file.mime_type if file else None for file in files], pa.string()),
                "file_bytes": pa.array([file.size_bytes if file else None for file in files], pa.int64()),
                "context_key": pa.array(
                    [before if key in with_context else None for key, before in predecessors], pa.string()
                ),
                "context_file_name": pa.array([image.file.name if image else None for image in context], pa.string()),
                "context_file_uri": pa.array([image.file.uri if image else None for image in context], pa.string()),
                "context_file_mime_type": pa.array(
                    [image.file.mime_type if image else None for image in context], pa.string()
                ),
                **{
                    f"context_image_{name}": pa.array([getattr(image, name, None) for image in context], type_)
                    for name, type_ in _CONTEXT_IMAGE.items()
                },
                **{name: estimated[name] for name in ESTIMATE_SCHEMA.names},
                "repair": rows["repair"] if "repair" in rows.column_names else pa.nulls(len(keys), pa.string()),
            }
        )
        .cast(BATCH_SCHEMA)
        .replace_schema_metadata(facts.to_metadata())
        .combine_chunks()
    )


def text_hash(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else json.dumps(value, ensure_ascii=False, sort_keys=True)
