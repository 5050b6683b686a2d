"""Which runs have made assets, as far as Prefect still knows: by the task runs that bear the asset's name. They are
kept as long as the flow runs that they belong to; events, which tell the same, are gone after a week (3.9.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from flows.gateways.prefect.api import PrefectApi

LIMIT = 200
"""As many as Prefect gives in an answer; the newest come first."""


@dataclass(frozen=True, slots=True)
class Made:
    """``task``: the task's name, an asset and what of it was made; ``began``, ``ended``: UTC; ``run``: the flow run
    that it belongs to, with its name."""

    task: str
    began: datetime
    ended: datetime
    run: UUID
    run_name: str


async def runs_that_made(api: PrefectApi, tasks: Sequence[str], *, tags: Sequence[str]) -> list[Made]:
    """The task runs that ended well and bear one of these names, in flow runs that bear all of ``tags``; the newest
    first. Raises PrefectUnavailableError, httpx.HTTPError."""
    if not tasks:
        return []
    asked = {
        "task_runs": {"name": {"any_": list(tasks)}, "state": {"type": {"any_": ["COMPLETED"]}}},
        "flow_runs": {"tags": {"all_": list(tags)}},
        "sort": "END_TIME_DESC",
        "limit": LIMIT,
    }
    found = [each for each in await _read(api, "/task_runs/filter", asked) if each["flow_run_id"] and each["end_time"]]
    ids = list(dict.fromkeys(each["flow_run_id"] for each in found))
    by_id = {"flow_runs": {"id": {"any_": ids}}, "limit": LIMIT}
    runs = await _read(api, "/flow_runs/filter", by_id) if ids else []
    names = {each["id"]: str(each["name"]) for each in runs}
    return [
        Made(
            each["name"],
            datetime.fromisoformat(each["start_time"] or each["end_time"]),
            datetime.fromisoformat(each["end_time"]),
            UUID(each["flow_run_id"]),
            names[each["flow_run_id"]],
        )
        for each in found
        if each["flow_run_id"] in names
    ]


async def _read(
    api: PrefectApi, path: Literal["/task_runs/filter", "/flow_runs/filter"], asked: Mapping[str, Any]
) -> list[dict[str, Any]]:
    async def ask(client: PrefectClient) -> Any:
        return (await client.request("POST", path, json=dict(asked))).json()

    # For people to look at: two tries, and no minute of patience.
    rows: list[dict[str, Any]] = await api.call(ask, attempts=2)
    return rows
