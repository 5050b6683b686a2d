"""One page read at once, at a person's word: its image goes up, the request is sent with one POST, the answer is judged
and booked, and nothing is written where results lie. No submission: no job, no claim, no count.

What it can cost is noted before it is sent, so that a process that dies leaves that behind, and caps count it. It runs
under the pass lock, as two who spend at once could pass a cap together.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from assets.domain.batch import RemoteFile
from assets.domain.errors import GeminiAmbiguousError, GeminiError, GeminiQuotaError, QuireError
from assets.domain.money import dollars
from assets.domain.outcome import OutcomeKind
from assets.domain.tries import Try, TryAnswer
from assets.planning import SubmissionFacts
from assets.results import Verdict, judge_line
from assets.spending import Cap, room_of, tightest
from assets.validation import ModelValidator
from flows.protocol.claiming import Uploads, delete_unclaimed, next_submission_id, upload_images
from flows.runtime.passes import Pass
from flows.tables.weighing import read_scales


@dataclass(frozen=True, slots=True)
class TryRequest:
    """``line``: of an input file, with paths where uploads have their addresses; ``rows``, ``before``: of the record
    and, where its image goes along, of the page before; ``facts``: with the standard prices; ``max_usd``: the most that
    it can cost, None where no price is known."""

    record_key: str
    line: bytes
    rows: pa.Table
    before: pa.Table
    facts: SubmissionFacts
    max_usd: float | None


@dataclass(frozen=True, slots=True)
class Tried:
    """``noted``: what is in the books now, with the ``answer``; ``result``: what would be the record's result, or None;
    ``raw_text``: of an answer that cannot be one, as far as it is kept."""

    noted: Try
    answer: TryAnswer
    result: bytes | None = None
    raw_text: str | None = None


async def try_page(p: Pass, request: TryRequest) -> Tried:
    """Raises ConfigError (a cap without a price that holds), QuireError where a cap has no room, the image cannot go
    up, or Gemini refuses the request; GeminiError where nobody knows whether it was answered."""
    await asyncio.to_thread(_check_caps, p, request)
    try_id = next_submission_id(p)
    uploads = await upload_images(p, try_id, request.rows, request.before)
    try:
        body = _with_addresses(request, uploads)
        noted = Try(
            try_id=try_id,
            record_key=request.record_key,
            at=p.services.now(),
            model=request.facts.model,
            prompt=f"{request.facts.prompt_name} {request.facts.prompt_version}",
            prompt_hash=request.facts.prompt_hash,
            response_schema_hash=request.facts.response_schema_hash,
            max_usd=request.max_usd,
        )
        p.lease.check()
        p.services.storage.tries.write(noted)
        try:
            answer = await p.services.gemini.generate(model=request.facts.model, request=body)
        except GeminiAmbiguousError:
            raise
        except GeminiError as error:
            kind = OutcomeKind.SERVICE_ERROR if _is_passing(error) else OutcomeKind.API_ERROR
            p.services.storage.tries.write(replace(noted, answer=TryAnswer(kind, str(error), usd=0.0)))
            raise
        tried = _judged(p, request, noted, answer)
        p.services.storage.tries.write(tried.noted)
        return tried
    finally:
        await delete_unclaimed(p, try_id, uploads)


def _is_passing(error: GeminiError) -> bool:
    return error.retry_helps or isinstance(error, GeminiQuotaError)


def _check_caps(p: Pass, request: TryRequest) -> None:
    services = p.services
    scales = read_scales(
        services.settings, services.template, services.storage, request.facts, run_started_at=p.run_started_at
    )
    cap = tightest(scales.caps)
    if cap is None:
        return
    if scales.unpriced:
        raise QuireError(
            f"{cap.name}: {scales.unpriced} batches in flight were sent without a known price; nothing is sent"
        )
    if request.max_usd is None or request.max_usd > room_of(cap):
        raise QuireError(_no_room(cap, request.max_usd or 0.0))


def _no_room(cap: Cap, max_usd: float) -> str:
    perhaps = dollars(cap.open_usd + cap.unsure_usd)
    return (
        f"{cap.name} is {dollars(cap.usd)}: {dollars(cap.spent_usd)} are spent, {perhaps} more can be, and this page "
        f"can cost {dollars(max_usd)} at the standard price; nothing is sent"
    )


def _with_addresses(request: TryRequest, uploads: Uploads) -> dict[str, Any]:
    """The request as it is sent. Raises QuireError where the image did not go up."""
    image = uploads.images.get(request.record_key)
    if image is None or image.file is None:
        found = uploads.left_out | uploads.unfit | uploads.reasons
        why = found.get(request.record_key, "unknown")
        raise QuireError(f"{request.record_key}: its image did not go up, so nothing is sent: {why}")
    files: list[RemoteFile] = [image.file]
    if request.record_key in uploads.context_images:
        files.insert(0, uploads.context_images[request.record_key].file)
    body: dict[str, Any] = json.loads(request.line)["request"]
    parts = [part for part in body["contents"][0]["parts"] if "file_data" in part]
    for part, file in zip(parts, files, strict=True):
        part["file_data"] = {"file_uri": file.uri, "mime_type": file.mime_type}
    return body


def _judged(p: Pass, request: TryRequest, noted: Try, answer: Mapping[str, Any]) -> Tried:
    line = json.dumps({"key": request.record_key, "response": answer}, ensure_ascii=False).encode(errors="replace")
    validator = ModelValidator(p.services.model)
    verdict = judge_line(line, validator, p.services.gemini.redacted)
    kind = verdict.kind or OutcomeKind.NOT_JSON
    usage = verdict.usage
    found = TryAnswer(
        kind=kind.value,
        message=verdict.message,
        usd=_usd(request.facts, verdict),
        prompt_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("output_tokens"),
        thoughts_tokens=usage.get("thoughts_tokens"),
        answered_by=verdict.model_version,
    )
    return Tried(replace(noted, answer=found), found, verdict.result, verdict.raw_text)


def _usd(facts: SubmissionFacts, verdict: Verdict) -> float | None:
    price, usage = facts.price_of(verdict.model_version), verdict.usage
    if price is None or not usage:
        return None
    return price.usd(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["output_tokens"] + usage["thoughts_tokens"],
        cached_tokens=usage.get("cached_tokens", 0),
    )
