"""A viewer over a small collection, and who looks through it: no server, no Prefect."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from typing import Any

import pyarrow as pa
from starlette.testclient import TestClient

from assets.domain.ledger import Ledger
from assets.outcomes import OUTCOME_SCHEMA
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from config.settings import load_settings
from flows.questions.status import ledger_of_files
from flows.runtime.wiring import make_storage
from tests.unit.exports.shelf import NOW, PRICE, Shelf
from viewer.app import create_app
from viewer.room import Room

TOKEN, HOST = "a-token", "testserver"


def room_of(shelf: Shelf, *, reads_text: bool = True) -> Room:
    settings = load_settings(shelf.config, environ={})
    storage = make_storage(settings)

    async def ask() -> tuple[Ledger, str | None]:
        return ledger_of_files(storage), None

    room = Room.of(settings, storage, ask)
    look_again(room)
    if reads_text:
        room.indexing.wait()
    return room


def look_again(room: Room) -> None:
    """Read what has changed, and wait until the index has it."""
    asyncio.run(room.keeper.refresh())
    room.indexing.wait()


@contextmanager
def looking(room: Room, *, has_token: bool = True) -> Iterator[TestClient]:
    app = create_app(room, token=TOKEN, hosts=[HOST], cookie="quire")
    with TestClient(app, f"http://{HOST}", follow_redirects=False) as client:
        if has_token:
            client.cookies.set("quire", TOKEN)
        yield client


def words(html: str) -> str:
    """What a person reads of it, in one line."""
    body = re.sub(r"(?s)<(script|dialog|title).*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def fail(shelf: Shelf, failures: Mapping[str, tuple[str, str]], *, count: int = 1) -> None:
    """A submission in which these pages failed. ``failures``: record key -> kind and message; ``count``: the failure
    count of each after it."""
    number = len(shelf.storage.outcome_files()) + 500
    submission_id = f"01jd{number:022d}"
    told: dict[str, Any] = {"submission_id": submission_id, "collection": "t", "model": "gemini-3.5-flash"}
    told |= {"prompt_name": "page_transcript", "prompt_version": "v1", "prompt_hash": "a" * 64, "schema_name": "m:Page"}
    told |= {"response_schema_hash": "b" * 64, "result_schema": {}, "generation_config": {}, "context_mode": "none"}
    made = SubmissionFacts(**told, created_at=NOW, price=PRICE)
    image: dict[str, Any] = {
        "image_path": "1.jpg",
        "image_frame": 0,
        "image_bytes": 10,
        "image_mime_type": "image/jpeg",
    }
    image |= {"image_modified_at": NOW, "image_sha256": "c" * 64, "estimated_image_tokens": 800}
    image |= {"estimated_text_tokens": 100, "estimated_output_tokens": 130}
    sent = [{"position": at, "record_key": key, **image} for at, key in enumerate(failures)]
    same: dict[str, Any] = {"submission_id": submission_id, "batch_id": "batches/f", "model": made.model}
    same |= {"prompt_name": "page_transcript", "prompt_version": "v1", "settled_at": NOW}
    same |= {"response_schema_hash": made.response_schema_hash, "count_before": count - 1, "count_after": count}
    outcomes = [
        {**same, "record_key": key, "kind": kind, "message": message} for key, (kind, message) in failures.items()
    ]
    table = pa.Table.from_pylist(sent, schema=BATCH_SCHEMA).replace_schema_metadata(made.to_metadata())
    shelf.storage.create_batch_manifest(submission_id, table)
    shelf.storage.create_outcomes(submission_id, pa.Table.from_pylist(outcomes, schema=OUTCOME_SCHEMA))
