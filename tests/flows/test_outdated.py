"""``outdated``: a state, told in the log when it grew, a number and a list in `quire status`, and `quire rerun`."""

import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.domain.errors import QuireError
from flows.scan import scan
from flows.terminal.reruns import Words, rerun_text
from flows.terminal.show import outdated_text, status_json, status_text
from tests.flows.recorded import Recorded
from tests.project import Project

DOCUMENT = "CA:Lincoln:1901"
TELLS = " made from another image than the one there now: "


def draw(path: Path, shade: int) -> None:
    """All have the same size in bytes."""
    Image.new("L", (60, 80), shade).save(path, "BMP")


async def read_shelf(project: Project, pages: int) -> Path:
    """Pages that are done, each of another image. Returns their folder."""
    project.configure(context={"mode": "none"})
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    folder.mkdir(parents=True)
    for page in range(1, pages + 1):
        draw(folder / f"{page}.bmp", page)
    await project.run_until_idle()
    return folder


async def told(project: Project) -> list[str]:
    return [text.partition(" (quire status")[0] for text in await Recorded(project).texts("WARNING") if TELLS in text]


async def status(project: Project) -> dict[str, object]:
    found = json.loads(await status_json(str(project.config)))
    return {name: found[name] for name in ("outdated", "outdated_by", "not_compared")}


async def rerun(project: Project, *reasons: str, yes: bool = False) -> str:
    return await rerun_text(str(project.config), Words(reasons, outdated=True), yes=yes)


@pytest.mark.light
async def test_a_replaced_image_outdates_its_result_until_it_is_read_again_and_is_told_once(project: Project) -> None:
    folder = await read_shelf(project, 4)
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 0}
    draw(folder / "2.bmp", 200)
    (folder / "3.bmp").write_bytes((folder / "3.bmp").read_bytes() + b"x")

    await scan(str(project.config))
    await scan(str(project.config))

    # Another file has changed, so that all is compared again; what was told is not told again.
    os.utime(folder / "1.bmp", ns=(1, 1))
    await scan(str(project.config))
    assert await told(project) == [f"2 results were{TELLS}{DOCUMENT}:2-3"]
    assert await status(project) == {"outdated": 2, "outdated_by": {"image": 2}, "not_compared": 0}
    assert "outdated 2 (image 2): quire status --outdated lists them" in await status_text(str(project.config))
    assert await outdated_text(str(project.config), []) == f"{DOCUMENT}:2-3  image"
    assert all(project.result(f"{DOCUMENT}:{page}") is not None for page in (2, 3)), "told, never thrown away"

    assert (await rerun(project)).endswith("nothing is done; --yes does it")
    assert await status(project) == {"outdated": 2, "outdated_by": {"image": 2}, "not_compared": 0}
    assert (await rerun(project, yes=True)).startswith("2 results are given up for a new reading: ")
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 0}
    await project.run_until_idle()
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 0}
    assert [project.gemini.record(f"{DOCUMENT}:{page}")["billed"] for page in range(1, 5)] == [1, 2, 2, 1]


@pytest.mark.light
async def test_a_move_a_rename_and_a_touch_outdate_nothing_and_their_images_are_read_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await read_shelf(project, 4)
    (folder / "1.bmp").rename(folder / "0001.bmp")
    os.utime(folder / "2.bmp", ns=(1, 1))
    content = (folder / "3.bmp").read_bytes()
    (folder / "3.bmp").unlink()
    (folder / "3.bmp").write_bytes(content)

    monkeypatch.setattr("flows.tables.outdated.BYTES_A_SCAN", 1)
    await scan(str(project.config))
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 1}, "one image a scan, at least"
    await scan(str(project.config))

    assert await told(project) == []
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 0}
    path = project.manifests / "image_hashes.parquet"
    assert [name.rpartition("/")[2] for name in pq.read_table(path)["image_path"].to_pylist()] == ["2.bmp", "3.bmp"]
    before = path.stat()
    await scan(str(project.config))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.light
async def test_whoever_looks_later_sees_the_same_whatever_was_lost_on_the_way(project: Project) -> None:
    folder = await read_shelf(project, 2)
    draw(folder / "2.bmp", 200)
    await scan(str(project.config))
    (project.manifests / "image_hashes.parquet").unlink()
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 1}
    assert "outdated 0; 1 images are not compared yet" in await status_text(str(project.config))

    shutil.rmtree(project.manifests / "results")
    await scan(str(project.config))

    assert await status(project) == {"outdated": 1, "outdated_by": {"image": 1}, "not_compared": 0}


@pytest.mark.light
async def test_another_prompt_or_model_is_a_number_and_no_warning_and_is_rerun_by_its_name(project: Project) -> None:
    folder = await read_shelf(project, 2)
    project.configure(model={"name": "gemini-3.1-flash-lite"})
    draw(folder / "2.bmp", 200)
    await scan(str(project.config))

    assert await told(project) == [f"1 result was{TELLS}{DOCUMENT}:2"]
    assert await status(project) == {"outdated": 2, "outdated_by": {"image": 1, "model": 2}, "not_compared": 0}
    assert (await outdated_text(str(project.config), ["model"])).splitlines() == [
        f"{DOCUMENT}:1  model",
        f"{DOCUMENT}:2  image, model",
    ]
    assert await outdated_text(str(project.config), ["prompt"]) == "no result is outdated"
    with pytest.raises(QuireError, match="image, prompt, schema, model, context; ink is none"):
        await outdated_text(str(project.config), ["ink"])

    assert (await rerun(project, yes=True)).startswith("1 result is given up")
    assert await status(project) == {"outdated": 1, "outdated_by": {"model": 1}, "not_compared": 0}
    assert (await rerun(project, "model", yes=True)).startswith("1 result is given up")
    assert await status(project) == {"outdated": 0, "outdated_by": {}, "not_compared": 0}
