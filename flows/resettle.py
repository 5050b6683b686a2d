"""``quire resettle``: the answers of a settled batch judged once more, by today's schema, from the result file that is
kept. No page is sent a second time for a mistake in a schema or its validators.

Under the pass lock, as what it writes must be neither in flight nor be sent meanwhile. Each step can be repeated: a
result with the same bytes is ours, and until the outcomes file is there it is as if nothing had been judged.
"""

import asyncio
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow

from assets.domain.batch import LATE, RESETTLED
from assets.domain.errors import ManifestError, QuireError
from assets.domain.outcome import OutcomeKind
from assets.domain.record import encode_ranges
from assets.domain.schema import schema_hash
from assets.outcomes import OUTCOME_SCHEMA, count_changes, may_be_resettled, resettled_outcomes
from assets.validation import ModelValidator
from flows.gateways.files.storage import Storage
from flows.protocol.active import inflight_keys, resolve
from flows.protocol.answers import Answers, kept_answers, note_written, use_answers
from flows.protocol.replaced import replaced_images, warn_of_replaced
from flows.protocol.replacing import GivenUp
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import ended, named
from flows.tables.derived import refresh_derived

_BEFORE = ["record_key", "kind", "count_before", "count_after"]


@dataclass(frozen=True, slots=True)
class _Again:
    """``answers``: as they are judged now; ``good``: the outcomes of those that can be used now, and could not."""

    answers: Answers
    good: pa.Table


@flow(name="resettle", flow_run_name=named("resettle"), persist_result=False)
@one_line
async def resettle(config: str | None, batch: str, *, dry_run: bool = False) -> str:
    """Judge again what a batch has answered; what became of it, in lines. ``batch``: a batch id or a submission id;
    ``dry_run``: only say what would become of it."""
    async with open_pass(config) as p:
        said = await judge_again(p, batch, dry_run=dry_run)
        return await ended(p.services.teller, "dry run" if dry_run else "judged again", said, said)


async def judge_again(p: Pass, batch: str, *, dry_run: bool) -> str:
    """The same, within a pass. Raises QuireError, OSError."""
    storage = p.services.storage
    submission_id = _closed(storage, batch)
    if any(each.submission_id == submission_id for each in resolve(storage, await p.services.ledger.read()).active):
        raise QuireError(f"{batch} is still active: the next pass ends it; then judge it again")
    kept = set(storage.raw.names())
    names = [name for name in (submission_id, submission_id + LATE) if name in kept and storage.is_closed(name)]
    if not names:
        raise QuireError(
            f"the result file of {batch} is not kept any more (safety.keep_raw_days); to have its pages read again, "
            "see quire rerun and quire unblock"
        )
    lines = []
    for name in names:
        again = await _judge_again(p, submission_id, name, dry_run=dry_run)
        if dry_run:
            keys = _to_be_written(storage, submission_id, again.good["record_key"].to_pylist())
        else:
            keys = await _use(p, submission_id, again)
        what = "would be written" if dry_run else "are written"
        said = f": {', '.join(encode_ranges(keys))}" if keys else ""
        lines.append(f"{name}: of {len(again.answers.answered)} answers {len(keys)} {what} that were not before{said}")
    if not dry_run:
        await asyncio.to_thread(refresh_derived, storage)
    return "\n".join(lines)


def _closed(storage: Storage, batch: str) -> str:
    """The submission that is meant, which has ended. Raises QuireError."""
    closed = storage.closed_submissions()
    if batch in closed:
        return batch
    for each in sorted(closed, reverse=True):
        job = storage.read_job(each)
        if job is not None and job.batch_id == batch:
            return each
    raise QuireError(f"{batch}: no settled batch has that name; quire why KEY names the batches that a page was in")


async def _judge_again(p: Pass, submission_id: str, name: str, *, dry_run: bool) -> _Again:
    """``dry_run``: nothing is written."""
    services = p.services
    storage = services.storage
    job = storage.raw.job(name)
    if job is None or not await asyncio.to_thread(storage.raw.is_whole, name, job.name):
        raise ManifestError(storage.raw.path(name), "is damaged; restore it from a backup")
    batch_manifest, sent = storage.read_batch_manifest(submission_id)
    # What a result says of its schema is the one that it was judged by.
    facts = replace(sent, response_schema_hash=schema_hash(services.template.response_schema))
    kept = kept_answers(name, job.name, batch_manifest, facts, ModelValidator(services.model))
    standing = resolve(storage, await services.ledger.read())
    others = await replaced_images(p, batch_manifest)
    not_now = {*inflight_keys(storage, standing.open_ids()), *others}
    before = _before(storage, submission_id, name)
    is_open = may_be_resettled(before, not_now)
    answers = await use_answers(
        p,
        kept,
        may_be_written=lambda key: not dry_run and key in is_open,
        is_awaited=False,
        # Nothing is noted of answers that are not good.
        set_aside=lambda _: (0, 0),
    )
    warn_of_replaced(answers.among(others))
    good = resettled_outcomes(
        batch_manifest,
        answers.judged,
        before,
        batch_id=job.name,
        facts=facts,
        settled_at=services.now(),
        not_now=not_now,
    )
    return _Again(answers, good)


def _to_be_written(storage: Storage, submission_id: str, record_keys: list[str]) -> list[str]:
    """Those of them that have no result, or one that their answer would replace."""
    present = storage.present_among(record_keys)
    given_up = GivenUp(storage, present, submission_id, is_awaited=False)
    return [key for key in record_keys if key not in present or given_up.of(key) is not None]


def _before(storage: Storage, submission_id: str, name: str) -> pa.Table:
    """What became of each record until now: of one that was judged again well, that."""
    first = storage.read_outcomes(name, _BEFORE).replace_schema_metadata()
    later = [
        storage.read_outcomes(each, _BEFORE).replace_schema_metadata() for each in storage.resettled(submission_id)
    ]
    for table in later:
        first = first.filter(pc.invert(pc.is_in(first["record_key"], value_set=table["record_key"].combine_chunks())))
    return pa.concat_tables([first, *later])


async def _use(p: Pass, submission_id: str, again: _Again) -> list[str]:
    """Write the results, note them, take the failures back. Returns the records."""
    storage = p.services.storage
    if not len(again.good):
        return []
    outcomes = await note_written(p, again.good, again.answers)
    ours = outcomes.filter(pc.equal(outcomes["kind"], OutcomeKind.SUCCESS.value))
    if not len(ours):
        return []
    ours = ours.select(OUTCOME_SCHEMA.names).cast(OUTCOME_SCHEMA)
    earlier = storage.resettled(submission_id)
    number = int(earlier[-1].rpartition("-")[2]) + 1 if earlier else 1
    async with p.services.ledger.transaction() as change:
        p.lease.check()
        storage.create_outcomes(f"{submission_id}{RESETTLED}{number}", ours)
        await change.apply_counts(count_changes(ours))
    keys: list[str] = ours["record_key"].to_pylist()
    return keys
