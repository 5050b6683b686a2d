"""``context.max_chain``: a chain of pages that wait for each other is cut after so many; the page behind a cut takes
the image of the page before in place of its result, does not wait, and is marked."""

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from flows.questions.why import why_text
from tests.flows.test_previous_image import images_of
from tests.project import JOB_SECONDS, Project

DOCUMENT = "CA:Lincoln:1901"


def cut_after_two(project: Project, pages: int = 5) -> list[str]:
    project.configure(context={"max_chain": 2})
    return project.add_pages(DOCUMENT, range(1, pages + 1))


@pytest.mark.detached
async def test_a_book_takes_as_many_waves_as_a_piece_has_pages(project: Project) -> None:
    keys = cut_after_two(project)

    first = await project.run_pass()

    assert (first.submit.sent, first.submit.waves) == (3, 2), "pages 1, 3 and 5 wait for nobody"
    project.gemini.advance(JOB_SECONDS)
    second = await project.run_pass()
    assert (second.submit.sent, second.submit.waves) == (2, 1)
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert [len(images_of(project, key)) for key in keys] == [1, 1, 2, 1, 2]
    tables = [pq.read_table(path) for path in sorted((project.manifests / "batches").glob("*.parquet"))]
    sent = [row for table in tables for row in plain_rows(table)]
    marked = {row["record_key"]: (row["context_key"], row["context_image_path"] is not None) for row in sent}
    assert marked == {
        keys[0]: (None, False),
        keys[1]: (keys[0], False),
        keys[2]: (keys[1], True),
        keys[3]: (keys[2], False),
        keys[4]: (keys[3], True),
    }
    results = plain_rows(pq.read_table(project.manifests / "results"))
    kinds = {row["record_key"]: row["context_kind"] for row in results}
    assert [kinds[key] for key in keys] == [None, "result", "image", "result", "image"]
    assert [project.gemini.record(key)["billed"] for key in keys] == [1] * 5
    assert project.gemini.existing_files() == []
    said = await why_text(str(project.config), keys[2])
    assert f"with the image of {keys[1]} as context" in said
    said = await why_text(str(project.config), keys[3])
    assert f"with the result of {keys[2]} as context" in said


@pytest.mark.detached
async def test_a_dead_letter_blocks_its_own_piece_of_the_chain_alone(project: Project) -> None:
    keys = cut_after_two(project, pages=4)
    project.configure(execution={"max_retries": 0})
    project.gemini.set_steps(keys[0], "not_json")

    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    report = await project.run_pass()

    assert report.submit.sent == 1, "page 4 goes, and only page 2 waits for page 1"
    assert report.submit.blocked == 1


@pytest.mark.detached
async def test_where_the_result_of_the_page_before_is_there_it_goes_along_as_ever(project: Project) -> None:
    keys = cut_after_two(project, pages=3)
    await project.run_until_idle()
    project.result_path(keys[2]).unlink()

    await project.run_until_idle()

    assert len(images_of(project, keys[2])) == 1, "the page behind the cut is read again with a result, not an image"
    assert project.gemini.record(keys[2])["billed"] == 2


@pytest.mark.detached
async def test_behind_a_cut_a_page_goes_without_an_image_that_is_refused(project: Project) -> None:
    keys = cut_after_two(project, pages=3)
    project.gemini.add_fault("upload_start", display_name="*-2-1", status=400, message="no picture")

    report = await project.run_pass()

    assert report.submit.sent == 2
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert len(images_of(project, keys[2])) == 1
