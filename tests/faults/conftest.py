"""What tests of faults share: a project for a whole module, where many tests look at one scenario, and a Prefect that
makes trouble."""

from collections.abc import Iterator

import pytest

from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_proxy import PrefectProxy, running_proxy
from tests.prefect_server import PrefectServer, new_collection, prefect_settings
from tests.project import Project, make_project


@pytest.fixture(scope="module")
def shared_project(
    prefect_server: PrefectServer, shared_emulator: EmulatorHandle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """An empty project. The emulator is the one of all tests: what is to be seen of it, a scenario has to take down
    before the first of them that has one of its own."""
    shared_emulator.reset()
    with pytest.MonkeyPatch.context() as patch, prefect_settings(prefect_server.api_url, prefect_server.home):
        patch.setenv("GEMINI_API_KEY", API_KEY)
        yield make_project(tmp_path_factory.mktemp("shared"), collection=new_collection(), gemini=shared_emulator)


@pytest.fixture
def without_context(project: Project) -> None:
    """No page waits for the one before."""
    project.configure(context={"mode": "none"})


@pytest.fixture
def proxy(prefect_server: PrefectServer) -> Iterator[PrefectProxy]:
    """In front of the server of all tests."""
    with running_proxy(prefect_server.api_url) as running:
        yield running
