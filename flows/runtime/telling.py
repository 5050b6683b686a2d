"""What a pass only tells: reports, progress and events, for people and automations. Nothing hangs on them, so they are
tried again with a bound and then let go of with a WARNING; a settled batch does not wait for its report.

What is mirrored into Prefect's runs stands in `flows.runtime.mirror`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import MarkdownArtifact, ProgressArtifact, TableArtifact, aupdate_progress_artifact
from prefect.client.orchestration import PrefectClient

from assets.domain.errors import PrefectUnavailableError
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.events import Event, send_events
from flows.gateways.prefect.made import Made, runs_that_made
from flows.gateways.prefect.retention import Removed, remove_old_runs
from flows.runtime.logs import logger

EVENT_SECONDS = 10.0
"""So long a pass waits for its events at most."""
ATTEMPTS = 5
"""With the pauses of `PrefectApi` a lasting fault costs a report some two seconds."""


def artifact_key(collection: str, name: str) -> str:
    """``ca-status``; in the collection without a name ``status``. Prefect takes small letters, digits and dashes."""
    return f"{collection.replace('_', '-')}-{name}".lstrip("-")


class Teller:
    """Makes the artifacts of one collection. ``api``: the client of the pass."""

    def __init__(self, api: PrefectApi, *, collection: str) -> None:
        self._api = api
        self._collection = collection

    async def publish(self, name: str, markdown: str, *, description: str) -> None:
        """Make a report. ``name``: with dashes, without the collection."""
        report = MarkdownArtifact(key=self.key(name), description=description, markdown=markdown)
        await self._tell(f"the report {name}", report.acreate)

    async def publish_table(self, name: str, rows: Sequence[Mapping[str, Any]], *, description: str) -> None:
        """Make a table of ``rows``, whose columns are the keys of the first. ``name``: as in `publish`."""
        table = TableArtifact(key=self.key(name), description=description, table=[dict(row) for row in rows])
        await self._tell(f"the table {name}", table.acreate)

    async def begin_progress(self, name: str, description: str) -> "ProgressTeller":
        """Make a bar that begins at 0 percent. ``name``: as in `publish`."""
        bar = ProgressArtifact(key=self.key(name), description=description, progress=0.0)
        made: list[UUID] = []

        async def create(client: PrefectClient) -> None:
            made.append((await bar.acreate(client)).id)

        await self._tell(f"the progress of {name}", create)
        return ProgressTeller(self._tell, made[-1] if made else None, name)

    async def describe_run(self, run: UUID, *, name: str | None = None, tags: Sequence[str] | None = None) -> None:
        """Give a flow's run another name, or other tags; None leaves what is there."""

        async def send(client: PrefectClient) -> None:
            await client.update_flow_run(run, name=name, tags=tags)

        await self._tell("the name of this run", send)

    async def remove_old_runs(self, *, tags: Sequence[str], before: datetime, check: Callable[[], None]) -> Removed:
        """See `flows.gateways.prefect.retention`. Each of its calls has tries and a time of its own: all of them
        together may take minutes. What Prefect does not let us remove now, a later call does."""
        try:
            return await remove_old_runs(self._api, tags=tags, before=before, check=check)
        except (PrefectUnavailableError, httpx.HTTPError) as error:
            logger().warning("Not all old runs are removed from Prefect, the next prune goes on: %s", error)
            return Removed()

    async def runs_that_made(self, tasks: Sequence[str], *, tags: Sequence[str]) -> list[Made]:
        """See `flows.gateways.prefect.made`. Raises PrefectUnavailableError, httpx.HTTPError."""
        return await runs_that_made(self._api, tasks, tags=tags)

    async def emit(self, events: Sequence[Event], *, run: UUID | None, at: datetime) -> bool:
        """Tell events, EVENT_SECONDS at most. Whether they arrived, as far as is known: see
        `flows.gateways.prefect.events`."""
        try:
            async with asyncio.timeout(EVENT_SECONDS):
                await send_events(self._api, self._collection, events, run=run, at=at)
        except (PrefectUnavailableError, httpx.HTTPError, TimeoutError) as error:
            said = str(error) or f"no answer in {EVENT_SECONDS:.0f} s"
            logger().warning("%d events are not in Prefect, the next pass tells them: %s", len(events), said)
            return False
        return True

    def key(self, name: str) -> str:
        """The key of an artifact of this collection: ``ca-status``."""
        return artifact_key(self._collection, name)

    async def _tell(self, what: str, send: Callable[[PrefectClient], Awaitable[object]]) -> None:
        try:
            await self._api.call(send, attempts=ATTEMPTS)
        except (PrefectUnavailableError, httpx.HTTPError) as error:
            logger().warning("%s is not in Prefect, all else went on: %s", what, error)


class ProgressTeller:
    """A bar that was begun; one that could not be made is told nothing more."""

    def __init__(
        self,
        tell: Callable[[str, Callable[[PrefectClient], Awaitable[object]]], Awaitable[None]],
        artifact: UUID | None,
        name: str,
    ) -> None:
        self._tell = tell
        self._artifact = artifact
        self._name = name

    async def update(self, percent: float, *, description: str | None = None) -> None:
        """``percent``: 0 to 100; ``description``: None leaves the one that is there."""
        artifact = self._artifact
        if artifact is None:
            return

        async def send(client: PrefectClient) -> None:
            await aupdate_progress_artifact(artifact, percent, description=description, client=client)

        await self._tell(f"the progress of {self._name}", send)
