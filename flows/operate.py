"""The operator's playbook, as functions: have a record read again (B), reset a dead letter (C), let go of a batch (D).

Each takes the ledger lock only, so it works while a pass runs. What a person can also do by hand, in Prefect's UI and
in the folders, stands in docs/operations.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.domain.batch import SubmissionState, claim_name
from assets.domain.counts import Counts
from assets.domain.errors import GeminiError, QuireError
from assets.domain.ledger import CountChange
from assets.domain.outcome import OutcomeKind
from assets.domain.record import decode_ranges, decode_span, encode_ranges, sort_key
from assets.history import counts_of, unjudged_records
from flows.gateways.files.decisions import LetGo
from flows.gateways.files.storage import Storage
from flows.gateways.ports import LedgerGateway
from flows.protocol.active import Standing, resolve
from flows.protocol.closing import close, close_uniformly, note_first_look, refresh_views
from flows.runtime.passes import Pass
from flows.tables.derived import check_outcomes, history_table


@dataclass(frozen=True, slots=True)
class Reset:
    """``deleted``: records whose output result was deleted; ``reset``: of how many records the count was taken away."""

    deleted: tuple[str, ...]
    reset: int


async def rerun(storage: Storage, ledger: LedgerGateway, entries: Sequence[str], *, field_count: int) -> Reset:
    """Have records read again: delete their output results and reset their counts. ``entries``: keys or ranges.

    They are noted first, so that what is cut off is ended by the next pass, or by the next rerun. Raises
    RecordKeyError, ManifestError (a link leads out of the results); then nothing was done. Raises LedgerError, OSError.
    """
    keys = decode_ranges(entries, field_count=field_count)
    for key in keys:
        storage.result_path(key)
    storage.write_rerun(storage.read_rerun().union(keys))
    return await end_rerun(storage, ledger)


async def end_rerun(storage: Storage, ledger: LedgerGateway) -> Reset:
    """Do for all records that are noted what a rerun does; each step can be repeated. Raises as `rerun`."""
    noted = storage.read_rerun()
    reset = await unblock(ledger, encode_ranges(noted), field_count=len(storage.document_fields))
    # A person wants them gone: a pass must not take them for results on a share that is not mounted. Noted before the
    # first is deleted, and again: a pass that runs meanwhile forgets those that it has seen with a result.
    storage.write_accepted(storage.read_accepted().union(noted))
    deleted = tuple(key for key in sorted(noted, key=sort_key) if storage.delete_result(key))
    storage.write_accepted(storage.read_accepted().union(deleted))
    storage.drop_rerun()
    return Reset(deleted, reset)


async def unblock_held(storage: Storage, entries: Sequence[str], *, field_count: int) -> int:
    """Let records go on that are held for a person, as they were in batch after batch without an answer, or have one
    that could not be judged and is to be asked for again, and those that wait for the service; returns how many. Raises
    RecordKeyError, ManifestError."""
    keys = set(decode_ranges(entries, field_count=field_count))
    history = history_table(storage, write=False)
    unjudged = {key: count for key, count in unjudged_records(history).items() if key in keys}
    counts: dict[LetGo, dict[str, int]] = {"unjudged": storage.read_let_go("unjudged") | unjudged}
    let_go = set(unjudged)
    for what in ("unanswered", "service_errors"):
        now = counts_of(history, what)
        found = {key: count for key, count in now.items() if key in keys}
        # What was answered since is forgotten with the next write.
        counts[what] = {key: count for key, count in storage.read_let_go(what).items() if count <= now.get(key, 0)}
        counts[what] |= found
        let_go.update(found)
    if let_go:
        storage.write_let_go(counts)
    return len(let_go)


async def unblock(ledger: LedgerGateway, entries: Sequence[str], *, field_count: int) -> int:
    """Reset the failure counts of records; returns how many had one. ``entries``: keys or ranges.

    Raises RecordKeyError, LedgerError.
    """
    spans = [decode_span(entry, field_count=field_count) for entry in entries]
    async with ledger.transaction() as change:
        counted = Counts(run for span in spans for run in change.ledger.counts.within(*span))
        await change.apply_counts(CountChange(run.entry, run.count, 0) for run in counted.runs())
    return len(counted)


async def release(p: Pass, name: str, *, cancel: bool) -> str:
    """Let go of a batch: its records are free for a new one. ``name``: a batch id, ``submitting/...`` or a submission
    id; ``cancel``: cancel its job at Gemini as well. Returns what was done, in a line. Raises QuireError."""
    check_outcomes(p.services.storage)
    standing = resolve(p.services.storage, await p.services.ledger.read())
    if name in standing.unknown:
        async with p.services.ledger.transaction() as change:
            await change.set_active([each for each in change.ledger.active if each != name])
        cancelled = await _cancel(p, name) if cancel else ""
        return f"{name} is taken out of active_batch_ids; no file here knew its records{cancelled}"
    submission_id, state = _named(p.services.storage, standing, name)
    is_settled = state is SubmissionState.SETTLED
    job = p.services.storage.read_job(submission_id) if is_settled else note_first_look(p, submission_id)
    batch_id = job.batch_id if job is not None else None
    said = ""
    if batch_id is not None:
        said = await _cancel(p, batch_id) if cancel else f"; if {batch_id} still runs, the next pass cancels it"
    if is_settled:
        table = await close(p, submission_id, state, None)
        return f"{name} was settled already; it is let go of now, {len(table)} records"
    table = await close_uniformly(
        p, submission_id, state, OutcomeKind.RELEASED, message="released by a person", batch_id=batch_id
    )
    if state is SubmissionState.UNCLAIMED:
        await refresh_views(p)
    if set(table["kind"].unique().to_pylist()) != {OutcomeKind.RELEASED}:
        return f"{name} was settled by a pass at the same moment; it is not released"
    return f"{name} is released, {len(table)} records are free{said}"


def _named(storage: Storage, standing: Standing, name: str) -> tuple[str, SubmissionState]:
    """The open submission that a person means. Raises QuireError."""
    for each in standing.active:
        if name in (each.name, each.submission_id):
            return each.submission_id, each.state
    for submission_id in standing.unclaimed:
        job = storage.read_job(submission_id)
        if name in (submission_id, claim_name(submission_id)) or (job is not None and job.batch_id == name):
            return submission_id, SubmissionState.UNCLAIMED
    raise QuireError(f"{name}: no such batch is active; quire status lists those that are")


async def _cancel(p: Pass, batch_id: str) -> str:
    try:
        await p.services.gemini.cancel_job(batch_id)
    except GeminiError as error:
        return f"; its job could not be cancelled: {error}"
    return "; its job is being cancelled"
