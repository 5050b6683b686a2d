"""What was settled since it was told last, as events: a batch at a time, and the dead letters that came of it. Few,
whatever has happened: what is over the bounds is counted in one event.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.outcome import OutcomeKind
from assets.domain.record import document_of
from assets.reports import totals
from flows.gateways.files.storage import Storage
from flows.gateways.prefect.events import Event

MAX_BATCHES = 20
MAX_LETTERS = 20
MAX_DOCUMENTS = 20
MAX_TEXT_CHARS = 300
_OF_JOBS = frozenset({OutcomeKind.BATCH_FAILED, OutcomeKind.BATCH_CANCELLED, OutcomeKind.BATCH_EXPIRED})


def news(storage: Storage, submissions: pa.Table, since: int, *, max_retries: int) -> list[Event]:
    """``submissions``: SUBMISSIONS_SCHEMA of `assets.spending`; ``since``: the number of the last settlement that was
    told. Raises ManifestError, OSError."""
    is_new = pc.fill_null(pc.greater(submissions["settlement"], since), False)
    closed = submissions.filter(pc.and_(is_new, pc.invert(submissions["released"]))).sort_by("settlement")
    rows = closed.select(["submission_id", "batch_id", "records", "succeeded", "was_sent"]).to_pylist()
    batches: list[Event] = []
    letters: list[dict[str, Any]] = []
    for row in rows:
        outcomes = storage.read_outcomes(row["submission_id"], ["record_key", "kind", "message", "count_after"])
        counted = pc.fill_null(pc.greater(outcomes["count_after"], max_retries), False)
        letters += outcomes.filter(counted).select(["record_key", "kind", "message"]).to_pylist()
        if row["was_sent"]:
            batches.append(_batch(row, outcomes))
    return [*_at_most(batches), *_letters(letters)]


def _batch(row: dict[str, Any], outcomes: pa.Table) -> Event:
    kinds = totals(outcomes)
    failed = set(kinds) <= {kind.value for kind in _OF_JOBS}
    facts = {"batch_id": row["batch_id"], "records": row["records"], "succeeded": row["succeeded"], "outcomes": kinds}
    said = {"message": one_line_of(outcomes["message"][0].as_py() or "")} if failed else {}
    name = "quire.batch.failed" if failed else "quire.batch.settled"
    return Event(name, {"submission_id": row["submission_id"], **facts, **said}, batches=[row["submission_id"]])


def _at_most(batches: Sequence[Event]) -> list[Event]:
    if len(batches) <= MAX_BATCHES:
        return list(batches)
    shown, rest = batches[:MAX_BATCHES], batches[MAX_BATCHES:]
    found = list(shown)
    for name in ("quire.batch.settled", "quire.batch.failed"):
        more = [each.payload for each in rest if each.name == name]
        if more:
            sums = {what: sum(each[what] for each in more) for what in ("records", "succeeded")}
            found.append(Event(name, {"batches": len(more), **sums}))
    return found


def _letters(letters: Sequence[dict[str, Any]]) -> list[Event]:
    found = [
        Event(
            "quire.page.dead",
            {"pages": 1, "page": row["record_key"], "kind": row["kind"], "message": one_line_of(row["message"] or "")},
            documents=[document_of(row["record_key"])],
        )
        for row in letters[:MAX_LETTERS]
    ]
    if more := [row["record_key"] for row in letters[MAX_LETTERS:]]:
        documents = sorted({document_of(key) for key in more})
        facts = {"pages": len(more), "documents": len(documents)}
        found.append(Event("quire.page.dead", facts, documents=documents[:MAX_DOCUMENTS]))
    return found


def one_line_of(said: str) -> str:
    """One bounded, printable line of the words of others."""
    return "".join(each if each.isprintable() else "\ufffd" for each in " ".join(said.split()))[:MAX_TEXT_CHARS]
