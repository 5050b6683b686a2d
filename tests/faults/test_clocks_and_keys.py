"""A time of day that jumps, a machine that is started anew, and the key of another project: none of them frees what may
have a job, so that no page is paid for twice."""

import json

import pytest

from assets.domain.batch import claim_name
from flows.gateways.gemini.client import GoogleGemini
from flows.terminal.show import release_text
from tests.emulator_server import API_KEY
from tests.faults.test_submission import active, add_pages, age, finish, jobs, jobs_file, kinds
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

HOUR_SECONDS = 3600.0
OTHER_PROJECTS_KEY = "other-project-key"


def lose_create(project: Project, *, list_lag_calls: int) -> str:
    """A page whose job is made and told to nobody; lists show it after so many calls."""
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", cut="connection", when="after")
    project.gemini.set_rules(jobs=[{"list_lag_calls": list_lag_calls}])
    return key


@pytest.mark.parametrize("hours", [1, 1000, -1000])
async def test_a_time_of_day_that_jumps_releases_no_submission_whose_create_was_lost(
    project: Project, prefect_server: PrefectServer, standby: Standby, hours: int
) -> None:
    key = lose_create(project, list_lag_calls=2)
    await project.run_pass()
    [submission_id] = project.submissions()

    config = str(project.config)
    child = standby.quire("run", "--config", config, server=prefect_server, ahead_seconds=hours * HOUR_SECONDS)
    assert await child.ended() == 0

    assert f"No job bears the name {submission_id} yet" in child.printed
    assert await active(project) == [claim_name(submission_id)]
    await project.run_pass()
    assert await active(project) == [jobs(project)[0]["name"]]
    await finish(project, [key])


async def test_a_time_of_day_that_jumps_lets_go_of_no_batch_that_an_editor_took_out(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    [key] = add_pages(project, 1)
    await project.run_pass()
    before = await active(project)
    await project.edit_variable("active_batch_ids", [])

    config = str(project.config)
    child = standby.quire("run", "--config", config, server=prefect_server, ahead_seconds=2 * HOUR_SECONDS)
    assert await child.ended() == 0

    assert "put back" in child.printed
    assert await active(project) == before
    await finish(project, [key])


@pytest.mark.detached
async def test_a_jobs_file_without_a_moment_of_this_clock_is_waited_for_from_now_on(project: Project) -> None:
    """As a version of before has written it, or where clock.json is lost."""
    key = lose_create(project, list_lag_calls=2)
    await project.run_pass()
    [submission_id] = project.submissions()
    age(project, submission_id, minutes=600)
    (project.manifests / "clock.json").unlink()

    await project.run_pass()

    assert await active(project) == [claim_name(submission_id)]
    await project.run_pass()
    await finish(project, [key])


async def test_an_empty_list_of_another_project_frees_nothing_and_asks_a_person(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = lose_create(project, list_lag_calls=0)
    project.gemini.add_fault("list_batches", status=503, times=None)
    await project.run_pass()
    project.gemini.clear_faults()
    [submission_id] = project.submissions()
    project.configure(batch={"adoption_grace_seconds": 0})

    monkeypatch.setenv("GEMINI_API_KEY", OTHER_PROJECTS_KEY)
    report = await project.run_pass()

    assert list(report.poll.stuck) == [claim_name(submission_id)]
    assert await active(project) == [claim_name(submission_id)]
    [said] = [text for text in await Recorded(project).texts("ERROR") if "another one than it was posted with" in text]
    assert f"quire release {submission_id}" in said
    monkeypatch.setenv("GEMINI_API_KEY", API_KEY)
    await project.run_pass()
    await finish(project, [key])


@pytest.mark.detached
async def test_a_first_submission_that_never_became_a_job_is_released_by_the_key_that_posted_it(
    project: Project,
) -> None:
    """No job of ours is there to tell whose list it is."""
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", cut="connection", when="before")
    await project.run_pass()
    [submission_id] = project.submissions()
    assert jobs(project) == []
    age(project, submission_id, minutes=16)

    report = await project.run_pass()

    assert (kinds(project), report.submit.sent) == (["released"], 1)
    await finish(project, [key])


@pytest.mark.detached
async def test_a_new_key_of_the_same_project_is_known_by_a_job_that_the_old_one_has_posted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, posted = add_pages(project, 2)
    project.gemini.add_fault("create_batch", key=lost, cut="connection", when="before")
    await project.run_pass()
    project.configure(batch={"adoption_grace_seconds": 0})

    monkeypatch.setenv("GEMINI_API_KEY", "a-new-key")
    report = await project.run_pass()

    assert list(report.poll.stuck) == []
    assert kinds(project) == ["released"]
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert [project.gemini.record(key)["billed"] for key in (lost, posted)] == [1, 1]


@pytest.mark.light
async def test_a_person_who_knows_that_there_is_no_job_releases_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [key] = add_pages(project, 1)
    project.gemini.add_fault("create_batch", cut="connection", when="before")
    await project.run_pass()
    [submission_id] = project.submissions()
    monkeypatch.setenv("GEMINI_API_KEY", "a-new-key")
    assert list((await project.run_pass()).poll.stuck) == [claim_name(submission_id)]

    await release_text(str(project.config), submission_id, cancel=False)

    await project.run_pass()
    await finish(project, [key])


@pytest.mark.light
async def test_of_the_key_a_jobs_file_holds_a_fingerprint_and_no_more(project: Project) -> None:
    add_pages(project, 1)
    await project.run_pass()
    [submission_id] = project.submissions()

    path = project.manifests / "jobs" / f"{submission_id}.json"
    assert API_KEY not in path.read_text(encoding="utf-8")
    kept = json.loads(path.read_text(encoding="utf-8"))["key"]
    assert len(kept) == 12
    same, other_key, other_service = (
        GoogleGemini(api_key=key, base_url=address)
        for key, address in (
            (API_KEY, project.gemini.base_url),
            ("another", project.gemini.base_url),
            (API_KEY, "http://127.0.0.1:9"),
        )
    )
    assert same.key_fingerprint == kept == jobs_file(project, submission_id)["key"]
    assert kept not in (other_key.key_fingerprint, other_service.key_fingerprint)
    for gateway in (same, other_key, other_service):
        await gateway.close()
