"""``quire run --watch``: passes until nothing is left, over trouble that passes by itself."""

import asyncio
import contextlib
import errno
import shutil

import pytest

from assets.domain.errors import GeminiTransientError, ManifestError, QuireError
from flows.pipeline import PassReport
from flows.scan import scan
from flows.submit import submit
from flows.terminal.watch import PATIENCE, run_watch
from tests.errno_matrix.faults import Fault, faults_in
from tests.project import JOB_SECONDS, Project


async def test_a_watched_run_outlives_a_service_that_was_away(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    project.configure(retries={"attempts": 1})
    project.gemini.add_fault("list_batches", status=503, times=PATIENCE - 1)
    trouble: list[QuireError] = []

    async def job_time(_: float) -> None:
        await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)

    said = await run_watch(str(project.config), on_trouble=trouble.append, sleep=job_time)

    assert said == "1 of 1 records are done, nothing is left"
    assert [type(error) for error in trouble] == [GeminiTransientError] * (PATIENCE - 1)
    assert project.gemini.record(key)["billed"] == 1


async def test_a_service_that_stays_away_ends_the_run(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(retries={"attempts": 1})
    project.gemini.add_fault("list_batches", status=503, times=100)

    async def no_time(_: float) -> None:
        return None

    with pytest.raises(GeminiTransientError, match="503"):
        await run_watch(str(project.config), sleep=no_time)
    assert project.gemini.requests()["list_batches"] == PATIENCE


async def test_a_ctrl_c_that_is_lost_within_a_pass_ends_the_run_after_it(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    passes = 0

    async def lose_a_cancellation(_: PassReport) -> None:
        nonlocal passes
        passes += 1
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    running = asyncio.create_task(run_watch(str(project.config), after_pass=lose_a_cancellation))
    await asyncio.wait({running})

    assert running.cancelled()
    assert passes == 1


async def test_an_image_that_cannot_be_read_holds_up_nobody_and_is_named(project: Project) -> None:
    gone, other = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Lincoln:1903", [1])
    project.configure(execution={"batch_size_limit": 1})
    await scan(str(project.config))
    (project.root / "dataset/page_images/CA/Lincoln/1901/1.jpg").unlink()

    report = await submit(str(project.config))

    assert report.unreadable == (gone,)
    assert (report.submitted, report.stopped) == (1, None)
    assert project.gemini.record(other)["submitted"] == 1


async def test_pages_that_are_all_gone_stop_the_scan(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1, 2])
    await scan(str(project.config))
    before = (project.manifests / "records.parquet").read_bytes()
    shutil.rmtree(project.root / "dataset/page_images/CA")

    with pytest.raises(ManifestError, match=r"page_images: not one page is left of 2: is the folder mounted"):
        await scan(str(project.config))
    assert (project.manifests / "records.parquet").read_bytes() == before


async def test_pages_of_which_none_can_be_looked_at_stop_the_scan_with_the_folder(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1, 2])
    await scan(str(project.config))
    before = (project.manifests / "records.parquet").read_bytes()
    folder = project.root / "dataset/page_images/CA"

    with (
        faults_in(project.root, Fault("scandir", errno.EIO, "scandir /dataset/page_images/CA", lasts=True)),
        pytest.raises(ManifestError, match=rf"left out is {folder} \(unreadable folder: Input/output error\); is the"),
    ):
        await scan(str(project.config))
    assert (project.manifests / "records.parquet").read_bytes() == before


async def test_a_watched_run_ends_and_names_the_batch_that_needs_a_person(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    (name,) = await project.variable("active_batch_ids")
    project.gemini.advance(JOB_SECONDS)
    project.gemini.add_fault("download", status=404, times=None)

    said = await run_watch(str(project.config))

    assert said.splitlines() == [
        "0 of 1 records are done; the rest needs a person:",
        f"batch {name} cannot be settled: Gemini does not give us its job or its answers; if the key and the "
        f"project are right, run quire release {name}",
    ]


async def test_a_dry_run_sends_and_settles_nothing(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1, 2])
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 1, "max_concurrent_batches": 1})
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    before = await project.variables(), project.gemini.books()
    project.configure(execution={"dry_run": True, "max_concurrent_batches": 5})

    said = await run_watch(str(project.config))

    assert said.splitlines()[-1] == "0 of 2 records are done, nothing is left"
    assert (await project.variables(), project.gemini.books()) == before
