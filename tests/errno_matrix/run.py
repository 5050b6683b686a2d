"""``make errno-matrix``: for every call of a whole run to the file system, and every error that it may meet, a run in
which that call fails, once or from then on, until the pass after it; then passes to the end, then the invariants.
Prints what was tried and what was violated.

The run is the crash matrix's: three documents of four pages, one record that fails once, one that always fails, a job
that FAILs, one that EXPIREs. All passes are light ones (`tests.crash_matrix.light`); that a pass which raises ends as
one line and with status 1 is for `tests/faults/test_disk.py`, with real ones.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assets.domain.errors import QuireError
from flows.runtime.one_line import told
from tests.crash_matrix.light import LightPasses, light_passes
from tests.crash_matrix.run import AT_MOST_PASSES, MAX_RETRIES, make_shelf
from tests.emulator_server import API_KEY, EmulatorHandle, emulator
from tests.errno_matrix.faults import ERRORS, Calls, Fault, faults_in
from tests.invariants import violations
from tests.prefect_server import prefect_settings, running_prefect_server
from tests.project import JOB_SECONDS, Project


class _Told(logging.Handler):
    """What was logged: lines, and whether one had a traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if record.exc_info:
            self.tracebacks.append(record.getMessage())


@dataclass
class Ended:
    """How a run went. ``stopped``: the lines with which passes ended; ``log``: what was logged; ``problems``: what was
    violated; ``calls``: what was asked of the file system."""

    calls: Calls
    stopped: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def run_with(folder: Path, gemini: EmulatorHandle, fault: Fault | None) -> Ended:
    """A run in which ``fault`` happens, to its end. What lasts is lifted after the second pass that met it."""
    project, keys = make_shelf(folder, gemini)
    with faults_in(folder, fault) as calls:
        ended, met = Ended(calls), 0
        async with _told(ended), light_passes(project) as passes:
            for _ in range(AT_MOST_PASSES):
                before = len(calls.struck)
                is_idle = await _pass(passes, ended) and len(calls.struck) == before
                await asyncio.to_thread(gemini.advance, JOB_SECONDS)
                if calls.struck and not calls.is_lifted:
                    met += 1
                    calls.is_lifted = met == 2
                if is_idle:
                    break
            else:
                ended.problems.append("it does not come to an end")
            calls.is_lifted = True
            for path in leftovers(folder):
                # Such as the clock would make them.
                os.utime(path, (1, 1))
            await _pass(passes, ended)
        if fault is not None and calls.struck:
            ended.problems += _untold(ended, fault)
        ended.problems += await violations(project, keys, max_retries=MAX_RETRIES)
        ended.problems += _paid(project, keys)
        ended.problems += [f"left behind: {path}" for path in leftovers(folder)]
    return ended


async def _pass(passes: LightPasses, ended: Ended) -> bool:
    """One pass; whether it found nothing to do."""
    try:
        return (await passes.run()).is_idle
    except (QuireError, OSError) as error:
        try:
            ended.stopped.append(str(told(error)))
        except OSError as bug:
            ended.problems.append(f"a traceback: {bug!r}")
    except Exception as error:
        ended.problems.append(f"a traceback: {error!r}")
    return False


@asynccontextmanager
async def _told(ended: Ended) -> AsyncIterator[None]:
    log, handler = logging.getLogger("quire"), _Told()
    before = log.handlers, log.propagate, log.disabled
    log.handlers, log.propagate, log.disabled = [handler], False, False
    try:
        yield
    finally:
        log.handlers, log.propagate, log.disabled = before
        ended.log += handler.lines
        ended.problems += [f"a traceback in the log: {line}" for line in handler.tracebacks]


def _untold(ended: Ended, fault: Fault) -> list[str]:
    """A pass that stopped, or a line of the log, must name the place of the trouble; silence is for what Quire can do
    without."""
    place = ended.calls.struck[0]
    names = {place, str(Path(place).parent)}
    wrong = [line for line in ended.stopped if not any(name in line for name in names)]
    wrong += [f"no way out: {line}" for line in ended.stopped if "; " not in line]
    return [f"a line that does not name {place}: {line}" for line in wrong]


def _paid(project: Project, keys: Sequence[str]) -> list[str]:
    """What was billed for each record must be what it is when nothing fails: one answer, and a second one where the
    first was no JSON."""
    records = project.gemini.books()["records"]
    due = dict.fromkeys(keys, 1) | {keys[1]: 2, keys[6]: 0}
    found = {key: records.get(key, {}).get("billed", 0) for key in keys}
    done = [key for key in keys if project.result(key) is not None]
    problems = [f"{key} was billed {found[key]} times and not {due[key]}" for key in keys if found[key] != due[key]]
    return problems + [f"{key} is not done" for key in keys if key not in done and key != keys[6]]


def leftovers(folder: Path) -> list[Path]:
    """Temporary files that a pass without a fault must have cleared away."""
    return [path for path in folder.rglob(".tmp-*") if path.name != ".tmp-lock"]


def points_of(reference: Calls) -> list[Fault]:
    """Each call of a run, each error that it may meet, once and lasting, in an order of chance that is always the
    same: a share of them is a sample."""
    found = [
        Fault(line.partition(" ")[0], number, line, nth, lasts)
        for line, count in sorted(reference.log.items())
        for nth in range(1, count + 1)
        for number in ERRORS[line.partition(" ")[0]]
        for lasts in (False, True)
    ]
    random.Random(1).shuffle(found)  # noqa: S311 - repeatable by intent
    return found


async def reference_run(folder: Path, gemini: EmulatorHandle) -> Calls:
    """The calls of a run in which nothing fails. Raises AssertionError if an invariant does not hold."""
    ended = await run_with(folder, gemini, None)
    assert not ended.problems, ended.problems
    assert not ended.stopped
    return ended.calls


async def matrix(folder: Path, part: int, parts: int, only: Sequence[str], at_most: int | None) -> int:
    """Every ``parts``-th point from ``part`` on, or ``only`` those. Returns how many violations there were."""
    os.environ["GEMINI_API_KEY"] = API_KEY
    with (
        running_prefect_server(folder / "prefect", in_memory=True, keeps_events=False) as server,
        emulator() as gemini,
        prefect_settings(server.api_url, server.home),
    ):
        points = points_of(await reference_run(folder / "reference", gemini))
        chosen = [each for each in points if each.name in only] if only else points[part::parts][:at_most]
        violated, tried, stopped = Counter[str](), Counter[str](), Counter[str]()
        for number, fault in enumerate(chosen, 1):
            ended = await run_with(folder / f"point-{number}", gemini, fault)
            tried[fault.kind] += bool(ended.calls.struck)
            stopped[fault.kind] += bool(ended.stopped)
            violated[fault.kind] += bool(ended.problems)
            for problem in ended.problems:
                _say(f"{fault.name}: {problem}")
            if only:
                _say("\n".join([*ended.stopped, *ended.log]))
            if number % 50 == 0:
                _say(f"... {number} of {len(chosen)} points, {violated.total()} with violations")
        for kind in ERRORS:
            of_all = sum(each.kind == kind for each in points)
            _say(f"| {kind} | {of_all} | {tried[kind]} | {stopped[kind]} | {violated[kind]} |")
        _say(f"points tried: {tried.total()} of {len(points)}, violations: {violated.total()}")
        return violated.total()


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the command is for


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="which share of the points: 1/2 and 2/2 run side by side")
    parser.add_argument("--at-most", type=int, help="so many points of that share")
    parser.add_argument("--point", action="append", default=[], help="only this one, as it is named")
    given = parser.parse_args(arguments)
    part, parts = map(int, given.part.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        return 1 if asyncio.run(matrix(Path(folder), part - 1, parts, given.point, given.at_most)) else 0


if __name__ == "__main__":
    sys.exit(main())
