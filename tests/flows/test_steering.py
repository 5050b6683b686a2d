"""The operator's deployments: each does what the command of its name does, while a pass runs, too, and leaves an
artifact of it.
"""

import asyncio

import pytest

from assets.domain.errors import QuireError
from assets.domain.outcome import OutcomeKind
from flows.runtime.passes import open_pass
from flows.runtime.runs import NEEDS_PERSON
from flows.scan import scan
from flows.steering import backup, estimate, recover, release, rerun, reset_breaker, unblock, verify
from flows.terminal.show import read_status
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project


async def test_everything_that_a_person_decides_can_be_done_from_prefect(project: Project) -> None:
    config, recorded = str(project.config), Recorded(project)
    dead, good, stuck = (
        key for book in ("1901", "1903", "1905") for key in project.add_pages(f"CA:Lincoln:{book}", [1])
    )
    project.configure(execution={"max_retries": 0, "batch_size_limit": 1})
    project.gemini.set_rules(
        records=[{"key": dead, "steps": ["blocked_prompt"]}],
        jobs=[{"contains_key": stuck, "job_seconds": [9999, 9999]}],
    )
    await project.run_pass()
    await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
    await project.run_pass()
    [batch] = await project.variable("active_batch_ids")

    async with open_pass(config):  # as a pass that goes on meanwhile
        assert "1 pages are to be sent" not in await estimate(config)
        # A form that was sent off as it is only shows; an empty one is refused.
        assert "nothing is done" in await rerun(config, pages=[good])
        assert (await read_status(config)).rerun == 0
        assert "given up for a new reading" in await rerun(config, pages=[good], dry_run=False)
        assert (await read_status(config)).rerun == 1
        assert "nothing is done" in await unblock(config, dead=True)
        assert await project.variable("record_failure_counts") == {dead: 1}
        assert await unblock(config, kind=OutcomeKind.BLOCKED, dry_run=False) == "1 counts reset"
        assert await project.variable("record_failure_counts") == {}
        for empty in (rerun(config, dry_run=False), unblock(config, dry_run=False), release("  ", config)):
            with pytest.raises(QuireError, match="nothing is done"):
                await empty
        assert f"{batch} is released, 1 records are free; its job is being cancelled" == await release(
            batch, config, cancel=True
        )
        assert "breaker was not open" in await reset_breaker(config)
        assert "1 results: all as they were written" in await verify(config)
        project.result_path(good).write_text('{"edited": ')
        assert "1 no JSON" in await verify(config, edited=True)
        for takes_the_pass_lock in (recover(config, write=True), backup(str(project.root / "kept"), config)):
            with pytest.raises(QuireError, match="another pass is running"):
                await takes_the_pass_lock
    assert "Nothing is written" in await recover(config)
    assert "a list of 1 results" in await backup(str(project.root / "kept"), config)
    assert (await scan(config, full=True)).records == 3

    runs = {
        run.name.partition(" ")[0]: run for run in await recorded.flow_runs() if run.state and run.state.is_completed()
    }
    assert runs["verify"].state is not None
    assert (runs["verify"].state.name, runs["verify"].name.rpartition(": ")[2]) == (NEEDS_PERSON, "something is wrong")
    assert project.collection in runs["rerun"].tags
    for name, words in {
        "rerun": "1 result is given up for a new reading",
        "unblock": "1 counts reset",
        "release": f"{batch} is released",
        "reset-breaker": "the breaker was not open",
        "recover": "Nothing is written.",
        "backup": "the Variables, and a list of 1 results",
        "estimate": "pages are to be sent",
        "verify": "1 no JSON",
        "full-scan": "3 pages\\, 0 new\\, 0 gone\\, 0 files left out",
    }.items():
        assert words in (await recorded.artifacts(name))[-1], name
