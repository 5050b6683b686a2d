"""The deployments on a real server: Prefect takes prefect.yaml, a process worker runs what the clock starts, and prune
does its work as a deployment. What the files say is tested in tests/unit/test_deployment_files.py.
"""

import contextlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from emulator.options import EmulatorOptions
from emulator.server import running
from flows.deployments import DEPLOYMENTS, TAG
from tests.deployments import Api, going, prefect, process_worker, wait_until
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_server import PrefectServer, running_prefect_server

ROOT = Path(__file__).parents[2]
JOB = "prefect.kubernetes.job.json"
SCHEDULE_SECONDS = 15
"""Instead of the 600 s of prefect.yaml, so that the test need not wait for ten minutes."""


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server of its own: what the clock starts comes late on one that is busy with other tests."""
    with running_prefect_server(tmp_path_factory.mktemp("deployments"), in_memory=True) as server:
        yield server


@pytest.fixture(scope="module")
def api(prefect_server: PrefectServer) -> Iterator[Api]:
    with contextlib.closing(Api(prefect_server.api_url)) as client:
        yield client


@pytest.fixture(scope="module")
def deployments(prefect_server: PrefectServer, api: Api) -> Iterator[dict[str, dict[str, Any]]]:
    """Both files, deployed as docs/deployment.md and docs/kubernetes.md say; what the server then has, by name.
    Removed at the end."""
    for command in (
        ["work-pool", "create", "quire-process", "--type", "process"],
        ["work-pool", "create", "quire-docker", "--type", "docker"],
        ["--no-prompt", "deploy", "--all"],
        ["work-pool", "create", "quire-kubernetes", "--type", "kubernetes", "--base-job-template", JOB],
        ["--no-prompt", "deploy", "--all", "--prefect-file", "prefect.kubernetes.yaml"],
    ):
        prefect(prefect_server.environment(), ROOT, *command)
    found = {item["name"]: item for item in api.call("POST", "/deployments/filter", {})}
    yield found
    for item in found.values():
        api.call("DELETE", f"/deployments/{item['id']}")
    for pool in ("quire-process", "quire-docker", "quire-kubernetes"):
        api.call("DELETE", f"/work_pools/{pool}")


def test_prefect_takes_them_all(api: Api, deployments: dict[str, dict[str, Any]]) -> None:
    names = {item.name for item in DEPLOYMENTS}
    assert set(deployments) == {f"{name}{pool}" for name in names for pool in ("", "-docker", "-kubernetes")}
    for item in DEPLOYMENTS:
        for name, active in ((item.name, True), (f"{item.name}-docker", False), (f"{item.name}-kubernetes", True)):
            found = deployments[name]
            assert (found["entrypoint"], found["tags"], found["version"]) == (item.entrypoint, [TAG], version("quire"))
            if not item.is_scheduled:
                assert (found["schedules"], found["global_concurrency_limit"]) == ([], None)
                continue
            (schedule,) = found["schedules"]
            assert schedule["active"] is active
            assert schedule["schedule"].get("cron") == item.cron
            assert schedule["schedule"].get("interval") == item.interval_seconds
            assert found["global_concurrency_limit"]["limit"] == 1
            assert found["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    steps = "prefect.deployments.steps.set_working_directory"
    assert deployments["pipeline"]["pull_steps"] == [{steps: {"directory": str(ROOT)}}]
    for name in ("pipeline-docker", "pipeline-kubernetes"):
        assert deployments[name]["pull_steps"] == [{steps: {"directory": "/app"}}]
    assert deployments["pipeline-kubernetes"]["job_variables"]["finished_job_ttl"] == 3600
    template = api.call("GET", "/work_pools/quire-kubernetes")["base_job_template"]
    assert template == json.loads((ROOT / JOB).read_text(encoding="utf-8"))


def test_a_worker_runs_the_scheduled_pipeline_and_prune_removes_what_is_done(
    deployments: dict[str, dict[str, Any]],
    prefect_server: PrefectServer,
    api: Api,
    collection: str,
    tmp_path: Path,
) -> None:
    config = collection_file(tmp_path, collection)
    with running(EmulatorOptions()) as base_url, worker(prefect_server, config, base_url):
        pipeline, (schedule,) = deployments["pipeline"], deployments["pipeline"]["schedules"]
        address = f"/deployments/{pipeline['id']}/schedules/{schedule['id']}"
        often = {"interval": SCHEDULE_SECONDS, "timezone": "UTC"}
        api.call("PATCH", address, {"schedule": often, "active": True})
        output = tmp_path / "dataset/output_results/CA/Lincoln/2023/2.json"
        wait_until(output.exists, lambda: report(tmp_path, api.runs_of(pipeline)))
        # A run that is under way would keep prune out.
        api.call("PATCH", address, {"active": False})
        wait_until(lambda: not going(api.runs_of(pipeline)), lambda: report(tmp_path, api.runs_of(pipeline)))
        completed = [run for run in api.runs_of(pipeline) if run["state_name"] == "Completed"]
        assert len(completed) >= 2
        assert all(run["auto_scheduled"] for run in completed)
        # Page 1 had its output before the first pass: it was neither sent nor touched.
        assert set(EmulatorHandle(base_url).books()["records"]) == {"CA:Lincoln:2023:2"}
        assert output.with_name("1.json").read_text() == '{"kept": true}'

        counts = f"/variables/name/{collection}_record_failure_counts"
        by_hand = {"CA:Lincoln:2023:1": 2, "CA:Lincoln:2023:2": 1, "CA:Lincoln:2023:3": 3}
        api.call("PATCH", counts, {"value": by_hand})
        prune = deployments["prune"]
        api.call("POST", f"/deployments/{prune['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        wait_until(
            lambda: "Completed" in [run["state_name"] for run in api.runs_of(prune)],
            lambda: report(tmp_path, api.runs_of(prune)),
        )
        assert api.call("GET", counts)["value"] == {"CA:Lincoln:2023:3": 3}
        key = f"{collection.replace('_', '-')}-maintenance"
        [told] = api.call("POST", "/artifacts/filter", {"artifacts": {"key": {"any_": [key]}}})
        assert told["data"] == "2 failure counts removed; 0 old runs removed from Prefect, with 0 artifacts.\n"


def collection_file(folder: Path, collection: str) -> Path:
    """Two pages, of which the first one is done, and the configuration to read them with."""
    images = folder / "dataset/page_images/CA/Lincoln/2023"
    images.mkdir(parents=True)
    for page in (1, 2):
        Image.new("RGB", (40, 60), "white").save(images / f"{page}.png")
    done = folder / "dataset/output_results/CA/Lincoln/2023/1.json"
    done.parent.mkdir(parents=True)
    done.write_text('{"kept": true}')
    path = folder / "quire.yaml"
    images_as_they_are = {"min_side_pixels": 0, "send_blank": True}
    settings = {"collection": collection, "context": {"mode": "none"}, "images": images_as_they_are}
    path.write_text(json.dumps(settings))
    return path


@contextlib.contextmanager
def worker(server: PrefectServer, config: Path, base_url: str) -> Iterator[None]:
    """A worker whose runs find ``config``."""
    environment = {
        **server.environment(),
        "QUIRE_CONFIG": str(config),
        "QUIRE__GEMINI__BASE_URL": base_url,
        "GEMINI_API_KEY": API_KEY,
    }
    with process_worker(environment, config.parent):
        yield


def report(folder: Path, runs: list[dict[str, Any]]) -> str:
    """What to read when it did not come about."""
    states = [f"{run['name']}: {run['state_name']}: {(run.get('state') or {}).get('message')}" for run in runs]
    return "\n".join([*states, (folder / "worker.log").read_text(errors="replace")[-6000:]])
