"""``quire run``: one pass, or passes until only a person could go on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from assets.domain.errors import LeaseLostError, QuireError
from assets.selection import parse_entry
from config.settings import load_settings
from flows.gateways.prefect.api import engine_errors_told
from flows.pipeline import PassReport, pipeline
from flows.runtime.passes import nothing_sent_but, one_run_of_passes
from flows.runtime.wiring import config_path, utc_now
from flows.terminal.scanning import BUSY
from flows.terminal.show import needs_text

PATIENCE = 5
"""Passes in a row that may stop for trouble that passes by itself."""
MAX_CAUSES = 3
"""How many different causes of failures the line of a pass names."""
MAX_NOT_NOW = 20
"""How many of the named pages that were not sent it lists."""
AfterPass = Callable[[PassReport], Awaitable[None]]


async def run_once(
    config: str | None,
    *,
    accept_vanished: bool = False,
    only: Sequence[str] = (),
    after_pass: AfterPass | None = None,
) -> str:
    """One pass; what it did, in a line. ``only``: record keys, ranges and documents of which alone something may be
    sent; empty: no such bound. Raises RecordKeyError for what is none before anything is done."""
    if only:
        fields = len(load_settings(config_path(config)).record.document_fields)
        for each in only:
            parse_entry(each, field_count=fields)
    with nothing_sent_but(only):
        report = await pipeline(config, accept_vanished=accept_vanished)
    if report is not None and after_pass is not None:
        await after_pass(report)
    return BUSY if report is None else said_of(report)


def said_of(report: PassReport) -> str:
    """What a pass did, in a line, and what it leaves to a person."""
    submit, polled = report.submit, report.poll
    did = (
        f"{polled.settled} batches settled{_answers(report)}, {polled.running} running; {report.scan.records} records; "
        f"{submit.submitted} batches with {submit.sent} records sent"
    )
    not_now = [f"{key} is not sent: {why}" for key, why in list(submit.not_now.items())[:MAX_NOT_NOW]]
    not_now += [f"and {more} more"] if (more := len(submit.not_now) - MAX_NOT_NOW) > 0 else []
    first = did + (f"; {submit.stopped}" if submit.stopped else "")
    return "\n".join([first, *submit.would, *not_now, *report.needs_person])


def _answers(report: PassReport) -> str:
    """What the settled batches have brought, and what went wrong most in them."""
    found = ", ".join(f"{count} {kind}" for kind, count in report.poll.outcomes.items())
    causes = "; ".join(report.poll.causes[:MAX_CAUSES])
    return f" ({found}{f'; most often {causes}' if causes else ''})" if found else ""


async def run_watch(
    config: str | None,
    *,
    accept_vanished: bool = False,
    after_pass: AfterPass | None = None,
    on_trouble: Callable[[QuireError], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> str:
    """Passes until nothing is runnable or in flight, or only what needs a person is left, which is listed.

    A pass that stopped because a server was away, or because it lost its lock meanwhile, is followed by another; after
    PATIENCE of them in a row, what the last one raised is raised. ``on_trouble`` is told of each.
    """
    settings = load_settings(config_path(config))
    patience, started_at = PATIENCE, utc_now()
    while True:
        try:
            with engine_errors_told(), one_run_of_passes(started_at):
                report = await pipeline(config, accept_vanished=accept_vanished)
        except QuireError as error:
            patience -= 1
            if not patience or not (error.retry_helps or isinstance(error, LeaseLostError)):
                raise
            if on_trouble is not None:
                on_trouble(error)
            report = None
        else:
            # Results that cannot be written are tried again as often as what passes by itself.
            patience = patience - 1 if report is not None and report.only_tries_again else PATIENCE
        if report is not None:
            if after_pass is not None:
                await after_pass(report)
            if report.is_idle or not patience:
                limited = report.submit.stopped if report.submit.is_limited else None
                needs = await needs_text(config, report.needs_person, limited=limited)
                return "\n".join([*report.submit.would, needs])
        _stop_if_asked()
        await sleep(settings.batch.poll_interval_seconds)


def _stop_if_asked() -> None:
    """A Ctrl-C is a cancellation, which can be lost in the engine while it ends a run (seen with Prefect 3.9.1: the
    pass was Completed and the next one began). The task knows all the same that it was asked."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
