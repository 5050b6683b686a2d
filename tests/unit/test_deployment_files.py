"""prefect.yaml, the image and the composition say the same as the code and as each other.

That Prefect takes them is tested in tests/flows/test_deployments.py, on a real server.
"""

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
from prefect.utilities.callables import parameter_schema

from assets.domain.outcome import OutcomeKind
from assets.outdated import Reason
from config.settings import DEFAULT_FILE, load_settings
from flows.deployments import DEPLOYMENTS, GRACE_PERIOD_SECONDS, TAG, TIMEZONE, Deployment, served

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


FREE_TEXT = {"config", "pages", "prompt", "batch", "to", "document"}
"""What nobody can choose from a list: paths, names, keys."""


def locked(lock: str) -> set[tuple[str, str]]:
    """Name and version of all that a lock names, wherever it is needed."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.rstrip("\\ ")) for line in lines if line and not line.startswith((" ", "#"))]
    return {(canonical(each.name), str(each.specifier)) for each in wanted}


def names(lock: str) -> set[str]:
    return {name for name, _ in locked(lock)}


def deployment(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [item for item in PREFECT["deployments"] if item["name"] == name]
    assert len(found) == 1, f"{name} stands {len(found)} times in prefect.yaml"
    return found[0]


def expected(item: Deployment, *, active: bool) -> dict[str, Any]:
    """What both files must say about a deployment, in the words of prefect.yaml."""
    said: dict[str, Any] = {
        "description": item.description,
        "entrypoint": item.entrypoint,
        "parameters": {"config": None, **item.parameters},
        "tags": [TAG],
        "version": PROJECT["version"],
    }
    if not item.is_scheduled:
        return said
    if item.interval_seconds is not None:
        when: dict[str, Any] = {"interval": item.interval_seconds}
    else:
        when = {"cron": item.cron}
    return said | {
        "schedules": [when | {"timezone": TIMEZONE, "slug": item.schedule_slug, "active": active}],
        "concurrency_limit": {
            "limit": 1,
            "collision_strategy": "CANCEL_NEW",
            "grace_period_seconds": GRACE_PERIOD_SECONDS,
        },
    }


PATIENCE = {"PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504"}
"""What `flows.gateways.prefect.api.engine_errors_told` sets for a command."""


class TestPrefectYaml:
    def test_it_has_the_deployments_of_the_table_for_both_pools_and_no_other(self) -> None:
        names = {item.name for item in DEPLOYMENTS}
        assert {item["name"] for item in PREFECT["deployments"]} == names | {f"{name}-docker" for name in names}

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_the_process_pool_runs_by_the_clock(self, item: Deployment) -> None:
        found = deployment(item.name)
        assert found["work_pool"] == {"name": "quire-process", "job_variables": {"env": PATIENCE}}
        assert found.items() >= expected(item, active=True).items()
        assert ("schedules" in found) == ("concurrency_limit" in found) == item.is_scheduled

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_the_docker_pool_is_the_same_and_waits_to_be_switched_on(self, item: Deployment) -> None:
        found = deployment(f"{item.name}-docker")
        assert found["work_pool"]["name"] == "quire-docker"
        assert found["work_pool"]["job_variables"]["env"].items() >= PATIENCE.items()
        assert found.items() >= expected(item, active=False).items()
        assert ("schedules" in found) == ("concurrency_limit" in found) == item.is_scheduled

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_serve_has_the_same_schedule_and_limit(self, item: Deployment, tmp_path: Path) -> None:
        config = tmp_path / "quire.yaml"
        config.write_text("{collection: ca, model: {name: gemini-3.5-flash}}")
        made = served(item, config)
        assert (made.name, made.entrypoint) == (f"{item.name}-served", item.entrypoint)
        assert made.parameters == {"config": str(config), **item.parameters}
        assert (made.tags, made.version) == ([TAG, "ca", "gemini-3.5-flash"], PROJECT["version"])
        has_limit = (made.concurrency_limit, made.concurrency_options) != (None, None)
        assert has_limit == item.is_scheduled == bool(made.schedules)
        if not item.is_scheduled:
            return
        (schedule,) = made.schedules or []
        assert schedule.schedule is not None
        written = schedule.schedule.model_dump(exclude={"anchor_date", "day_or"})
        (wanted,) = expected(item, active=True)["schedules"]
        if "interval" in written:
            written["interval"] = written["interval"].total_seconds()
        assert written | {"slug": schedule.slug, "active": True} == wanted

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_a_form_has_words_for_every_field_and_a_choice_for_what_can_be_chosen(self, item: Deployment) -> None:
        module, _, function = item.entrypoint.rpartition(".")
        form = parameter_schema(getattr(importlib.import_module(module), function))
        for name, field in form.properties.items():
            said = field.get("description", "")
            assert said.endswith("."), f"{name} is described in the docstring, in a sentence"
            assert len(said.split()) > 2, f"{name}: {said} says no more than its name"
            kinds = {each.get("type", "") for each in field.get("anyOf", [field])} - {"null"}
            assert name in FREE_TEXT or "string" not in kinds, f"{name} can be chosen, so it is an enumeration"
            assert not name.startswith("_")
            assert field.get("items", {"type": "string"}).keys() & {"type", "$ref"}, f"of what {name} is a list"
        assert form.properties.keys() >= {"config", *item.parameters}
        assert not {"run_started_at", "wait_for_turn"} & form.properties.keys(), "nobody should fill these in"
        if "outdated" in form.properties:
            assert form.definitions["Reason"]["enum"] == [reason.value for reason in Reason]
            assert form.definitions["OutcomeKind"]["enum"] == [kind.value for kind in OutcomeKind]
            assert form.properties["pages"]["type"] == form.properties["outdated"]["type"] == "array"

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_a_deployment_says_what_it_does_and_where_the_docs_tell_more(self, item: Deployment) -> None:
        headings = re.findall(r"^#+ (.+)$", (ROOT / item.page).read_text(encoding="utf-8"), re.MULTILINE)
        assert item.heading in headings
        assert item.description == f'{item.what} See "{item.heading}" in {item.page}.'
        assert item.what.endswith(".")
        # What a person starts by hand says so: it does not run by itself.
        assert item.what.startswith("By hand: ") == (not item.is_scheduled)
        module, _, function = item.entrypoint.rpartition(".")
        flow = getattr(importlib.import_module(module), function)
        assert re.search(r"Like `quire [a-z-]+`", " ".join((flow.description or "").split()))

    def test_the_job_in_a_container_fits_the_composition(self) -> None:
        job = deployment("pipeline-docker")["work_pool"]["job_variables"]
        assert job["image"] == COMPOSE["services"]["server"]["image"]
        assert job["networks"] == [COMPOSE["networks"]["quire"]["name"]]
        assert job["volumes"] == [f"{COMPOSE['volumes']['data']['name']}:/data"]
        assert job["env"]["PREFECT_API_URL"] == COMPOSE["services"]["worker"]["environment"]["PREFECT_API_URL"]

    def test_no_key_is_kept_in_prefects_database(self) -> None:
        assert "GEMINI_API_KEY" not in (ROOT / "prefect.yaml").read_text(encoding="utf-8")


class TestComposition:
    def test_every_service_runs_one_image_of_this_version_but_the_database(self) -> None:
        images = {name: service["image"] for name, service in COMPOSE["services"].items()}
        assert images.pop("database").startswith("postgres:")
        assert set(images.values()) == {f"quire:{PROJECT['version']}"}

    def test_every_service_that_stays_has_a_health_check(self) -> None:
        for name, service in COMPOSE["services"].items():
            if service["restart"] == "unless-stopped":
                assert service["healthcheck"]["test"][0] == "CMD", name

    def test_volumes_networks_and_dependencies_exist(self) -> None:
        for service in COMPOSE["services"].values():
            assert set(service["networks"]) <= set(COMPOSE["networks"])
            named = {volume.partition(":")[0] for volume in service.get("volumes", ()) if not volume.startswith("/")}
            assert named <= set(COMPOSE["volumes"])
            for other, wanted in service.get("depends_on", {}).items():
                if wanted["condition"] == "service_healthy":
                    assert "healthcheck" in COMPOSE["services"][other]

    def test_prefect_is_reachable_from_this_machine_only(self) -> None:
        ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
        assert ports == ["127.0.0.1:4200:4200"]

    def test_the_server_has_the_ui_that_saves_long_variables_and_locks_that_last(self) -> None:
        environment = COMPOSE["services"]["server"]["environment"]
        assert environment["PREFECT_SERVER_UI_V2_ENABLED"] == "false"
        assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert environment["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"].endswith(".filesystem")

    def test_the_workers_serve_the_pools_of_prefect_yaml(self) -> None:
        served_pools = {
            service["command"][service["command"].index("--pool") + 1]
            for service in COMPOSE["services"].values()
            if "worker" in service.get("command", ())
        }
        assert served_pools == {item["work_pool"]["name"] for item in PREFECT["deployments"]}

    def test_what_it_asks_for_stands_in_the_example(self) -> None:
        asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))) - {"DOCKER_GID"}
        lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        given = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
        assert asked == given == {"GEMINI_API_KEY", "POSTGRES_PASSWORD"}


class TestLocks:
    def test_production_needs_nothing_of_demo_notebooks_and_development(self) -> None:
        unwanted = re.compile(
            r"mypy|pytest|playwright|rapidocr|onnxruntime|opencv|jupyter|ipykernel|ipython|matplotlib|ruff|hypothesis"
            r"|hatchling|editables|imagecodecs|reportlab|.*-stubs$|types-"
        )
        assert [name for name in sorted(names("requirements.lock")) if unwanted.match(name)] == []

    @pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
    def test_the_locks_agree(self, lock: str) -> None:
        """What is tested is what runs. Each lock is complete, so a package of one is in the other with its version."""
        assert locked(lock) - locked("requirements-dev.lock") == set()

    def test_every_dependency_is_locked(self) -> None:
        needed = {canonical(Requirement(line).name) for line in PROJECT["dependencies"]}
        extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
        assert needed - names("requirements.lock") == set()
        assert {canonical(Requirement(line).name) for line in extras} - names("requirements-dev.lock") == set()
        assert "hatchling" in names("requirements-build.lock")


class TestImage:
    def test_packages_come_from_the_locks_with_hashes_and_what_builds_stays_behind(self) -> None:
        build, image = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
        assert re.findall(r"pip (.*)", build) == [
            "install --no-deps --require-hashes -r requirements-build.lock",
            "wheel --no-deps --no-build-isolation --wheel-dir /wheel .",
        ]
        assert re.findall(r"pip (.*)", image) == [
            "install --no-deps --require-hashes -r requirements.lock",
            "install --no-deps --no-index /wheel/*.whl",
        ]

    def test_it_does_not_run_as_root_and_holds_no_secret(self) -> None:
        assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["quire"]
        assert set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE)) == {"UID", "GID"}
        assert not re.search(r"^(ENV|ARG|\s).*(KEY|TOKEN|PASSWORD)", DOCKERFILE, re.MULTILINE)

    def test_what_is_copied_exists_and_is_let_through(self) -> None:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        let_through = {line[1:] for line in lines if line.startswith("!")}
        copied = {name for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
        assert {name for name in copied if name != "config/docker.yaml"} == let_through, "that one lies below config"
        assert [name for name in copied if not (ROOT / name).exists()] == []
        assert set(PROJECT["license-files"]) | {PROJECT["readme"], "pyproject.toml"} <= copied

    def test_its_data_lies_in_the_volume(self) -> None:
        settings = load_settings(DEFAULT_FILE.with_name("docker.yaml"), environ={})
        for folder in (settings.paths.page_images, settings.paths.output_results, settings.paths.manifests):
            assert folder.is_relative_to("/data")
        assert 'VOLUME ["/data"]' in DOCKERFILE
        assert "QUIRE_CONFIG=/app/config/docker.yaml" in DOCKERFILE
