"""What the emulator's tests do with the SDK again and again: clients, pictures, input files, jobs and their results."""

import io
import json
from collections.abc import Sequence
from typing import Any

import httpx2
from google import genai
from google.genai import types
from PIL import Image

from tests.emulator_server import API_KEY, EmulatorHandle

JsonObject = dict[str, Any]

MODEL = "gemini-3.5-flash"
JOB_SECONDS = 30
PAGE_SCHEMA: JsonObject = {
    "type": "OBJECT",
    "properties": {"title": {"type": "STRING"}, "lines": {"type": "ARRAY", "items": {"type": "STRING"}}},
    "required": ["title", "lines"],
}


def client_of(handle: EmulatorHandle, *, api_key: str = API_KEY, version: str | None = None) -> genai.Client:
    """Its async half goes through httpx2, as it does for Quire: with aiohttp it would send again by itself."""
    return genai.Client(
        api_key=api_key,
        http_options=types.HttpOptions(
            base_url=handle.base_url,
            api_version=version,
            retry_options=types.HttpRetryOptions(attempts=1),
            httpx_async_client=httpx2.AsyncClient(timeout=60),
        ),
    )


def picture(width: int = 100, height: int = 140, form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, form)
    return buffer.getvalue()


def upload(
    client: genai.Client, content: bytes, mime_type: str = "image/jpeg", *, display_name: str = "page", name: str = ""
) -> types.File:
    config = types.UploadFileConfig(mime_type=mime_type, display_name=display_name, name=name or None)
    return client.files.upload(file=io.BytesIO(content), config=config)


def line(key: str, *files: types.File, schema: JsonObject | None = PAGE_SCHEMA, **generation: Any) -> JsonObject:
    """An input line that asks for a page in ``schema``."""
    parts: list[JsonObject] = [{"text": f"Read the page {key}."}]
    parts += [{"file_data": {"file_uri": file.uri, "mime_type": file.mime_type}} for file in files]
    config: JsonObject = dict(generation)
    if schema is not None:
        config |= {"response_mime_type": "application/json", "response_schema": schema}
    return {"key": key, "request": {"contents": [{"role": "user", "parts": parts}], "generation_config": config}}


def jsonl(lines: Sequence[JsonObject]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines).encode()


def create(
    client: genai.Client, lines: Sequence[JsonObject] | bytes, *, display_name: str = "job", model: str = MODEL
) -> types.BatchJob:
    content = lines if isinstance(lines, bytes) else jsonl(lines)
    source = upload(client, content, "application/jsonl", display_name=f"{display_name} input")
    return create_from(client, named(source), display_name=display_name, model=model)


def create_from(
    client: genai.Client, input_file: str, *, display_name: str = "job", model: str = MODEL
) -> types.BatchJob:
    return client.batches.create(
        model=model, src=input_file, config=types.CreateBatchJobConfig(display_name=display_name)
    )


def named(resource: types.File | types.BatchJob) -> str:
    assert resource.name is not None
    return resource.name


def get(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    return client.batches.get(name=named(job))


def state_of(client: genai.Client, job: types.BatchJob) -> str:
    state = get(client, job).state
    assert state is not None
    return state.value.removeprefix("JOB_STATE_")


def result_file_of(client: genai.Client, job: types.BatchJob) -> str:
    destination = get(client, job).dest
    assert destination is not None
    assert destination.file_name is not None
    return destination.file_name


def raw_results(client: genai.Client, job: types.BatchJob) -> list[bytes]:
    return client.files.download(file=result_file_of(client, job)).splitlines()


def results(client: genai.Client, job: types.BatchJob) -> list[JsonObject]:
    return [json.loads(raw) for raw in raw_results(client, job)]


def answer_line(
    gemini: EmulatorHandle, client: genai.Client, key: str = "CA:Lincoln:2023:4", **line_options: Any
) -> Any:
    """The only line that a job of one record gets."""
    job = create(client, [line(key, **line_options)])
    gemini.advance(JOB_SECONDS)
    [answer] = results(client, job)
    return answer


def text_of(answer: JsonObject) -> str:
    """The answer's text: its parts together, but for thoughts."""
    parts = answer["response"]["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in parts if not part.get("thought"))
