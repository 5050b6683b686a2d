"""The lines that Quire makes are lines that the service takes: schema, prompt and image, through a job and back."""

import io
import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from PIL import Image
from pydantic import BaseModel, Field

from assets.context import ContextMode
from assets.domain.schema import response_schema
from assets.requests import RequestTemplate, batch_requests
from config.schemas.page_transcript import PageTranscript
from flows.gateways.gemini.client import GoogleGemini
from tests.contracts.gemini.test_gateway import MODEL
from tests.emulator_server import EmulatorHandle

PROMPT = Path(__file__).parents[3] / "config/prompts/page_transcript/v1.jinja"
KEYS = ["TX:Peñón High:1901:3", "TX:Peñón High:1901:10"]


class Ink(StrEnum):
    BLACK = "black"
    RED = "red"


class Stamp(BaseModel):
    kind: Literal["stamp"]
    text: str = Field(min_length=1, max_length=40)


class Note(BaseModel):
    kind: Literal["note"]
    ink: Ink | None
    seen_at: datetime


class EveryKind(BaseModel):
    """A model that uses what a model can use."""

    marks: list[Stamp | Note] = Field(min_length=1, max_length=3)
    best: Stamp | Note | None
    tagged: Stamp | Note = Field(discriminator="kind")
    score: float = Field(ge=0, le=1)
    level: int = Field(gt=0, lt=7)
    names: list[str] | None = None
    amount: int | str


@pytest.mark.parametrize("model", [PageTranscript, EveryKind])
async def test_a_page_becomes_an_instance_of_the_model(
    gateway: GoogleGemini, gemini: EmulatorHandle, tmp_path: Path, model: type[BaseModel]
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (60, 80), "white").save(picture, "PNG")
    picture.seek(0)
    image = await gateway.upload(picture, display_name="i", mime_type="image/png")
    manifest = pa.table(
        {
            "record_key": KEYS,
            "file_uri": [image.uri] * 2,
            "file_mime_type": ["image/png"] * 2,
            "context_key": pa.array([None, KEYS[0]], pa.string()),
            "context_file_uri": pa.array([None, None], pa.string()),
            "context_file_mime_type": pa.array([None, None], pa.string()),
        }
    )
    template = RequestTemplate(
        prompt=PROMPT.read_text(encoding="utf-8"),
        prompt_source=PROMPT.name,
        context_mode=ContextMode.PREVIOUS_RESULT,
        document_fields=("state", "school", "year"),
        response_schema=response_schema(model),
        generation_config={"temperature": 0.1, "max_output_tokens": 8192},
    )
    previous = {KEYS[0]: {"text": "one\u2028two"}}
    lines = b"".join(batch_requests(manifest, template=template, previous_results=previous))
    file = await gateway.upload(io.BytesIO(lines), display_name="input", mime_type="application/jsonl")
    job = await gateway.create_job(model=MODEL, display_name="d", input_file=file.name)
    gemini.advance(60)
    done = await gateway.get_job(job.name)
    assert done.result_file is not None
    await gateway.download(done.result_file, tmp_path / "r")
    answers = {line["key"]: line for line in map(json.loads, (tmp_path / "r").read_bytes().split(b"\n")[:-1])}
    assert sorted(answers) == sorted(KEYS)
    for answer in answers.values():
        model.model_validate_json(answer["response"]["candidates"][0]["content"]["parts"][0]["text"])
