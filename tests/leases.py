"""What becomes of a lock whose holder is silent for longer than its lease: the server takes the lease away, and the
slot is free. Done through Prefect's API, as waiting for it takes a minute."""

import json

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from tests.prefect_server import PrefectServer
from tests.project import Project

LOCKS = ("pass", "ledger")


async def expire_leases(project: Project, server: PrefectServer) -> list[str]:
    """Let all leases of the project's locks run out. Returns which locks had been held."""
    held = []
    async with get_client() as client:
        for lock in LOCKS:
            try:
                limit = await client.read_global_concurrency_limit_by_name(f"{project.collection}_quire_{lock}")
            except ObjectNotFound:
                continue
            for file in (server.home / "concurrency_leases").glob("*-*.json"):
                lease = json.loads(file.read_text())
                if str(limit.id) in lease["resource_ids"]:
                    await client.release_concurrency_slots_with_lease(lease["id"])
                    held.append(lock)
    return held


async def held_locks(project: Project) -> list[str]:
    """The locks of the project whose slot is taken now."""
    async with get_client() as client:
        limits = await client.read_global_concurrency_limits(limit=200)
    names = {f"{project.collection}_quire_{lock}": lock for lock in LOCKS}
    return [names[limit.name] for limit in limits if limit.name in names and limit.active_slots]
