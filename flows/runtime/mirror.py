"""What a pass does, mirrored into Prefect: each asset that is made becomes a materialization with the graph's lineage.
Reports are made in `flows.runtime.telling`.

Nothing is declared here a second time: names and upstreams come from the graph, so the lineage that Prefect records is
the lineage that ran.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from prefect import flow, tags
from prefect.assets import Asset as PrefectAsset
from prefect.assets import add_asset_metadata
from prefect.assets.core import AssetProperties
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.tasks import MaterializingTask

from assets.domain.errors import QuireError
from assets.graph import AssetGraph
from config.failing import RetriesSection
from flows.runtime.one_line import failed_with, one_line
from flows.runtime.retries import retried

R = TypeVar("R")
Write = Callable[[Any], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class MadeHere:
    """``about``: what of the asset was made; ``run``, ``run_name``: by which flow run."""

    about: str
    run: UUID
    run_name: str


class Mirror:
    """Runs assets as Prefect materializations. ``collection`` keeps the assets of collections apart; ``retries``: how
    often a call is tried; ``tags``: what subflows can be filtered by; ``made``: asset -> what of it was made last."""

    def __init__(
        self, graph: AssetGraph, *, collection: str, retries: RetriesSection, tags: Sequence[str] = ()
    ) -> None:
        self._graph = graph
        self._retries = retries
        self._collection = collection
        self._tags = tuple(tags)
        self._scheme = f"quire://{collection or 'main'}"
        self.made: dict[str, MadeHere] = {}

    def key(self, name: str) -> str:
        """The asset's key in Prefect: ``quire://main/record_manifest``."""
        return f"{self._scheme}/{name}"

    def observe(self, name: str, *upstream: Any, **settings: Any) -> Any:
        """Give what was observed outside its shape, and check it; or make an asset of which there is nothing to tell,
        as it is what it was. Prefect hears of it from what is made of it."""
        return self._graph[name](*upstream, **settings)

    async def materialize(
        self,
        name: str,
        *upstream: Any,
        made: Any = None,
        write: Write | None = None,
        about: str = "",
        **settings: Any,
    ) -> Any:
        """Make the asset ``name`` from its upstream values and return it.

        ``made``: what `observe` has made of it before, to see whether there is anything to tell; ``write``: makes it
        durable and returns metadata for the event; runs inside the materialization, so that an asset that could not be
        written is a failed one. ``about``: what of the asset is made, for the run's name. Raises what the asset or
        ``write`` raises.
        """
        declared = self._graph[name]
        if len(upstream) != len(declared.upstream):
            raise TypeError(f"asset {name} takes {declared.upstream}")
        # The value goes round Prefect: it is neither a parameter nor a stored result, however large it is.
        values: list[Any] = []
        failed: list[QuireError | OSError] = []

        async def make() -> State[Any] | None:
            try:
                value = made if made is not None else await asyncio.to_thread(declared, *upstream, **settings)
                metadata = await write(value) if write is not None else None
            except (QuireError, OSError) as error:
                failed.append(error)
                return failed_with(error)
            # Prefect's events are the only place where its UI shows of which batch an asset is, and how many it holds.
            told = {**({"submission_id": about} if about else {}), **(metadata or {})}
            if told:
                add_asset_metadata(self.key(name), told)
            values.append(value)
            return None

        task = MaterializingTask(
            fn=make,
            assets=[self._asset(name)],
            materialized_by="quire",
            name=name,
            task_run_name=f"{name} {about}".strip(),
            asset_deps=[self._asset(each) for each in declared.upstream],
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        await task()
        for error in failed:
            raise error
        context = FlowRunContext.get()
        if context is not None and context.flow_run is not None:
            self.made[name] = MadeHere(about, context.flow_run.id, context.flow_run.name)
        return values[0]

    async def subflow(self, name: str, call: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """``call`` as a subflow of the run that is under way, for a part of a pass in which something is done: a pass
        every few minutes that finds nothing leaves one run and not four. Within the flow ``name`` itself, as when it
        is called alone, there is none. Raises what ``call`` raises."""
        context = FlowRunContext.get()
        if context is None or context.flow is None or context.flow.name == name:
            return await call()

        @flow(name=name, flow_run_name=f"{name} {self._collection}".strip(), persist_result=False)
        @one_line
        async def part() -> R:
            return await call()

        with tags(*self._tags):
            return await part()

    async def retried(self, name: str, call: Callable[[], Awaitable[R]]) -> R:
        """``call``, again where that helps: see `flows.runtime.retries`. Raises what the last try raised."""
        return await retried(self._retries, name, call)

    def _asset(self, name: str) -> PrefectAsset:
        properties = AssetProperties(name=name, description=self._graph[name].description or None)
        return PrefectAsset(key=self.key(name), properties=properties)
