"""A file system that fails, and file systems that do not know all that ours does. A sample of the errno matrix; all of
it is ``make errno-matrix``."""

from pathlib import Path

import pytest

from tests.emulator_server import API_KEY, EmulatorHandle
from tests.errno_matrix.run import points_of, reference_run, run_with

SAMPLE = 40


async def test_each_call_to_the_file_system_may_fail_and_the_run_ends_as_if_it_had_not(
    tmp_path: Path, prefect_api_url: str, gemini: EmulatorHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    points = points_of(await reference_run(tmp_path / "reference", gemini))
    problems = {}
    for number, fault in enumerate(points[:SAMPLE]):
        ended = await run_with(tmp_path / str(number), gemini, fault)
        if ended.problems:
            problems[fault.name] = ended.problems
    assert problems == {}
