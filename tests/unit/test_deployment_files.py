"""prefect.yaml, the image and the composition say the same as the code and as each other.

That Prefect takes them is tested in tests/flows/test_deployments.py, on a real server.
"""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
from prefect.utilities.callables import parameter_schema

from assets.domain.outcome import OutcomeKind
from assets.outdated import Reason
from config.settings import DEFAULT_FILE, load_settings
from flows.deployments import DEPLOYMENTS, GRACE_PERIOD_SECONDS, TAG, TIMEZONE, Deployment, served
from flows.setup.servers import ServersFolder
from flows.setup.trial import FOLDER_VARIABLE, Places, enter_trial, join_servers
from tests.packaging.environments import folders_made

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
KUBERNETES = yaml.safe_load((ROOT / "prefect.kubernetes.yaml").read_text(encoding="utf-8"))
JOB = json.loads((ROOT / "prefect.kubernetes.job.json").read_text(encoding="utf-8"))
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


def deployment(name: str, file: dict[str, Any] = PREFECT) -> dict[str, Any]:
    found: list[dict[str, Any]] = [item for item in file["deployments"] if item["name"] == name]
    assert len(found) == 1, f"{name} stands {len(found)} times in its file"
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
        assert job["volumes"] == [f"{COMPOSE['volumes'][name]['name']}:/{name}" for name in ("data", "backups")]
        assert job["env"]["PREFECT_API_URL"] == COMPOSE["services"]["worker"]["environment"]["PREFECT_API_URL"]

    @pytest.mark.parametrize("file", ["prefect.yaml", "prefect.kubernetes.yaml", "prefect.kubernetes.job.json"])
    def test_no_key_is_kept_in_prefects_database(self, file: str) -> None:
        assert "GEMINI_API_KEY" not in (ROOT / file).read_text(encoding="utf-8")


class TestKubernetesPool:
    def test_it_has_the_deployments_of_the_table_and_no_other(self) -> None:
        assert [item["name"] for item in KUBERNETES["deployments"]] == [
            f"{item.name}-kubernetes" for item in DEPLOYMENTS
        ]

    @pytest.mark.parametrize("item", DEPLOYMENTS, ids=lambda item: item.name)
    def test_each_says_what_that_of_the_process_pool_says(self, item: Deployment) -> None:
        found = deployment(f"{item.name}-kubernetes", KUBERNETES)
        assert found.items() >= expected(item, active=True).items()
        assert ("schedules" in found) == ("concurrency_limit" in found) == item.is_scheduled
        assert found["work_pool"]["name"] == "quire-kubernetes"
        assert found["work_pool"]["job_variables"]["env"].items() >= PATIENCE.items()
        assert found["pull"] == deployment(f"{item.name}-docker")["pull"]

    def test_its_variables_are_those_of_the_template(self) -> None:
        """As they are when Prefect puts them in."""
        given = deployment("pipeline-kubernetes", KUBERNETES)["work_pool"]["job_variables"]
        assert set(given) - set(JOB["variables"]["properties"]) == set()
        jsonschema.validate(given, JOB["variables"])
        used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(JOB["job_configuration"])))
        assert used == set(JOB["variables"]["properties"])
        assert given["finished_job_ttl"] is not None, "a pass every ten minutes would leave its pod for good"

    def test_a_run_gets_volumes_key_and_user(self) -> None:
        pod = JOB["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        [container] = pod["containers"]
        names = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]}
        mounts = {each["mountPath"]: names[each["name"]] for each in container["volumeMounts"]}
        assert mounts == {"/data": "quire-data", "/backups": "quire-backups"}
        assert container["envFrom"] == [{"secretRef": {"name": "quire-gemini"}}]
        [uid] = re.findall(r"^ARG UID=(\d+)$", DOCKERFILE, re.MULTILINE)
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == int(uid)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False


class TestComposition:
    def test_every_service_runs_one_image_of_this_version_but_the_database_and_the_local_gemini(self) -> None:
        images = {name: service["image"] for name, service in COMPOSE["services"].items()}
        assert images.pop("database").startswith("postgres:")
        assert images.pop("gemini") == f"quire-emulator:{PROJECT['version']}"
        assert set(images.values()) == {f"quire:{PROJECT['version']}"}

    def test_what_is_started_alone_builds_its_image(self) -> None:
        """`docker compose up --build trial` builds what it starts, and nothing of the others."""
        targets = {name: each["build"]["target"] for name, each in COMPOSE["services"].items() if "build" in each}
        assert targets == {"server": "quire", "trial-server": "quire", "gemini": "emulator"}
        assert set(targets.values()) <= set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))

    def test_every_service_that_stays_has_a_health_check(self) -> None:
        for name, service in COMPOSE["services"].items():
            if service["restart"] == "unless-stopped":
                assert service["healthcheck"]["test"][0] == "CMD", name

    def test_what_containers_print_is_bounded(self) -> None:
        """Docker's usual driver keeps every line; ``local`` has five files of 20 MB."""
        assert {str(service["logging"]) for service in COMPOSE["services"].values()} == {"{'driver': 'local'}"}

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
        assert ports == ["127.0.0.1:4200:4200", "127.0.0.1:4201:4200"]

    @pytest.mark.parametrize("server", ["server", "trial-server"])
    def test_the_server_has_the_ui_that_saves_long_variables_and_locks_that_last(self, server: str) -> None:
        environment = COMPOSE["services"][server]["environment"]
        [port] = COMPOSE["services"][server]["ports"]
        assert environment["PREFECT_SERVER_UI_API_URL"] == f"http://{port.rpartition(':')[0]}/api"
        assert environment["PREFECT_SERVER_UI_V2_ENABLED"] == "false"
        assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert environment["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"].endswith(".filesystem")

    def test_the_workers_serve_the_pools_of_prefect_yaml(self) -> None:
        served_pools = {
            pool
            for service in COMPOSE["services"].values()
            for pool in re.findall(r"worker start --pool (\S+) --type", " ".join(service.get("command", ())))
        }
        assert served_pools == {item["work_pool"]["name"] for item in PREFECT["deployments"]}

    def test_a_backup_has_a_volume_of_its_own(self) -> None:
        assert "backups:/backups" in COMPOSE["services"]["worker"]["volumes"]
        assert COMPOSE["volumes"]["backups"] != COMPOSE["volumes"]["data"]

    def test_what_it_asks_for_stands_in_the_example(self) -> None:
        asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))) - {"DOCKER_GID"}
        lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        given = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
        assert asked == given == {"GEMINI_API_KEY", "POSTGRES_PASSWORD"}


TRIAL = {name: each for name, each in COMPOSE["services"].items() if each.get("profiles") == ["emulator"]}
TRIAL_ENVIRONMENT = TRIAL["trial"]["environment"]


class TestTrial:
    """The profile ``emulator``."""

    def test_its_environment_is_the_one_that_a_trial_makes_for_itself(self, tmp_path: Path) -> None:
        config = tmp_path / "docker.yaml"
        config.write_text((ROOT / "config/docker.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        made: dict[str, str] = {}
        places = Places(config, Path("/data/trial"))
        enter_trial(places, {"prefect": "http://trial-server:4200", "emulator": "http://gemini:8790"}, made)

        wanted = {name: value for name, value in made.items() if name.startswith(("QUIRE__", "GEMINI_"))}
        assert {name: value for name, value in TRIAL_ENVIRONMENT.items() if name in wanted} == wanted
        assert {name for name in TRIAL_ENVIRONMENT if name.startswith("QUIRE__")} <= set(wanted)
        assert TRIAL_ENVIRONMENT["PREFECT_API_URL"] == made["PREFECT_API_URL"]
        assert join_servers(config, dict(TRIAL_ENVIRONMENT)) == places, "its commands say that they are a trial"

    def test_it_is_apart_from_all_that_is_real(self) -> None:
        assert set(TRIAL) == {"gemini", "trial-server", "trial-deploy", "trial"}
        assert all(each["networks"] == ["trial"] for each in TRIAL.values())
        others = [each for name, each in COMPOSE["services"].items() if name not in TRIAL]
        assert not any("trial" in each["networks"] or set(each.get("depends_on", ())) & set(TRIAL) for each in others)
        assert not any(set(each.get("depends_on", ())) - set(TRIAL) for each in TRIAL.values())
        assert "${" not in str(TRIAL), "neither the key nor the password comes near it"
        real = load_settings(DEFAULT_FILE.with_name("docker.yaml"), environ={})
        trial = load_settings(DEFAULT_FILE.with_name("docker.yaml"), environ=TRIAL_ENVIRONMENT)
        folder = ServersFolder(Path(TRIAL_ENVIRONMENT[FOLDER_VARIABLE]))
        for name in ("manifests", "output_results"):
            assert getattr(trial.paths, name).is_relative_to(folder.path)
            assert not getattr(real.paths, name).is_relative_to(folder.path)
        assert trial.paths.page_images == real.paths.page_images
        assert trial.collection != real.collection
        # All of it is in the one folder, and Prefect makes the last folder of its home alone.
        assert TRIAL["trial-server"]["environment"]["PREFECT_HOME"] == str(folder.prefect_home)
        assert f"mkdir -p {folder.prefect_home} && exec prefect server" in TRIAL["trial-server"]["command"][-1]

    def test_its_deployments_are_registered_as_the_real_ones(self) -> None:
        assert TRIAL["trial-deploy"]["command"] == COMPOSE["services"]["deploy"]["command"]

    def test_where_gemini_listens_is_where_it_is_asked(self) -> None:
        command = TRIAL["gemini"]["command"]
        port = command[command.index("--port") + 1]
        assert TRIAL_ENVIRONMENT["QUIRE__GEMINI__BASE_URL"] == f"http://gemini:{port}"
        assert f"127.0.0.1:{port}/emulator/clock" in TRIAL["gemini"]["healthcheck"]["test"][-1]


class TestLocks:
    def test_production_needs_nothing_of_demo_notebooks_and_development(self) -> None:
        unwanted = re.compile(
            r"mypy|pytest|playwright|rapidocr|onnxruntime|opencv|jupyter|ipykernel|ipython|matplotlib|ruff|hypothesis"
            r"|hatchling|editables|imagecodecs|reportlab|.*-stubs$|types-"
        )
        assert [name for name in sorted(names("requirements.lock")) if unwanted.match(name)] == []

    def test_the_emulators_lock_adds_what_its_extra_needs_to_what_is_there(self) -> None:
        assert locked("requirements.lock") - locked("requirements-emulator.lock") == set()
        needed = {canonical(Requirement(line).name) for line in PROJECT["optional-dependencies"]["emulator"]}
        added = names("requirements-emulator.lock") - names("requirements.lock")
        assert needed - names("requirements.lock") <= added
        assert [name for name in added if re.match(r"mypy|pytest|playwright|jupyter|ruff|hypothesis", name)] == []
        assert "opencv-python" not in added, "it needs libGL, which the image has not"

    @pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock", "requirements-emulator.lock"])
    def test_the_locks_agree(self, lock: str) -> None:
        """What is tested is what runs. Each lock is complete, so a package of one is in the other with its version."""
        assert locked(lock) - locked("requirements-dev.lock") == set()

    def test_every_dependency_is_locked(self) -> None:
        needed = {canonical(Requirement(line).name) for line in PROJECT["dependencies"]}
        extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
        assert needed - names("requirements.lock") == set()
        assert {canonical(Requirement(line).name) for line in extras} - names("requirements-dev.lock") == set()
        assert "hatchling" in names("requirements-build.lock")


STAGES = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL))
"""The text of each stage of the Dockerfile that has a name."""


class TestImage:
    def test_packages_come_from_the_locks_with_hashes_and_what_builds_stays_behind(self) -> None:
        assert {stage: re.findall(r"pip (.*)", text) for stage, text in STAGES.items()} == {
            "build": [
                "install --no-deps --require-hashes -r requirements-build.lock",
                "wheel --no-deps --no-build-isolation --wheel-dir /wheel .",
            ],
            "quire": [
                "install --no-deps --require-hashes -r requirements.lock",
                "install --no-deps --no-index /wheel/*.whl",
            ],
            "emulator": ["install --no-deps --require-hashes -r requirements-emulator.lock"],
        }

    def test_what_runs_a_collection_holds_nothing_of_the_emulators(self) -> None:
        """A build without a target is the production image: the last stage is it, and adds nothing."""
        assert re.findall(r"^FROM .*$", DOCKERFILE, re.MULTILINE) == [
            "FROM python:3.11-slim AS build",
            "FROM python:3.11-slim AS quire",
            "FROM quire AS emulator",
            "FROM quire",
        ]
        assert DOCKERFILE.endswith("\nFROM quire\n")
        assert "emulator" not in STAGES["quire"]

    def test_it_does_not_run_as_root_and_holds_no_secret(self) -> None:
        assert [re.findall(r"^USER (.*)$", STAGES[stage], re.MULTILINE) for stage in ("quire", "emulator")] == [
            ["quire"],
            ["root", "quire"],
        ]
        assert set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE)) == {"UID", "GID"}
        assert not re.search(r"^(ENV|ARG|\s).*(KEY|TOKEN|PASSWORD)", DOCKERFILE, re.MULTILINE)

    def test_what_is_copied_exists_and_is_let_through(self) -> None:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        let_through = {line[1:] for line in lines if line.startswith("!")}
        copied = {name for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
        assert {name for name in copied if name != "config/docker.yaml"} == let_through, "that one lies below config"
        assert [name for name in copied if not (ROOT / name).exists()] == []
        assert set(PROJECT["license-files"]) | {PROJECT["readme"], "pyproject.toml"} <= copied
        assert {"prefect.yaml", "prefect.kubernetes.yaml", "prefect.kubernetes.job.json"} <= copied

    def test_its_data_lies_in_volumes_whose_folders_are_there_and_its_users(self) -> None:
        """`docker compose cp` needs a folder to copy into, and a new volume is given what is in the image."""
        settings = load_settings(DEFAULT_FILE.with_name("docker.yaml"), environ={})
        paths = settings.paths
        for folder in (paths.page_images, paths.source_documents, paths.output_results, paths.manifests):
            assert folder.is_relative_to("/data")
            assert {str(each) for each in (folder, *folder.parents)} - {"/"} <= set(folders_made())
        assert 'VOLUME ["/data", "/backups"]' in STAGES["quire"]
        mounted = {
            volume.partition(":")[2] for each in COMPOSE["services"].values() for volume in each.get("volumes", ())
        }
        assert mounted - {"/var/run/docker.sock", "/var/lib/postgresql/data"} <= set(folders_made())
        assert "QUIRE_CONFIG=/app/config/docker.yaml" in STAGES["quire"]
