"""What a terminal shows while passes run, and where the lines of the log go."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from flows.pipeline import PassReport
from flows.poll import PollReport
from flows.runtime.progress import tell_step
from flows.scan import ScanReport
from flows.submit import SubmitReport
from flows.terminal.calm import calm
from flows.terminal.display import Display, Loudness, logging_into

STATES = {"done": 0, "inflight": 0, "runnable": 5, "waiting": 2, "postponed": 0, "dead": 1, "held": 0}
SENT = PassReport(PollReport(), ScanReport(8, 8, 0, 0, True), SubmitReport(1, 5, STATES, 2, None))
SETTLED = PassReport(
    PollReport(settled=1, outcomes={"success": 4, "blocked": 1}),
    ScanReport(8, 0, 0, 0, False),
    SubmitReport(0, 0, {**STATES, "done": 4, "runnable": 0, "waiting": 3}, 1, None),
)


def shown(*, terminal: bool, loudness: Loudness) -> str:
    out = io.StringIO()
    display = Display(Console(file=out, force_terminal=terminal, width=120, highlight=False), loudness)
    with display.live():
        display.doing("settling, scanning, sending")
        tell_step("uploading images", 3, 5)
        display.passed(SENT)
        display.spent(0.5, 0.25)
        display.passed(SETTLED)
        display.passed(SETTLED_AGAIN)
        display.waits_until(datetime(2026, 11, 26, 10, 21))
    return out.getvalue()


ENDED = "Finished in state Failed('what quire says at its end')"
SETTLED_AGAIN = PassReport(PollReport(), SETTLED.scan, SETTLED.submit)


def test_anywhere_else_than_in_a_terminal_there_is_a_line_for_each_event_and_none_twice() -> None:
    assert shown(terminal=False, loudness=Loudness.CALM).splitlines() == [
        "  1 batch sent, with 5 pages",
        "  0 of 8 pages read, 5 in flight, 2 waiting, 1 dead; batches: 1 sent, 0 settled; wave 1 of 2",
        "  1 batch settled: 4 success, 1 blocked",
        "  4 of 8 pages read, 0 in flight, 3 waiting, 1 dead; batches: 1 sent, 1 settled; wave 1 of 2",
    ]


def test_a_terminal_has_bars_with_what_is_spent_and_the_next_look() -> None:
    said = shown(terminal=True, loudness=Loudness.CALM)
    for words in (
        "4 of 8 read, 0 in flight, 3 waiting, 1 dead",
        "1 of 1 settled",
        "$0.5000 spent, at most $0.2500 in flight",
        "next look at 10:21:00",
        "1 batch settled: 4 success, 1 blocked",
    ):
        assert words in said


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(terminal: bool) -> None:
    assert shown(terminal=terminal, loudness=Loudness.QUIET) == ""


def test_what_others_have_named_is_printed_and_not_obeyed() -> None:
    out = io.StringIO()
    Display(Console(file=out)).say("a page \x1b[31m[bold]red")
    assert out.getvalue() == "a page \\x1b[31m[bold]red\n"


@contextmanager
def noise() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger that writes to the terminal, as Prefect's do, and what stands in that terminal."""
    before, terminal = sys.stderr, io.StringIO()
    sys.stderr = terminal
    logger = logging.getLogger("noisy")
    handler = logging.StreamHandler(terminal)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield logger, terminal
    finally:
        logger.removeHandler(handler)
        sys.stderr = before


@pytest.mark.parametrize(
    ("loudness", "seen"),
    [
        (Loudness.CALM, ["Left out: x.txt"]),
        (Loudness.QUIET, []),
        (Loudness.VERBOSE, ["Beginning flow run", "Left out: x.txt", ENDED]),
    ],
)
def test_the_log_goes_to_a_file_and_warnings_are_seen(tmp_path: Path, loudness: Loudness, seen: list[str]) -> None:
    with noise() as (logger, terminal):
        with calm(loudness, tmp_path / "logs") as log:
            logger.info("Beginning flow run")
            logger.warning("Left out: x.txt")
            logger.error(ENDED)
        assert terminal.getvalue().splitlines() == seen
        logger.info("and after it as before")
        assert terminal.getvalue().splitlines() == [*seen, "and after it as before"]
    assert log == tmp_path / "logs/quire.log"
    lines = log.read_text(encoding="utf-8").splitlines()
    assert [line.partition("noisy: ")[2] for line in lines] == [
        "Beginning flow run",
        "Left out: x.txt",
        ENDED,
    ]


def test_a_folder_that_cannot_be_written_keeps_nobody_from_working(tmp_path: Path) -> None:
    (tmp_path / "server").write_text("a file")
    with calm(Loudness.CALM, tmp_path / "server/logs") as log:
        assert log.exists()
    assert not log.is_relative_to(tmp_path)
    log.unlink()
    log.parent.rmdir()


def test_bars_are_not_torn_by_the_log(tmp_path: Path) -> None:
    with noise() as (logger, terminal), logging_into(tmp_path / "demo.log"):
        logger.error("whatever")
    assert terminal.getvalue() == ""
