"""How runnable records become batches, and the batch manifest: exactly the lines that are sent, in their order.

Which records are runnable stands in `candidates`; what a line looks like in `requests`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from assets.domain.batch import RemoteFile
from assets.graph import Check, asset


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one batch may hold. ``records``: lines; ``upload_bytes``: its images together; ``tokens``: estimated input
    tokens; ``tokens_per_record``: what one line is taken to be, ``bytes_per_record``: of the input file."""

    records: int
    upload_bytes: int
    input_bytes: int
    tokens: int
    tokens_per_record: int
    bytes_per_record: int

    @property
    def lines(self) -> int:
        """The most lines that count, tokens and input file allow; at least one, or nothing would ever be sent."""
        return max(
            1, min(self.records, self.tokens // self.tokens_per_record, self.input_bytes // self.bytes_per_record)
        )

    def first_of(self, runnable_records: pa.Table) -> pa.Table:
        """The first rows that fit one batch; a single image over the limit goes alone."""
        head = runnable_records.slice(0, self.lines)
        total_bytes = np.cumsum(head["image_bytes"].to_numpy())
        fitting = int(np.searchsorted(total_bytes, self.upload_bytes, side="right"))
        return head.slice(0, max(1, fitting))


@dataclass(frozen=True, slots=True)
class SubmissionFacts:
    """What is true of a whole submission; travels in the batch manifest's metadata, as text.

    ``result_schema``: the pydantic model's own JSON Schema, against which results are judged even when the model in
    the code has changed since; ``response_schema_hash`` and ``prompt_hash``: SHA-256 in hex; ``created_at``: UTC.
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
        )


BATCH_SCHEMA = pa.schema(
    [
        pa.field("position", pa.int32(), nullable=False),
        pa.field("record_key", pa.string(), nullable=False),
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_mime_type", pa.string(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("file_name", pa.string()),
        pa.field("file_uri", pa.string()),
        pa.field("context_key", pa.string()),
    ]
)
"""Described in manifests/README.md. ``file_name`` and ``file_uri`` are null for an image that Gemini refused."""


def _each_record_once(table: pa.Table) -> str | None:
    return None if len(table) == len(table["record_key"].unique()) else "a record stands in it twice"


def _not_empty(table: pa.Table) -> str | None:
    return None if len(table) else "it has no rows"


@asset(checks=(Check("each record once", _each_record_once), Check("not empty", _not_empty)))
def batch_manifest(
    runnable_records: pa.Table,
    *,
    uploads: Mapping[str, RemoteFile | None],
    with_context: Sequence[str],
    facts: SubmissionFacts,
) -> pa.Table:
    """Exactly the lines that are sent, in their order.

    ``uploads``: record key -> its uploaded image (None: refused); runnable records that are not in it are left out.
    ``with_context``: the records whose predecessor's result goes along. Columns: BATCH_SCHEMA; metadata: ``facts``.
    """
    at = [index for index, key in enumerate(runnable_records["record_key"].to_pylist()) if key in uploads]
    rows = runnable_records.take(pa.array(at, pa.int64()))
    keys: list[str] = rows["record_key"].to_pylist()
    files = [uploads[key] for key in keys]
    has_context = set(with_context)
    return (
        pa.table(
            {
                "position": pa.array(range(len(keys)), pa.int32()),
                "record_key": rows["record_key"],
                "image_path": rows["image_path"],
                "image_mime_type": rows["image_mime_type"],
                "image_bytes": rows["image_bytes"],
                "image_modified_at": rows["image_modified_at"],
                "file_name": pa.array([file.name if file else None for file in files], pa.string()),
                "file_uri": pa.array([file.uri if file else None for file in files], pa.string()),
                "context_key": pa.array(
                    [
                        before if key in has_context else None
                        for key, before in zip(keys, rows["predecessor"].to_pylist(), strict=True)
                    ],
                    pa.string(),
                ),
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
