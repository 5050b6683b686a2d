"""Settling one finished job of many records: the product's own `settle` on real files, against a plain loop.

    python -m benchmarks.settle prepare FOLDER RECORDS BYTES
    python -m benchmarks.settle settle FOLDER RECORDS

Gemini, the Variables and Prefect's tasks are the tests' twins: a download copies the file, and nothing is told. All
else is as in a pass: the result file is kept, compressed and hashed, each image is asked whether it is still the one
that was sent, each answer is judged, each result is durable before the outcomes are, and the submission is closed.

On a real disk, `--data` must name one: in memory a sync costs nothing.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import measured
from benchmarks.rows import PEAK, Bar, Row, Taken

MODULE = ("-m", "benchmarks.settle")
PREPARE = (*MODULE, "prepare", "{data}", "{records}", "{bytes}")
SETTLE = (*MODULE, "settle", "{data}", "{records}")
PAGES = 100
"""Of each document."""
IMAGE = b"\xff\xd8\xff an image"
MB = 10**6

ROWS = [
    Row(
        name="settle",
        work="settle 100,000 results of 4 KB, durably",
        against="json.loads, model_validate, write_text, no durability",
        bars=(Bar(1.1),),
        ours=SETTLE,
        theirs=("benchmarks/baselines/settle.py", "{data}"),
        prepare=PREPARE,
        size={"records": 100_000, "bytes": 4_000},
        quick={"records": 20_000},
        repeats=3,
    ),
    Row(
        name="settle-memory",
        work="settle a result file of 2 GB",
        against="",
        bars=(Bar(400 * MB, of=PEAK, taken=Taken.ALONE, unit="MB"),),
        ours=SETTLE,
        prepare=PREPARE,
        size={"records": 100_000, "bytes": 20_000},
        quick={"records": 10_000},
        repeats=1,
        quick_repeats=1,
    ),
]

SENTENCE = 'All men by these presents that I, "John Doe" of Lincoln, do hereby grant § 12 — unto the said trustees; '
"""With letters that JSON escapes."""


def main(what: str, folder: Path, *numbers: int) -> None:
    if what == "prepare":
        prepare(folder, *numbers)
    else:
        settle_once(folder, *numbers)


def keys_of(records: int) -> list[str]:
    documents = range(-(-records // PAGES))
    keys = [
        f"S{d % 50:02d}:School{d // 50 % 20:02d}:{1800 + d // 1000}:{page}"
        for d in documents
        for page in range(1, PAGES + 1)
    ]
    return keys[:records]


def image_of(key: str) -> str:
    return f"images/{key.replace(':', '/')}.jpg"


def prepare(folder: Path, records: int, size: int) -> None:
    keys = keys_of(records)
    made = set()
    for key in keys:
        path = folder / image_of(key)
        if path.parent not in made:
            path.parent.mkdir(parents=True)
            made.add(path.parent)
        path.write_bytes(IMAGE)
        os.utime(path, ns=(0, 0))
    with (folder / "answers.jsonl").open("wb") as file:
        for number, key in enumerate(keys):
            file.write(json.dumps(answer(key, number, size)).encode() + b"\n")


def answer(key: str, number: int, size: int) -> dict[str, Any]:
    blocks: list[dict[str, str]] = []
    page = {
        "printed_page_number": str(number) if number % 3 else None,
        "language": "en",
        "continues_previous_page": bool(number % 2),
        "continues_on_next_page": bool(number % 3),
        "headings": [{"text": f"CHAPTER {number % 40}", "level": 1}],
        "blocks": blocks,
    }
    left = size - 300
    while left > 0:
        text = (SENTENCE * 5)[: min(400, left)] + f" {number}.{len(blocks)}"
        blocks.append({"kind": "paragraph", "text": text})
        left -= len(json.dumps(text)) + 35
    usage = {"promptTokenCount": 1500, "candidatesTokenCount": 900, "thoughtsTokenCount": 200, "totalTokenCount": 2600}
    content = {"parts": [{"text": json.dumps(page)}], "role": "model"}
    return {
        "key": key,
        "response": {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage,
            "modelVersion": "gemini-3.8-flash",
            "responseId": f"r{number:020d}",
        },
    }


def settle_once(data: Path, records: int) -> None:
    # Here, as the runner imports each module of rows.
    from assets.domain.batch import JobState, RemoteJob
    from flows.protocol.settlement import settle

    folder = Path(tempfile.mkdtemp(prefix="settled-", dir=data))
    try:
        (folder / "images").symlink_to(data / "images")
        p, submission_id = opened(folder, keys_of(records), data / "answers.jsonl")
        job = RemoteJob("batches/b1", submission_id, JobState.SUCCEEDED, "JOB_STATE_SUCCEEDED", "m", "files/results")
        os.sync()
        with measured() as figures:
            committed = asyncio.run(settle(p, submission_id, job))
            figures["n"] = committed["result_sha256"].drop_null().length()
            del committed
    finally:
        shutil.rmtree(folder)


def opened(folder: Path, keys: list[str], answers: Path) -> tuple[Any, str]:
    """A pass with one active submission of these records, whose job has answered."""
    import pyarrow as pa

    from assets.domain.home import HomeFile
    from assets.planning import BATCH_SCHEMA
    from flows.gateways.files.storage import JobFile
    from flows.protocol.claiming import submission_facts

    p = quiet_pass(folder)
    storage = p.services.storage
    asyncio.run(p.services.ledger.create_home("0" * 32))
    storage.home.create(HomeFile("0" * 32, {}))
    storage.home.mark("0" * 32)
    submission_id = p.services.new_submission_id()
    same: dict[str, Any] = {
        "position": pa.array(range(len(keys)), pa.int32()),
        "record_key": pa.array(keys),
        "image_path": pa.array([image_of(key) for key in keys]),
        "image_sha256": pa.array(["0" * 64] * len(keys)),
        "file_name": pa.array([f"files/f{number}" for number in range(len(keys))]),
        "file_uri": pa.array([f"https://gemini.test/v1/files/f{number}" for number in range(len(keys))]),
    }
    columns = []
    for of in BATCH_SCHEMA:
        if of.name in same:
            columns.append(same[of.name].cast(of.type))
        elif of.nullable:
            columns.append(pa.nulls(len(keys), of.type))
        else:
            value: Any = "image/jpeg" if pa.types.is_string(of.type) else 0
            value = len(IMAGE) if of.name == "image_bytes" else value
            columns.append(pa.array([value] * len(keys)).cast(of.type))
    table = pa.table(columns, schema=BATCH_SCHEMA)
    table = table.replace_schema_metadata(submission_facts(p, submission_id).to_metadata())
    storage.create_batch_manifest(submission_id, table)
    storage.write_job(JobFile(submission_id, "files/input", "batches/b1"))
    storage.upload_marks.make(submission_id)

    async def activate() -> None:
        async with p.services.ledger.transaction() as change:
            await change.set_active(["batches/b1"])

    asyncio.run(activate())

    async def download(_: str, destination: Path) -> int:
        await asyncio.to_thread(shutil.copyfile, answers, destination)
        return 0

    async def delete_file(_: str) -> None:
        """Nothing went up."""

    p.services.gemini.download = download
    p.services.gemini.delete_file = delete_file
    return p, submission_id


def quiet_pass(folder: Path) -> Any:
    """A pass on real files, with twins for all that is elsewhere."""
    from assets.catalog import CATALOG
    from config.settings import check_folders, load_settings
    from flows.runtime.elapsed import CollectionClock, machine_reading
    from flows.runtime.passes import OperatorsLease, Pass
    from flows.runtime.untold import UntoldTeller
    from flows.runtime.wiring import Services, make_storage, make_template, new_submission_id, utc_now
    from tests.twins.gemini import InMemoryGemini
    from tests.twins.ledger import InMemoryLedger, InMemoryLock
    from tests.twins.mirror import DirectMirror

    (folder / "quire.yaml").write_text(
        "paths: {page_images: images, output_results: results, manifests: manifests}\ncontext: {mode: none}\n"
    )
    settings = load_settings(folder / "quire.yaml", environ={})
    check_folders(settings)
    model, template = make_template(settings)
    services = Services(
        settings=settings,
        storage=make_storage(settings),
        ledger=InMemoryLedger(collection="", field_count=len(settings.record.document_fields)),
        gemini=InMemoryGemini(),
        pass_lock=InMemoryLock("quire_pass"),
        mirror=DirectMirror(CATALOG, collection="", retries=settings.retries),
        teller=UntoldTeller(),
        model=model,
        template=template,
        now=utc_now,
        clock=CollectionClock(
            folder / "manifests", read=lambda: machine_reading(utc_now()), most_across_boots_seconds=60
        ),
        sleep=asyncio.sleep,
        new_submission_id=new_submission_id,
    )
    return Pass(services, OperatorsLease(), services.now())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
