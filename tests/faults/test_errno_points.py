"""Which calls to the file system the errno matrix lets fail."""

import asyncio
from pathlib import Path
from typing import Any

from config.loading import read_dotenv
from tests.errno_matrix.faults import ERRORS, Calls, faults_in
from tests.errno_matrix.run import by_site, points_of

ROOT = Path(__file__).resolve().parents[2]


def looked_at(folder: Path, names: list[str]) -> Calls:
    """The calls of the product to such files, the first by a line of its own."""
    with faults_in(folder, None, sees_sites=True) as calls:
        read_dotenv(folder / names[0])
        for name in names:
            read_dotenv(folder / name)
    return calls


def test_of_the_calls_from_one_place_into_one_folder_the_first_and_the_last_are_points(tmp_path: Path) -> None:
    names = [f"dataset/page_images/{name}" for name in ("a", "b", "c")]
    calls = looked_at(tmp_path, names)
    opened = [(point.line, point.nth) for point in points_of(calls)]
    assert set(opened) == {("open /dataset/page_images/a", 1), ("open /dataset/page_images/c", 1)}
    assert len(opened) == len(set(opened)) * len(ERRORS["open"]) * 2
    every = {(point.line, point.nth) for point in points_of(calls, every_call=True)}
    assert every == {(f"open /{name}", nth) for name, nth in zip((names[0], *names), (1, 2, 1, 1), strict=True)}


def test_a_point_of_each_place_comes_before_the_second_of_any(tmp_path: Path) -> None:
    names = [f"manifests/{folder}/a" for folder in ("batches", "jobs", "outcomes")]
    points = points_of(looked_at(tmp_path, names))
    assert {point.line for point in points[:3]} == {f"open /{name}" for name in names}
    assert points == points_of(looked_at(tmp_path, names)), "the same each time: a point can be tried again"


async def test_a_call_in_a_thread_is_known_by_the_place_that_handed_it_over(tmp_path: Path) -> None:
    names: dict[str, Any] = {"to_thread": lambda *call: asyncio.to_thread(*call), "read_dotenv": read_dotenv}
    a_flow = "async def look(path):\n    await to_thread(read_dotenv, path)"
    exec(compile(a_flow, ROOT / "flows/a_flow.py", "exec"), names)  # noqa: S102 - stands for code of the product
    with faults_in(tmp_path, None, sees_sites=True) as calls:
        await names["look"](tmp_path / ".env")
    [(kind, folder, site)] = by_site(calls)
    assert (kind, folder, site[0]) == ("open", "/.env", "flows/a_flow.py:2")
    assert site[-1].startswith("config/loading.py:")
