"""Old runs are removed, with what belongs to them, and nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect import flow, tags
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client

from flows.gateways.prefect import retention
from flows.gateways.prefect.api import PrefectApi
from flows.gateways.prefect.retention import Removed, remove_old_runs


@flow(name="old", persist_result=False)
async def old_run(key: str) -> None:
    await acreate_markdown_artifact("text", key=key)


async def left(what: str, body: dict[str, Any]) -> int:
    async with get_client() as client:
        return len((await client.request("POST", f"/{what}/filter", json=body)).json())  # type: ignore[arg-type]


@pytest.mark.usefixtures("prefect_api_url")
async def test_old_runs_go_with_their_artifacts_but_for_the_newest_of_each_name(
    collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 2)
    key = collection.replace("_", "-")
    with tags("quire", collection):
        for name in ("status", "report", "status", "report", "status"):
            await old_run(f"{key}-{name}")
    with tags("quire", f"{collection}x"):
        await old_run(f"{key}x-status")
    checked: list[None] = []

    async def remove(before: datetime) -> Removed:
        async with PrefectApi() as api:
            return await remove_old_runs(
                api, tags=["quire", collection], before=before, check=lambda: checked.append(None)
            )

    now = datetime.now(UTC)
    assert await remove(now - timedelta(days=1)) == Removed(), "none of them is old"
    assert checked == []
    assert await remove(now + timedelta(minutes=1)) == Removed(runs=3, artifacts=3, kept=2)
    assert checked, "the lease is looked at before anything goes"
    assert await left("flow_runs", {"flow_runs": {"tags": {"all_": ["quire", collection]}}}) == 2
    assert await left("flow_runs", {"flow_runs": {"tags": {"all_": ["quire", f"{collection}x"]}}}) == 1
    assert await left("artifacts", {"artifacts": {"key": {"any_": [f"{key}-status", f"{key}-report"]}}}) == 2
    assert await remove(now + timedelta(minutes=1)) == Removed(kept=2), "nothing is left to be done"
