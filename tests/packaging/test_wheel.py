"""Quire as it is installed elsewhere: the wheel, in an environment of its own with what the production lock names and
nothing else, called from a folder that holds only a configuration and a scan.
"""

import os
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image

from tests.packaging.environments import ROOT, SITE_PACKAGES, TIMEOUT_SECONDS, build_wheel, make_environment
from tests.prefect_server import PrefectServer

PACKAGES = ("assets", "config", "emulator", "exports", "flows", "viewer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment with the production lock and the wheel."""
    return make_environment(tmp_path_factory.mktemp("installed"), lock="requirements.lock", wheel=wheel)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Outside of the checkout: a configuration and a scan, and nothing else."""
    pages = tmp_path / "scans" / "CA" / "Lincoln" / "1901"
    pages.mkdir(parents=True)
    Image.new("RGB", (60, 80), "white").save(pages / "1.jpg")
    settings = "paths: {page_images: scans}\nimages: {min_side_pixels: 0}\n"
    (tmp_path / "quire.yaml").write_text(settings, encoding="utf-8")
    return tmp_path


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there
    assert {"config/default.yaml", "config/prompts/page_transcript/v1.jinja"} <= held


def test_it_stands_alone(installed: Path, folder: Path) -> None:
    looks = "import sys, flows.cli, config.settings as s; print(s.DEFAULT_FILE); print(*sys.path, sep='\\n')"
    found = _run(folder, installed / "python", "-c", looks)
    default, *path = found.stdout.splitlines()
    assert default == str(installed.parent / SITE_PACKAGES / "config" / "default.yaml")
    assert [each for each in path if Path(each).is_relative_to(ROOT)] == []
    for absent in ("pytest", "mypy", "matplotlib", "rapidocr", "hatchling"):
        assert _run(folder, installed / "python", "-c", f"import {absent}", code=1).stderr.count("ModuleNotFoundError")


def test_it_says_its_version(installed: Path, folder: Path) -> None:
    assert _run(folder, installed / "quire", "--version").stdout == "quire 0.1.0\n"


def test_it_scans_and_shows_the_request_for_a_page(
    installed: Path, folder: Path, prefect_server: PrefectServer, collection: str
) -> None:
    server = prefect_server.environment()
    known = {name: server[name] for name in ("PREFECT_API_URL", "PREFECT_HOME")}
    settings = f"{{collection: {collection}, paths: {{page_images: scans}}, images: {{min_side_pixels: 0}}}}"
    (folder / "quire.yaml").write_text(settings, encoding="utf-8")
    (folder / ".env").write_text("GEMINI_API_KEY=any-text\n", encoding="utf-8")
    scanned = _run(folder, installed / "quire", "scan", "--config", "quire.yaml", more=known).stdout
    assert "1 records" in scanned
    text = _run(folder, installed / "quire", "check", "--config", "quire.yaml", more=known).stdout
    assert "CA:Lincoln:1901:1" in text
    assert "config/prompts/page_transcript/v1.jinja" in text


def test_without_a_configuration_it_says_how_to_name_one(installed: Path, tmp_path: Path) -> None:
    ended = _run(tmp_path, installed / "quire", "check", code=1)
    assert ended.stdout == ""
    assert ended.stderr == (
        f"quire: {tmp_path}: no quire.yaml is here or above: make one with quire init in the folder of your scans, or "
        "name yours with --config or QUIRE_CONFIG\n"
    )


@pytest.mark.parametrize(
    ("command", "packages"),
    [
        (["emulator", "--port", "0"], "cv2, onnxruntime, rapidocr"),
        (["demo"], "cv2, onnxruntime, rapidocr, matplotlib"),
    ],
    ids=["emulator", "demo"],
)
def test_what_needs_an_extra_says_so_in_one_line(
    installed: Path, folder: Path, command: list[str], packages: str
) -> None:
    ended = _run(folder, installed / "quire", *command, code=1)
    assert ended.stderr == f'quire: {packages} are not installed; install with: pip install "quire[emulator]"\n'
    assert not (folder / "demo-data").exists()


def test_a_drawing_without_matplotlib_says_so(installed: Path, folder: Path) -> None:
    draws = "import pandas, flows.questions.inspect as i; i.draw_progress(pandas.DataFrame())"
    ended = _run(folder, installed / "python", "-c", draws, code=1)
    assert ended.stderr.splitlines()[-1].endswith(
        'MissingExtraError: matplotlib is not installed; install with: pip install "quire[notebooks]"'
    )


def _run(
    folder: Path, program: Path, *arguments: str, code: int = 0, more: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a program in ``folder`` with nothing of this environment but the machine's own programs."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "DO_NOT_TRACK": "1", **more}
    ended = subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended
