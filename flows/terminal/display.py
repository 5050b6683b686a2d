"""What a terminal shows while passes run: bars where somebody looks, a line for each event anywhere else. Prefect's
lines go to a file. How a run ends stands in `ending`; what a step tells of itself comes through
`flows.runtime.progress`.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.spinner import Spinner
from rich.text import Text

from assets.candidates import RecordState
from assets.domain.money import dollars
from flows.runtime.printable import printable
from flows.runtime.progress import telling

if TYPE_CHECKING:
    from flows.pipeline import PassReport  # it imports Prefect, which reads the environment once

MAX_LOG_BYTES = 10_000_000
LOGS_KEPT = 3


class Loudness(IntEnum):
    """What is said: the end alone; events and warnings; every line of the log, too."""

    QUIET = 0
    CALM = 1
    VERBOSE = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been done so far. ``waves``: those begun and those left, if nothing fails any more."""

    records: int = 0
    done: int = 0
    inflight: int = 0
    waiting: int = 0
    dead: int = 0
    batches_sent: int = 0
    batches_settled: int = 0
    waves_begun: int = 0
    waves: int = 0
    records_sent: int = 0

    def after(self, report: "PassReport") -> "Standing":
        """The standing when a pass has ended."""
        submit, states = report.submit, report.submit.states
        begun = self.waves_begun + bool(submit.submitted)
        return replace(
            self,
            records=sum(states.values()),
            done=states[RecordState.DONE],
            inflight=states[RecordState.INFLIGHT] + submit.sent,
            waiting=states[RecordState.WAITING]
            + states[RecordState.POSTPONED]
            + states[RecordState.RUNNABLE]
            - submit.sent,
            dead=states[RecordState.DEAD],
            batches_sent=max(self.batches_sent + submit.submitted, report.poll.settled + report.poll.running),
            batches_settled=self.batches_settled + report.poll.settled,
            waves_begun=begun,
            waves=max(self.waves_begun + submit.waves, begun),
            records_sent=self.records_sent + submit.sent,
        )

    def line(self) -> str:
        return (
            f"{self.done} of {self.records} pages read, {self.inflight} in flight, {self.waiting} waiting, "
            f"{self.dead} dead; batches: {self.batches_sent} sent, {self.batches_settled} settled; "
            f"wave {self.waves_begun} of {self.waves}"
        )


class Display:
    """Shows how far passes are. In a terminal lines scroll by above the bars."""

    def __init__(self, console: Console, loudness: Loudness = Loudness.CALM) -> None:
        self._console = console
        self._loudness = loudness
        self._standing = Standing()
        self._shown = ""
        self._money = ""
        self._spinner = Spinner("dots", text="")
        self._bars = Progress(TextColumn("{task.description:<8}"), BarColumn(40), TextColumn("{task.fields[says]}"))
        self._tasks: dict[str, TaskID] = {
            name: self._bars.add_task(name, total=None, says="", visible=False)
            for name in ("pages", "batches", "waves", "now")
        }

    @property
    def standing(self) -> Standing:
        return self._standing

    def resume(self, *, batches: int) -> None:
        """So many batches of an interrupted run are still in flight."""
        self._standing = replace(self._standing, batches_sent=batches, waves_begun=1)

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Bars for the length of the block, in a terminal."""
        with telling(self.step):
            if not self.is_live:
                yield
                return
            with Live(Group(self._bars, self._spinner), console=self._console, refresh_per_second=8, transient=True):
                yield

    @property
    def is_live(self) -> bool:
        """Whether somebody looks at bars."""
        return self._console.is_terminal and self._loudness is Loudness.CALM

    def say(self, text: str) -> None:
        """A line that stays. Names and words of others may be in it."""
        if self._loudness is not Loudness.QUIET:
            self._console.print(Text(printable(text)), soft_wrap=True)

    def doing(self, text: str) -> None:
        """What is going on now."""
        self._spinner.update(text=Text(printable(text)))

    def step(self, what: str, done: int, total: int) -> None:
        """How far a long step of a pass is, such as the uploads of a batch."""
        if self.is_live:
            is_over = total > 0 and done >= total
            self._bars.update(
                self._tasks["now"],
                description="",
                total=total or None,
                completed=done,
                says=f"{what}, {done} of {total}" if total else f"{what}, {done}",
                visible=not is_over,
            )

    def waits_until(self, when: datetime) -> None:
        """The next pass begins then (local time)."""
        self._bars.update(self._tasks["now"], visible=False)
        self.doing(f"next look at {when:%H:%M:%S}; Ctrl-C ends it, and nothing is lost")

    def spent(self, spent_usd: float, open_usd: float) -> None:
        """What the collection has cost so far, and the most that what is in flight can cost."""
        if spent_usd or open_usd:
            self._money = f"; {dollars(spent_usd)} spent, at most {dollars(open_usd)} in flight"
        self._bars.update(self._tasks["batches"], says=self._batches())

    def passed(self, report: "PassReport") -> None:
        """A pass has ended."""
        self._bars.update(self._tasks["now"], visible=False)
        self._standing = self._standing.after(report)
        if report.poll.outcomes:
            kinds = ", ".join(f"{count} {kind}" for kind, count in report.poll.outcomes.items())
            self.say(f"  {_counted(report.poll.settled, 'batch', 'batches')} settled: {kinds}")
        if report.submit.submitted:
            sent = _counted(report.submit.submitted, "batch", "batches")
            self.say(f"  {sent} sent, with {_counted(report.submit.sent, 'page', 'pages')}")
        self._show_bars()
        if not self.is_live and self._standing.line() != self._shown:
            self.say(f"  {self._standing.line()}")
        self._shown = self._standing.line()

    def _show_bars(self) -> None:
        standing = self._standing
        for name in ("pages", "batches", "waves"):
            self._bars.update(self._tasks[name], visible=True)
        self._bars.update(
            self._tasks["pages"],
            total=standing.records,
            completed=standing.done,
            says=f"{standing.done} of {standing.records} read, {standing.inflight} in flight, "
            f"{standing.waiting} waiting, {standing.dead} dead",
        )
        self._bars.update(
            self._tasks["batches"],
            total=max(standing.batches_sent, 1),
            completed=standing.batches_settled,
            says=self._batches(),
        )
        self._bars.update(
            self._tasks["waves"],
            total=max(standing.waves, 1),
            completed=standing.waves_begun,
            says=f"{standing.waves_begun} of {standing.waves}",
        )

    def _batches(self) -> str:
        return f"{self._standing.batches_settled} of {self._standing.batches_sent} settled{self._money}"


@contextlib.contextmanager
def logging_into(path: Path, terminal: int | None = None) -> Iterator[None]:
    """Whatever this process would log to the terminal goes to a file: a log line would tear the bars. ``terminal``: the
    level from which on a line is shown there as well; None: none is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    loggers = [logging.getLogger(), *map(logging.getLogger, sorted(logging.Logger.manager.loggerDict))]
    swapped: list[tuple[logging.Logger, logging.Handler, int]] = []
    added: list[logging.Logger] = []
    for logger in loggers:
        for handler in list(logger.handlers):
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.stdout):
                swapped.append((logger, handler, handler.level))
                if terminal is None:
                    logger.removeHandler(handler)
                else:
                    handler.setLevel(max(handler.level, terminal))
                    if terminal > logging.NOTSET:
                        handler.addFilter(_not_how_a_run_ended)
                logger.addHandler(file)
                added.append(logger)
    root = logging.getLogger()
    if root not in added:
        root.addHandler(file)
        added.append(root)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger in added:
            logger.removeHandler(file)
        for logger, handler, level in swapped:
            handler.removeFilter(_not_how_a_run_ended)
            handler.setLevel(level)
            if handler not in logger.handlers:
                logger.addHandler(handler)
        file.close()


def _not_how_a_run_ended(record: logging.LogRecord) -> bool:
    """Prefect tells the state in which each run ends; the command says the same at its end."""
    return not record.getMessage().startswith("Finished in state")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
