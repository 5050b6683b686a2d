"""A process on standby, for tests that stop a pass or end it."""

from collections.abc import Iterator

import pytest

from tests.standby import Standby, standing_by


@pytest.fixture(scope="session")
def shared_standby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    with standing_by(tmp_path_factory.mktemp("standby")) as standby:
        yield standby


@pytest.fixture
def standby(shared_standby: Standby) -> Iterator[Standby]:
    """Whatever it became is ended with the test."""
    yield shared_standby
    shared_standby.kill_all()
