"""What Prefect recorded of a project's passes: runs, logs and lineage events, read through its API as its UI does."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, LogSort

from tests.prefect_server import drain
from tests.project import Project

EVENTS_DEADLINE_SECONDS = 20.0
PAGE = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A line in Prefect's log."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Materialization:
    """``key``: the asset's; ``upstream``: the keys of those that it was made from; ``metadata``: what was told."""

    key: str
    succeeded: bool
    upstream: frozenset[str]
    metadata: dict[str, Any]


class Recorded:
    """All runs of a project, oldest first. Make it after the passes; reading waits until everything has arrived."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def flow_runs(self, name: str | None = None) -> list[FlowRun]:
        """Runs of all flows, or of one, such as ``pipeline``."""
        async with get_client() as client:
            runs = await client.read_flow_runs(limit=PAGE, sort=FlowRunSort.START_TIME_DESC)
            ours = [run for run in reversed(runs) if self._is_ours(run)]
            flows = {each: (await client.read_flow(each)).name for each in {run.flow_id for run in ours}}
        return [run for run in ours if name is None or flows[run.flow_id] == name]

    def _is_ours(self, run: FlowRun) -> bool:
        """A part of a pass has no parameters, and a run that stops at once no tags."""
        config = (run.parameters or {}).get("config")
        return config == str(self._project.config) or self._project.collection in run.tags

    async def task_runs(self, name: str) -> list[TaskRun]:
        """Runs of the tasks that are called ``name``, or ``name`` and of what."""
        ids = [run.id for run in await self.flow_runs()]
        await asyncio.to_thread(drain)
        async with get_client() as client:
            found = await client.read_task_runs(
                task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=ids)), limit=PAGE
            )
        return [run for run in found if run.name.partition(" ")[0] == name or run.name.startswith(f"{name}-")]

    async def lines(self, at_least: int = logging.INFO) -> list[Line]:
        """Everything that was logged, in its order."""
        await asyncio.to_thread(drain)
        ids = [run.id for run in await self.flow_runs()]
        found: list[Line] = []
        async with get_client() as client:
            while True:
                logs = await client.read_logs(
                    LogFilter(flow_run_id=LogFilterFlowRunId(any_=ids)),
                    limit=PAGE,
                    offset=len(found),
                    sort=LogSort.TIMESTAMP_ASC,
                )
                found += [Line(logging.getLevelName(log.level), log.message) for log in logs]
                if len(logs) < PAGE:
                    break
        return [line for line in found if logging.getLevelName(line.level) >= at_least]

    async def texts(self, level: str) -> list[str]:
        """What was logged at one level."""
        return [line.text for line in await self.lines(logging.DEBUG) if line.level == level]

    async def artifacts(self, key: str) -> list[str]:
        """The Markdown of the project's artifacts with that key, oldest first."""
        asked = {"artifacts": {"key": {"any_": [f"{self._project.collection.replace('_', '-')}-{key}"]}}, "limit": PAGE}
        async with get_client() as client:
            found = (await client.request("POST", "/artifacts/filter", json=asked)).json()
        return [each["data"] for each in sorted(found, key=lambda each: str(each["created"]))]

    async def materializations(self, until: Callable[[list[Materialization]], bool]) -> list[Materialization]:
        """The lineage events of the project's collection. Prefect takes events in the background, so this reads
        until ``until`` holds; the last reading is returned in any case."""
        await asyncio.to_thread(drain)
        deadline = time.monotonic() + EVENTS_DEADLINE_SECONDS
        while True:
            found = await self._read_events()
            if until(found) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.2)

    async def _read_events(self) -> list[Materialization]:
        prefix = f"quire://{self._project.collection}/"
        body = {
            "filter": {
                "event": {"prefix": ["prefect.asset.materialization."]},
                "resource": {"id_prefix": [prefix]},
                "order": "ASC",
            },
            "limit": 50,
        }
        async with get_client() as client:
            page = (await client.request("POST", "/events/filter", json=body)).raise_for_status().json()
        assert page["next_page"] is None, "more events than one page holds"
        events: list[dict[str, Any]] = page["events"]
        return [_materialization(event) for event in events]


def _materialization(event: dict[str, Any]) -> Materialization:
    upstream = {each["prefect.resource.id"] for each in event["related"] if each["prefect.resource.role"] == "asset"}
    return Materialization(
        key=event["resource"]["prefect.resource.id"],
        succeeded=event["event"] == "prefect.asset.materialization.succeeded",
        upstream=frozenset(upstream),
        metadata=event.get("payload") or {},
    )
