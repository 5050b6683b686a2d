"""The result of the page before, which goes along with ``context.mode: previous_result``, goes or is damaged: no page
goes without it unnoticed, and it keeps back its own chain and nothing else."""

import pytest

from tests.faults.test_edits import held_pass
from tests.project import JOB_SECONDS, Project

KENT, LINCOLN = ("CA:Kent:1901", "CA:Lincoln:1901")


async def second_wave(project: Project) -> tuple[list[str], list[str]]:
    """Two chains of two pages, of which the first pages are done."""
    kent, lincoln = project.add_pages(KENT, [1, 2]), project.add_pages(LINCOLN, [1, 2])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    return kent, lincoln


@pytest.mark.detached
async def test_a_page_whose_context_is_deleted_before_the_claim_is_kept_back_with_a_line(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    kent, lincoln = await second_wave(project)

    async with held_pass(project, "upload_start", display_name="*-1-1"):
        project.result_path(kent[0]).unlink()

    assert f"Kept back: {kent[1]}: the result of the page before, {kent[0]}, is not there any more" in caplog.text
    sent = [key for job in project.gemini.books()["jobs"] for key in job["keys"]]
    assert kent[1] not in sent
    assert lincoln[1] in sent
    await project.run_until_idle()
    assert project.result(kent[1]) is not None
    assert project.gemini.record(kent[1])["billed"] == 1


@pytest.mark.light
async def test_a_page_whose_context_is_damaged_before_the_claim_is_kept_back_and_nothing_else(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    kent, lincoln = await second_wave(project)

    async with held_pass(project, "upload_start", display_name="*-1-1"):
        project.result_path(kent[0]).write_text("{")

    assert f"Kept back: {kent[1]}: the result of the page before cannot go along: " in caplog.text
    assert lincoln[1] in project.gemini.books()["records"]
    assert kent[1] not in project.gemini.books()["records"]


@pytest.mark.parametrize("content", ["{", "[]", "\udcff", '{"text": 1}', '{"page_text": null}'])
async def test_a_context_that_cannot_be_used_keeps_back_its_own_chain_and_nothing_else(
    project: Project, content: str
) -> None:
    """``page_text`` is what the prompt asks the page before for."""
    (project.root / "prompts" / "own").mkdir(parents=True)
    (project.root / "prompts" / "own" / "v1.jinja").write_text(
        "Read {{ record.key }}.{% if previous %} Before: {{ previous.page_text.strip() }}{% endif %}"
    )
    project.configure(paths={"prompts": "prompts"}, prompt={"name": "own"})
    kent, lincoln = project.add_pages(KENT, [1, 2, 3]), project.add_pages(LINCOLN, [1])
    path = project.result_path(kent[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode(errors="surrogateescape"))

    reports = await project.run_until_idle()

    assert project.gemini.books()["records"].keys() == set(lincoln)
    [line] = reports[-1].needs_person
    assert line.startswith(f"page {kent[1]}: the result of the page before cannot go along: ")
