"""``make crash-matrix``: for every effect of a whole run, a pass that is killed just after it, then passes to the end,
then the invariants. Nothing happens to the world between two effects, so that just before one is just after the last.
Prints what was tried, what was violated, and what was paid for.

What is worked off stands in `shelf`. The pass that is to be killed is a process of its own; its slot in Prefect's
locks is freed through Prefect's API, as waiting for the lease takes a minute. The pass after it is a real one, too;
what comes before and after the two are light ones (`light`).
"""

import argparse
import asyncio
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.crash_matrix.light import light_passes, run_light_passes, variables_in_prefect
from tests.crash_matrix.shelf import MAX_RETRIES, make_shelf, rerun_problems
from tests.emulator_server import API_KEY, EmulatorHandle, emulator
from tests.invariants import violations
from tests.killing import effects_log, killed_by_effect
from tests.prefect_server import PrefectServer, prefect_settings, running_prefect_server
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby, standing_by

AT_MOST_PASSES = 25
WHEN = ("before", "after")


@dataclass(frozen=True, slots=True)
class Kill:
    """In the pass number ``in_pass`` of a run (from 0), at its effect ``number`` (from 1), before or after it."""

    in_pass: int
    number: int
    when: str

    @property
    def name(self) -> str:
        """Pass (from 1), effect and when."""
        return f"{self.in_pass + 1}:{self.number}:{self.when}"


@dataclass
class World:
    """A project, its Prefect server, and a process that stands by to become a pass of it."""

    project: Project
    server: PrefectServer
    standby: Standby
    keys: list[str]

    async def killed_pass(self, number: int, when: str) -> bool:
        """A pass in a process of its own, killed at its effect ``number``, 0 for none. False: it ended before that."""
        killed = await killed_by_effect(self.project, self.server, self.standby, number, when)
        # While a batch is posted images of the next go up: others may have begun before this one had ended.
        begun = [line.partition(" ")[0] for line in self.effects()]
        assert not killed or str(number) in begun, "it died at another effect"
        return killed

    def effects(self) -> list[str]:
        """The effects of the last such pass, a line each."""
        return effects_log(self.project).read_text(encoding="utf-8").splitlines()

    async def to_the_end(self, *, passes: int = 0) -> list[str]:
        """A pass as it is, which heals what there is to heal, and light ones until another would do nothing; the
        invariants that do not hold then. ``passes``: how many there were before."""
        report = await self.project.run_pass()
        if report.is_idle:
            found = await violations(self.project, self.keys, max_retries=MAX_RETRIES)
            return [*found, *rerun_problems(self.project, self.keys)]
        await self.advance()
        async with light_passes(self.project, await variables_in_prefect(self.project)) as light:
            if not await light.until_idle(self.project, AT_MOST_PASSES - passes):
                return ["I1: it does not come to an end"]
            found = await light.violations(self.project, self.keys, max_retries=MAX_RETRIES)
            return [*found, *rerun_problems(self.project, self.keys)]

    async def advance(self) -> None:
        await asyncio.to_thread(self.project.gemini.advance, JOB_SECONDS)

    def sends(self) -> Counter[int]:
        """How often records were sent -> how many records."""
        records = self.project.gemini.books()["records"]
        return Counter(records[key]["submitted"] for key in self.keys if key in records)

    def paid(self) -> Counter[int]:
        """How many answers were paid for -> how many finished records."""
        records = self.project.gemini.books()["records"]
        return Counter(records[key]["billed"] for key in self.keys if self.project.result(key) is not None)


def make_world(folder: Path, server: PrefectServer, standby: Standby, gemini: EmulatorHandle) -> World:
    """A new world, in a collection of its own; the emulator is emptied for it."""
    project, keys = make_shelf(folder, gemini)
    return World(project, server, standby, keys)


async def effects_of_a_run(world: World) -> list[list[str]]:
    """The effects of each pass of a run in which nothing is killed. Raises AssertionError if an invariant does not
    hold."""
    found = []
    for number in range(AT_MOST_PASSES):
        assert not await world.killed_pass(0, "before")
        found.append(world.effects())
        await world.advance()
        if number and not any("variables" in line and "PATCH" in line for line in found[-1]):
            break
    problems = await world.to_the_end()
    assert not problems, problems
    return found


async def try_kill(world: World, kill: Kill) -> list[str]:
    """One point of the matrix: the violations at its end."""
    if kill.in_pass:
        await run_light_passes(world.project, kill.in_pass)
    try:
        if not await world.killed_pass(kill.number, kill.when):
            return ["it was never reached"]
    except TimeoutError:
        world.standby.kill_all()
        return ["the pass that was to be killed does not end"]
    await world.advance()
    return await world.to_the_end(passes=kill.in_pass)


@contextmanager
def machinery(folder: Path) -> Iterator[tuple[PrefectServer, Standby, EmulatorHandle]]:
    os.environ["GEMINI_API_KEY"] = API_KEY
    # Light passes log what a flow run would.
    logging.getLogger("quire").disabled = True
    with (
        running_prefect_server(folder / "prefect", in_memory=True, keeps_events=False) as server,
        standing_by(folder) as standby,
        emulator() as gemini,
        prefect_settings(server.api_url, server.home),
    ):
        yield server, standby, gemini


async def matrix(folder: Path, part: int, parts: int, when: str, only: Sequence[str]) -> int:
    """Every ``parts``-th point from ``part`` on, or ``only`` those, in an order of chance that is always the same: as
    many as were tried are a sample. Returns how many violations there were."""
    with machinery(folder) as (server, standby, gemini):
        passes = await effects_of_a_run(make_world(folder / "reference", server, standby, gemini))
        points = [
            Kill(in_pass, number, when)
            for in_pass, effects in enumerate(passes)
            for number in range(1, len(effects) + 1)
        ]
        random.Random(1).shuffle(points)  # noqa: S311 - repeatable by intent
        chosen = [kill for kill in points if kill.name in only] if only else points[part::parts]
        violated, sends, paid, tried = (Counter[int]() for _ in range(4))
        for kill in until_interrupted(chosen):
            world = make_world(folder / f"point-{tried.total()}", server, standby, gemini)
            problems = await try_kill(world, kill)
            sends += world.sends()
            paid += world.paid()
            tried[kill.in_pass] += 1
            violated[kill.in_pass] += bool(problems)
            what = passes[kill.in_pass][kill.number - 1].partition(" ")[2]
            for problem in problems:
                _say(f"{kill.name} ({what}): {problem}")
            if tried.total() % 20 == 0:
                _say(f"... {tried.total()} of {len(chosen)} points, {violated.total()} with violations")
            shutil.rmtree(world.project.root)
        _say("| pass | effects | points | tried | violations |")
        for in_pass, effects in enumerate(passes):
            of_all = sum(each.in_pass == in_pass for each in points)
            _say(f"| {in_pass + 1} | {len(effects)} | {of_all} | {tried[in_pass]} | {violated[in_pass]} |")
        _say(f"points tried: {tried.total()} of {len(points)}, violations: {violated.total()}")
        _say(f"sends of a record: {_spread(sends)}; paid answers of a finished record: {_spread(paid)}")
        return violated.total()


Point = TypeVar("Point")


def until_interrupted(points: Sequence[Point]) -> Iterator[Point]:
    """One after the other, until a person presses Ctrl-C: the one in hand is ended, and what was found is told."""
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    for point in points:
        if interrupted.is_set():
            break
        yield point


def _spread(times: Counter[int]) -> str:
    total = sum(number * records for number, records in times.items())
    return f"{total / max(1, times.total()):.2f} ({', '.join(f'{n} x {times[n]}' for n in sorted(times))})"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the command is for


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="1/1", help="which share of the points: 1/2 and 2/2 run side by side")
    parser.add_argument(
        "--when", choices=WHEN, default="after", help="whether a pass dies just before an effect, or after"
    )
    parser.add_argument("--point", action="append", default=[], help="only this one, as it is named: 2:23:after")
    given = parser.parse_args(arguments)
    part, parts = map(int, given.part.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        return 1 if asyncio.run(matrix(Path(folder), part - 1, parts, given.when, given.point)) else 0


if __name__ == "__main__":
    sys.exit(main())
