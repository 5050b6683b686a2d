"""Passes without Prefect's server, which takes most of the time of a real one: the product's poll, scan and submit on
the real files and the real client of Gemini, but with the twins of the ledger, the locks and the mirror. For the passes
before a kill and after the one that heals it; what they find and what they leave stands in Prefect's Variables.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists

from assets.catalog import CATALOG
from config.settings import Settings, load_settings
from flows.pipeline import PassReport
from flows.poll import poll_batches
from flows.runtime.home import ensure_home
from flows.runtime.passes import Pass
from flows.runtime.wiring import Services, lock_name, open_services, utc_now
from flows.scan import scan_records
from flows.submit import submit_batches
from tests.project import JOB_SECONDS, Project
from tests.twins.ledger import InMemoryLedger, InMemoryLock, InMemoryVariables
from tests.twins.mirror import DirectMirror, SilentTeller


@dataclass(frozen=True, slots=True)
class LightPasses:
    """Passes of one project, one after the other."""

    services: Services

    async def run(self) -> PassReport:
        """One of them. Raises what a caller of the flow would see, before it becomes one line."""
        return await _run_pass(self.services)


async def run_light_passes(project: Project, at_most: int) -> bool:
    """So many passes, each followed by the time that a job takes, or fewer if one finds nothing to do. Returns whether
    one did."""
    async with light_passes(project) as passes:
        for _ in range(at_most):
            if (await passes.run()).is_idle:
                return True
            await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    return False


@asynccontextmanager
async def detached_passes(
    project: Project, variables: InMemoryVariables, *, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[LightPasses]:
    """Light passes for which there is no Prefect at all: ``variables`` are all that there is of it. ``now``: the time
    of day that they go by."""
    settings = load_settings(project.config)
    async with open_services(settings) as services:
        yield LightPasses(replace(_without_prefect(services, settings, variables), now=now))


@asynccontextmanager
async def light_passes(project: Project) -> AsyncIterator[LightPasses]:
    """Light passes of ``project``; what the last has left in the Variables is handed over to Prefect."""
    settings = load_settings(project.config)
    before = await project.variables()
    prefix = f"{project.collection}_"
    variables = InMemoryVariables({f"{prefix}{name}": copy.deepcopy(value) for name, value in before.items()})
    variables.tags = {name: [] for name in variables.values}
    async with open_services(settings) as services:
        yield LightPasses(_without_prefect(services, settings, variables))
    after = {name.removeprefix(prefix): value for name, value in variables.values.items()}
    await _hand_over(project, settings, before, after)


def _without_prefect(services: Services, settings: Settings, variables: InMemoryVariables) -> Services:
    return replace(
        services,
        ledger=InMemoryLedger(
            collection=settings.collection, field_count=len(settings.record.document_fields), variables=variables
        ),
        pass_lock=InMemoryLock("pass"),
        mirror=DirectMirror(CATALOG, collection=settings.collection, retries=settings.retries),
        teller=SilentTeller(),
    )


async def _run_pass(services: Services) -> PassReport:
    async with services.pass_lock.hold(wait=False) as lease:
        p = Pass(services, lease, run_started_at=services.now())
        await ensure_home(services.settings, services.storage, services.ledger)
        return PassReport(await poll_batches(p), await scan_records(p), await submit_batches(p))


async def _hand_over(
    project: Project, settings: Settings, before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    """Let Prefect have what such passes would have left there: the Variables, and the limits that are their locks."""
    for name in before.keys() - after.keys():
        await project.delete_variable(name)
    for name, value in after.items():
        if name not in before:
            await project.create_variable(name, value)
        elif value != before[name]:
            await project.edit_variable(name, value)
    async with get_client() as client:
        for what in ("pass", "ledger"):
            with suppress(ObjectAlreadyExists):
                await client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=lock_name(settings, what), limit=1)
                )
