"""``context.mode: previous_image``: the page before goes along as an image, nobody waits, and each image goes up once
in a batch."""

from collections.abc import Iterable

import pyarrow.parquet as pq
import pytest

from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project


def images_of(project: Project, key: str) -> list[str]:
    """Display names of the images that were in the last answered request of a record, in their order."""
    names = {file["name"]: file["displayName"] for file in project.gemini.books()["files"]}
    return [names[name] for name in project.gemini.record(key)["answers"][-1]["files"]]


def uploaded_images(project: Project) -> list[str]:
    return [file["displayName"] for file in project.gemini.books()["files"] if "-input-" not in file["displayName"]]


def in_one_wave(project: Project, documents: Iterable[str], pages: int) -> list[str]:
    project.configure(context={"mode": "previous_image"})
    return [key for document in documents for key in project.add_pages(document, range(1, pages + 1))]


@pytest.mark.detached
async def test_a_book_is_one_wave_and_every_page_has_the_one_before_it(project: Project) -> None:
    keys = in_one_wave(project, ["CA:Lincoln:1901", "CA:Lincoln:1902"], 4)

    report = await project.run_pass()

    assert (report.submit.submitted, report.submit.sent, report.submit.waves) == (1, 8, 1)
    assert len(uploaded_images(project)) == 8, "an image that is in the batch anyway does not go up again"
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    own = {key: images_of(project, key)[-1] for key in keys}
    for key in keys:
        document, _, page = key.rpartition(":")
        before = [own[f"{document}:{int(page) - 1}"]] if page != "1" else []
        assert images_of(project, key) == [*before, own[key]]
    [table] = [pq.read_table(path) for path in (project.manifests / "batches").glob("*.parquet")]
    assert table["context_key"].to_pylist() == [None, *keys[:3], None, *keys[4:7]]
    assert project.gemini.existing_files() == []
    assert all(project.gemini.record(key)["imageTokens"] == (1120 if key.endswith(":1") else 2240) for key in keys)


@pytest.mark.detached
async def test_the_page_before_comes_along_from_outside_the_batch(project: Project) -> None:
    keys = in_one_wave(project, ["CA:Lincoln:1901"], 4)
    project.configure(execution={"batch_size_limit": 2})

    report = await project.run_pass()

    assert report.submit.submitted == 2
    assert len(uploaded_images(project)) == 5, "page 2 once for itself and once for page 3"
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert [len(images_of(project, key)) for key in keys] == [1, 2, 2, 2]
    assert project.gemini.existing_files() == []


async def test_a_page_whose_predecessor_does_not_go_up_waits_for_the_next_pass(project: Project) -> None:
    keys = in_one_wave(project, ["CA:Lincoln:1901"], 3)
    project.gemini.add_fault("upload_start", display_name="*-0-[0-9]", status=503, times=None)

    report = await project.run_pass()

    assert report.submit.sent == 1, "page 1 did not go up, so that page 2 would go without it"
    warnings = [text for text in await Recorded(project).texts("WARNING") if "left out" in text]
    assert len(warnings) == 2
    assert f"{keys[1]}: the image of the page before, {keys[0]}, did not go up" in warnings[1]
    project.gemini.clear_faults()
    await project.run_until_idle()
    assert [len(images_of(project, key)) for key in keys] == [1, 2, 2]
    assert [project.gemini.record(key)["billed"] for key in keys] == [1, 1, 1]
    assert project.gemini.existing_files() == []


@pytest.mark.detached
async def test_a_page_whose_predecessor_is_refused_goes_without_it(project: Project) -> None:
    keys = in_one_wave(project, ["CA:Lincoln:1901"], 2)
    project.configure(execution={"max_retries": 0})
    project.gemini.add_fault("upload_start", display_name="*-0-1", status=400, message="no picture")

    report = await project.run_pass()

    assert report.submit.sent == 1
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert len(images_of(project, keys[1])) == 1
    assert project.gemini.existing_files() == []
