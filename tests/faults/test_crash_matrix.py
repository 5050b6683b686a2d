"""A sample of the crash matrix: passes killed at any of their effects, one after the other, until forty have been. All
of it is ``make crash-matrix``."""

import random

import pytest

from tests.crash_matrix.run import World, effects_of_a_run, make_world
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_server import PrefectServer
from tests.standby import Standby

KILLS_IN_A_RUN = 20


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_run_that_is_killed_again_and_again_loses_nothing_and_sends_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory,
    prefect_server: PrefectServer,
    prefect_api_url: str,
    gemini: EmulatorHandle,
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    world = make_world(tmp_path_factory.mktemp("crash") / "project", prefect_server, standby, gemini)
    killed = await _kill(world, random.Random(seed))  # noqa: S311 - repeatable by intent
    assert killed == KILLS_IN_A_RUN
    assert await world.to_the_end() == []


async def test_the_matrix_begins_with_a_run_in_which_nothing_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
    prefect_server: PrefectServer,
    prefect_api_url: str,
    gemini: EmulatorHandle,
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    world = make_world(tmp_path_factory.mktemp("crash") / "reference", prefect_server, standby, gemini)
    passes = await effects_of_a_run(world)
    assert len(passes) > 3
    assert sum(map(len, passes)) > 500


async def _kill(world: World, chance: random.Random) -> int:
    """How many passes were killed. What a pass has done before its death stays, so that the next has less to do."""
    killed = 0
    while killed < KILLS_IN_A_RUN:
        # Few effects are left in a pass that has little to do, so that high numbers are for the first ones.
        number = chance.randint(1, chance.choice((7, 40, 160)))
        if await world.killed_pass(number, chance.choice(("before", "after"))):
            killed += 1
        await world.advance()
    return killed
