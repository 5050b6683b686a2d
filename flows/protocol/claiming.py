"""The first half of a submission: images go up, then the records are claimed. Nothing is claimed before the images are
up, nothing is posted before the claim stands; `posting` goes on from here.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from assets.domain.batch import RemoteFile, SubmissionState, behind, claim_name
from assets.domain.errors import ManifestError
from assets.domain.outcome import OutcomeKind, is_dead
from assets.domain.result_form import json_schema_of
from assets.domain.schema import schema_hash
from assets.outcomes import uniform_outcomes
from assets.planning import ContextImage, SentImage, SubmissionFacts, text_hash
from assets.requests import RequestTemplate
from config.settings import Settings
from flows.gateways.gemini.uploads import PreparedImage, UploadReport, upload_with_retries
from flows.protocol.active import Standing, check_known, inflight_keys, resolve
from flows.protocol.adoption import Unconfirmed, enter_job, let_go_of
from flows.protocol.closing import close, delete_files, uploaded_files
from flows.protocol.preparation import prepare_images
from flows.runtime.logs import logger, warn_of_each
from flows.runtime.long_steps import long_step
from flows.runtime.passes import Pass
from flows.tables.kept_back import trouble_with_context
from flows.tables.prices import price_of
from flows.tables.prompts import keep_prompt


@dataclass(slots=True)
class Uploads:
    """What went up for a batch. ``images``: record key -> its image; ``context_images``: record key -> the image of the
    page before, which goes along; ``left_out``: record key -> why it is not in this cycle; ``refused``: record key ->
    why Gemini will never take its image; ``unreadable``: those of ``left_out`` whose image this machine cannot read;
    ``unfit``: those whose image is not sent as long as it is as it is: the next scan leaves them out; ``unused``: files
    at Gemini that no record of the batch needs."""

    images: dict[str, SentImage]
    context_images: dict[str, ContextImage]
    left_out: dict[str, str]
    refused: dict[str, SentImage]
    reasons: dict[str, str]
    unreadable: frozenset[str]
    unfit: dict[str, str]
    unused: list[str]


async def upload_images(
    p: Pass, submission_id: str, rows: pa.Table, context_rows: pa.Table, *, enough: asyncio.Event | None = None
) -> Uploads:
    """Upload the images of ``rows``, and of ``context_rows`` those of the pages before that are not among them; each
    under a fresh name, converted if Gemini does not take it as it is. ``enough``: is set when no further one shall go
    up. Raises GeminiAccessError."""
    settings = p.services.settings
    uploads = settings.uploads
    p.lease.check()
    p.services.storage.upload_marks.make(submission_id)
    images = await prepare_images(p, rows, context_rows)
    what = f"Uploading {len(images.items):,} images of submission {submission_id}"
    async with long_step(p.services.teller, "uploading", what, len(images.items)) as done:

        def count() -> None:
            done.count += 1

        report = await upload_with_retries(
            p.services.gemini,
            images.items,
            prepare=lambda item: images.prepare(item, count),
            submission_id=submission_id,
            attempts=uploads.upload_retry_attempts,
            backoff_seconds=uploads.upload_retry_backoff_seconds,
            concurrency=uploads.upload_concurrency,
            sleep=p.services.sleep,
            enough=enough,
        )
    if report.had_failed_tries:
        p.services.storage.upload_marks.doubt(submission_id)
    await images.note(report)
    conversions = [each.conversion for each in report.prepared.values() if each.conversion]
    if conversions:
        logger().info("Images converted for the upload: %d, such as %s", len(conversions), conversions[0])
    return _sorted_out(rows, report, {row["record_key"]: row for row in images.sources})


def _sorted_out(rows: pa.Table, report: UploadReport, images_before: Mapping[str, Mapping[str, Any]]) -> Uploads:
    """A record whose page before could not be uploaded now is left out as well: the next pass may have more luck. One
    whose page before is refused or unreadable goes without it: it would wait for ever. ``images_before``: record key ->
    its image, of all that can go along."""
    keys: list[str] = rows["record_key"].to_pylist()
    predecessors = rows["predecessor"].to_pylist()
    takes_image = rows["takes_image"].to_pylist()
    left_out = {key: report.failed[key] for key in keys if key in report.failed and key not in report.unfit}
    context_images = {}
    for key, before, with_image in zip(keys, predecessors, takes_image, strict=True):
        if not with_image or (image := images_before.get(before)) is None:
            continue
        if before in report.uploaded:
            context_images[key] = ContextImage(
                file=report.uploaded[before],
                path=image["image_path"],
                frame=image["image_frame"],
                bytes=report.prepared[before].original_bytes,
                modified_at=report.prepared[before].original_modified_ns,
                sha256=report.prepared[before].sha256,
            )
        elif before in report.failed and before not in report.unreadable:
            left_out.setdefault(key, f"the image of the page before, {before}, did not go up: {report.failed[before]}")
    images = {
        key: _as_sent(report.uploaded[key], report.prepared[key])
        for key in keys
        if key in report.uploaded and key not in left_out
    }
    needed = {image.file.name for image in images.values() if image.file is not None}
    context_images = {key: image for key, image in context_images.items() if key in images}
    needed |= {image.file.name for image in context_images.values()}
    return Uploads(
        images=images,
        context_images=context_images,
        left_out=left_out,
        refused={key: _as_sent(None, report.prepared[key]) for key in keys if key in report.refused},
        reasons={key: report.refused[key] for key in keys if key in report.refused},
        unreadable=frozenset(key for key in keys if key in report.unreadable and key not in report.unfit),
        unfit={key: report.failed[key] for key in keys if key in report.unfit},
        unused=[file.name for file in report.uploaded.values() if file.name not in needed],
    )


def next_submission_id(p: Pass) -> str:
    """A new one, behind all that are there, whatever the time of day says: which is the newest is told by it."""
    return behind(p.services.new_submission_id(), max(p.services.storage.submissions(), default=""))


def _as_sent(file: RemoteFile | None, prepared: PreparedImage) -> SentImage:
    return SentImage(file, prepared.sha256, prepared.original_bytes, prepared.original_modified_ns)


@dataclass(frozen=True, slots=True)
class Claimed:
    """``keys``: those that were still free; ``has_confirmed``: whether the batch before is confirmed now, if one was to
    be."""

    keys: list[str]
    has_confirmed: bool


async def claim(
    p: Pass,
    submission_id: str,
    rows: pa.Table,
    estimates: pa.Table,
    uploads: Uploads,
    *,
    confirming: Unconfirmed | None = None,
) -> Claimed:
    """Write the batch manifest and take the records, under the ledger lock; what was uploaded for others is deleted.

    ``estimates``: a row for each of ``rows``; ``confirming``: the batch before, whose job is confirmed by the same
    write of the active list, or let go of if its claim is gone.
    """
    storage = p.services.storage
    keys: list[str] = []
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        storage.home.check_marks()
        entered = enter_job(change.ledger, confirming) if confirming is not None else None
        active = entered if entered is not None else change.ledger.active
        standing = resolve(storage, change.ledger)
        check_known(storage, change.ledger, standing)
        free = _still_free(p, rows, change.ledger.counts, standing)
        context, kept = _context_now(p, rows, free, change.ledger.counts)
        with_context = context | uploads.context_images.keys()
        images = {key: image for key, image in uploads.images.items() if key in free and key not in kept}
        if images:
            p.lease.check()
            await _write_batch_manifest(p, submission_id, rows, estimates, images, with_context, uploads.context_images)
            keys = storage.batch_keys(submission_id)
            name = claim_name(submission_id)
            # Before anything of it can be posted: a database that has not heard of it is an older one.
            await change.note_submissions(newest=submission_id)
            p.lease.check()
            await change.set_active([*active, name])
        elif entered is not None:
            p.lease.check()
            await change.set_active(entered)
    if keys:
        table, _ = storage.read_batch_manifest(submission_id)
        needed = uploaded_files(table)
        await delete_files(p, [name for name in _file_names(uploads) if name not in needed])
    if confirming is not None and entered is None:
        await let_go_of(p, confirming)
    return Claimed(keys, has_confirmed=entered is not None)


def _file_names(uploads: Uploads) -> list[str]:
    """Everything that went up, each once."""
    own = [image.file.name for image in uploads.images.values() if image.file is not None]
    return list(dict.fromkeys([*own, *(image.file.name for image in uploads.context_images.values()), *uploads.unused]))


async def delete_unclaimed(p: Pass, submission_id: str, uploads: Uploads) -> None:
    """Delete what went up for a batch that was not made."""
    marks = p.services.storage.upload_marks
    if await delete_files(p, _file_names(uploads)) and not marks.is_in_doubt(submission_id):
        marks.remove(submission_id)


def _still_free(p: Pass, rows: pa.Table, counts: Mapping[str, int], standing: Standing) -> set[str]:
    """Who is not taken, done or dead by now: a person may have been busy while we uploaded."""
    max_retries = p.services.settings.execution.max_retries
    taken = set(inflight_keys(p.services.storage, standing.open_ids()))
    free = {
        key
        for key in rows["record_key"].to_pylist()
        if key not in taken and not is_dead(counts.get(key, 0), max_retries=max_retries)
    }
    return free - p.services.storage.done_among(free)


def _context_now(
    p: Pass, rows: pa.Table, free: Collection[str], counts: Mapping[str, int]
) -> tuple[set[str], dict[str, str]]:
    """Whose predecessor has a result to send along, and record key -> reason of those that would have to go without it:
    a result may be deleted or damaged while we upload. Only behind a dead letter that nobody waits for a page goes
    without."""
    settings, storage = p.services.settings, p.services.storage
    context, kept = set[str](), dict[str, str]()
    if not settings.context.mode.waits_for_result:
        return context, kept
    columns = (rows[name].to_pylist() for name in ("record_key", "predecessor", "takes_image"))
    for key, before, takes_image in zip(*columns, strict=True):
        if before is None or takes_image or key not in free:
            continue
        try:
            is_there, trouble = storage.read_result(before) is not None, None
        except ManifestError as error:
            is_there, trouble = True, f"the result of the page before cannot go along: {error}"
        if is_there:
            trouble = trouble or trouble_with_context(storage, key, before, p.services.template)
            context.add(key)
        elif settings.context.on_dead_dependency != "proceed" or not is_dead(
            counts.get(before, 0), max_retries=settings.execution.max_retries
        ):
            trouble = f"the result of the page before, {before}, is not there any more"
        if trouble is not None:
            kept[key] = trouble
    warn_of_each(kept, "Kept back")
    return context, kept


async def _write_batch_manifest(
    p: Pass,
    submission_id: str,
    rows: pa.Table,
    estimates: pa.Table,
    images: Mapping[str, SentImage],
    with_context: Collection[str],
    context_images: Mapping[str, ContextImage],
) -> None:
    storage = p.services.storage
    keep_prompt(storage, p.services.settings, p.services.template)

    async def write(table: pa.Table) -> dict[str, int]:
        storage.create_batch_manifest(submission_id, table)
        return {"records": len(table)}

    await p.services.mirror.materialize(
        "batch_manifest",
        rows,
        uploads=images,
        with_context=with_context,
        context_images=context_images,
        estimates=estimates,
        facts=submission_facts(p, submission_id),
        write=write,
        about=submission_id,
    )


def submission_facts(p: Pass, submission_id: str) -> SubmissionFacts:
    """What is true of a submission that is made now."""
    services = p.services
    # What a run sends counts for its cap, also when the time of day was set back meanwhile.
    made_at = max(services.now(), p.run_started_at)
    return facts_of(services.settings, services.model, services.template, submission_id, created_at=made_at)


def facts_of(
    settings: Settings, model: type[BaseModel], template: RequestTemplate, submission_id: str, *, created_at: datetime
) -> SubmissionFacts:
    """What would be true of a submission that was made with these settings."""
    day = created_at.date()
    return SubmissionFacts(
        submission_id=submission_id,
        collection=settings.collection,
        model=settings.model.name,
        prompt_name=settings.prompt.name,
        prompt_version=settings.prompt.version,
        prompt_hash=text_hash(template.prompt),
        schema_name=settings.schema_text,
        response_schema_hash=schema_hash(template.response_schema),
        result_schema=dict(json_schema_of(model)),
        generation_config=dict(settings.model.generation_config),
        context_mode=settings.context.mode,
        created_at=created_at,
        price=price_of(settings, settings.model.name, day),
        prices={name: price for name in settings.prices if (price := price_of(settings, name, day)) is not None},
    )


async def record_refusals(p: Pass, rows: pa.Table, estimates: pa.Table, uploads: Uploads) -> None:
    """An image that Gemini refuses is a failure of its record: a submission of its own that was never sent, closed at
    once, so that the failure is counted and told like any other. It is claimed first, so that a pass that dies in
    between is taken up again and the failure counts once."""
    submission_id = next_submission_id(p)
    warn_of_each(uploads.reasons, "Gemini refused the image", level=logging.ERROR)
    p.lease.check()
    p.services.storage.upload_marks.make(submission_id)
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        await _write_batch_manifest(p, submission_id, rows, estimates, uploads.refused, set(), {})
        p.lease.check()
        await change.set_active([*change.ledger.active, claim_name(submission_id)])
    _, facts = p.services.storage.read_batch_manifest(submission_id)
    outcomes = uniform_outcomes(
        list(uploads.refused),
        OutcomeKind.UPLOAD_REFUSED,
        messages=uploads.reasons,
        batch_id=None,
        facts=facts,
        settled_at=p.services.now(),
    )
    await close(p, submission_id, SubmissionState.CLAIMED, outcomes)
    p.lease.check()
    p.services.storage.upload_marks.remove(submission_id)
