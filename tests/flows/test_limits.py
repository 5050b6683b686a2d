"""What Gemini takes from a project: batches are cut and held back by it, over all that is open."""

import pyarrow.parquet as pq
import pytest

from assets.estimates import ESTIMATE_SCHEMA
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project


def tokens_of(project: Project) -> list[int]:
    """Estimated input tokens of each batch, oldest first."""
    names = ESTIMATE_SCHEMA.names[:2]
    tables = [pq.read_table(path) for path in sorted((project.manifests / "batches").glob("*.parquet"))]
    return [sum(sum(table[name].to_pylist()) for name in names) for table in tables]


async def test_enqueued_tokens_of_all_batches_together_stay_under_the_limit_of_the_tier(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 13))
    project.configure(
        context={"mode": "none"},
        execution={"batch_size_limit": 4},
        limits={"tier": 2, "enqueued_tokens": {"flash": [1, 16_000, 2], "pro": [1, 1, 1]}},
    )

    first = await project.run_pass()

    assert sum(tokens_of(project)) <= 16_000
    assert 4 < first.submit.sent < 12
    assert (first.submit.stopped or "").startswith("limits.enqueued_tokens: 2 batches with ")
    assert not first.is_idle
    project.gemini.advance(JOB_SECONDS)
    second = await project.run_pass()
    assert second.submit.sent == 12 - first.submit.sent
    assert [run.state.name for run in await Recorded(project).flow_runs("pipeline") if run.state] == ["Completed"] * 2


@pytest.mark.detached
async def test_a_record_over_a_limit_goes_alone(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", range(1, 4))
    project.configure(context={"mode": "none"}, limits={"enqueued_tokens": {"flash": [100, 100, 100]}})

    reports = await project.run_until_idle()

    assert [report.submit.sent for report in reports] == [1, 1, 1, 0]
    assert all(project.result(key) for key in keys)


@pytest.mark.detached
async def test_the_images_of_all_batches_stay_within_the_storage(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 7))
    size = (project.root / "dataset/page_images/CA/Lincoln/1901/1.jpg").stat().st_size
    project.configure(
        context={"mode": "none"}, execution={"batch_size_limit": 2}, limits={"storage_bytes": max(1000, 5 * size)}
    )
    at_most = max(1000, 5 * size) // size

    report = await project.run_pass()

    assert report.submit.sent == min(6, at_most)
    if at_most < 6:
        assert (report.submit.stopped or "").startswith("limits.storage_bytes: the images of 3 batches hold ")


@pytest.mark.detached
async def test_no_more_jobs_than_the_project_may_have(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 7))
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 1}, limits={"concurrent_jobs": 2})
    assert (await project.run_pass()).submit.submitted == 2
    assert (await project.run_pass()).submit.submitted == 0
    project.gemini.advance(JOB_SECONDS)
    assert (await project.run_pass()).submit.submitted == 2


@pytest.mark.detached
async def test_an_input_file_is_cut_at_its_limit(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 5))
    project.configure(context={"mode": "none"}, limits={"input_file_bytes": 30_000})

    report = await project.run_pass()

    assert report.submit.sent == 4
    assert report.submit.submitted > 1
    sizes = [file["sizeBytes"] for file in project.gemini.books()["files"] if "input" in file["displayName"]]
    assert len(sizes) == report.submit.submitted
    assert max(sizes) <= 30_000


async def test_a_429_on_create_ends_the_submitting_and_is_no_error(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", range(1, 5))
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 2}, retries={"attempts": 2})
    project.gemini.add_fault("create_batch", status=429, times=2)

    report = await project.run_pass()

    assert (report.submit.submitted, report.submit.sent) == (0, 0)
    assert "429" in (report.submit.stopped or "")
    recorded = Recorded(project)
    assert await recorded.texts("ERROR") == []
    assert [text for text in await recorded.texts("WARNING") if text.startswith("Gemini takes no more batches now")]
    [run] = await recorded.flow_runs("pipeline")
    assert run.state is not None
    assert run.state.name == "Completed"
    await project.run_until_idle()
    assert [project.gemini.record(key)["billed"] for key in keys] == [1, 1, 1, 1]
    assert project.gemini.existing_files() == []
