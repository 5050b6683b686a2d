"""Why a record is not done, in words: what `quire why` says of one that waits, is in flight, or needs a person."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState, States
from assets.domain.errors import ConfigError, PromptError, SchemaError
from assets.domain.outcome import OutcomeKind
from assets.outcomes import why_dead
from assets.repair import Change, changes
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.protocol.active import ActiveSubmission
from flows.protocol.breaking import breaker_reason
from flows.questions.history import Attempt, attempts_of
from flows.runtime.wiring import make_template
from flows.tables.derived import history_table
from flows.tables.kept_back import kept_back
from flows.tables.rules import postponed_keys, repair_rules


def why_not_done(
    settings: Settings,
    storage: Storage,
    states: States,
    row: Mapping[str, Any],
    batch: ActiveSubmission | None,
    last: Attempt | None,
    *,
    now: datetime,
) -> str:
    most, failures = settings.execution.max_retries, row["failures"]
    failed = _failures(failures)
    match row["state"]:
        case RecordState.INFLIGHT if batch is not None:
            sent, facts = storage.read_batch_manifest(batch.submission_id)
            changed = _said_of_change(sent.filter(pc.equal(sent["record_key"], row["record_key"]))["repair"])
            since, cause = _moment(facts.created_at), storage.stuck.read().get(batch.name)
            stuck = f"; it cannot be settled: {cause}" if cause else ""
            return f"in flight in {batch.name} since {since}, submission {batch.submission_id}{changed}{stuck}"
        case RecordState.DEAD:
            ended = why_dead(failures, _counted(last))
            most_said = f", and max_retries is {most}" if ended == failed else ""
            return f"dead letter: {ended}{most_said}; quire unblock {row['record_key']} tries it again"
        case RecordState.HELD:
            return f"held: it waits for a person; {_unjudged(last)}quire unblock {row['record_key']} tries it again"
        case RecordState.POSTPONED:
            history = history_table(storage, keys=[row["record_key"]], write=False)
            later = postponed_keys(settings, storage, history, now=now)
            at = later.get(row["record_key"], now)
            return f"postponed: the service had a fault that passes; it goes by itself at {_moment(at)}"
        case RecordState.WAITING:
            return f"waiting: {_what_blocks(storage, states, row)}"
    again = f"; {failed} so far, retry {failures} of {most}" if failures else ""
    if (kept := _kept_back(settings, storage, states, row["record_key"])) is not None:
        return f"kept back: {kept}"
    history = history_table(storage, keys=[row["record_key"]], write=False)
    key = pa.chunked_array([pa.array([row["record_key"]])])
    again += _said_of_change(changes(history, key.combine_chunks(), repair_rules(settings)))
    if (breaker := breaker_reason(settings, storage, records=len(states), now=now)) is not None:
        return f"runnable, but nothing is sent: {breaker}{again}"
    return f"runnable: the next pass that has a free place sends it{again}"


def _counted(last: Attempt | None) -> tuple[str, int | None, int | None] | None:
    return (last.kind, last.count_before, last.count_after) if last is not None else None


def _unjudged(last: Attempt | None) -> str:
    """The way out for an answer that is there and could not be judged."""
    if last is None or last.kind != OutcomeKind.VALIDATOR_ERROR:
        return ""
    return f"quire resettle {last.submission_id} judges its answer again, once the schema is mended; "


def _said_of_change(repair: pa.Array) -> str:
    """``repair``: of one request, as a batch manifest has it."""
    changed = Change.from_text(repair[0].as_py()).in_words()
    return f", with {changed}" if changed else ""


def _kept_back(settings: Settings, storage: Storage, states: States, key: str) -> str | None:
    """Why a record that could run would not be sent all the same. None also where nobody can tell."""
    row = states.rows_of_keys([key])
    with suppress(ConfigError, SchemaError, PromptError):
        return kept_back(storage, row, make_template(settings)[1]).get(key)
    return None


def _what_blocks(storage: Storage, states: States, row: Mapping[str, Any]) -> str:
    """The page before, and if that one waits as well, the page at which the chain begins to wait."""
    before = row["predecessor"]
    said = f"the page before, {before}, has no result"
    found = head = row_of(states, before)
    while head is not None and head["state"] == RecordState.WAITING:
        head = row_of(states, head["predecessor"])
    if found is None or head is None:
        return said
    if head is found:
        return f"{said}; it is {_standing(storage, head)}"
    return f"{said}; it waits itself, first of all for {head['record_key']}, which is {_standing(storage, head)}"


def _standing(storage: Storage, row: Mapping[str, Any]) -> str:
    if row["state"] == RecordState.DEAD:
        last = attempts_of(storage, row["record_key"])[-1:]
        return f"a dead letter, {why_dead(row['failures'], _counted(last[0] if last else None))}"
    if row["state"] == RecordState.INFLIGHT:
        return "in flight"
    return "held for a person" if row["state"] == RecordState.HELD else str(row["state"])


def _failures(count: int) -> str:
    return f"{count} failure" if count == 1 else f"{count} failures"


def row_of(states: States, key: str | None) -> dict[str, Any] | None:
    columns = ["record_key", "image_path", "image_frame", "predecessor", "state", "failures"]
    found = states.rows_of_keys([] if key is None else [key]).select(columns)
    return found.to_pylist()[0] if len(found) else None


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
