"""The first half of a submission: images go up, then the records are claimed. Nothing is claimed before the images are
up, nothing is posted before the claim stands; `posting` goes on from here.
"""

import logging
from collections.abc import Mapping
from functools import partial

import anyio
import anyio.to_thread
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import RemoteFile, SubmissionState, claim_name
from assets.domain.outcome import OutcomeKind, is_dead
from assets.domain.schema import schema_hash
from assets.outcomes import uniform_outcomes
from assets.planning import SubmissionFacts, text_hash
from flows.gateways.preparing import Prepared, prepare
from flows.gateways.uploads import UploadItem, UploadReport, upload_with_retries
from flows.logs import logger, warn_of_each
from flows.passes import Pass
from flows.protocol.active import Standing, check_known, inflight_keys, resolve, views
from flows.protocol.closing import close, delete_files

PREPARING_THREADS = 8
"""Threads of their own, for reading and converting images: those that wait for memory must not keep others busy."""


async def upload_images(p: Pass, submission_id: str, rows: pa.Table) -> UploadReport:
    """Upload the images of ``rows``, each under a fresh name, converted if Gemini does not take it as it is. Raises
    GeminiAccessError."""
    settings = p.services.settings
    uploads = settings.uploads
    limiter = anyio.CapacityLimiter(PREPARING_THREADS)

    async def prepare_item(item: UploadItem) -> Prepared:
        call = partial(
            prepare,
            item.path,
            item.frame,
            max_side_pixels=uploads.max_side_pixels,
            jpeg_quality=uploads.jpeg_quality,
            max_pixels=settings.safety.max_image_pixels,
        )
        return await anyio.to_thread.run_sync(call, limiter=limiter)

    items = [
        UploadItem(
            key=row["record_key"],
            path=p.services.storage.root / row["image_path"],
            frame=row["image_frame"],
            mime_type=row["image_mime_type"],
            n=n,
        )
        for n, row in enumerate(rows.select(["record_key", "image_path", "image_frame", "image_mime_type"]).to_pylist())
    ]
    report = await upload_with_retries(
        p.services.gemini,
        items,
        prepare=prepare_item,
        submission_id=submission_id,
        attempts=uploads.upload_retry_attempts,
        backoff_seconds=uploads.upload_retry_backoff_seconds,
        concurrency=uploads.upload_concurrency,
        sleep=p.services.sleep,
    )
    conversions = [each.conversion for each in report.prepared.values() if each.conversion]
    if conversions:
        logger().info("Images converted for the upload: %d, such as %s", len(conversions), conversions[0])
    return report


async def claim(p: Pass, submission_id: str, rows: pa.Table, uploaded: Mapping[str, RemoteFile]) -> list[str]:
    """Write the batch manifest and take the records, under the ledger lock. Returns the keys that were still free."""
    storage = p.services.storage
    async with p.services.ledger.transaction() as change:
        standing = resolve(storage, change.ledger)
        check_known(storage, change.ledger, standing)
        free = _still_free(p, rows, change.ledger.counts, standing)
        uploads = {key: file for key, file in uploaded.items() if key in free}
        if uploads:
            p.lease.check()
            await _write_batch_manifest(p, submission_id, rows, uploads)
            keys = storage.batch_keys(submission_id)
            name = claim_name(submission_id)
            await change.set_views({**views(storage, standing), name: (submission_id, keys)})
            p.lease.check()
            await change.set_active([*change.ledger.active, name])
    dropped = [file.name for key, file in uploaded.items() if key not in uploads]
    if uploads and dropped:
        await delete_files(p, dropped)
    return keys if uploads else []


def _still_free(p: Pass, rows: pa.Table, counts: Mapping[str, int], standing: Standing) -> set[str]:
    """Who is not taken, done or dead by now: a person may have been busy while we uploaded."""
    max_retries = p.services.settings.execution.max_retries
    taken = set(inflight_keys(p.services.storage, standing.open_ids()))
    return {
        key
        for key in rows["record_key"].to_pylist()
        if key not in taken
        and not is_dead(counts.get(key, 0), max_retries=max_retries)
        and p.services.storage.read_result(key) is None
    }


async def _write_batch_manifest(
    p: Pass, submission_id: str, rows: pa.Table, uploads: Mapping[str, RemoteFile | None]
) -> None:
    storage = p.services.storage

    async def write(table: pa.Table) -> dict[str, int]:
        storage.create_batch_manifest(submission_id, table)
        return {"records": len(table)}

    await p.services.mirror.materialize(
        "batch_manifest",
        rows,
        uploads=uploads,
        with_context=_with_context(p, rows),
        facts=_facts(p, submission_id),
        write=write,
        about=submission_id,
    )


def _with_context(p: Pass, rows: pa.Table) -> list[str]:
    """The records whose predecessor has a result to send along."""
    if p.services.settings.context.mode != "previous_result":
        return []
    pairs = rows.select(["record_key", "predecessor"]).to_pylist()
    return [
        row["record_key"]
        for row in pairs
        if row["predecessor"] is not None and p.services.storage.read_result(row["predecessor"]) is not None
    ]


def _facts(p: Pass, submission_id: str) -> SubmissionFacts:
    services, settings = p.services, p.services.settings
    return SubmissionFacts(
        submission_id=submission_id,
        collection=settings.collection,
        model=settings.model.name,
        prompt_name=settings.prompt.name,
        prompt_version=settings.prompt.version,
        prompt_hash=text_hash(services.template.prompt),
        schema_name=settings.schema_,
        response_schema_hash=schema_hash(services.template.response_schema),
        result_schema=services.model.model_json_schema(),
        generation_config=dict(settings.model.generation_config),
        context_mode=settings.context.mode,
        created_at=services.now(),
    )


async def record_refusals(p: Pass, rows: pa.Table, refused: Mapping[str, str]) -> None:
    """An image that Gemini refuses is a failure of its record: a submission of its own that was never sent, closed at
    once, so that the failure is counted and told like any other.

    ``refused``: record key -> reason.
    """
    submission_id = p.services.new_submission_id()
    warn_of_each(refused, "Gemini refused the image", level=logging.ERROR)
    own = rows.filter(pc.is_in(rows["record_key"], value_set=pa.array(list(refused), pa.string())))
    p.lease.check()
    await _write_batch_manifest(p, submission_id, own, dict.fromkeys(refused))
    _, facts = p.services.storage.read_batch_manifest(submission_id)
    outcomes = uniform_outcomes(
        list(refused),
        OutcomeKind.UPLOAD_REFUSED,
        messages=refused,
        batch_id=None,
        facts=facts,
        settled_at=p.services.now(),
    )
    await close(p, submission_id, SubmissionState.UNCLAIMED, outcomes)
