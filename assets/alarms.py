"""The states of a collection that somebody should hear of, and when each of them is told.

They are computed from what stands there, by each pass, and are no events seen in passing: a pass that died in between
loses none of them. A state is told when it begins, when it is of another thing than before, and as a reminder while it
lasts. How it travels stands in `flows.alarms`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from assets.domain.batch import submitted_at

FLAPPING = timedelta(hours=1)
"""A state that is over for less than this, and comes back, has not ended: a cap from which room comes back as answers
cost less than they could is reached again by the next pass."""
WEEK = timedelta(days=7)


class State(StrEnum):
    """What can be so. The last one is good news: it is told once and no alarm."""

    BREAKER = "breaker"
    BUDGET = "budget"
    BLOCKED = "blocked"
    STALLED = "stalled"
    UNWRITTEN = "unwritten"
    OVERDUE = "overdue"
    RETIRING = "retiring"
    PERSON = "person"
    DONE = "done"


EVENTS: Mapping[State, str] = {
    State.BREAKER: "quire.breaker.opened",
    State.BUDGET: "quire.budget.reached",
    State.BLOCKED: "quire.pages.blocked",
    State.STALLED: "quire.stalled",
    State.UNWRITTEN: "quire.results.unwritten",
    State.OVERDUE: "quire.batch.overdue",
    State.RETIRING: "quire.model.retiring",
    State.PERSON: "quire.needs_person",
    State.DONE: "quire.collection.done",
}
"""State -> the event that tells it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on a state is one: the settings of the section ``alerts``. None: it never is."""

    blocked_pages: int | None
    stall_hours: float | None
    overdue_hours: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a collection stands at the end of a pass.

    ``collection``: its name, or ""; ``moment``: the present, UTC; ``pages``, ``done``, ``blocked``: all pages, those
    that are done, those that wait behind dead letters and held pages; ``breaker``: "" or what it is open for; ``cap``:
    "" or the cap that is reached; ``stopped``: why nothing more is sent, in words; ``in_flight``: the submissions that
    have no outcomes, oldest first; ``kept``: those of them whose answers are here already; ``last_closed_at``: when the
    last submission was closed that was at Gemini; ``retiring``: a line about the end of ``model``, or ""; ``waits``:
    what waits for a person: how many, in words, and of which kind.
    """

    collection: str
    moment: datetime
    pages: int
    done: int
    blocked: int = 0
    breaker: str = ""
    cap: str = ""
    stopped: str = ""
    in_flight: Sequence[str] = ()
    kept: Sequence[str] = ()
    last_closed_at: datetime | None = None
    model: str = ""
    retiring: str = ""
    waits: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A state that is. ``of``: of what; of another thing it is another state. ``message``: one sentence, in words of
    ours and numbers alone, as chats read it as markup; ``detail``: more of it, for programs; the words of others in it
    are untrusted."""

    state: State
    of: str
    message: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a state last. ``at``: when (UTC); ``over_at``: since when it is not so any more."""

    of: str
    at: datetime
    over_at: datetime | None = None


def conditions(standing: Standing, bounds: Bounds) -> list[Condition]:
    """All that is so."""
    whose = f"Collection {standing.collection}" if standing.collection else "The collection"
    found: list[Condition] = []

    def is_so(state: State, of: str, message: str, **detail: Any) -> None:
        found.append(Condition(state, of, f"{whose}: {message}", detail))

    if standing.breaker:
        said = "so much has failed that nothing is sent any more. Look at the failures, then run reset-breaker"
        if not standing.breaker.startswith("lasting"):
            said = "Gemini answers with faults that pass, and nothing is sent meanwhile. It tries again by itself"
        is_so(State.BREAKER, standing.breaker, f"{said}.", reason=standing.stopped)
    if standing.cap:
        said = f"{standing.cap} is reached, and nothing more is sent. Raise it, or wait for the day to end"
        if not standing.cap.startswith("budget."):
            said = "Google's spending limit for the project is reached, and nothing more is sent. Raise it at Google"
        is_so(State.BUDGET, standing.cap, f"{said}.", reason=standing.stopped)
    if bounds.blocked_pages is not None and standing.blocked > bounds.blocked_pages:
        is_so(
            State.BLOCKED,
            "",
            f"{standing.blocked:,} pages wait behind dead letters or held pages. Correct the cause, then run unblock.",
            pages=standing.blocked,
        )
    found += [replace(each, message=f"{whose}: {each.message}") for each in _of_batches(standing, bounds)]
    if standing.retiring:
        is_so(State.RETIRING, standing.model, f"{standing.retiring}.", model=standing.model)
    if standing.waits:
        counted = ", ".join(words for words, _ in standing.waits)
        kinds = ", ".join(kind for _, kind in standing.waits)
        is_so(State.PERSON, kinds, f"waits for a person: {counted}. The artifact of its status says what to do.")
    if standing.pages and standing.done == standing.pages:
        is_so(State.DONE, str(standing.pages), f"all {standing.pages:,} pages are done.", pages=standing.pages)
    return found


def _of_batches(standing: Standing, bounds: Bounds) -> list[Condition]:
    if not standing.in_flight:
        return []
    found: list[Condition] = []
    oldest, batches = standing.in_flight[0], len(standing.in_flight)
    # Nothing can finish while nothing is in flight.
    since = max(submitted_at(oldest), standing.last_closed_at or submitted_at(oldest))
    if bounds.stall_hours is not None and standing.moment - since > timedelta(hours=bounds.stall_hours):
        said = f"nothing has finished for {_hours(standing.moment - since)} hours, with {_batches(batches)} in flight."
        found.append(Condition(State.STALLED, "", said, {"batches": batches, "since": since.isoformat()}))
    if bounds.overdue_hours is not None:
        late = [
            each
            for each in standing.in_flight
            if standing.moment - submitted_at(each) > timedelta(hours=bounds.overdue_hours)
        ]
        if late:
            age = _hours(standing.moment - submitted_at(late[0]))
            said = f"{_batches(len(late))} not finished yet, the oldest of them for {age} hours. After 48 hours Gemini"
            said += " lets go of a batch, and its pages are sent again."
            found.append(Condition(State.OVERDUE, late[0], said, {"submissions": late[:20], "batches": len(late)}))
    if standing.kept:
        said = f"the answers of {_batches(len(standing.kept))} are here, and no result can be written of them. Look at"
        said += " the folder of results, and at what the last run says."
        detail = {"submissions": list(standing.kept[:20]), "batches": len(standing.kept)}
        found.append(Condition(State.UNWRITTEN, standing.kept[0], said, detail))
    return found


def due(
    found: Sequence[Condition], told: Mapping[State, Told], *, moment: datetime, remind: timedelta
) -> tuple[list[Condition], dict[State, Told]]:
    """What of ``found`` is to be told, and what stands as told once that is done. ``remind``: how long after it was
    told a state that lasts is told again; the end of a model takes weeks, and is told by the week."""
    tell: list[Condition] = []
    after: dict[State, Told] = {}
    for each in found:
        before = told.get(each.state)
        if before is None or before.of != each.of or _is_due(each.state, before, moment, remind):
            tell.append(each)
            after[each.state] = Told(each.of, moment)
        else:
            after[each.state] = replace(before, over_at=None)
    for state, before in told.items():
        if state not in after:
            over_at = before.over_at or moment
            # A clock that was set back since ends it as well.
            if timedelta(0) <= moment - over_at < FLAPPING:
                after[state] = replace(before, over_at=over_at)
    return tell, after


def _is_due(state: State, before: Told, moment: datetime, remind: timedelta) -> bool:
    if state is State.DONE:
        return False
    wait = max(remind, WEEK) if state is State.RETIRING else remind
    return not timedelta(0) <= moment - before.at < wait


def _hours(age: timedelta) -> int:
    return int(age.total_seconds() // 3600)


def _batches(count: int) -> str:
    return f"{count:,} {'batch' if count == 1 else 'batches'}"
