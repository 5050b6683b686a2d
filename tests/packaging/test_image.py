"""What compose.yaml starts, without an engine: the folders of the Dockerfile, its packages in an environment of their
own, and each command and health check of the services as they stand there, with free ports and folders of this test.

That a container runs them so is for Docker; what the files say of each other is tested in
tests/unit/test_deployment_files.py.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont

from tests.packaging.environments import ROOT, build_wheel, folders_made, make_environment
from tests.prefect_server import free_port

pytestmark = pytest.mark.slow

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PATIENCE_SECONDS = 300.0
WORKER_PORT = "8080"
KEY = "a-key-that-is-none"
LIMIT = 3
"""Of the runs that a worker starts at once: the numbers of the commands beyond it are ports."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - what the services listen at in their containers


@dataclass
class Machine:
    """Where the containers would be. ``places``: a path in a container to that of this test; ``ports``: of the
    services, by ``<service>:<port>``; ``programs``: of an image."""

    places: dict[str, Path]
    programs: dict[str, Path]
    ports: dict[str, int] = field(default_factory=dict)

    def command(self, service: str) -> list[str]:
        return [self._here(service, each) for each in COMPOSE["services"][service]["command"]]

    def environment(self, service: str) -> dict[str, str]:
        said = COMPOSE["services"][service].get("environment", {})
        own = {name: self._here(service, str(value)) for name, value in said.items()}
        own.pop("PREFECT_SERVER_DATABASE_CONNECTION_URL", None)  # SQLite here
        if own.get("GEMINI_API_KEY") == "${GEMINI_API_KEY:-}":
            own["GEMINI_API_KEY"] = KEY
        home = self.places["/home/quire"]
        programs = self.programs[COMPOSE["services"][service]["image"].partition(":")[0]]
        return {
            "PATH": f"{programs}:{os.defpath}",
            "HOME": str(home),
            "PREFECT_HOME": str(home / ".prefect"),
            "QUIRE_CONFIG": str(self.places["/app"] / "config/docker.yaml"),
            "PREFECT_WORKER_WEBSERVER_PORT": str(self._port(service, WORKER_PORT)),
            **own,
        }

    def run(self, service: str, *command: str, code: int | None = 0) -> str:
        """What `docker compose exec SERVICE COMMAND` would say."""
        ended = subprocess.run(
            [self._here(service, each) for each in command],
            cwd=self.places["/app"],
            env=self.environment(service),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert code is None or ended.returncode == code, ended.stdout
        return ended.stdout

    def is_healthy(self, service: str) -> bool:
        kind, *command = COMPOSE["services"][service]["healthcheck"]["test"]
        assert kind == "CMD"
        here = [self._here(service, each) for each in command]
        return subprocess.run(here, env=self.environment(service), capture_output=True, check=False).returncode == 0

    @contextlib.contextmanager
    def up(self, service: str) -> Iterator[Path]:
        """A service that stays, once it is healthy; its log."""
        assert not self.is_healthy(service), "the health check can fail"
        log = self.places["/app"] / f"{service}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(service),
                cwd=self.places["/app"],
                env=self.environment(service),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self.is_healthy(service):
                said = log.read_text(errors="replace")
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.5)
            yield log
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _port(self, service: str, port: str) -> int:
        return self.ports.setdefault(f"{service}:{port}", free_port())

    def _here(self, service: str, text: str) -> str:
        """What a container says, in the words of this machine."""

        def address(found: re.Match[str]) -> str:
            return f"//127.0.0.1:{self._port(service if found[1] == '127.0.0.1' else found[1], found[2])}"

        for there, here in self.places.items():
            text = re.sub(rf"(?<![\w/]){re.escape(there)}(?=[/\s]|$)", str(here), text)
        text = re.sub(rf"//(127\.0\.0\.1|{'|'.join(COMPOSE['services'])}):(\d+)", address, text)
        text = re.sub(r"(?<=--port )\d+", lambda found: str(self._port(service, found[0])), text)
        text = str(self._port(service, text)) if text.isdecimal() and int(text) > LIMIT else text
        return text.replace(ANYWHERE, "127.0.0.1")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("containers")
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    locks = re.findall(r"-r (requirements(?:-emulator)?\.lock)", DOCKERFILE)
    assert locks == ["requirements.lock", "requirements-emulator.lock"]
    programs = {
        image: make_environment(folder / image, lock=lock, wheel=wheel)
        for image, lock in zip(("quire", "quire-emulator"), locks, strict=True)
    }
    for path in folders_made():
        folder.joinpath(path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name in ("prefect.yaml", "config/docker.yaml"):
        (folder / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "app" / name)
    config = folder / "app/config/docker.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("root: /data", f"root: {folder}/data"))
    places = {path: folder / path.lstrip("/") for path in ("/data", "/backups", "/app", "/home/quire")}
    return Machine(places, programs)


def write_page(path: Path) -> None:
    path.parent.mkdir(parents=True)
    image = Image.new("L", (900, 200), 255)
    ImageDraw.Draw(image).text((40, 60), "All men by these presents", fill=0, font=ImageFont.load_default(size=56))
    image.save(path)


def test_the_services_run_in_a_new_volume_and_a_backup_is_made(machine: Machine) -> None:
    with machine.up("server"):
        machine.run("deploy", *COMPOSE["services"]["deploy"]["command"])
        with machine.up("worker"):
            # Nothing was copied yet: empty folders are a collection without pages.
            assert re.search(r"^records +0$", machine.run("worker", "quire", "status"), re.MULTILINE)
            # Status 1, as nothing can come of a collection without a page.
            assert "; 0 records;" in machine.run("worker", "quire", "run", code=1)
            looked_at = machine.run("worker", "quire", "doctor", code=None)
            for what in ("PDFs", "page images", "results", "manifests", "Prefect"):
                assert re.search(rf"^ok +{what} ", looked_at, re.MULTILINE), looked_at
            page = machine.places["/data"] / "dataset/page_images/CA/Lincoln/1901/1.png"
            write_page(page)
            assert "1 records" in machine.run("worker", "quire", "scan")
            made = machine.run("worker", "quire", "backup", "/backups")
            [backup] = machine.places["/backups"].iterdir()
            assert str(backup) in made
            assert "is whole" in machine.run("worker", "quire", "restore", f"/backups/{backup.name}")
            page.unlink()


def test_a_trial_reads_a_page_without_a_key_and_leaves_what_is_real_alone(machine: Machine) -> None:
    data = machine.places["/data"]
    page = data / "dataset/page_images/CA/Lincoln/1902/1.png"
    write_page(page)
    before = sorted(path for path in data.rglob("*") if path.is_file())

    with machine.up("gemini"), machine.up("trial-server"):
        machine.run("trial-deploy", *COMPOSE["services"]["trial-deploy"]["command"])
        with machine.up("trial") as log:
            assert log.read_text().startswith("TRIAL: the local Gemini answers")
            said = machine.run("trial", "quire", "run", "--watch")
            assert said.startswith("TRIAL: the local Gemini answers")
            result = json.loads((data / "trial/results/CA/Lincoln/1902/1.json").read_text())
            assert "presents" in json.dumps(result)
            assert "Nothing is paid" in machine.run("trial", "quire", "status")

    outside = sorted(path for path in data.rglob("*") if path.is_file() and not path.is_relative_to(data / "trial"))
    assert outside == before
    kept: list[Any] = [path.read_bytes() for path in (data / "trial").rglob("*") if path.is_file()]
    assert not any(KEY.encode() in each for each in kept)
