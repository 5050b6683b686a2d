"""Fixtures of the ledger contract."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from prefect.client.orchestration import get_client

from flows.gateways.ports import LedgerGateway
from tests.contracts.prefect.worlds import MemoryWorld, PrefectWorld, World
from tests.prefect_server import new_collection


@pytest.fixture(params=["prefect", "memory"])
def world_kind(request: pytest.FixtureRequest) -> str:
    # Settings live in a context variable, so they are entered and left outside of any event loop.
    kind: str = request.param
    if kind == "prefect":
        request.getfixturevalue("prefect_api_url")
    return kind


@pytest.fixture
async def world(world_kind: str) -> AsyncIterator[World]:
    if world_kind == "memory":
        yield MemoryWorld(new_collection())
        return
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(get_client())
        yield PrefectWorld(new_collection(), client, stack)


@pytest.fixture
async def ledger(world: World) -> LedgerGateway:
    """A gateway of a collection whose home is made."""
    gateway = world.gateway()
    await gateway.create_home("home-1")
    return gateway
