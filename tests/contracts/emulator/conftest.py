"""Fixtures of the emulator's own tests: the server, and the SDK as it is released, sync and async."""

from collections.abc import AsyncIterator, Iterator

import pytest
from google import genai

from tests.contracts.emulator.sdk import client_of
from tests.emulator_server import EmulatorHandle, gemini, shared_emulator

__all__ = ["aio", "client", "gemini", "shared_emulator"]


@pytest.fixture
def client(gemini: EmulatorHandle) -> Iterator[genai.Client]:
    opened = client_of(gemini)
    yield opened
    opened.close()


@pytest.fixture
async def aio(gemini: EmulatorHandle) -> AsyncIterator[genai.client.AsyncClient]:
    opened = client_of(gemini)
    yield opened.aio
    await opened.aio.aclose()
    opened.close()
