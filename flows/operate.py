"""The operator's playbook, as functions: have a record read again (B), reset a dead letter (C), let go of a batch (D).

Each takes the ledger lock only, so it works while a pass runs. What a person can also do by hand, in Prefect's UI and
in the folders, stands in docs/operations.md.
"""

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import vouched_for
from assets.domain.batch import SubmissionState, behind, claim_name
from assets.domain.counts import Counts
from assets.domain.errors import GeminiError, QuireError
from assets.domain.ledger import CountChange
from assets.domain.outcome import OutcomeKind
from assets.domain.record import Pages, decode_span, encode_ranges
from assets.history import counts_of, unjudged_records
from assets.reruns import RERUN_SCHEMA, with_reruns, without_reruns
from flows.gateways.files.decisions import LetGo
from flows.gateways.files.results_lock import placing_answers
from flows.gateways.files.storage import Storage
from flows.gateways.ports import LedgerGateway, LedgerTransaction
from flows.protocol.active import Standing, resolve
from flows.protocol.closing import close, close_uniformly, note_first_look, refresh_views
from flows.runtime.passes import Pass
from flows.tables.derived import check_outcomes, history_table


@dataclass(frozen=True, slots=True)
class Rerun:
    """``asked``: how many results are to be replaced that were not before; ``reset``: of how many records the count was
    taken away; ``let_go``: how many were held."""

    asked: int
    reset: int
    let_go: int


async def rerun(
    storage: Storage,
    ledger: LedgerGateway,
    record_keys: Collection[str],
    results: pa.Table,
    *,
    rerun_id: str,
    edited: bool = False,
) -> Rerun:
    """Have records read again: note which results are given up, each by its content, and reset the counts. The results
    stay in their place until new ones are written. ``results``: `results_as_they_are`, when it was decided which ones:
    what was edited since is not given up; ``rerun_id``: a new ULID; ``edited``: those, too, that a person has corrected
    or checked.

    All is noted in one write, so that what is cut off has done nothing, or reset counts. Raises ManifestError (a link
    leads out of the results), LedgerError, LeaseLostError, OSError.
    """
    fields = len(storage.document_fields)
    let_go = await unblock_held(storage, record_keys)
    spans = [decode_span(entry, field_count=fields) for entry in encode_ranges(record_keys)]
    async with ledger.transaction() as change:
        reset = await _reset(change, spans)
        # Nobody corrects or checks one of them meanwhile: the last word counts.
        with placing_answers(storage.manifests):
            said = storage.corrections.read()
            if not edited:
                results = results.filter(pc.invert(vouched_for(results, said)))
            newest = max([*storage.submissions(), *said["correction_id"].to_pylist()], default="")
            behind_all = behind(rerun_id, newest)
            added = results.append_column("rerun_id", pa.array([behind_all] * len(results), pa.string()))
            before = storage.read_reruns()
            after = with_reruns(before, added.select(RERUN_SCHEMA.names).cast(RERUN_SCHEMA))
            if not after.equals(before):
                change.check()
                storage.write_reruns(after)
    asked = np.count_nonzero(pc.equal(after["rerun_id"], behind_all).to_numpy(zero_copy_only=False))
    return Rerun(int(asked), len(reset), len(let_go))


async def undo_rerun(storage: Storage, ledger: LedgerGateway, record_keys: Collection[str]) -> list[str]:
    """Let the results stay that were to be replaced; returns whose. Raises LeaseLostError, ManifestError, OSError."""
    async with ledger.transaction() as change:
        noted = storage.to_be_replaced(record_keys)
        if len(noted):
            change.check()
            storage.write_reruns(without_reruns(storage.read_reruns(), record_keys))
    kept: list[str] = noted["record_key"].to_pylist()
    return kept


def results_as_they_are(storage: Storage, record_keys: Iterable[str]) -> pa.Table:
    """The results of those records that have one, read to their end. Columns: RERUN_SCHEMA but ``rerun_id``."""
    keys, hashes, sizes, times = list[str](), list[str](), array("q"), array("q")
    for key in record_keys:
        found = storage.result_file(key)
        if found is not None:
            keys.append(key)
            hashes.append(found.sha256)
            sizes.append(found.bytes)
            times.append(found.modified_ns)
    schema = RERUN_SCHEMA.remove(RERUN_SCHEMA.get_field_index("rerun_id"))
    columns = [pa.array(keys, pa.string()), pa.array(sizes), pa.array(times), pa.array(hashes, pa.string())]
    return pa.table(columns, names=schema.names).cast(schema)


async def unblock_held(storage: Storage, record_keys: Iterable[str]) -> set[str]:
    """Let records go on that are held for a person, as they were in batch after batch without an answer, or have one
    that could not be judged and is to be asked for again, and those that wait for the service; returns which. Raises
    ManifestError, OSError."""
    keys = set(record_keys)
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
    return let_go


async def unblock(ledger: LedgerGateway, spans: Iterable[Pages]) -> Counts:
    """Reset the failure counts of records; returns those that they had. Raises LedgerError, LeaseLostError."""
    async with ledger.transaction() as change:
        return await _reset(change, spans)


async def _reset(change: LedgerTransaction, spans: Iterable[Pages]) -> Counts:
    counted = Counts(run for span in spans for run in change.ledger.counts.within(span))
    await change.apply_counts(CountChange(run.entry, run.count, 0) for run in counted.runs())
    return counted


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
    submission_id, state = submission_named(p.services.storage, standing, name)
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


def submission_named(storage: Storage, standing: Standing, name: str) -> tuple[str, SubmissionState]:
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
