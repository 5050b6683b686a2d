"""Passes without Prefect's server, which takes most of the time of a real one: the product's poll, scan and submit on
the real files and the real client of Gemini, but with the twins of the ledger, the locks and the mirror. In the crash
matrix they are the passes before a kill and after the one that heals it; in the errno matrix all of them.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, VariableCreate, VariableUpdate
from prefect.exceptions import ObjectAlreadyExists

from assets.catalog import CATALOG
from config.settings import Settings, load_settings
from flows.alarms.telling import tell
from flows.gateways.prefect.events import Event
from flows.pipeline import PassReport, scan_and_submit
from flows.poll import poll_batches
from flows.questions.status import collect_status
from flows.runtime.home import ensure_home
from flows.runtime.passes import Pass
from flows.runtime.printable import printable_json
from flows.runtime.untold import UntoldTeller
from flows.runtime.wiring import Services, lock_name, open_services, utc_now
from tests.invariants import violations_by
from tests.project import JOB_SECONDS, Project
from tests.twins.ledger import InMemoryLedger, InMemoryLock, InMemoryVariables
from tests.twins.mirror import DirectMirror


@dataclass(frozen=True, slots=True)
class LightPasses:
    """Passes of one project, one after the other."""

    services: Services
    _variables: InMemoryVariables

    async def run(self) -> PassReport:
        """One of them. Raises what a caller of the flow would see, before it becomes one line."""
        return await _run_pass(self.services)

    async def until_idle(self, project: Project, at_most: int) -> bool:
        """So many, each followed by the time that a job takes, or fewer if one finds nothing to do. Returns whether one
        did."""
        for _ in range(at_most):
            if (await self.run()).is_idle:
                return True
            await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
        return False

    async def violations(self, project: Project, keys: list[str], *, max_retries: int) -> list[str]:
        """Each invariant that does not hold after them."""
        services, prefix = self.services, f"{project.collection}_"
        status = await collect_status(services.settings, services.storage, services.ledger, now=services.now())
        variables = {name.removeprefix(prefix): value for name, value in self._variables.values.items()}
        found = violations_by(
            project, keys, variables, json.loads(printable_json(status.as_json())), max_retries=max_retries
        )
        told, settlements = services.storage.told.read(), services.storage.settlements()
        if told is None or told.settlements != settlements:
            found.append(f"of {settlements} settlements not all were told: {told}")
        return found


async def run_light_passes(project: Project, at_most: int) -> bool:
    """So many passes, each followed by the time that a job takes, or fewer if one finds nothing to do. Returns whether
    one did. They go on with what stands in Prefect, and what they leave is handed over to it."""
    async with handed_over(project) as variables, light_passes(project, variables) as passes:
        return await passes.until_idle(project, at_most)


@asynccontextmanager
async def handed_over(project: Project) -> AsyncIterator[InMemoryVariables]:
    """The Variables of ``project``, which are written to Prefect as they are left."""
    variables = await variables_in_prefect(project)
    before = copy.deepcopy(variables.values)
    try:
        yield variables
    finally:
        await _hand_over(project, before, variables.values)


@asynccontextmanager
async def light_passes(
    project: Project, variables: InMemoryVariables, *, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[LightPasses]:
    """Light passes of ``project``, without a word to Prefect: ``variables`` are all that there is of it. ``now``: the
    time of day that they go by."""
    settings = load_settings(project.config)
    async with open_services(settings) as services:
        yield LightPasses(replace(without_prefect(services, settings, variables), now=now), variables)


async def variables_in_prefect(project: Project) -> InMemoryVariables:
    """A copy of the Variables of ``project``, for light passes to go on with."""
    found = await project.variables()
    values = {f"{project.collection}_{name}": value for name, value in found.items()}
    return InMemoryVariables(values, {name: [] for name in values})


def without_prefect(services: Services, settings: Settings, variables: InMemoryVariables) -> Services:
    return replace(
        services,
        ledger=InMemoryLedger(
            collection=settings.collection, field_count=len(settings.record.document_fields), variables=variables
        ),
        pass_lock=InMemoryLock("pass"),
        mirror=DirectMirror(CATALOG, collection=settings.collection, retries=settings.retries),
        teller=HeardTeller(),
    )


class HeardTeller(UntoldTeller):
    """Artifacts and runs are told nobody; ``heard``: the events, which arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Event] = []

    async def emit(self, events: Sequence[Event], *, run: UUID | None, at: datetime) -> bool:
        self.heard += events
        return True


async def _run_pass(services: Services) -> PassReport:
    async with services.pass_lock.hold(wait=False) as lease:
        p = Pass(services, lease, run_started_at=services.now())
        await ensure_home(services.settings, services.storage, services.ledger)
        report = await scan_and_submit(p, await poll_batches(p))
        await tell(p, report.seen)
        return report


async def _hand_over(project: Project, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Let Prefect have what such passes would have left there: the Variables, and the limits that are their locks."""
    settings = load_settings(project.config)
    # One client for all: to make one takes longer than what it is asked for.
    async with get_client() as client:
        for name in before.keys() - after.keys():
            await client.delete_variable_by_name(name)
        for name, value in after.items():
            if name not in before:
                await client.create_variable(VariableCreate(name=name, value=cast("Any", value)))
            elif value != before[name]:
                await client.update_variable(VariableUpdate(name=name, value=cast("Any", value)))
        for what in ("pass", "ledger"):
            with suppress(ObjectAlreadyExists):
                await client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=lock_name(settings, what), limit=1)
                )
