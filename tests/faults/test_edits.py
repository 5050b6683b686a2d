"""What a person edits while a pass runs. An edit wins; what cannot be understood stops the pass before anything is
posted or settled. Each pass is held by a slow answer of Gemini while the edit is made; what is edited between two
passes stands in tests/flows/test_playbook.py, a claim that is taken out in test_submission.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from assets.domain.errors import HomeMismatchError, LedgerError
from flows.pipeline import PassReport
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

HELD_SECONDS = 1.5
VIEWS = ("batch_record_keys", "inflight_record_ids")


@asynccontextmanager
async def held_pass(project: Project, call: str, **fault: Any) -> AsyncIterator["asyncio.Task[PassReport]"]:
    """A pass that waits for the answer to ``call``."""
    fault_id = project.gemini.add_fault(call, delay_seconds=HELD_SECONDS, **fault)
    running = asyncio.create_task(project.run_pass())
    async with asyncio.timeout(60):
        while not any(row["id"] == fault_id and row["struck"] for row in project.gemini.faults()):
            assert not running.done(), "the pass ended before it came there"
            await asyncio.sleep(0.02)
    yield running
    await asyncio.wait([running])


def one_page_each(project: Project, *names: str) -> list[str]:
    return [project.add_pages(f"CA:{name}:1901", [1])[0] for name in names]


async def edit_views(project: Project) -> None:
    """Something that they may say, but that is not so."""
    await project.edit_variable("batch_record_keys", {"batches/none": ["CA:Nobody:1901:1-9"]})
    await project.edit_variable("inflight_record_ids", ["CA:Nobody:1901:1-9"])


async def test_edits_while_images_go_up_decide_what_is_claimed(project: Project) -> None:
    dead, done, sent = one_page_each(project, "Adams", "Boone", "Clark")
    async with held_pass(project, "upload_start", display_name="*-1-1") as running:
        await project.edit_variable("record_failure_counts", {dead: 99})
        project.result_path(done).parent.mkdir(parents=True)
        project.result_path(done).write_text('{"by": "hand"}')
        await edit_views(project)

    [batch] = await project.variable("active_batch_ids")
    assert (await running).submit.sent == 1
    assert list(project.gemini.books()["records"]) == [sent]
    assert [await project.variable(name) for name in VIEWS] == [{batch: [sent]}, [sent]]
    assert len(project.gemini.existing_files()) == 2, "its image and the input file; the others are deleted"
    assert await project.variable("record_failure_counts") == {dead: 99}


async def test_edits_in_a_settlement_are_counted_on_and_free_nothing_that_runs(project: Project) -> None:
    project.configure(execution={"batch_size_limit": 2, "max_retries": 1})
    good, bad, running_key = one_page_each(project, "Adams", "Boone", "Clark")
    project.gemini.set_rules(jobs=[{"contains_key": running_key, "stuck": "RUNNING"}])
    project.gemini.set_steps(bad, "not_json")
    await project.run_pass()
    settled, runs = await project.variable("active_batch_ids")
    project.gemini.advance(JOB_SECONDS)

    async with held_pass(project, "download") as running:
        await project.edit_variable("record_failure_counts", {bad: 5, good: 7})
        await project.edit_variable("active_batch_ids", [])
        await edit_views(project)

    report = await running
    assert (report.poll.settled, report.submit.sent) == (1, 0)
    assert await project.variable("record_failure_counts") == {bad: 6, good: 7}
    assert project.result(good) is not None
    [counted] = [row for row in project.outcomes() if row["record_key"] == bad]
    assert (counted["count_before"], counted["count_after"], counted["batch_id"]) == (5, 6, settled)
    assert await project.variable("active_batch_ids") == []

    await project.run_pass()

    variables = await project.variables()
    assert variables["active_batch_ids"] == [runs]
    assert [variables[name] for name in VIEWS] == [{runs: [running_key]}, [running_key]]
    warnings = await Recorded(project).texts("WARNING")
    assert any(text.startswith(f"{runs} was taken out of active_batch_ids less than 60 minutes") for text in warnings)
    assert [project.gemini.record(key)["submitted"] for key in (good, bad, running_key)] == [1, 1, 1]


@pytest.mark.detached
async def test_an_edit_between_claim_and_post_that_cannot_be_trusted_stops_the_pass_before_the_post(
    project: Project,
) -> None:
    [key] = one_page_each(project, "Adams")
    for name, value, error, said in (
        ("record_failure_counts", {key: "two"}, LedgerError, "the count 'two' is no whole number"),
        ("quire_home", "0123456789abcdef", HomeMismatchError, "changed while we ran"),
    ):
        async with held_pass(project, "upload_start", display_name="*-input-*") as running:
            [claim] = await project.variable("active_batch_ids")
            before = await project.variable(name)
            await project.edit_variable(name, value)
        with pytest.raises(error, match=said):
            await running
        assert project.gemini.books()["creates"] == []
        assert await project.variable("active_batch_ids") == [claim]
        await project.edit_variable(name, before)

    assert (await project.run_pass()).submit.sent == 1, "what was claimed is released, as nothing was posted"
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert project.gemini.record(key)["submitted"] == 1
    assert project.result(key) is not None
    assert project.gemini.existing_files() == []
