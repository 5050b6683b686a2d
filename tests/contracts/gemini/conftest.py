"""The real gateway, against the emulator over HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from flows.gateways.gemini.client import GoogleGemini
from tests.emulator_server import API_KEY, EmulatorHandle, gemini, shared_emulator

__all__ = ["gemini", "shared_emulator"]

MakeGateway = Callable[..., GoogleGemini]


@pytest.fixture
async def make_gateway(gemini: EmulatorHandle) -> AsyncIterator[MakeGateway]:
    """Gateways to the emulator, with any options; closed at the end."""
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> GoogleGemini:
            gateway = GoogleGemini(**{"api_key": API_KEY, "base_url": gemini.base_url, **options})
            stack.push_async_callback(gateway.close)
            return gateway

        yield make


@pytest.fixture(scope="session")
async def lasting_gateway(shared_emulator: EmulatorHandle) -> AsyncIterator[GoogleGemini]:
    gateway = GoogleGemini(api_key=API_KEY, base_url=shared_emulator.base_url)
    yield gateway
    await gateway.close()


@pytest.fixture
def gateway(gemini: EmulatorHandle, lasting_gateway: GoogleGemini) -> GoogleGemini:
    """A gateway to an emulator with nothing in it."""
    return lasting_gateway
