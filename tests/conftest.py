"""Fixtures that tests of several folders share."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from tests.command import commands
from tests.detached import DetachedProject, LightProject
from tests.emulator_server import API_KEY, EmulatorHandle, gemini, shared_emulator
from tests.prefect_server import PrefectServer, drain, new_collection, prefect_settings, running_prefect_server
from tests.project import Project, make_project
from tests.standby import Standby, standing_by

# A shell that starts the tests in its background has Ctrl-C ignored, also by what the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Prefect starts a server of its own for whoever has none, which takes ten times as long as the test that forgot to ask
# for one; with this it is an error that says so.
os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"

# No deadline: how long an example takes depends on what else the machine does. No chance: a red run can be run again.
hypothesis.settings.register_profile("quire", deadline=None, derandomize=True)
hypothesis.settings.load_profile("quire")
# For `make fuzz`: chance, and as many examples as one has the time for.
hypothesis.settings.register_profile(
    "fuzz",
    deadline=None,
    derandomize=False,
    print_blob=True,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100000")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)

LONGEST = (
    "tests/flows/test_alarms.py",
    "tests/packaging/test_wheel.py",
    "tests/flows/test_deployments.py",
    "tests/flows/demo/test_demo.py",
    "tests/flows/test_secret.py",
    "tests/faults/test_replaced_images.py",
    "tests/faults/test_crash_matrix.py",
    "tests/flows/test_cli.py",
    "tests/faults/test_repeated_failures.py",
    "tests/faults/test_failure_table.py",
    "tests/flows/test_compare.py",
    "tests/flows/test_broken_state.py",
    "tests/flows/test_budget.py",
    "tests/contracts/pdf/test_bad_pdfs.py",
    "tests/flows/questions/test_estimate.py",
    "tests/flows/terminal/test_first_hour.py",
    "tests/flows/questions/test_why.py",
    "tests/contracts/pdf/test_folders.py",
    "tests/notebooks/test_inspect_manifests.py",
)
"""The files that take longest, by the clock: they begin first, else one process would be busy with the last of them
while the others have nothing left."""

__all__ = ["gemini", "shared_emulator"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def _commands() -> Iterator[None]:
    with commands():
        yield


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """One real Prefect server for the whole session; settings point at it while a test that asks for it runs. It keeps
    no task runs and no events: a module whose tests look at these has `recording_server` for its ``prefect_server``."""
    with _drained_server(tmp_path_factory.mktemp("prefect"), keeps_events=False) as server:
        yield server


@pytest.fixture(scope="session")
def shared_recording_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with _drained_server(tmp_path_factory.mktemp("recording"), keeps_events=True) as server:
        yield server


@pytest.fixture(scope="module")
def recording_server(shared_recording_server: PrefectServer) -> Iterator[PrefectServer]:
    """A server that keeps everything, as it does for a user."""
    # Prefect's worker for events asks the server that it was made for of what is related to an event.
    with prefect_settings(shared_recording_server.api_url, shared_recording_server.home):
        drain()
        yield shared_recording_server
        drain()


@contextmanager
def _drained_server(home: Path, *, keeps_events: bool) -> Iterator[PrefectServer]:
    with running_prefect_server(home, in_memory=True, keeps_events=keeps_events) as server:
        yield server
        with prefect_settings(server.api_url, server.home):
            drain()


@pytest.fixture
def prefect_api_url(prefect_server: PrefectServer) -> Iterator[str]:
    with prefect_settings(prefect_server.api_url, prefect_server.home):
        yield prefect_server.api_url


@pytest.fixture
def collection() -> str:
    """A collection of this test's own."""
    return new_collection()


@pytest.fixture
def project(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    collection: str,
    gemini: EmulatorHandle,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """An empty project on the shared server and emulator, with an API key in the environment. Of a test that is marked
    ``detached`` the passes are light ones, without a server of Prefect's."""
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    if request.node.get_closest_marker("detached") is not None:
        return make_project(tmp_path, collection=collection, gemini=gemini, kind=DetachedProject)
    request.getfixturevalue("prefect_api_url")
    kind = LightProject if request.node.get_closest_marker("light") is not None else Project
    return make_project(tmp_path, collection=collection, gemini=gemini, kind=kind)


@pytest.fixture(scope="session")
def shared_standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    with standing_by(tmp_path_factory.mktemp("standby")) as standby:
        yield standby


@pytest.fixture
def standby(shared_standby: Standby) -> Iterator[Standby]:
    """Whatever it became is ended with the test."""
    yield shared_standby
    shared_standby.kill_all()
