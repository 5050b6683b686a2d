"""What must stand before a command goes on: settings that can be read, and a Prefect server that answers. Without a
look beforehand, a flow would start a temporary server of its own, or end in Prefect's traceback.
"""

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_URL

from assets.domain.errors import PrefectUnavailableError
from config.settings import Settings, load_settings
from flows.gateways.prefect.api import PrefectApi, not_prefect
from flows.runtime.wiring import config_path

CONNECT_SECONDS = 5.0


async def check_ready(config: str | None, *, service: bool = False) -> None:
    """Raise ConfigError or PrefectUnavailableError. ``config``: path of the configuration file; ``service``: Gemini is
    going to be called as well."""
    settings = load_settings(config_path(config))
    if not PREFECT_API_URL.value():
        raise PrefectUnavailableError(
            "no Prefect server is named, and none of quire up runs here: start one with quire up, or set "
            "PREFECT_API_URL to the address of yours, as in http://127.0.0.1:4200/api"
        )

    async def ask(client: PrefectClient) -> Any:
        # Not its health, which it tells to everybody, and which others have, too.
        return (await client.request("GET", "/admin/version")).json()

    async with PrefectApi() as api:
        try:
            version = await api.call(ask, attempts=2)
        except httpx.HTTPStatusError as error:
            raise not_prefect(f"status {error.response.status_code}") from None
    if not isinstance(version, str):
        raise not_prefect("it has no version")
    if service:
        await asyncio.to_thread(_check_service, settings)


def _check_service(settings: Settings) -> None:
    """Raise ConfigError if nothing listens at an address of the user's own: a local Gemini that was not started. One
    try, before a pass would make many."""
    if settings.gemini.base_url is None:
        return
    parts = urlsplit(settings.gemini.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        raise settings.error(
            "gemini.base_url",
            f"nothing listens at {settings.gemini.base_url}: start the local Gemini with quire emulator, or take the "
            "setting out to call Google's",
        ) from None
    except OSError:
        return  # behind a proxy, or slow: a pass will see
