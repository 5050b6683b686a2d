"""A small collection as passes leave it: images, the record manifest, results, and the submissions that made them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image

from assets.domain.money import Price
from assets.manifest import record_manifest
from assets.outcomes import OUTCOME_SCHEMA
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from assets.sources import PageImage, page_images
from exports.report import Exported
from exports.run import Asked, export
from flows.gateways.files.storage import Storage

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PRICE = Price(input_usd=2.0, output_usd=10.0, cached_usd=1.0, batch_factor=0.5)
WIDTH, HEIGHT = 300, 400
TOKENS = {"prompt_tokens": 1000, "cached_tokens": 200, "output_tokens": 100, "thoughts_tokens": 20}
USD = (800 * 2.0 + 200 * 1.0 + 120 * 10.0) * 0.5 / 1_000_000


def transcript(*blocks: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A PageTranscript. Its headings are those of the blocks that have a level."""
    return {
        "printed_page_number": None,
        "language": "en",
        "continues_previous_page": False,
        "continues_on_next_page": False,
        "headings": [{"text": each["text"], "level": each["level"]} for each in blocks if "level" in each],
        "blocks": [{name: value for name, value in each.items() if name != "level"} for each in blocks],
        **fields,
    }


def block(text: str, kind: str = "paragraph", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "text": text, **more}


class Shelf:
    """``root``: with a quire.yaml; ``document_fields``: state, school and year, unless others are given."""

    def __init__(self, root: Path, fields: Sequence[str] = ("state", "school", "year"), **settings: Any) -> None:
        self.root, self.fields = root, tuple(fields)
        self.config = root / "quire.yaml"
        self.config.write_text(yaml.safe_dump({"record": {"document_fields": list(fields)}, **settings}))
        self.storage = Storage(
            root=root,
            manifests=root / "manifests",
            output_results=root / "dataset/output_results",
            document_fields=self.fields,
        )
        self.storage.manifests.mkdir(parents=True, exist_ok=True)
        self._images: list[PageImage] = []
        self._submissions = 0

    def add(self, document: str, pages: Mapping[str, Any]) -> None:
        """``pages``: label -> result, or None for a page without one. All of them are from one submission."""
        fields = tuple(document.split(":"))
        for label in pages:
            self._images.append(self._draw(fields, label))
        images = page_images(None, images=self._images, document_fields=self.fields)
        self.storage.write_records(record_manifest(images, document_fields=self.fields))
        read = {f"{document}:{label}": result for label, result in pages.items() if result is not None}
        if read:
            self.settle(read)

    def write(self, key: str, result: Any) -> bytes:
        content = result if isinstance(result, bytes) else json.dumps(result, ensure_ascii=False, indent=2).encode()
        path = self.storage.result_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def export(self, format_: str, to: Path, **asked: Any) -> Exported:
        base_url = asked.pop("base_url", "https://example.org/books")
        return export(str(self.config), Asked(format_, to, base_url=base_url, **asked))

    def _draw(self, fields: tuple[str, ...], label: str) -> PageImage:
        folder = self.root.joinpath("dataset/page_images", *fields)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{label}.jpg"
        pixels = np.random.default_rng(len(self._images)).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(path, quality=60)
        found = path.stat()
        relative = path.relative_to(self.root).as_posix()
        return PageImage(
            fields, label, relative, 0, "image/jpeg", found.st_size, found.st_mtime_ns, width=WIDTH, height=HEIGHT
        )

    def settle(self, results: Mapping[str, Any]) -> None:
        """Have them written by one more submission."""
        self._submissions += 1
        submission_id = f"01jd{self._submissions:022d}"
        told: dict[str, Any] = {"submission_id": submission_id, "collection": "t", "model": "gemini-3.5-flash"}
        told |= {
            "prompt_name": "page_transcript",
            "prompt_version": "v1",
            "prompt_hash": "a" * 64,
            "schema_name": "m:Page",
        }
        told |= {"response_schema_hash": "b" * 64, "result_schema": {}, "generation_config": {}, "context_mode": "none"}
        made = SubmissionFacts(**told, created_at=NOW, price=PRICE)
        sent, outcomes = [], []
        for at, (key, result) in enumerate(results.items()):
            content = self.write(key, result)
            sent.append(
                {
                    **{"position": at, "record_key": key, "image_path": f"{at}.jpg", "image_frame": 0},
                    **{"image_bytes": 10, "image_mime_type": "image/jpeg", "image_modified_at": NOW},
                    **{"image_sha256": "c" * 64, "estimated_image_tokens": 800, "estimated_text_tokens": 100},
                    "estimated_output_tokens": 130,
                }
            )
            outcomes.append(
                {
                    **{"record_key": key, "submission_id": submission_id, "batch_id": "batches/b", "kind": "success"},
                    **{"message": "", "model": made.model, "prompt_name": "page_transcript", "prompt_version": "v1"},
                    **{"settled_at": NOW, "response_schema_hash": made.response_schema_hash, **TOKENS},
                    "result_sha256": hashlib.sha256(content).hexdigest(),
                }
            )
        table = pa.Table.from_pylist(sent, schema=BATCH_SCHEMA).replace_schema_metadata(made.to_metadata())
        self.storage.create_batch_manifest(submission_id, table)
        self.storage.create_outcomes(submission_id, pa.Table.from_pylist(outcomes, schema=OUTCOME_SCHEMA))


def files_in(folder: Path) -> dict[str, bytes]:
    """What was exported, without what is noted of it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".quire-export" not in path.as_posix()
    }
