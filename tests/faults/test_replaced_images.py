"""An image that is replaced, renumbered or moved while its page is in flight: no result says what another image said,
and what is only written otherwise is no other image."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from flows.recover import accept_folders_text
from flows.scan import scan
from flows.submit import submit
from flows.terminal.show import release_text, status_json
from tests.project import JOB_SECONDS, Project

DOCUMENT = "CA:Lincoln:1901"
WARNING = "Answered for another image than the one there now, so that the answer is not written: "


def folder(project: Project) -> Path:
    return project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))


def draw(path: Path, shade: int) -> None:
    """An image of one shade of gray, uncompressed: all have the same size in bytes."""
    Image.new("L", (60, 80), shade).save(path, "BMP")


async def sent_pages(project: Project, pages: range, **settings: object) -> list[str]:
    """Pages in flight, each image of another content."""
    project.configure(**{"context": {"mode": "none"}, **settings})
    folder(project).mkdir(parents=True, exist_ok=True)
    for page in pages:
        draw(folder(project) / f"{page}.bmp", page)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    return [f"{DOCUMENT}:{page}" for page in pages]


def kinds(project: Project) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in project.outcomes():
        found.setdefault(row["record_key"], []).append(row["kind"])
    return found


@pytest.mark.detached
async def test_an_image_replaced_in_flight_is_read_again_and_its_old_text_is_not_written(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await sent_pages(project, range(1, 4))
    draw(folder(project) / "2.bmp", 200)

    await project.run_pass()

    assert kinds(project) == {keys[0]: ["success"], keys[1]: ["image_replaced"], keys[2]: ["success"]}
    assert project.result(keys[1]) is None
    assert f"{WARNING}{keys[1]}: its image is not the one any more that was sent" in caplog.text
    assert await project.variable("record_failure_counts") == {}
    await project.run_until_idle()
    assert kinds(project)[keys[1]] == ["image_replaced", "success"]
    assert project.result(keys[1]) is not None


@pytest.mark.detached
async def test_a_bad_answer_for_an_image_that_was_replaced_counts_for_nothing(project: Project) -> None:
    project.gemini.set_rules(records=[{"key": f"{DOCUMENT}:1", "steps": ["not_json", "auto"]}])
    [key] = await sent_pages(project, range(1, 2))
    draw(folder(project) / "1.bmp", 200)

    await project.run_pass()

    assert kinds(project) == {key: ["image_replaced"]}
    assert await project.variable("record_failure_counts") == {}


@pytest.mark.detached
async def test_a_missed_page_that_is_inserted_in_flight_leaves_no_text_under_another_page(project: Project) -> None:
    keys = await sent_pages(project, range(1, 5))
    for page in (4, 3, 2):
        (folder(project) / f"{page}.bmp").rename(folder(project) / f"{page + 1}.bmp")
    draw(folder(project) / "2.bmp", 200)

    await project.run_pass()

    assert kinds(project) == {keys[0]: ["success"]} | {key: ["image_replaced"] for key in keys[1:]}
    await project.run_until_idle()
    assert all(project.result(f"{DOCUMENT}:{page}") is not None for page in range(1, 6))


@pytest.mark.parametrize("scans_first", [False, True])
@pytest.mark.light
async def test_pages_that_are_renumbered_by_new_names_leave_no_text_under_another_page(
    project: Project, scans_first: bool
) -> None:
    keys = await sent_pages(project, range(1, 4))
    for page in (3, 2, 1):
        (folder(project) / f"{page}.bmp").rename(folder(project) / f"{page + 1:04}.bmp")
    draw(folder(project) / "0001.bmp", 200)
    if scans_first:
        await scan(str(project.config))

    await project.run_pass()

    assert kinds(project) == {key: ["image_replaced"] for key in keys}


@pytest.mark.detached
async def test_another_page_pattern_in_flight_leaves_no_text_under_another_page(project: Project) -> None:
    project.configure(record={"page_pattern": "(?P<page>[0-9]+)_[0-9]+"})
    project.configure(context={"mode": "none"})
    folder(project).mkdir(parents=True)
    for first, second in ((1, 2), (2, 1), (3, 3)):
        draw(folder(project) / f"{first}_{second}.bmp", first)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    project.configure(record={"page_pattern": "[0-9]+_(?P<page>[0-9]+)"})

    await project.run_pass()

    replaced = ["image_replaced"]
    assert kinds(project) == {f"{DOCUMENT}:1": replaced, f"{DOCUMENT}:2": replaced, f"{DOCUMENT}:3": ["success"]}


@pytest.mark.light
async def test_an_image_that_is_moved_renamed_touched_or_copied_back_in_flight_is_no_other_one(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    keys = await sent_pages(project, range(1, 5))
    here = folder(project)
    (here / "1.bmp").rename(here / "0001.bmp")
    os.utime(here / "2.bmp", ns=(1, 1))
    content = (here / "3.bmp").read_bytes()
    (here / "3.bmp").unlink()
    (here / "3.bmp").write_bytes(content)
    (project.root / "dataset" / "page_images").rename(project.root / "moved")
    project.configure(paths={"page_images": "moved"})
    await accept_folders_text(str(project.config))

    await project.run_pass()

    assert kinds(project) == {key: ["success"] for key in keys}
    assert WARNING not in caplog.text


@pytest.mark.light
async def test_an_image_replaced_between_scan_and_upload_was_sent_as_it_is_and_its_answer_is_written(
    project: Project,
) -> None:
    project.configure(context={"mode": "none"})
    folder(project).mkdir(parents=True)
    draw(folder(project) / "1.bmp", 1)
    await scan(str(project.config))
    Image.new("L", (90, 80), 7).save(folder(project) / "1.bmp", "BMP")
    await submit(str(project.config))
    project.gemini.advance(JOB_SECONDS)

    await project.run_pass()

    assert kinds(project) == {f"{DOCUMENT}:1": ["success"]}
    assert json.loads(await status_json(str(project.config)))["outdated"] == 0


@pytest.mark.detached
async def test_an_answer_for_an_image_that_is_gone_is_kept(project: Project) -> None:
    keys = await sent_pages(project, range(1, 3))
    (folder(project) / "2.bmp").unlink()

    await project.run_pass()

    assert kinds(project) == {key: ["success"] for key in keys}


@pytest.mark.detached
async def test_another_page_of_the_same_file_is_another_image(project: Project) -> None:
    project.configure(context={"mode": "none"})
    folder(project).mkdir(parents=True)
    first, *others = (Image.new("L", (60, 80), shade) for shade in (1, 2, 3))
    first.save(folder(project) / "1.tif", save_all=True, append_images=others)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    (folder(project) / "1.tif").rename(folder(project) / "2.tif")

    await project.run_pass()

    assert kinds(project) == {
        f"{DOCUMENT}:1": ["success"],
        f"{DOCUMENT}:2": ["image_replaced"],
        f"{DOCUMENT}:3": ["image_replaced"],
    }


@pytest.mark.detached
async def test_the_image_of_the_page_before_counts_where_it_went_along(project: Project) -> None:
    keys = await sent_pages(project, range(1, 4), context={"mode": "previous_image"}, execution={"batch_size_limit": 2})
    draw(folder(project) / "2.bmp", 200)

    await project.run_pass()

    replaced = ["image_replaced"]
    assert kinds(project) == {keys[0]: ["success"], keys[1]: replaced, keys[2]: replaced}
    [said] = {row["message"] for row in project.outcomes() if row["record_key"] == keys[2]}
    assert said == f"the image of the page before, {keys[1]}, is not the one any more that was sent"
    await project.run_until_idle()
    assert all(project.result(key) is not None for key in keys)


@pytest.mark.light
async def test_a_late_answer_for_an_image_that_was_replaced_is_not_used(project: Project) -> None:
    [key] = await sent_pages(project, range(1, 2))
    [name] = await project.variable("active_batch_ids")
    await release_text(str(project.config), name, cancel=False)
    draw(folder(project) / "1.bmp", 200)

    await project.run_pass()

    assert sorted(kinds(project)[key]) == ["image_replaced", "released"]
    await project.run_until_idle()
    assert sorted(kinds(project)[key]) == ["image_replaced", "released", "success"]


@pytest.mark.detached
async def test_a_page_whose_image_is_another_each_time_is_held_for_a_person(project: Project) -> None:
    project.configure(execution={"max_retries": 1})
    [key] = await sent_pages(project, range(1, 2))
    for shade in range(100, 110):
        draw(folder(project) / "1.bmp", shade)
        report = await project.run_pass()
        project.gemini.advance(JOB_SECONDS)

    assert kinds(project) == {key: ["image_replaced"] * 2}
    assert report.submit.states["held"] == 1
