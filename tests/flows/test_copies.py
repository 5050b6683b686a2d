"""A master and an access copy of one page: one is sent, it is told once, and no scan opens the other again."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from tests.images import gradient, tiff, write
from tests.project import Project

DOCUMENT = "CA:Lincoln:1901"


def masters_and_copies(project: Project) -> Path:
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    folder.mkdir(parents=True)
    for page in (1, 2):
        (folder / f"000{page}.tif").write_bytes(tiff(gradient(600, 800)))
        write(folder / f"000{page}.jpg", gradient(300, 400))
    # Two pictures that may be of different things.
    (folder / "0003.tif").write_bytes(tiff(gradient(600, 800)))
    write(folder / "0003.jpg", np.ascontiguousarray(gradient(800, 600)))
    return folder


def sent(project: Project) -> set[str]:
    rows = [row for submission in project.submissions() for row in project.requests(submission)]
    return {Path(row["image_path"]).name for row in rows}


def listed(project: Project) -> dict[str, str]:
    rows = plain_rows(pq.read_table(project.manifests / "left_out.parquet"))
    return {Path(row["path"]).name: row["reason"] for row in rows}


@pytest.mark.detached
@pytest.mark.parametrize(("prefer", "kind"), [([], "jpg"), (["tif", "jpg"], "tif")])
async def test_one_of_them_is_sent_and_different_pictures_are_a_question(
    project: Project, prefer: list[str], kind: str
) -> None:
    folder = masters_and_copies(project)
    project.configure(context={"mode": "none"}, images={"prefer": prefer})

    reports = await project.run_until_idle()

    assert sent(project) == {f"0001.{kind}", f"0002.{kind}"}
    told = [note for note in reports[0].scan.notes if "several files" in note]
    other = "tif" if kind == "jpg" else "jpg"
    place = folder.relative_to(project.root).as_posix()
    assert len(told) == 1
    assert told[0].startswith("2 pages have several files of which one is sent (")
    assert told[0].endswith(f"such as {place}/0001.{kind} and not {place}/0001.{other}")
    reasons = listed(project)
    assert reasons["0003.tif"] == reasons["0003.jpg"] == "page 3 has 2 images; keep one"
    known = plain_rows(pq.read_table(project.manifests / "image_checks.parquet"))
    assert {(Path(row["image_path"]).name, row["kind"]) for row in known} == {
        (f"000{page}.{other}", "copy") for page in (1, 2)
    }


@pytest.mark.detached
async def test_a_copy_that_is_cut_off_gives_way_to_its_master(project: Project) -> None:
    folder = masters_and_copies(project)
    copy = folder / "0001.jpg"
    copy.write_bytes(copy.read_bytes()[:-200])
    project.configure(context={"mode": "none"})

    await project.run_until_idle()

    assert {f"{DOCUMENT}:1", f"{DOCUMENT}:2"} == {row["record_key"] for row in project.outcomes()}
    assert sent(project) == {"0001.tif", "0002.jpg"}
