"""``quire run`` and its parts as a terminal shows them: calm. Prefect's lines go to a file, warnings are shown, and how
far it is: see `display`. What passes do stands in `watch`.
"""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from flows.pipeline import PassReport
from flows.runtime.printable import printable_json
from flows.terminal.display import Display, Loudness, logging_into
from flows.terminal.ending import facts_at_end
from flows.terminal.show import read_status
from flows.terminal.watch import run_once, run_watch

T = TypeVar("T")
LOG_NAME = "quire.log"
AfterPass = Callable[[PassReport], Awaitable[None]]


async def run_calmly(
    config: str | None,
    *,
    watch: bool,
    accept_vanished: bool,
    after_pass: AfterPass,
    loudness: Loudness,
    logs: Path,
    only: Sequence[str] = (),
) -> str:
    """One pass, or passes until only a person could go on; what to say at the end. ``logs``: a folder, which is made;
    ``only``: as in `run_once`, of one pass.

    Raises QuireError.
    """
    display = Display(Console(highlight=False), loudness)
    with calm(loudness, logs) as log:
        with display.live():
            display.doing("settling, scanning, sending")

            async def passed(report: PassReport) -> None:
                await after_pass(report)
                if watch:
                    display.passed(report)
                if display.is_live and (report.poll.settled or report.submit.submitted):
                    found = await read_status(config)
                    display.spent(found.spent_usd, found.open_usd)

            async def pause(seconds: float) -> None:
                display.waits_until(datetime.now().astimezone() + timedelta(seconds=seconds))
                await asyncio.sleep(seconds)
                display.doing("settling, scanning, sending")

            if not watch:
                return await run_once(config, accept_vanished=accept_vanished, only=only, after_pass=passed)
            said = await run_watch(
                config,
                accept_vanished=accept_vanished,
                after_pass=passed,
                on_trouble=lambda error: display.say(f"  a pass stopped, the next one goes on: {error}"),
                sleep=pause,
            )
        if loudness is Loudness.QUIET:
            return said
        return "\n".join([*await facts_at_end(config, log=log), said])


async def calmly(
    command: Callable[[str | None], Awaitable[T]], config: str | None, *, loudness: Loudness, logs: Path
) -> T:
    """Any command that runs a flow, in the same way. ``logs``: see `run_calmly`. Raises what the command does."""
    display = Display(Console(highlight=False), loudness)
    with calm(loudness, logs), display.live():
        return await command(config)


def report_json(report: PassReport | None) -> str:
    """What a pass did; ``null`` if another one was running."""
    if report is None:
        return "null"
    polled, scanned, submit = report.poll, report.scan, report.submit
    return printable_json(
        {
            "settled": polled.settled,
            "outcomes": dict(polled.outcomes),
            "running": polled.running,
            "stuck": dict(polled.stuck),
            "records": scanned.records,
            "left_out": scanned.problems,
            "batches_sent": submit.submitted,
            "records_sent": submit.sent,
            "states": dict(submit.states),
            "stopped": submit.stopped,
            "would": list(submit.would),
            "not_sent": dict(submit.not_now),
            "needs_person": list(report.needs_person),
        }
    )


@contextlib.contextmanager
def calm(loudness: Loudness, logs: Path) -> Iterator[Path]:
    """Log into a file in ``logs`` for the length of the block; gives its path. Warnings are shown as well, and with
    VERBOSE all of it."""
    log = _writable(logs) / LOG_NAME
    if loudness is Loudness.VERBOSE:
        with logging_into(log, terminal=logging.NOTSET):
            yield log
        return
    with logging_into(log, terminal=logging.WARNING if loudness is Loudness.CALM else logging.CRITICAL):
        yield log


def _writable(folder: Path) -> Path:
    """The folder, or one for temporary files: what only is logged keeps nobody from working."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_NAME).open("ab"):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="quire-"))
