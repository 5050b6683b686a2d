"""``make errno-matrix``: for every place in the product that asks the file system for something, and every error that
may come of it, a run in which that call fails, once or from then on, until the pass after it; then passes to the end,
then the invariants. Prints what was tried and what was violated.

The run is the crash matrix's (`tests.crash_matrix.shelf`). All passes are light ones (`tests.crash_matrix.light`);
that a pass which raises ends as one line and with status 1 is for `tests/faults/test_disk.py`, with real ones.
"""

import argparse
import asyncio
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from assets.domain.errors import QuireError
from flows.runtime.one_line import told
from tests.crash_matrix.light import light_passes
from tests.crash_matrix.run import AT_MOST_PASSES, until_interrupted
from tests.crash_matrix.shelf import MAX_RETRIES, failing, make_shelf, rerun_problems, vouched
from tests.emulator_server import API_KEY, EmulatorHandle, emulator
from tests.errno_matrix.faults import ERRORS, Calls, Fault, faults_in
from tests.errno_matrix.sites import Site
from tests.project import JOB_SECONDS, Project
from tests.twins.ledger import InMemoryVariables


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


async def run_with(folder: Path, gemini: EmulatorHandle, fault: Fault | None, *, sees_sites: bool = False) -> Ended:
    """A run in which ``fault`` happens, to its end. What lasts is lifted after the second pass that met it."""
    project, keys = make_shelf(folder, gemini)
    with faults_in(folder, fault, sees_sites=sees_sites) as calls:
        ended, met = Ended(calls), 0
        variables = InMemoryVariables()
        async with _told(ended):
            for _ in range(AT_MOST_PASSES):
                before = len(calls.struck)
                is_idle = await _pass(project, variables, ended) and len(calls.struck) == before
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
            await _pass(project, variables, ended)
            async with light_passes(project, variables) as passes:
                ended.problems += await passes.violations(project, keys, max_retries=MAX_RETRIES)
        if fault is not None and calls.struck:
            ended.problems += _untold(ended, fault)
        ended.problems += [*_paid(project, keys), *rerun_problems(project, keys)]
        ended.problems += [f"left behind: {path}" for path in leftovers(folder)]
    return ended


async def _pass(project: Project, variables: InMemoryVariables, ended: Ended) -> bool:
    """One pass, from its settings on; whether it found nothing to do."""
    try:
        async with light_passes(project, variables) as passes:
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
    """What was billed for each record must be what it is when nothing fails: one answer, a second one where the first
    was no JSON, none of what a person has corrected, and as many of the page that always comes back empty as it has
    tries."""
    records = project.gemini.books()["records"]
    once, always = failing(keys)
    due = dict.fromkeys(keys, 1) | {once: 2, always: 1 + MAX_RETRIES, vouched(keys): 0}
    found = {key: records.get(key, {}).get("billed", 0) for key in keys}
    done = [key for key in keys if project.result(key) is not None]
    problems = [f"{key} was billed {found[key]} times and not {due[key]}" for key in keys if found[key] != due[key]]
    return problems + [f"{key} is not done" for key in keys if key not in done and key != always]


def leftovers(folder: Path) -> list[Path]:
    """Temporary files that a pass without a fault must have cleared away."""
    return [path for path in folder.rglob(".tmp-*") if path.name != ".tmp-lock"]


def points_of(reference: Calls, *, every_call: bool = False) -> list[Fault]:
    """Of the calls of one kind, from one place in the product, into one of the folders that are ours, the first and the
    last, or ``every_call``; each error that they may meet, once and lasting. In an order of chance that is always the
    same, one point of each place before the second of any: however many are tried, they are a sample."""
    chance, places = random.Random(1), []  # noqa: S311 - repeatable by intent
    for (kind, *_), calls in sorted(by_site(reference).items()):
        points = [
            Fault(kind, number, line, nth, lasts)
            for line, nth in dict.fromkeys(calls if every_call else (calls[0], calls[-1]))
            for number in ERRORS[kind]
            for lasts in (False, True)
        ]
        places.append(chance.sample(points, len(points)))
    chance.shuffle(places)
    return [point for layer in zip_longest(*places) for point in layer if point is not None]


def by_site(reference: Calls) -> dict[tuple[str, str, Site], list[tuple[str, int]]]:
    """Kind, folder and call site -> the calls, in their order."""
    found = defaultdict(list)
    for (line, nth), site in reference.sites.items():
        found[_kind(line), _folder(line), site].append((line, nth))
    return found


def _kind(line: str) -> str:
    return line.partition(" ")[0]


def _folder(line: str) -> str:
    """``/manifests/jobs``; of a file that lies beside those, its name."""
    return "/".join(line.partition(" ")[2].split("/")[:3])


async def reference_run(folder: Path, gemini: EmulatorHandle) -> Calls:
    """The calls of a run in which nothing fails. Raises AssertionError if an invariant does not hold."""
    ended = await run_with(folder, gemini, None, sees_sites=True)
    assert not ended.problems, ended.problems
    assert not ended.stopped
    return ended.calls


async def matrix(
    folder: Path, part: int, parts: int, only: Sequence[str], at_most: int | None, every_call: bool
) -> int:
    """Every ``parts``-th point from ``part`` on, or ``only`` those. Returns how many violations there were."""
    os.environ["GEMINI_API_KEY"] = API_KEY
    with emulator() as gemini:
        reference = await reference_run(folder / "reference", gemini)
        points = points_of(reference, every_call=every_call)
        chosen = [each for each in points if each.name in only] if only else points[part::parts][:at_most]
        tally = _Tally(Counter(kind for kind, *_ in by_site(reference)), Counter(each.kind for each in points))
        for number, fault in enumerate(until_interrupted(chosen), 1):
            ended = await run_with(folder / f"point-{number}", gemini, fault)
            tally.note(fault, ended)
            for problem in ended.problems:
                _say(f"{fault.name}: {problem}")
            if only:
                _say("\n".join([*ended.stopped, *ended.log]))
            if number % 50 == 0:
                _say(f"... {tally.said()}")
            shutil.rmtree(folder / f"point-{number}")
        _say("| kind of call | places | points | tried | passes stopped | violations |")
        for kind in ERRORS:
            _say(f"| {' | '.join(map(str, tally.row(kind)))} |")
        _say(tally.said())
        return tally.violated.total()


@dataclass
class _Tally:
    """By kind of call: places in the product that make it, points, those whose call was made and failed, those in which
    a pass stopped, those with a violation."""

    places: Counter[str]
    points: Counter[str]
    tried: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    violated: Counter[str] = field(default_factory=Counter)

    def note(self, fault: Fault, ended: Ended) -> None:
        self.tried[fault.kind] += bool(ended.calls.struck)
        self.stopped[fault.kind] += bool(ended.stopped)
        self.violated[fault.kind] += bool(ended.problems)

    def row(self, kind: str) -> tuple[object, ...]:
        return (kind, *(each[kind] for each in (self.places, self.points, self.tried, self.stopped, self.violated)))

    def said(self) -> str:
        cpu = time.process_time() / max(1, self.tried.total())
        return (
            f"points tried: {self.tried.total()} of {self.points.total()}, {cpu:.2f} s of CPU each, "
            f"violations: {self.violated.total()}"
        )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the command is for


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="which share of the points: 1/2 and 2/2 run side by side")
    parser.add_argument("--at-most", type=int, help="so many points of that share")
    parser.add_argument("--point", action="append", default=[], help="only this one, as it is named")
    parser.add_argument("--every-call", action="store_true", help="not only the first and the last of each place")
    given = parser.parse_args(arguments)
    part, parts = map(int, given.part.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        return (
            1 if asyncio.run(matrix(Path(folder), part - 1, parts, given.point, given.at_most, given.every_call)) else 0
        )


if __name__ == "__main__":
    sys.exit(main())
