"""Prefect that answers 500 now and then, or for good in one place: what is only told is let go of, all else is tried
again, and a watched run survives what a scheduled pass would."""

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from assets.domain.errors import PrefectUnavailableError, QuireError
from flows.terminal.watch import PATIENCE, run_watch
from tests.flows.recorded import Recorded
from tests.prefect_proxy import ALWAYS, Fault, PrefectProxy
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

ENGINE_CALLS = ("POST /flows/", "POST /flow_runs/", "/set_state", "POST /task_runs/")
"""What Prefect's engine asks for each run of a flow or a task."""


async def test_one_500_to_each_call_of_prefects_engine_and_to_a_report_holds_up_nothing(
    project: Project, prefect_server: PrefectServer, proxy: PrefectProxy, standby: Standby
) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    proxy.faults = [Fault("status", call, status=500) for call in (*ENGINE_CALLS, "POST /artifacts/")]

    child = standby.quire("run", "--config", str(project.config), server=prefect_server, api_url=proxy.api_url)

    assert await child.ended() == 0, child.printed
    assert [fault.match for fault in proxy.faults if fault.times] == [], "each of them was met"
    assert child.said[-2].startswith("1 batches settled (1 success), 0 running")
    assert "Traceback" not in child.printed
    assert project.result(key) is not None
    [report] = await Recorded(project).artifacts("batch-report")
    assert report.startswith("Processed 1 record"), "it came with its second try, as people shall read it"
    assert "\n\nCost $" in report


async def test_a_report_that_can_never_be_made_keeps_no_settled_batch(
    project: Project, prefect_server: PrefectServer, proxy: PrefectProxy, standby: Standby
) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    proxy.faults = [Fault("status", "/artifacts", times=ALWAYS, status=500)]

    child = standby.quire("run", "--config", str(project.config), server=prefect_server, api_url=proxy.api_url)

    assert await child.ended() == 0, child.printed
    assert project.result(key) is not None
    assert await project.variable("active_batch_ids") == []
    warnings = [line for line in child.printed.splitlines() if "is not in Prefect" in line]
    told = ("the report batch-report", "the report status", "the table documents")
    assert [sum(each in line for line in warnings) for each in told] == [1, 1, 1]
    assert all("WARNING" in line and "(status 500)" in line for line in warnings)


async def test_a_watched_run_outlives_a_prefect_that_refuses_its_runs_for_a_while(
    project: Project, proxy: PrefectProxy
) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    trouble: list[QuireError] = []

    async def job_time(_: float) -> None:
        project.gemini.advance(JOB_SECONDS)

    # Without repeats of the engine's own each 500 ends a pass.
    with temporary_settings({PREFECT_API_URL: proxy.api_url, PREFECT_CLIENT_MAX_RETRIES: 0}):
        proxy.faults = [Fault("status", call, status=500) for call in ENGINE_CALLS]
        said = await run_watch(str(project.config), on_trouble=trouble.append, sleep=job_time)

    assert said == "1 of 1 records are done, nothing is left"
    assert [type(error) for error in trouble] == [PrefectUnavailableError] * len(ENGINE_CALLS)
    assert project.gemini.record(key)["billed"] == 1


async def test_a_prefect_that_goes_on_refusing_ends_the_run_with_one_line(
    project: Project, proxy: PrefectProxy
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    asked = 0

    async def no_time(_: float) -> None:
        nonlocal asked
        asked += 1

    with temporary_settings({PREFECT_API_URL: proxy.api_url, PREFECT_CLIENT_MAX_RETRIES: 0}):
        proxy.faults = [Fault("status", "POST /flow_runs/", times=ALWAYS, status=500)]
        with pytest.raises(PrefectUnavailableError, match=r"^Prefect does not answer at .* \(status 500\)"):
            await run_watch(str(project.config), sleep=no_time)

    assert asked == PATIENCE - 1
