"""What the demo shows while it runs: bars in a terminal, plain lines anywhere else. Its end stands in `summary`."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.spinner import Spinner
from rich.text import Text

from assets.candidates import RecordState

if TYPE_CHECKING:
    from flows.pipeline import PassReport  # it imports Prefect, which must see the demo's environment


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
            batches_sent=self.batches_sent + submit.submitted,
            batches_settled=self.batches_settled + report.poll.settled,
            waves_begun=self.waves_begun + bool(submit.submitted),
            waves=max(self.waves_begun + submit.waves, self.waves_begun + bool(submit.submitted)),
            records_sent=self.records_sent + submit.sent,
        )

    def line(self) -> str:
        return (
            f"{self.done} of {self.records} pages read, {self.inflight} in flight, {self.waiting} waiting, "
            f"{self.dead} dead; batches: {self.batches_sent} sent, {self.batches_settled} settled; "
            f"wave {self.waves_begun} of {self.waves}"
        )


class Display:
    """Shows how far the demo is. In a terminal lines scroll by above the bars."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._standing = Standing()
        self._shown = ""
        self._spinner = Spinner("dots", text="")
        self._bars = Progress(TextColumn("{task.description:<8}"), BarColumn(40), TextColumn("{task.fields[says]}"))
        self._tasks: dict[str, TaskID] = {
            name: self._bars.add_task(name, total=None, says="", visible=False)
            for name in ("pages", "batches", "waves")
        }

    @property
    def standing(self) -> Standing:
        return self._standing

    def resume(self, *, batches: int) -> None:
        """So many batches of an interrupted demo are still in flight."""
        self._standing = replace(self._standing, batches_sent=batches, waves_begun=1)

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Bars for the length of the block, in a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(Group(self._bars, self._spinner), console=self._console, refresh_per_second=8, transient=True):
            yield

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def doing(self, text: str) -> None:
        """What is going on now."""
        self._spinner.update(text=Text(text))

    def passed(self, report: "PassReport") -> None:
        """A pass has ended."""
        standing = self._standing.after(report)
        if report.poll.outcomes:
            kinds = ", ".join(f"{count} {kind}" for kind, count in report.poll.outcomes.items())
            self.say(f"  batch settled: {kinds}")
        self._standing = standing
        for task in self._tasks.values():
            self._bars.update(task, visible=True)
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
            says=f"{standing.batches_settled} of {standing.batches_sent} settled",
        )
        self._bars.update(
            self._tasks["waves"],
            total=max(standing.waves, 1),
            completed=standing.waves_begun,
            says=f"{standing.waves_begun} of {standing.waves}",
        )
        if not self._console.is_terminal and standing.line() != self._shown:
            self.say(f"  {standing.line()}")
        self._shown = standing.line()


@contextlib.contextmanager
def logging_into(path: Path) -> Iterator[None]:
    """Whatever this process would log to the terminal goes to a file instead: a log line would tear the display."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    loggers = [logging.getLogger(), *map(logging.getLogger, sorted(logging.Logger.manager.loggerDict))]
    swapped: list[tuple[logging.Logger, logging.Handler | None]] = []
    for logger in loggers:
        for handler in list(logger.handlers):
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.stdout):
                swapped.append((logger, handler))
                logger.removeHandler(handler)
                logger.addHandler(file)
    root = logging.getLogger()
    if file not in root.handlers:
        root.addHandler(file)
        swapped.append((root, None))
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger, previous in swapped:
            logger.removeHandler(file)
            if previous is not None:
                logger.addHandler(previous)
        file.close()
