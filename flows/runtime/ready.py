"""What must stand before a command goes on: settings that can be read, and a Prefect server that answers. Without a
look beforehand, a flow would start a temporary server of its own, or end in Prefect's traceback.
"""

from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_URL

from assets.domain.errors import PrefectUnavailableError
from config.settings import load_settings
from flows.gateways.prefect.api import PrefectApi
from flows.runtime.wiring import config_path


async def check_ready(config: str | None) -> None:
    """Raise ConfigError or PrefectUnavailableError. ``config``: path of the configuration file."""
    load_settings(config_path(config))
    if not PREFECT_API_URL.value():
        raise PrefectUnavailableError(
            "no Prefect server is named, and none of quire up runs here: start one with quire up, or set "
            "PREFECT_API_URL to the address of yours, as in http://127.0.0.1:4200/api"
        )

    async def ask(client: PrefectClient) -> Any:
        return (await client.request("GET", "/health")).json()

    async with PrefectApi() as api:
        await api.call(ask, attempts=2)
