"""What is done, in flight, waiting, dead: the numbers of ``quire status`` and of the notebook. Read only: not even the
tie between folder and Prefect database is made here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.answered_by import model_notes
from assets.candidates import RecordState, States, blocked_successors, count_states, record_states, waves_by_mode
from assets.context import ContextMode
from assets.corrections import CorrectionKind
from assets.domain.counts import Counts
from assets.domain.errors import PrefectUnavailableError, StateError
from assets.domain.ledger import Ledger
from assets.domain.outcome import ANSWERED_WELL
from assets.history import unjudged_records
from assets.manifest import manifest_schema
from assets.numbering import Records
from assets.outcomes import cause_of, why_dead
from assets.outdated import Outdated
from assets.pace import Forecast
from assets.sources import existing_results
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.gateways.ports import LedgerGateway
from flows.protocol.active import inflight_keys, resolve
from flows.protocol.breaking import breaker_reason
from flows.questions.forecasting import forecast_of
from flows.runtime.home import check_home
from flows.runtime.ready import check_ready
from flows.runtime.wiring import open_ledger, utc_now
from flows.tables.corrections import corrected_by_kind
from flows.tables.derived import history_table, kinds_table, last_submissions, submissions_table
from flows.tables.edited import find_edited
from flows.tables.from_files import active_name, last_counts, open_submissions
from flows.tables.left_out import count_left_out
from flows.tables.outdated import find_outdated
from flows.tables.rules import held_keys, postponed_keys, run_rules
from flows.tables.weighing import read_spent

STUCK = "stuck"
MAX_CAUSES = 50
"""Of so many dead letters, and of so many held records, it is looked up what became of them."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A name in the active list. ``state``: a SubmissionState, "stuck" if the last poll could not settle it, or
    "unknown" if no file here knows the name; then ``submission_id`` and ``records`` are None. ``cause``: why it is
    stuck, and the way out."""

    name: str
    submission_id: str | None
    state: str
    records: int | None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """``states``: RecordState -> records, every state is named; ``waves_left``: rounds of batches still needed if
    nothing fails any more, ``waves_by_mode``: likewise, in each context mode; ``spent_usd``: what answers have cost,
    ``open_usd``: the most that what is in flight can cost, ``unsure_usd``: the most that those records can have cost of
    which nobody will know, ``unsure``: how many those are; ``model_notes``: what the newest answers tell of the model,
    a line each: that another one has answered, that it ends soon; ``failures``: outcome kind -> how often, over all
    submissions; ``dead_letters``: record key -> failures; ``held``: the records that wait for a person,
    ``unjudged``: those of them that wait with an answer; ``causes``: dead or held record key -> what became of it last,
    of MAX_CAUSES each; ``next_try_at``: when the first postponed record goes (UTC);
    ``breaker``: why nothing is sent, or None; ``blocking``: dead
    or held record key -> records that wait behind it;
    ``left_out``: files that the last scan left out; ``outdated``: records whose result was made from another image,
    prompt, schema, model or context than today's, ``outdated_by``: reason -> records; ``not_compared``: records whose
    image has another time than the one that was read, and was not compared yet;
    ``rerun``: records that are to be read again although they have a result, which stays until then; ``edited``:
    records whose result is not what was written, and of whom no correction says so; ``corrected``, ``checked``: those
    whose result a person has corrected, or checked and found good; ``no_json``: those of them whose result is no JSON;
    ``results_not_compared``: how many a pass has not read yet that only their content can tell of; ``kept_back``:
    records that could run and that the last submit has not sent, each with the reason and the way out;
    ``dead_because``: dead record key -> why it is that, in a few words; ``forecast``: when it may be done."""

    collection: str
    records: int
    states: Mapping[str, int]
    waves_left: int
    waves_by_mode: Mapping[str, int]
    spent_usd: float
    open_usd: float
    unsure_usd: float
    unsure: int
    model_notes: tuple[str, ...]
    batches: tuple[BatchStatus, ...]
    failures: Mapping[str, int]
    dead_letters: Mapping[str, int]
    held: tuple[str, ...]
    unjudged: tuple[str, ...]
    causes: Mapping[str, str]
    next_try_at: datetime | None
    breaker: str | None
    blocking: Mapping[str, int]
    left_out: int
    outdated: int
    outdated_by: Mapping[str, int]
    not_compared: int
    rerun: int
    edited: int
    corrected: int
    checked: int
    no_json: tuple[str, ...]
    results_not_compared: int
    kept_back: Mapping[str, str] = field(default_factory=dict)
    dead_because: Mapping[str, str] = field(default_factory=dict)
    forecast: Forecast | None = None

    def why_dead(self, key: str) -> str:
        """``key``: of a dead letter."""
        return self.dead_because.get(key) or why_dead(self.dead_letters[key], None)

    def as_json(self) -> dict[str, Any]:
        """One object, with the states (records, done, runnable, inflight, waiting, held, dead) beside the rest."""
        document = asdict(self)
        states = document.pop("states")
        document["forecast"] = self.forecast.as_json() if self.forecast else None
        document["next_try_at"] = self.next_try_at.isoformat() if self.next_try_at else None
        # The state "held" is their number, as for the others.
        document["held_records"] = document.pop("held")
        return {"collection": document.pop("collection"), "records": document.pop("records"), **states, **document}


async def collect_status(
    settings: Settings, storage: Storage, ledger_gateway: LedgerGateway, *, now: datetime
) -> Status:
    """Read everything and count. ``now``: UTC. Raises StateError, PrefectUnavailableError."""
    ledger = await read_ledger(settings, storage, ledger_gateway)

    def count() -> Status:
        found = storage.find_results()
        states = states_in_mode(settings, storage, ledger, found, now=now)
        table, waves = states(settings.context.mode), waves_by_mode(states)
        return status_of(settings, storage, ledger, table, waves, found, now=now)

    return await asyncio.to_thread(count)


async def read_ledger(settings: Settings, storage: Storage, ledger_gateway: LedgerGateway) -> Ledger:
    """What the Variables say; before the very first pass, nothing. Raises StateError, PrefectUnavailableError."""
    return await ledger_gateway.read() if await check_home(settings, storage, ledger_gateway) else _ledger((), {})


async def read_ledger_or_files(settings: Settings, storage: Storage) -> tuple[Ledger, str | None]:
    """The ledger, and None; or what the files alone tell of it (see `ledger_of_files`), and in one line why the
    Variables could not be read. For looking only. Raises ManifestError."""
    try:
        await check_ready(str(settings.source))
        async with open_ledger(settings) as gateway:
            return await read_ledger(settings, storage, gateway), None
    except (PrefectUnavailableError, StateError) as error:
        return await asyncio.to_thread(ledger_of_files, storage), str(error)


def ledger_of_files(storage: Storage) -> Ledger:
    """What the files alone tell of the ledger, for people to look at where Prefect does not answer; never to be acted
    upon. Active is what has no outcomes, a count is what the record's last counted outcome made of it: a batch that a
    person has let go of and a count that a person has reset are not seen."""
    names = tuple(active_name(storage, each) for each in open_submissions(storage))
    return _ledger(names, last_counts(storage))


def states_now(settings: Settings, storage: Storage, ledger: Ledger, *, now: datetime) -> States:
    """All records with their states: see `assets.candidates.record_states`. ``now``: UTC."""
    return states_in_mode(settings, storage, ledger, now=now)(settings.context.mode)


def states_in_mode(
    settings: Settings, storage: Storage, ledger: Ledger, results_found: FoundResults | None = None, *, now: datetime
) -> Callable[[ContextMode], States]:
    """Reads everything, and returns what gives the states of all records for a context mode. ``results_found``: if the
    results were walked already; ``now``: UTC."""
    records = storage.records() or Records.of(manifest_schema(settings.record.document_fields).empty_table())
    done = (results_found or storage.find_results()).done_pages
    inflight = inflight_keys(storage, resolve(storage, ledger).open_ids())
    results, history = existing_results(pages=done), history_table(storage, write=False)
    held, later = held_keys(settings, storage, history), postponed_keys(settings, storage, history, now=now)

    def states(mode: ContextMode) -> States:
        rules = replace(run_rules(settings), context_mode=mode)
        return record_states(records, results, ledger, inflight=inflight, held=held, postponed=later, rules=rules)

    return states


def status_of(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    states: States,
    waves: Mapping[str, int] | None = None,
    results_found: FoundResults | None = None,
    *,
    now: datetime,
) -> Status:
    """Count. ``states``: `states_now` of the same ledger; ``waves``: by context mode, counted if it is None;
    ``results_found``: if the results were walked already; ``now``: UTC."""
    results_found = results_found or storage.find_results()
    spent = read_spent(settings, storage, since=now)
    if waves is None:
        waves = waves_by_mode(states_in_mode(settings, storage, ledger, results_found, now=now))
    held = tuple(states.keys(RecordState.HELD))
    history = history_table(storage, write=False)
    unjudged = unjudged_records(history) if held else {}
    later = postponed_keys(settings, storage, history, now=now)
    failures = states.failures[states.of(RecordState.DEAD)].tolist()
    dead_letters = dict(zip(states.keys(RecordState.DEAD), failures, strict=True))
    last = last_outcomes(storage, [*list(dead_letters)[:MAX_CAUSES], *held[:MAX_CAUSES]])
    stale = outdated_of(settings, storage, states)
    comparison = find_edited(storage, results_found)
    vouched = corrected_by_kind(storage, results_found)
    return Status(
        collection=settings.collection,
        records=len(states),
        states={state.value: count for state, count in count_states(states).items()},
        waves_left=waves[settings.context.mode.value],
        waves_by_mode=waves,
        spent_usd=sum(each.usd for each in spent),
        open_usd=sum(each.open_usd for each in spent),
        unsure_usd=sum(each.unsure_usd for each in spent),
        unsure=sum(each.unsure for each in spent),
        model_notes=tuple(model_notes(submissions_table(storage, write=False), settings.model.name, now)),
        batches=tuple(_batches(storage, ledger)),
        failures=failures_by_kind(storage),
        causes={key: cause_of(each.kind, each.message) for key, each in last.items()},
        next_try_at=min(later.values(), default=None),
        dead_letters=dead_letters,
        held=held,
        unjudged=tuple(key for key in held if key in unjudged),
        breaker=breaker_reason(settings, storage, records=len(states), now=now),
        blocking=blocked_successors(states),
        left_out=count_left_out(storage.read_left_out()),
        outdated=len(stale),
        outdated_by=stale.by_reason(),
        not_compared=len(stale.unknown),
        rerun=len(results_found.to_be_replaced),
        edited=len(set(comparison.edited).difference(vouched)),
        corrected=sum(kind == CorrectionKind.CORRECTED for kind in vouched.values()),
        checked=sum(kind == CorrectionKind.CHECKED for kind in vouched.values()),
        no_json=tuple(comparison.problems["record_key"].to_pylist()),
        results_not_compared=len(comparison.unread),
        kept_back=_kept_back(storage, states),
        forecast=forecast_of(settings, storage, states, waves, now=now),
        dead_because={key: why_dead(count, _counted(last.get(key))) for key, count in dead_letters.items()},
    )


def outdated_of(settings: Settings, storage: Storage, states: States) -> Outdated:
    """Raises ManifestError, OSError."""
    return find_outdated(settings, storage, states)


async def collect_outdated(settings: Settings, storage: Storage, ledger_gateway: LedgerGateway) -> Outdated:
    """Raises StateError, PrefectUnavailableError."""
    ledger = await read_ledger(settings, storage, ledger_gateway)
    return await asyncio.to_thread(
        lambda: outdated_of(settings, storage, states_now(settings, storage, ledger, now=utc_now()))
    )


def failures_by_kind(storage: Storage) -> dict[str, int]:
    """Outcome kind -> how often, over all outcomes that brought no result; most frequent first."""
    kinds = kinds_table(storage, write=False)
    bad = kinds.filter(pc.invert(pc.is_in(kinds["kind"], value_set=pa.array(sorted(ANSWERED_WELL), pa.string()))))
    sums = bad.group_by("kind").aggregate([("records", "sum")]).to_pylist()
    return {row["kind"]: row["records_sum"] for row in sorted(sums, key=lambda row: (-row["records_sum"], row["kind"]))}


@dataclass(frozen=True, slots=True)
class LastOutcome:
    """Of a record; as in OUTCOME_SCHEMA of `assets.outcomes`."""

    kind: str
    message: str
    count_before: int | None
    count_after: int | None


def _counted(last: LastOutcome | None) -> tuple[str, int | None, int | None] | None:
    return (last.kind, last.count_before, last.count_after) if last is not None else None


def last_outcomes(storage: Storage, keys: Sequence[str]) -> dict[str, LastOutcome]:
    """Record key -> its last outcome. Raises ManifestError, OSError."""
    keys_in: dict[str, list[str]] = {}
    for key, (submission_id, _) in last_submissions(storage, keys).items():
        keys_in.setdefault(submission_id, []).append(key)
    found: dict[str, LastOutcome] = {}
    for submission_id, its_keys in keys_in.items():
        table = storage.read_outcomes(submission_id, ["record_key", "kind", "message", "count_before", "count_after"])
        its = pa.array(its_keys, pa.string())
        for row in table.filter(pc.is_in(table["record_key"], value_set=its)).to_pylist():
            key = row.pop("record_key")
            found[key] = LastOutcome(**row)
    return found


def _batches(storage: Storage, ledger: Ledger) -> list[BatchStatus]:
    standing = resolve(storage, ledger)
    causes = storage.stuck.read()
    known = [
        BatchStatus(
            each.name,
            each.submission_id,
            STUCK if each.name in causes else each.state.value,
            len(storage.batch_keys(each.submission_id)),
            causes.get(each.name),
        )
        for each in standing.active
    ]
    return known + [BatchStatus(name, None, "unknown", None) for name in standing.unknown]


def _kept_back(storage: Storage, states: States) -> dict[str, str]:
    reasons = storage.stuck.pages()
    noted = states.records.known(reasons)
    can_run = noted[np.isin(noted, states.of(RecordState.RUNNABLE))]
    return {key: reasons[key] for key in states.records.keys(can_run).to_pylist()}


def _ledger(active: tuple[str, ...], counts: Mapping[str, int]) -> Ledger:
    return Ledger(
        prefix="",
        active=active,
        count_pages={1: Counts.of(counts)},
        stored={},
    )
