"""A project without Prefect: light passes by a clock that the test turns, on the real files and against the emulator
over HTTP. Much faster than passes of Prefect's; what a person sees of Prefect's own is tested elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import QuireError
from assets.domain.record import decode_span
from flows.operate import release, unblock, unblock_held
from flows.pipeline import PassReport
from flows.questions.status import Status, states_now, status_of
from flows.questions.why import why_lines, why_of
from flows.resettle import judge_again
from flows.runtime.one_line import told
from flows.runtime.passes import OperatorsLease, Pass
from flows.terminal.show import status_lines
from tests.crash_matrix.light import LightPasses, handed_over, light_passes
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.project import JOB_SECONDS, Project, make_project
from tests.twins.ledger import InMemoryVariables


@dataclass
class Detached:
    """``clock``: the time of day, which the test turns; ``reports``: of the passes so far."""

    project: Project
    passes: LightPasses
    variables: InMemoryVariables
    clock: list[datetime]
    reports: list[PassReport] = field(default_factory=list)

    async def step(self, *, minutes: float = 1) -> PassReport:
        """A pass, then so much time, in which each job that runs ends."""
        report = await self.run_pass()
        await self.wait(minutes=minutes)
        return report

    async def run_pass(self) -> PassReport:
        """A pass, after which what it has sent still runs."""
        self.reports.append(await self.passes.run())
        return self.reports[-1]

    async def wait(self, *, minutes: float = 1) -> None:
        """So much time, in which each job that runs ends."""
        await asyncio.to_thread(self.project.gemini.advance, JOB_SECONDS)
        self.clock[0] += timedelta(minutes=minutes)

    async def to_the_end(self, *, minutes: float = 1, at_most: int = 25) -> PassReport:
        for _ in range(at_most):
            if (report := await self.step(minutes=minutes)).is_idle:
                return report
        raise AssertionError(f"not idle after {at_most} passes: {self.reports[-1]}")

    def batches(self) -> list[int]:
        """The sizes of all jobs, oldest first."""
        return [len(job["keys"]) for job in self.project.gemini.books()["jobs"]]

    @property
    def counts(self) -> Any:
        return self.variables.values[f"{self.project.collection}_record_failure_counts"]

    async def status(self) -> Status:
        services = self.passes.services
        ledger, now = await services.ledger.read(), self.clock[0]
        states = states_now(services.settings, services.storage, ledger, now=now)
        return status_of(services.settings, services.storage, ledger, states, now=now)

    async def status_text(self) -> str:
        return "\n".join(status_lines(await self.status(), "manifests/left_out.parquet"))

    async def why(self, key: str) -> str:
        services = self.passes.services
        ledger = await services.ledger.read()
        return "\n".join(why_lines(why_of(services.settings, services.storage, ledger, key, now=self.clock[0])))

    async def release(self, key: str) -> str:
        """Let go of the batch that was made last of those with this record, and cancel its job."""
        return await release(self._pass(), self._last_submission(key), cancel=True)

    async def judge_again(self, key: str) -> str:
        """Judge again what the batch has answered that was made last of those with this record."""
        return await judge_again(self._pass(), self._last_submission(key), dry_run=False)

    def _pass(self) -> Pass:
        return Pass(self.passes.services, OperatorsLease(), self.clock[0])

    def _last_submission(self, key: str) -> str:
        sent = self.project.submissions()
        return max(each for each in sent if key in {row["record_key"] for row in self.project.requests(each)})

    async def unblock(self, *keys: str) -> tuple[int, int]:
        """Counts that were reset, held records that were let go of."""
        services = self.passes.services
        reset = await unblock(services.ledger, [decode_span(each) for each in keys])
        return len(reset), len(await unblock_held(services.storage, keys))


@dataclass
class DetachedProject(Project):
    """A project whose passes are light ones, for tests that are marked ``detached``: nothing of Prefect is asked."""

    held: InMemoryVariables = field(default_factory=InMemoryVariables)

    async def run_pass(self) -> PassReport:
        async with light_passes(self, self.held) as passes:
            try:
                return await passes.run()
            except (QuireError, OSError) as error:
                raise told(error) from None

    async def variables(self) -> dict[str, Any]:
        prefix = f"{self.collection}_"
        return {name.removeprefix(prefix): value for name, value in self.held.values.items()}

    async def edit_variable(self, name: str, value: Any) -> None:
        assert name in await self.variables()
        self.held.write(f"{self.collection}_{name}", value, [])


@dataclass
class LightProject(Project):
    """A project whose passes are light ones, for tests that are marked ``light``: they go on with what stands in
    Prefect and hand over to it what they leave, so that commands see what they would after a pass of Prefect's."""

    async def run_pass(self) -> PassReport:
        try:
            async with handed_over(self) as variables, light_passes(self, variables) as passes:
                return await passes.run()
        except (QuireError, OSError) as error:
            raise told(error) from None


@asynccontextmanager
async def detached(project: Project, before: Detached | None = None) -> AsyncIterator[Detached]:
    """``project``: as the configuration says by now. ``before``: what it goes on from."""
    clock = [datetime.now(UTC)] if before is None else before.clock
    variables = InMemoryVariables() if before is None else before.variables
    async with light_passes(project, variables, now=lambda: clock[0]) as passes:
        yield Detached(project, passes, variables, clock)


@pytest.fixture
def bare_project(tmp_path: Path, gemini: EmulatorHandle, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, for `detached`."""
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    return make_project(tmp_path, collection="bare", gemini=gemini)
