"""An environment of its own with what a lock names and the wheel, and nothing else.

The packages are linked from this environment and not installed: that takes most of a minute and the network, for the
same files, since the locks have the same versions (`tests/unit/test_deployment_files.py`).
"""

import re
import subprocess
import sys
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution
from pathlib import Path, PurePath

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
TIMEOUT_SECONDS = 120


def folders_made() -> list[str]:
    """What the Dockerfile makes for the user of its image."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    made: list[str] = re.findall(r"install -d -o quire -g quire ((?:[^\n]*\\\n)*[^\n]*)", text)
    assert len(made) == 1
    return made[0].replace("\\\n", " ").split()


def build_wheel(folder: Path) -> Path:
    """As the Dockerfile does."""
    run_python(sys.executable, "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, ROOT)
    [built] = folder.iterdir()
    return built


def make_environment(folder: Path, *, lock: str, wheel: Path) -> Path:
    """The folder of its programs. ``folder``: an empty one; ``lock``: its name."""
    run_python(sys.executable, "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    places: set[Path] = set()
    for found in _packages_of(ROOT / lock):
        tops = {_top(found.locate_file(""), file) for file in found.files or ()}
        places |= {top for top in tops if top is not None}
        for program in found.entry_points.select(group="console_scripts"):
            _write_program(python, program)
    for place in sorted(places):
        (folder / SITE_PACKAGES / place.name).symlink_to(place)
    run_python(sys.executable, "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    return python.parent


def run_python(python: str, module: str, *arguments: str | Path) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"] if module == "pip" else []
    ended = subprocess.run(
        [python, "-m", module, *quiet, *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _packages_of(lock: Path) -> list[Distribution]:
    """What the lock names for this machine, as it is installed here."""
    missing, found = [], []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith((" ", "#")) or not line:
            continue
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            found.append(distribution(wanted.name))
        except PackageNotFoundError:
            missing.append(wanted.name)
            continue
        version = found[-1].version
        assert wanted.specifier.contains(version), f"{wanted} is locked, {version} installed"
    assert missing == [], f"the development environment lacks what {lock.name} needs"
    return found


def _write_program(python: Path, program: EntryPoint) -> None:
    """As an installer does."""
    place = python.with_name(program.name)
    name = program.attr.partition(".")[0]
    place.write_text(
        f"#!{python}\nimport sys\nfrom {program.module} import {name}\nsys.exit({program.attr}())\n", encoding="utf-8"
    )
    place.chmod(0o755)


def _top(site_packages: object, file: PurePath) -> Path | None:
    """None for programs and the like, which lie elsewhere."""
    first = file.parts[0]
    return None if first in ("..", "__pycache__") else Path(str(site_packages)) / first
