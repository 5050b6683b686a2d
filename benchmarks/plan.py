"""Planning a pass: who can go, in which order, with the rows of those that go first. The product's own `plan` on real
files, against merges and masks of pandas over the same tables.

    python -m benchmarks.plan prepare FOLDER RECORDS
    python -m benchmarks.plan plan FOLDER

Each document has 200 pages, of which the last two are to be read: one in ten of these is in flight, one in a hundred a
dead letter. What a walk of the results finds is made beforehand for both sides: for ours by document, in arrays, for
pandas as a frame of keys. Prefect and Gemini are told and asked nothing. Both sides read the record manifest, what is
in flight and what has succeeded, look for results that have vanished, tell who can go, and sort by what is left of each
chain. Ours also looks whether a result was edited since the last pass, which theirs does not.

What is left of ours at ten million records (4 s of CPU): a quarter reads the images' columns, of which each group of
rows has some page that goes; a seventh hashes what lies in the results; the rest is spread over the lookups of pages.
A derived table whose groups each held the names of all documents took as long again, and half of the memory.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import measured
from benchmarks.rows import PEAK, WALL, Bar, Row, Sense, Taken

MODULE = ("-m", "benchmarks.plan")
PAGES, LEFT = 200, 2
"""Of each document, and how many of them are not done."""
BATCH = 500
AT = datetime(2026, 3, 1, tzinfo=UTC)
SIZE = 2_000
"""Bytes of each result."""

ROWS = [
    Row(
        name="plan",
        work="plan (all of it), 10 M records, 9.9 M done",
        against="pandas merges and masks doing the same",
        bars=(
            Bar(8, Sense.AT_LEAST, of=WALL, taken=Taken.SPEED),
            Bar(1 / 3, of=PEAK),
        ),
        ours=(*MODULE, "plan", "{data}"),
        theirs=("benchmarks/baselines/plan.py", "{data}"),
        prepare=(*MODULE, "prepare", "{data}", "{records}"),
        size={"records": 10_000_000},
        quick={"records": 1_000_000},
        repeats=3,
    )
]


def main(what: str, data: Path, records: int = 0) -> None:
    if what == "prepare":
        _prepare(data, records)
        # The first plan looks at each result that was written, as that of a pass behind a settlement does.
        asyncio.run(_plan(data))
        return
    pass_ = _pass(data)
    with measured() as figures:
        figures["n"] = asyncio.run(_plan(data, pass_))


async def _plan(data: Path, pass_: Any = None) -> int:
    from flows.protocol.choosing import plan

    p = pass_ if pass_ is not None else _pass(data)
    chosen = await plan(p)
    execution = p.services.settings.execution
    chosen.queue.rows(execution.batch_size_limit * chosen.places)
    return len(chosen.queue)


def _pass(data: Path) -> Any:
    from assets.catalog import CATALOG
    from assets.domain.ledger_parsing import parse_ledger
    from assets.result_files import ResultFiles
    from config.settings import load_settings
    from flows.gateways.files.output_results import FoundResults
    from flows.gateways.files.storage import Storage
    from flows.runtime.passes import OperatorsLease
    from flows.runtime.untold import UntoldMirror
    from flows.runtime.wiring import utc_now

    settings = load_settings(data / "quire.yaml", environ={})
    with pa.memory_map(str(data / "documents.arrow")) as file:
        documents = pa.ipc.open_file(file).read_all()["document"].combine_chunks()
    with pa.memory_map(str(data / "found.arrow")) as file:
        found = pa.ipc.open_file(file).read_all().combine_chunks()
    labels, sizes, times = (found[name].chunk(0) for name in ("label", "bytes", "modified_ns"))
    offsets = pa.array(np.arange(len(documents) + 1, dtype=np.int64) * (PAGES - LEFT))

    class Walked(Storage):
        def find_results(self, unfinished: list[str] | None = None) -> FoundResults:
            return FoundResults(ResultFiles(documents, offsets, labels, sizes, times), self.read_reruns())

    @dataclass
    class Variables:
        values: dict[str, Any]

        async def read(self) -> Any:
            return parse_ledger(self.values)

    storage = Walked(
        root=settings.root,
        manifests=settings.paths.manifests,
        output_results=settings.paths.output_results,
        document_fields=settings.record.document_fields,
    )
    services = SimpleNamespace(
        settings=settings,
        storage=storage,
        mirror=UntoldMirror(CATALOG, collection="", retries=settings.retries),
        ledger=Variables(json.loads((data / "variables.json").read_text())),
        now=utc_now,
    )
    return SimpleNamespace(services=services, lease=OperatorsLease(), accept_vanished=False, only=())


def _prepare(data: Path, records: int) -> None:
    from assets.domain.home import HomeFile
    from assets.planning import BATCH_SCHEMA
    from assets.provenance import RESULTS_SCHEMA
    from benchmarks.closed_collection import HOME_ID, _facts, _table
    from config.settings import load_settings, make_folders
    from flows.gateways.files.storage import JobFile
    from flows.runtime.home import told_settings
    from flows.runtime.wiring import make_storage, new_submission_id

    (data / "quire.yaml").write_text("collection: plan\n")
    settings = load_settings(data / "quire.yaml", environ={})
    make_folders(settings)
    storage = make_storage(settings)
    storage.home.create(HomeFile(HOME_ID, told_settings(settings)))
    storage.home.mark(HOME_ID)
    documents: list[tuple[str, ...]] = [
        ("CA", f"School{number // 100:05}", f"{1900 + number % 100}") for number in range(records // PAGES)
    ]
    storage.write_records(_manifest(documents))

    names = pa.array([":".join(each) for each in documents])
    done_pages = np.tile(np.arange(1, PAGES - LEFT + 1, dtype=np.int32), len(documents))
    of = np.repeat(np.arange(len(documents), dtype=np.int32), PAGES - LEFT)
    labels = pa.array(done_pages).cast(pa.string())
    keys = pc.binary_join_element_wise(names.take(pa.array(of)), labels, ":")
    written_ns = int(AT.timestamp()) * 10**9
    count = len(keys)
    pq.write_table(pa.table({"record_key": keys}), data / "done.parquet")
    found = {"label": labels, "bytes": np.full(count, SIZE), "modified_ns": np.full(count, written_ns)}
    for name, table in (("documents", pa.table({"document": names})), ("found", pa.table(found))):
        with pa.OSFile(str(data / f"{name}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=max(1, len(table)))

    facts = _facts(settings)
    same: dict[str, Any] = {"submission_id": HOME_ID, "batch_id": "batches/a", "settled_at": AT, "settlement": 1}
    same |= {name: getattr(facts, name) for name in ("model", "prompt_name", "prompt_version", "prompt_hash")}
    same |= {"schema_name": facts.schema_name, "response_schema_hash": facts.response_schema_hash}
    same |= {"image_path": "a", "image_frame": 0, "image_bytes": 9, "image_modified_at": AT, "image_sha256": "c" * 64}
    same |= {"result_sha256": "d" * 64, "result_bytes": SIZE, "result_modified_at": AT}
    given = {"record_key": keys, "document": pa.DictionaryArray.from_arrays(of, names), "page": pa.array(done_pages)}
    columns = [given.get(field.name, _repeated(same.get(field.name), field, count)) for field in RESULTS_SCHEMA]
    storage.parts("results").write_part(pa.table(columns, names=RESULTS_SCHEMA.names), [], after=[])

    left = [f"{name}:{page}" for name in names.to_pylist() for page in range(PAGES - LEFT + 1, PAGES + 1)]
    flying, dead, active = left[::10], left[5::100], []
    sent: dict[str, object] = {"image_frame": 0, "image_mime_type": "image/jpeg", "image_bytes": 9, "image_path": "a"}
    sent |= {"image_modified_at": AT, "image_sha256": "c" * 64, "estimated_image_tokens": 1}
    sent |= {"estimated_text_tokens": 1, "estimated_output_tokens": 1}
    for start in range(0, len(flying), BATCH):
        submission_id, some = new_submission_id(), flying[start : start + BATCH]
        batch = _table(BATCH_SCHEMA, {**sent, "record_key": some, "position": range(len(some))})
        storage.create_batch_manifest(submission_id, batch.replace_schema_metadata(facts.to_metadata()))
        storage.write_job(JobFile(submission_id, "files/input", f"batches/{submission_id}"))
        active.append(f"batches/{submission_id}")
    values = {"active_batch_ids": active, "record_failure_counts": dict.fromkeys(dead, 9)}
    (data / "variables.json").write_text(json.dumps(values))


def _manifest(documents: list[tuple[str, ...]]) -> pa.Table:
    """In the form of the record manifest, made of arrays: a table of ten million would take minutes from images."""
    from assets.manifest import manifest_schema

    count = len(documents) * PAGES
    pages = np.tile(np.arange(1, PAGES + 1, dtype=np.int32), len(documents))
    of = pa.array(np.repeat(np.arange(len(documents)), PAGES))
    labels = pa.array(pages).cast(pa.string())
    fields = [pa.array(names).take(of) for names in zip(*documents, strict=True)]
    keys = pc.binary_join_element_wise(*fields, labels, ":")
    before = pa.array(np.maximum(np.arange(count) - 1, 0), mask=pages == 1)
    paths = pc.binary_join_element_wise("page_images", *fields, pc.binary_join_element_wise(labels, "jpg", "."), "/")
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {"record_key": keys, "page": pa.array(pages), "page_label": labels, "image_path": paths}
    given |= dict(zip(("state", "school", "year"), fields, strict=True))
    given |= {"predecessor": keys.take(before), "page_position": pa.array(pages)}
    given |= {"image_bytes": pa.array(rng.integers(10**5, 10**6, count))}
    given |= {"image_modified_at": pa.array(10**18 + rng.integers(0, 10**15, count))}
    same = {"image_frame": 0, "image_frames": 1, "image_mime_type": "image/jpeg", "image_width": 2000}
    same |= {"image_height": 3000}
    schema = manifest_schema(("state", "school", "year"))
    columns = [
        given[field.name].cast(field.type)
        if field.name in given
        else _repeated(same.get(field.name), field, count).cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _repeated(value: object, field: pa.Field, count: int) -> pa.Array:
    """The same in each row, in little room."""
    if value is None:
        return pa.nulls(count, field.type)
    if not pa.types.is_string(field.type):
        return pa.repeat(pa.scalar(value, field.type), count)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([value]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
