"""The blocks of docs/kubernetes.md name the same things as each other, the image, compose.yaml and the deployments for
Kubernetes. What these files say by themselves is tested in tests/unit/test_deployment_files.py.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.kubernetes.yaml").read_text(encoding="utf-8"))["deployments"]
JOB = json.loads((ROOT / "prefect.kubernetes.job.json").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

Object = dict[str, Any]
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OBJECTS: list[Object] = [each for block in BLOCKS for each in yaml.safe_load_all(block)]
IMAGE, WORKER_IMAGE = f"quire:{VERSION}", f"quire-kubernetes:{VERSION}"
CLIENT = "quire-client"


def names(kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in OBJECTS if each["kind"] == kind}


def named(kind: str, name: str) -> Object:
    [found] = [each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def templates() -> Iterator[tuple[str, Object]]:
    """Each pod that comes about: those of the page, and that of a run."""
    for each in OBJECTS:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]
    yield "a run", JOB["job_configuration"]["job_manifest"]["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def container(deployment: str) -> Object:
    found: Object = named("Deployment", deployment)["spec"]["template"]["spec"]["containers"][0]
    return found


def test_each_object_has_a_name_of_its_own_in_the_one_namespace() -> None:
    assert names("Deployment") == {"quire-server", "quire-worker", "quire-job-worker"}
    assert len({(each["kind"], each["metadata"]["name"]) for each in OBJECTS}) == len(OBJECTS) == 14
    [namespace] = names("Namespace")
    assert {each["metadata"].get("namespace", namespace) for each in OBJECTS} == {namespace}
    assert {item["work_pool"]["job_variables"]["namespace"] for item in DEPLOYMENTS} == {namespace}
    assert {found for found in re.findall(r"--namespace (\S+)|-n (\S+)", PAGE) for found in found if found} == {
        namespace
    }


def test_every_image_is_the_one_of_the_dockerfile_or_the_one_that_the_page_builds_of_it() -> None:
    used = {each["image"] for name, pod in templates() if name != "a run" for each in containers(pod)}
    used |= {item["work_pool"]["job_variables"]["image"] for item in DEPLOYMENTS}
    assert used == {IMAGE, WORKER_IMAGE}
    assert f"docker build --tag {IMAGE} ." in PAGE
    [built] = re.findall(r"^```dockerfile\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert built.startswith(f"FROM {IMAGE}\n")
    assert built.endswith("USER quire\n")
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    [pinned] = re.findall(r'"(prefect==[\d.]+)"', built)
    assert re.search(rf"^{re.escape(pinned)}( |$)", locked, re.MULTILINE), "all must have the same Prefect"
    assert container("quire-job-worker")["image"] == WORKER_IMAGE


def test_no_pod_runs_as_root_or_gets_settings_and_rights_that_nobody_gave_it() -> None:
    [uid] = re.findall(r"^ARG UID=(\d+)$", DOCKERFILE, re.MULTILINE)
    for name, pod in templates():
        security = pod["spec"]["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, int(uid)), name
        # Kubernetes sets variables such as QUIRE_SERVER_PORT for each service.
        assert pod["spec"]["enableServiceLinks"] is False, name
        needs_rights = name == "quire-job-worker"
        assert pod["spec"].get("automountServiceAccountToken", True) is needs_rights, name
        if "volumes" in pod["spec"]:
            assert security["fsGroup"] == int(uid), name


def test_every_claim_and_secret_is_made_on_the_page() -> None:
    secrets = set(re.findall(r"kubectl create secret generic (\S+) ", PAGE))
    mounted: dict[str, set[str]] = {}
    for _, pod in templates():
        claims = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["spec"].get("volumes", ())}
        for each in containers(pod):
            for mount in each.get("volumeMounts", ()):
                mounted.setdefault(mount["mountPath"], set()).add(claims[mount["name"]])
            assert {source["secretRef"]["name"] for source in each.get("envFrom", ())} <= secrets
    assert mounted == {
        "/data": {"quire-data"},
        "/backups": {"quire-backups"},
        "/home/quire/.prefect": {"quire-prefect"},
    }
    assert names("PersistentVolumeClaim") == {claim for claims in mounted.values() for claim in claims}
    of_compose = {
        mount.partition(":")[2] for name in ("server", "worker") for mount in COMPOSE["services"][name]["volumes"]
    }
    assert set(mounted) == of_compose


def test_the_key_goes_to_what_runs_passes_and_to_nothing_else() -> None:
    with_key = {
        name
        for name, pod in templates()
        for each in containers(pod)
        if {"secretRef": {"name": "quire-gemini"}} in each.get("envFrom", ())
    }
    assert with_key == {"quire-worker", "a run"}
    assert "GEMINI_API_KEY" not in "".join(BLOCKS)
    assert {"GEMINI_API_KEY", "PREFECT_SERVER_DATABASE_CONNECTION_URL"} <= set(re.findall(r"`([A-Z_]+)=", PAGE))


def test_the_folders_that_a_new_volume_lacks_are_those_of_the_image() -> None:
    [made] = [each for _, pod in templates() for each in pod["spec"].get("initContainers", ())]
    assert made["command"][:2] == ["mkdir", "-p"]
    assert set(made["command"][2:]) <= set(re.findall(r"/data[\w/]*", DOCKERFILE))
    leaves = {path for path in re.findall(r"/data[\w/]*", DOCKERFILE) if f"{path}/" not in DOCKERFILE}
    assert set(made["command"][2:]) == leaves


def test_server_and_workers_are_started_as_in_the_composition() -> None:
    services = COMPOSE["services"]
    server, worker, job_worker = map(container, ("quire-server", "quire-worker", "quire-job-worker"))
    assert server["command"] == services["server"]["command"]
    assert worker["command"] == services["worker"]["command"]
    assert job_worker["command"] == [part.replace("process", "kubernetes") for part in worker["command"]]
    assert (
        named("Job", "quire-deploy")["spec"]["template"]["spec"]["containers"][0]["command"]
        == (services["deploy"]["command"])
    )
    said = {each["name"]: each["value"] for each in server["env"]}
    of_compose = {
        name: value for name, value in services["server"]["environment"].items() if name.startswith("PREFECT")
    }
    of_compose.pop("PREFECT_SERVER_DATABASE_CONNECTION_URL")
    assert said == of_compose


def test_the_pool_is_made_as_prefect_kubernetes_yaml_says() -> None:
    [said] = named("Job", "quire-deploy-kubernetes")["spec"]["template"]["spec"]["containers"][0]["command"][2:]
    head = (ROOT / "prefect.kubernetes.yaml").read_text(encoding="utf-8").partition("\nname:")[0]
    typed = [line.removeprefix("#     ") for line in head.splitlines() if line.startswith("#     prefect")]
    assert [line.removesuffix(" --overwrite") for line in said.splitlines()] == typed
    [pool] = {item["work_pool"]["name"] for item in DEPLOYMENTS}
    assert f"work-pool create {pool} --type kubernetes" in said


def test_who_talks_to_the_server_finds_it_and_is_let_in() -> None:
    [port] = named("Service", "quire-server")["spec"]["ports"]
    address = f"http://quire-server:{port['port']}/api"
    for name, pod in templates():
        if name == "quire-server":
            continue
        assert pod["metadata"]["labels"][CLIENT] == "true", name
        told = {each["value"] for one in pod["spec"]["containers"] for each in one.get("env", ()) if name != "a run"}
        assert name == "a run" or address in told, name
    assert {item["work_pool"]["job_variables"]["env"]["PREFECT_API_URL"] for item in DEPLOYMENTS} == {address}
    labels = named("Deployment", "quire-server")["spec"]["template"]["metadata"]["labels"]
    policy = named("NetworkPolicy", "quire-server")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {CLIENT: "true"}}}]
    assert policy["ingress"][0]["ports"] == [{"port": container("quire-server")["ports"][0]["containerPort"]}]
    assert named("Service", "quire-server")["spec"]["selector"].items() <= labels.items()
    # A worker of prefect-kubernetes writes over these of a run's pod.
    assert not CLIENT.startswith(("app.kubernetes.io/", "prefect.io/"))


def test_what_stays_has_selectors_probes_and_resources() -> None:
    paths = {
        "quire-server": ("/api/health", 4200),
        "quire-worker": ("/health", 8080),
        "quire-job-worker": ("/health", 8080),
    }
    for name, (path, port) in paths.items():
        spec = named("Deployment", name)["spec"]
        assert spec["replicas"] == 1
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
        one = container(name)
        assert [(each["name"], each["containerPort"]) for each in one["ports"]] == [(one["ports"][0]["name"], port)]
        for probe in ("startupProbe", "livenessProbe"):
            assert one[probe]["httpGet"] == {"path": path, "port": one["ports"][0]["name"]}
        service = {"quire-server": "server"}.get(name, "worker")
        assert f"127.0.0.1:{port}{path}" in COMPOSE["services"][service]["healthcheck"]["test"][-1]
    for name, pod in templates():
        if name != "a run":
            assert set(pod["spec"]["containers"][0]["resources"]) == {"requests", "limits"}, name


def test_the_worker_of_jobs_has_rights_in_its_namespace_alone() -> None:
    [account], [role], [binding] = names("ServiceAccount"), names("Role"), names("RoleBinding")
    assert named("Deployment", "quire-job-worker")["spec"]["template"]["spec"]["serviceAccountName"] == account
    bound = named("RoleBinding", binding)
    assert bound["roleRef"]["name"] == role
    assert [(each["kind"], each["name"]) for each in bound["subjects"]] == [("ServiceAccount", account)]
    rights = {resource: set(rule["verbs"]) for rule in named("Role", role)["rules"] for resource in rule["resources"]}
    assert {"create", "delete", "watch"} <= rights.pop("jobs")
    assert all(verbs == {"get", "list", "watch"} for verbs in rights.values()), "no secret can be read, no pod made"
    assert "secrets" not in rights
    assert not names("ClusterRole")
    env = {each["name"]: each["value"] for each in container("quire-job-worker")["env"]}
    # Else it watches, and needs rights in, the whole cluster.
    assert env["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"] == bound["metadata"]["namespace"]
