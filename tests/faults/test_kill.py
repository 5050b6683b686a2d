"""A pass whose process is killed with -9: the next one goes on, nothing is lost, and nothing is paid for twice. How it
is killed stands in tests/killing.py."""

from tests.crash_matrix.light import run_light_passes
from tests.killing import killed_at, killed_by_effect
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby


async def heal(project: Project) -> None:
    """A pass as it is, which heals what there is to heal, and light ones until another would do nothing."""
    if not (await project.run_pass()).is_idle:
        project.gemini.advance(JOB_SECONDS)
        assert await run_light_passes(project, 20), "it does not come to an end"


async def see_through(project: Project, keys: list[str]) -> None:
    """Run to the end, and see that each record was paid for once and done."""
    await heal(project)
    for key in keys:
        assert project.result(key) is not None
        assert project.gemini.record(key)["billed"] == 1
    posts = [each["displayName"] for each in project.gemini.books()["creates"]]
    assert len(posts) == len(set(posts)), "each submission id is POSTed once"
    variables = await project.variables()
    assert variables["active_batch_ids"] == []
    assert variables["inflight_record_ids"] == []


def jobs(project: Project) -> list[str]:
    return [job["name"] for job in project.gemini.books()["jobs"]]


async def test_killed_while_images_go_up_nothing_is_claimed_and_all_is_sent_by_the_next_pass(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    project.configure(context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    async with killed_at(project, prefect_server, standby, "upload_start", display_name="*-2-1"):
        assert jobs(project) == []
    assert project.submissions() == []
    assert await project.variable("active_batch_ids") == []

    await see_through(project, keys)
    assert len(jobs(project)) == 1
    assert project.gemini.existing_files() == [], "also what the dead pass had uploaded"


async def test_killed_before_the_answer_to_a_create_arrives_the_job_is_adopted(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    async with killed_at(project, prefect_server, standby, "create_batch", when="after"):
        [job] = jobs(project)
    [submission_id] = project.submissions()
    assert await project.variable("active_batch_ids") == [f"submitting/{submission_id}"]

    report = await project.run_pass()
    assert report.submit.sent == 0
    assert await project.variable("active_batch_ids") == [job]
    await see_through(project, keys)
    assert jobs(project) == [job]


async def test_killed_while_results_come_down_the_next_pass_settles_them(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    async with killed_at(project, prefect_server, standby, "download"):
        assert project.outcomes() == []
    assert project.result(keys[0]) is None

    assert (await project.run_pass()).poll.settled == 1
    await see_through(project, keys)
    assert [row["kind"] for row in project.outcomes()] == ["success"]
    assert len(jobs(project)) == 1
    assert project.gemini.existing_files() == []


async def test_killed_between_the_outcomes_and_the_end_of_a_settlement_counts_stay_as_they_were_committed(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    good, bad = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    project.gemini.set_steps(bad, "not_json", "auto")
    await project.run_pass()
    [job] = jobs(project)
    project.gemini.advance(JOB_SECONDS)
    async with killed_at(project, prefect_server, standby, "delete_file"):
        assert {row["record_key"]: row["kind"] for row in project.outcomes()} == {good: "success", bad: "not_json"}
    assert await project.variable("active_batch_ids") == [job], "it was not let go of yet"

    await heal(project)
    assert await project.variable("record_failure_counts") == {bad: 1}
    assert [project.gemini.record(key)["submitted"] for key in (good, bad)] == [1, 2]
    assert [row["kind"] for row in project.outcomes()].count("success") == 2
    assert project.gemini.requests()["download"] == 2
    assert project.gemini.existing_files() == []


async def test_failures_are_counted_though_a_person_takes_the_batch_out_after_a_pass_died_before_it_could(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    [bad] = project.add_pages("CA:Adams:1901", [1])
    project.gemini.set_steps(bad, "not_json", "auto")
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    assert await killed_by_effect(project, prefect_server, standby, "link /manifests/outcomes/", "after")
    assert [row["count_after"] for row in project.outcomes()] == [1]
    assert await project.variable("record_failure_counts") == {}
    await project.edit_variable("active_batch_ids", [])

    await project.run_pass()
    assert await project.variable("record_failure_counts") == {bad: 1}
    await project.edit_variable("record_failure_counts", {})
    await heal(project)
    assert await project.variable("record_failure_counts") == {}, "a reset holds"
