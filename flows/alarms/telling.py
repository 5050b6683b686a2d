"""A pass tells at its end what is so, and what was settled: as events in Prefect, which the automations of
`flows.alarms.rules` and anybody else's go by. What is told when is decided in `assets.alarms`. Nothing hangs on it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow.compute as pc
from prefect.context import FlowRunContext

from assets.alarms import EVENTS, Bounds, Condition, Standing, conditions, due
from assets.answered_by import end_note
from assets.domain.errors import QuireError
from assets.domain.models import retirement_notice
from flows.alarms.news import news, one_line_of
from flows.gateways.files.told import Telling
from flows.gateways.prefect.events import Event
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import submissions_table
from flows.tables.from_files import open_submissions


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pass has found. ``pages``, ``done``, ``blocked``: see `assets.alarms.Standing`, as ``breaker``, ``cap``,
    ``stopped`` and ``waits``."""

    pages: int
    done: int
    blocked: int
    breaker: str
    cap: str
    stopped: str
    waits: Sequence[tuple[str, str]]


async def tell(p: Pass, seen: Seen) -> None:
    """Tell what is to be told. One call of Prefect where there is something, none where there is not; what could not be
    told is told by the next pass. Never raises for what went wrong with it."""
    try:
        await _tell(p, seen)
    except (QuireError, OSError) as error:
        logger().warning("Not all is told as events, the next pass does: %s", error)


async def _tell(p: Pass, seen: Seen) -> None:
    storage, alerts, moment = p.services.storage, p.services.settings.alerts, p.services.now()
    before = await asyncio.to_thread(storage.told.read)
    settlements = await asyncio.to_thread(storage.settlements)
    # Who has never told anything does not begin with all that was.
    told = before or Telling(settlements)
    found, happened = await asyncio.to_thread(_read, p, seen, told.settlements, settlements)
    remind = timedelta(hours=alerts.remind_hours)
    tell_now, states = due(found, told.states, moment=moment, remind=remind)
    events = [*happened, *map(_event, tell_now)]
    context = FlowRunContext.get()
    run = context.flow_run.id if context is not None and context.flow_run is not None else None
    if events and not await p.services.teller.emit(events, run=run, at=moment):
        return
    after = Telling(settlements, states)
    if after != before:
        p.lease.check()
        await asyncio.to_thread(storage.told.write, after)


def _read(p: Pass, seen: Seen, since: int, settlements: int) -> tuple[list[Condition], list[Event]]:
    storage, settings, moment = p.services.storage, p.services.settings, p.services.now()
    model = settings.model.name
    submissions = submissions_table(storage, write=False)
    in_flight = open_submissions(storage)
    kept = set(storage.raw.names()) if in_flight else set()
    closed = submissions.filter(submissions["was_sent"])["closed_at"]
    standing = Standing(
        settings.collection,
        moment,
        pages=seen.pages,
        done=seen.done,
        blocked=seen.blocked,
        breaker=seen.breaker,
        cap=seen.cap,
        stopped=one_line_of(seen.stopped),
        in_flight=in_flight,
        kept=[each for each in in_flight if each in kept],
        last_closed_at=pc.max(closed).as_py(),
        model=model,
        retiring=retirement_notice(model, moment.date()) or end_note(submissions, model, moment) or "",
        waits=seen.waits,
    )
    alerts = settings.alerts
    found = conditions(standing, Bounds(alerts.blocked_pages, alerts.stall_hours, alerts.overdue_hours))
    is_news = settlements > since
    return found, (news(storage, submissions, since, max_retries=settings.execution.max_retries) if is_news else [])


def _event(condition: Condition) -> Event:
    facts = {"state": condition.state.value, "message": condition.message, **condition.detail}
    return Event(EVENTS[condition.state], facts, batches=list(condition.detail.get("submissions", ())))
