"""Events of ours at Prefect: all of a pass in one call, so that it is known whether they arrived. Prefect's own way, a
queue and a websocket, knows nothing of an event that was lost, and the next pass is to tell it then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient

from flows.gateways.prefect.api import PrefectApi

ATTEMPTS = 3
MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Event:
    """``name``: ``quire.batch.settled``; ``payload``: JSON; ``documents``, ``batches``: what it is about, by the
    documents' names and the submission ids."""

    name: str
    payload: Mapping[str, Any]
    documents: Sequence[str] = field(default=())
    batches: Sequence[str] = field(default=())


def resource_of(collection: str) -> str:
    """The id of a collection among Prefect's resources: of all its events, and of the automations that are its own."""
    return f"quire.collection.{collection}" if collection else "quire.collection"


async def send_events(
    api: PrefectApi, collection: str, events: Sequence[Event], *, run: UUID | None, at: datetime
) -> None:
    """``run``: the flow run that tells it; ``at``: when it was so (UTC). A try whose answer was lost may have told them
    already: Prefect takes an event of the same id once. Raises PrefectUnavailableError, httpx.HTTPError."""
    related = [{"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}] if run else []
    body: list[dict[str, Any]] = [
        {
            "id": str(uuid4()),
            "occurred": at.isoformat(),
            "event": each.name,
            "resource": {
                "prefect.resource.id": resource_of(collection),
                "prefect.resource.name": collection or "main",
            },
            "related": [
                *related,
                *(_related(collection, "document", document) for document in each.documents),
                *(_related(collection, "batch", batch) for batch in each.batches),
            ],
            "payload": {"collection": collection, **each.payload},
        }
        for each in events
    ]

    async def send(client: PrefectClient) -> None:
        await client.request("POST", "/events", json=body)

    await api.call(send, attempts=ATTEMPTS)


def _related(collection: str, role: str, name: str) -> dict[str, str]:
    shown = name[:MAX_NAME_CHARS]
    return {
        "prefect.resource.id": f"quire.{role}.{collection}/{shown}" if collection else f"quire.{role}/{shown}",
        "prefect.resource.role": role,
        "prefect.resource.name": shown,
    }
