"""JSON Lines: a line a page, with its result as it is written."""

from dataclasses import dataclass

from exports.choosing import COST, PROVENANCE
from exports.columns import IMAGE, as_json, field_names
from exports.pages import Page
from exports.registry import Job, RowFormat


@dataclass(frozen=True)
class JsonLines(RowFormat):
    def head(self, job: Job) -> bytes:
        return b""

    def row(self, job: Job, page: Page) -> bytes:
        settled_at = page.row["settled_at"]
        named = zip(field_names(job.document_fields), job.document_fields, strict=True)
        line = {
            "record_key": page.key,
            **{column: page.row[name] for column, name in named},
            "page_label": page.label,
            "text": page.content.text,
            "result": page.result,
            "edited": page.is_edited,
            "correction": page.row["correction"],
            **{name: page.row[name] for name in (*PROVENANCE, *IMAGE, *COST)},
            "settled_at": None if settled_at is None else settled_at.isoformat(),
        }
        return as_json(line).encode() + b"\n"


FORMAT = JsonLines("a line of JSON a page, with its whole result", ".jsonl")
