"""Old runs of a collection in Prefect's database, and their removal: a pass every ten minutes leaves 52,000 a year.
Prefect's own vacuum knows ages, but not whose a run is, so that it would take those of other programs, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.exceptions import ObjectNotFound

from flows.gateways.prefect.api import PrefectApi

RUNS_AT_ONCE = 50
"""The most that one call deletes (3.9.1, ``/flow_runs/bulk_delete``); their logs and task runs go with them."""
ARTIFACTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Removed:
    """``kept``: old runs that stay, since they made the newest artifact of its name."""

    runs: int = 0
    artifacts: int = 0
    kept: int = 0


def _old(tags: Sequence[str], before: datetime) -> dict[str, Any]:
    return {
        "tags": {"all_": list(tags)},
        "end_time": {"before_": before.isoformat()},
        "state": {"type": {"any_": sorted(state.value for state in TERMINAL_STATES)}},
    }


async def count_old_runs(api: PrefectApi, *, tags: Sequence[str], before: datetime) -> int:
    """How many runs `remove_old_runs` would look at. Raises PrefectUnavailableError, httpx.HTTPError."""
    return int(await _asked(api, "/flow_runs/count", {"flow_runs": _old(tags, before)}))


async def remove_old_runs(
    api: PrefectApi, *, tags: Sequence[str], before: datetime, check: Callable[[], None]
) -> Removed:
    """Remove the runs that carry all of ``tags`` and ended before then (UTC), with their artifacts; those of which an
    artifact is the newest of its name stay. ``check``: asked before each deletion. What is cut off is gone on with by
    the next. Raises PrefectUnavailableError, httpx.HTTPError."""
    wanted = _old(tags, before)
    removed = Removed()
    while True:
        runs = await _asked(
            api,
            "/flow_runs/filter",
            {"flow_runs": wanted, "sort": "ID_DESC", "limit": RUNS_AT_ONCE, "offset": removed.kept},
        )
        ids = [run["id"] for run in runs]
        if not ids:
            return removed
        artifacts, keepers = await _artifacts_of(api, ids)
        going = [each for each in ids if each not in keepers]
        check()
        for artifact in artifacts:
            await api.call(_deletion(artifact))
        if going:
            await _asked(api, "/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": going}}, "limit": RUNS_AT_ONCE})
        removed = Removed(
            removed.runs + len(going), removed.artifacts + len(artifacts), removed.kept + len(ids) - len(going)
        )


async def _artifacts_of(api: PrefectApi, runs: Sequence[str]) -> tuple[list[str], set[str]]:
    """The artifacts of these runs that are not the newest of their name, and the runs that have such a newest one."""
    found: list[dict[str, Any]] = []
    while True:
        of_runs = {"artifacts": {"flow_run_id": {"any_": list(runs)}}, "sort": "ID_DESC"}
        page = await _asked(api, "/artifacts/filter", {**of_runs, "limit": ARTIFACTS_AT_ONCE, "offset": len(found)})
        found += page
        if len(page) < ARTIFACTS_AT_ONCE:
            break
    keys = sorted({each["key"] for each in found if each["key"]})
    newest: set[str] = set()
    for at in range(0, len(keys), ARTIFACTS_AT_ONCE):
        some = {"artifacts": {"key": {"any_": keys[at : at + ARTIFACTS_AT_ONCE]}}, "limit": ARTIFACTS_AT_ONCE}
        newest |= {each["latest_id"] for each in await _asked(api, "/artifacts/latest/filter", some)}
    keepers = {each["flow_run_id"] for each in found if each["id"] in newest}
    return [each["id"] for each in found if each["id"] not in newest and each["flow_run_id"] not in keepers], keepers


async def _asked(api: PrefectApi, path: str, body: dict[str, Any]) -> Any:
    async def send(client: PrefectClient) -> Any:
        return (await client.request("POST", path, json=body)).json()  # type: ignore[arg-type]

    return await api.call(send)


def _deletion(artifact: str) -> Callable[[PrefectClient], Any]:
    async def send(client: PrefectClient) -> None:
        try:
            await client.delete_artifact(artifact)  # type: ignore[arg-type]
        except ObjectNotFound:
            """A try of ours took effect, and its answer was lost."""

    return send
