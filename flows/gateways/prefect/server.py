"""What Prefect's server says of itself: for `quire doctor`, and for nothing that a pass decides."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from prefect.client.orchestration import PrefectClient

from flows.gateways.prefect.api import PrefectApi


@dataclass(frozen=True, slots=True)
class Server:
    """``database``: its kind, in words; ``lease_storage``: the module that keeps the leases, "" where it is not told;
    ``said_at``: its clock, UTC; ``pools``: name -> (its status, workers that are online)."""

    version: str
    database: str
    lease_storage: str
    said_at: datetime | None
    pools: dict[str, tuple[str, int]]


async def look_at_server(api: PrefectApi) -> Server:
    """Raises PrefectUnavailableError."""

    async def ask(client: PrefectClient) -> Server:
        version = await client.request("GET", "/admin/version")
        settings = (await client.request("GET", "/admin/settings")).json()
        server = settings.get("server", {})
        pools = await client.read_work_pools()
        return Server(
            version=str(version.json()),
            database=_kind(server.get("database", {})),
            lease_storage=str(server.get("concurrency", {}).get("lease_storage") or ""),
            said_at=parsedate_to_datetime(version.headers["Date"]) if "Date" in version.headers else None,
            pools={pool.name: (str(pool.status or "").lower(), await _online(client, pool.name)) for pool in pools},
        )

    return await api.call(ask, attempts=2)


async def _online(client: PrefectClient, pool: str) -> int:
    return sum(worker.status == "ONLINE" for worker in await client.read_workers_for_work_pool(pool))


def _kind(database: dict[str, Any]) -> str:
    if database.get("driver"):
        return "PostgreSQL" if "postgres" in database["driver"] else "SQLite"
    # The server hides the address, which may hold a password; without one it is a file of SQLite's.
    return "one of its own, whose address it does not tell" if database.get("connection_url") else "SQLite"
