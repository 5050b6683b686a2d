"""What a person would write in an afternoon: google-genai alone, without any safety. Upload 16 at a time, a JSONL file
for each batch, create, poll, download, write.

    python -m benchmarks.baselines.whole_run base_url images_folder out_folder template.json batch_size
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from google import genai
from google.genai import types

STREAMS = 16
POLL_SECONDS = 0.1
ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED")


async def upload_all(client: Any, files: list[Path]) -> list[types.File]:
    queue, done = iter(enumerate(files)), dict[int, types.File]()

    async def work() -> None:
        for i, file in queue:
            config = types.UploadFileConfig(mime_type="image/jpeg")
            done[i] = await client.aio.files.upload(file=file, config=config)

    await asyncio.gather(*(work() for _ in range(STREAMS)))
    return [done[i] for i in range(len(files))]


def request_line(key: str, image: types.File, template: dict[str, Any]) -> str:
    parts = [
        {"text": template["prompt"] + key},
        {"file_data": {"file_uri": image.uri, "mime_type": image.mime_type}},
    ]
    request = {"contents": [{"role": "user", "parts": parts}], "generation_config": template["config"]}
    return json.dumps({"key": key, "request": request}) + "\n"


def write_results(content: bytes, out: Path) -> int:
    lines = content.splitlines()
    for line in lines:
        document = json.loads(line)
        text = document["response"]["candidates"][0]["content"]["parts"][0]["text"]
        path = out.joinpath(*document["key"].split(":")).with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(json.loads(text), indent=2))
    return len(lines)


async def run(base_url: str, images: Path, out: Path, template: dict[str, Any], batch_size: int) -> int:
    options = types.HttpOptions(base_url=base_url, api_version="v1")
    client: Any = genai.Client(api_key="bench-key", http_options=options)
    files = sorted(images.rglob("*.jpg"))  # noqa: ASYNC240 - there is nothing else to do yet
    jobs = []
    for at in range(0, len(files), batch_size):
        part = files[at : at + batch_size]
        uploaded = await upload_all(client, part)
        path = out / f"{at}.jsonl"
        with path.open("w") as file:
            for image, remote in zip(part, uploaded, strict=True):
                key = ":".join([*image.relative_to(images).parts[:-1], image.stem])
                file.write(request_line(key, remote, template))
        up = await client.aio.files.upload(file=path, config=types.UploadFileConfig(mime_type="application/jsonl"))
        jobs.append(await client.aio.batches.create(model=template["model"], src=up.name))
    written = 0
    for job in jobs:
        while job.state.name not in ENDED:
            await asyncio.sleep(POLL_SECONDS)
            job = await client.aio.batches.get(name=job.name)
        written += write_results(await client.aio.files.download(file=job.dest.file_name), out)
    return written


def main(base_url: str, images: str, out: str, template: str, batch_size: str) -> None:
    Path(out).mkdir(parents=True, exist_ok=True)
    found = json.loads(Path(template).read_text())
    print(asyncio.run(run(base_url, Path(images), Path(out), found, int(batch_size))))


if __name__ == "__main__":
    main(*sys.argv[1:])
