"""A collection at a glance: what the artifact ``{collection}-status`` in Prefect says after each pass that changed
something. The numbers are those of `flows.questions.status`; here they get times, a pace and a form. Keys and messages
are untrusted, and are escaped; everything that can be long has a bound, and names the file that has the rest.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from assets.candidates import States
from assets.documents import documents_table
from assets.domain.ledger import Ledger
from assets.domain.money import dollars
from assets.pace import Pace, pace_of, read_by_time
from assets.pictures import as_markdown_image, bars_svg, progress_svg
from assets.reports import escape
from assets.spending import Cap
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.questions.status import Status, states_in_mode, status_of
from flows.tables.derived import results_table, submissions_table
from flows.tables.weighing import read_caps

MAX_LETTERS = 50
MAX_BATCHES = 30
MAX_KEPT_BACK = 20
MAX_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class Glance:
    """``at``: when it was read (UTC); ``made_at``: when each active batch was made, by its name; ``points``: how many
    pages were read by when; ``documents``: see `assets.documents`; ``states``: see
    `assets.candidates.record_states`."""

    status: Status
    at: datetime
    made_at: Mapping[str, datetime]
    caps: tuple[Cap, ...]
    pace: Pace
    points: Sequence[tuple[datetime, int]]
    documents: pa.Table
    states: States

    @property
    def left(self) -> int:
        """How many pages are neither done nor wait for a person, behind a page that does, or in a batch that does."""
        status = self.status
        by_itself = sum(status.states[each] for each in ("runnable", "inflight", "waiting", "postponed"))
        stuck = sum(each.records or 0 for each in status.batches if each.cause)
        return max(0, by_itself - stuck - sum(status.blocking.values()))


async def read_glance(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    found: FoundResults,
    *,
    run_started_at: datetime,
    now: datetime,
) -> Glance:
    """``found``: the results as the pass has found them; ``now``: UTC. Raises ManifestError, OSError."""

    def read() -> Glance:
        states = states_in_mode(settings, storage, ledger, found, now=now)(settings.context.mode)
        status = status_of(settings, storage, ledger, states, results_found=found, now=now)
        submissions = submissions_table(storage, write=False)
        results = results_table(storage, ["record_key", "submission_id"], write=False)
        ids = {batch.name: batch.submission_id for batch in status.batches[:MAX_BATCHES] if batch.submission_id}
        return Glance(
            status,
            now,
            {name: storage.read_batch_manifest(each)[1].created_at for name, each in ids.items()},
            read_caps(settings, storage, run_started_at=run_started_at, now=now),
            pace_of(submissions, now),
            read_by_time(submissions),
            documents_table(states, results, submissions),
            states,
        )

    return await asyncio.to_thread(read)


def status_markdown(glance: Glance, did: str, place: str, *, documents: str) -> str:
    """``did``: what the pass has done, in words; ``place``: the folder of the manifests, for whoever wants the rest;
    ``documents``: the key of the artifact with the documents."""
    parts = [_head(glance, did), _person(glance, place), _pictures(glance), _numbers(glance, place), _batches(glance)]
    parts.append(f"Document by document: the artifact [{documents}](/artifacts/key/{documents}).")
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(glance: Glance, did: str) -> str:
    status, states = glance.status, glance.status.states
    end = glance.pace.end(glance.at, pages=glance.left, waves=status.waves_left)
    name = f"Collection {escape(status.collection)}" if status.collection else "The collection"
    said = f"**{name}: {states['done']:,} of {status.records:,} pages done.**"
    if glance.left and end is None:
        said += " When the rest will be done is not known before the first answers."
    elif glance.left and end is not None:
        said += f" The rest may be done by {_time(end)}, at the pace of the last 7 days"
        said += f" ({glance.pace.pages_per_hour:,.0f} pages an hour)." if glance.pace.pages_per_hour else "."
    return f"{said}\n\nAs of {_time(glance.at)}. This pass: {escape(did)}."


def _person(glance: Glance, place: str) -> str:
    status = glance.status
    lines = [f"- Nothing is sent: {escape(status.breaker)}"] if status.breaker else []
    lines += [
        f"- Batch {escape(batch.name)} cannot be settled: {escape(batch.cause)}"
        for batch in status.batches[:MAX_BATCHES]
        if batch.cause
    ]
    if status.no_json:
        lines.append(
            f"- {len(status.no_json):,} results are no JSON and count as done, such as {escape(status.no_json[0])}: "
            "correct them, or run the deployment `rerun` with `edited`"
        )
    kept = list(status.kept_back.items())
    lines += [f"- Page {escape(key)} is kept back: {escape(reason)}" for key, reason in kept[:MAX_KEPT_BACK]]
    if len(kept) > MAX_KEPT_BACK:
        lines.append(f"- ... and {len(kept) - MAX_KEPT_BACK:,} more that are kept back: {escape(place)}/stuck.json")
    letters = [(key, "dead letter", status.why_dead(key)) for key in status.dead_letters]
    unjudged = set(status.unjudged)
    letters += [
        (key, "held", "a validator failed at its answer" if key in unjudged else "batch after batch brought no answer")
        for key in status.held
    ]
    if letters:
        lines += ["", "| Page | State | Because | Wait behind it | What became of it last |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {escape(key)} | {what} | {escape(why)} | {status.blocking.get(key, 0):,} "
            f"| {escape(status.causes.get(key, ''))} |"
            for key, what, why in letters[:MAX_LETTERS]
        ]
        if len(letters) > MAX_LETTERS:
            lines += ["", f"... and {len(letters) - MAX_LETTERS:,} more: {escape(place)}/history has all."]
        lines += ["", "Correct the cause, then run the deployment `unblock` with these pages, or `quire unblock KEY`."]
    return "\n".join(["### What needs a person", "", *lines]) if lines else ""


def _numbers(glance: Glance, place: str) -> str:
    status, states = glance.status, glance.status.states
    postponed = f", the first goes at {_time(status.next_try_at)}" if status.next_try_at else ""
    in_flight = (
        f"{states['inflight']:,} in {len(status.batches):,} {'batch' if len(status.batches) == 1 else 'batches'}"
    )
    rows = [
        ("Done", f"{states['done']:,}"),
        ("In flight", in_flight),
        ("Can be sent", f"{states['runnable']:,}"),
        ("Rounds of batches left", f"{status.waves_left:,}"),
    ]
    # Many of these are 0, and a report is short.
    sometimes = [
        ("Wait for the page before", states["waiting"], ""),
        ("Wait for the service", states["postponed"], postponed),
        ("Dead letters", states["dead"], ""),
        ("Held for a person", states["held"], ""),
        ("Outdated results", status.outdated, ""),
        ("To be read again", status.rerun, ""),
        ("Corrected by people", status.corrected, ""),
        ("Checked and good", status.checked, ""),
        ("Edited by a person", status.edited, ""),
        ("Files left out", status.left_out, f": {escape(place)}/left\\_out\\.parquet"),
    ]
    rows += [(name, f"{count:,}{more}") for name, count, more in sometimes if count]
    rows += [
        ("Spent", dollars(status.spent_usd)),
        ("Reserved for what is in flight, at most", dollars(status.open_usd)),
    ]
    rows += [("Spent, perhaps (nobody knows)", dollars(status.unsure_usd))] if status.unsure else []
    rows += [
        (f"Left of {escape(cap.name)}", f"{dollars(max(0.0, cap.room_usd))} of {dollars(cap.usd)}")
        for cap in glance.caps
    ]
    head = ["### Where it stands", "", "| | |", "| --- | --- |"]
    notes = [f"\n{escape(note)}" for note in status.model_notes]
    return "\n".join([*head, *(f"| {name} | {value} |" for name, value in rows), *notes])


def _pictures(glance: Glance) -> str:
    line = progress_svg(glance.points, glance.status.records)
    bars = bars_svg(glance.status.failures)
    parts = ["### Pages read over time", as_markdown_image(line, "pages read over time")] if line else []
    if bars:
        words = ", ".join(f"{count:,} {kind}" for kind, count in glance.status.failures.items())
        parts += ["### Failures by kind", as_markdown_image(bars, "failures by kind"), escape(words)]
    return "\n\n".join(parts)


def _batches(glance: Glance) -> str:
    batches = glance.status.batches
    if not batches:
        return ""
    rows = ["### Batches in flight", "", "| Batch | State | Pages | Made |", "| --- | --- | --- | --- |"]
    for batch in batches[:MAX_BATCHES]:
        made = glance.made_at.get(batch.name)
        age = f"{_age(glance.at - made)} ago" if made is not None else "unknown"
        pages = "unknown" if batch.records is None else f"{batch.records:,}"
        rows.append(f"| {escape(batch.name)} | {escape(batch.state)} | {pages} | {age} |")
    if len(batches) > MAX_BATCHES:
        rows += ["", f"... and {len(batches) - MAX_BATCHES:,} more: the Variable active\\_batch\\_ids has all."]
    return "\n".join(rows)


def document_rows(glance: Glance) -> list[dict[str, Any]]:
    """The rows of the artifact ``{collection}-documents``, MAX_DOCUMENTS at most, those that need a person first. Names
    of documents are untrusted: Prefect shows the cells of a table as text."""
    rows = []
    for row in glance.documents.slice(0, MAX_DOCUMENTS).to_pylist():
        waves = min(row["left"], max(1, glance.status.waves_left))
        end = glance.pace.end(glance.at, pages=row["left"], waves=waves) if row["left"] else None
        rows.append(
            {
                "document": escape_cell(row["document"]),
                "pages": row["pages"],
                "done": row["done"],
                "in flight": row["in_flight"],
                "failing": row["failing"],
                "cost, about": dollars(row["usd"]) if row["usd"] is not None else "not known",
                "may be done by": _time(end) if end else "" if not row["left"] else "not known",
            }
        )
    return rows


def escape_cell(text: str) -> str:
    """One bounded, printable line."""
    return "".join(each if each.isprintable() else "\ufffd" for each in " ".join(text.split()))[:200]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds() // 60))
    days, hours = minutes // 1440, minutes % 1440 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
