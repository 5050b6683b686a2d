"""The operator's playbook: every hand edit and every command has the effect that docs/operations.md promises.

A: what is going on. B: have a page read again. C: try a dead letter again. D: let go of a stuck batch.
"""

import json
import logging

import pytest

from assets.domain.errors import QuireError
from flows.poll import poll
from flows.terminal.reruns import Words, rerun_text, unblock_text
from flows.terminal.show import release_text, status_json, status_text
from tests.project import JOB_SECONDS, Project

VIEWS = ("batch_record_keys", "inflight_record_ids")


async def test_status_says_what_is_done_in_flight_waiting_and_dead(project: Project) -> None:
    project.configure(execution={"max_retries": 0})
    done, waiting_behind, last = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    dead, blocked = project.add_pages("TX:Peñón High:1901", [1, 2])
    project.gemini.set_steps(dead, "not_json")
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()

    found = json.loads(await status_json(str(project.config)))

    assert found["collection"] == project.collection
    expected = {"records": 5, "done": 1, "runnable": 0, "inflight": 1, "waiting": 2, "held": 0, "dead": 1}
    assert {name: found[name] for name in expected} == expected
    assert found["dead_letters"] == {dead: 1}
    assert found["blocking"] == {dead: 1}
    assert found["failures"] == {"not_json": 1}
    assert [(each["state"], each["records"]) for each in found["batches"]] == [("active", 1)]
    assert found["batches"][0]["name"] in await project.variable("active_batch_ids")
    assert await project.variable("inflight_record_ids") == [waiting_behind]
    text = await status_text(str(project.config))
    assert f"dead letter {dead}: 1 failure, 1 records wait behind it" in text
    assert "quire unblock" in text
    assert project.result(done) is not None
    assert [project.result(each) for each in (last, blocked)] == [None, None]


async def test_a_deleted_output_is_read_again(project: Project) -> None:
    project.configure(context={"mode": "none"})
    by_hand, by_command, other = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    project.gemini.set_steps(by_command, "empty", "auto")
    await project.run_until_idle()
    assert await project.variable("record_failure_counts") == {by_command: 1}
    untouched = project.result_path(other).stat()

    project.result_path(by_hand).unlink()
    said = await rerun_text(str(project.config), Words([by_command]))

    assert said.splitlines()[0].startswith("1 result is given up for a new reading: $")
    assert said.splitlines()[-1] == "1 counts reset"
    assert await project.variable("record_failure_counts") == {}
    assert project.result(by_command) is not None, "it stays until the new one is written"
    await project.run_until_idle()
    assert _submitted(project, [by_hand, by_command, other]) == [2, 3, 1]
    assert project.result(by_hand) is not None
    assert project.result(by_command) is not None
    assert project.result_path(other).stat() == untouched


async def test_a_dead_letter_whose_count_is_reset_has_all_its_tries_again(project: Project) -> None:
    project.configure(execution={"max_retries": 1})
    project.configure(context={"at_gap": "break"})
    by_hand, by_command, other = keys = project.add_pages("CA:Lincoln:1901", [1, 3, 5])
    for key in (by_hand, by_command):
        project.gemini.set_steps(key, "not_json", "not_json", "not_json", "auto")
    project.gemini.set_steps(other, "not_json")
    await project.run_until_idle()
    assert await project.variable("record_failure_counts") == dict.fromkeys(keys, 2)
    assert _submitted(project, keys) == [2, 2, 2]

    await project.edit_variable("record_failure_counts", {by_command: 2, other: 2})
    assert await unblock_text(str(project.config), Words([by_command])) == "1 counts reset"

    await project.run_until_idle()
    assert _submitted(project, keys) == [4, 4, 2], "one failure more did not make it a dead letter again"
    assert [project.result(key) is not None for key in keys] == [True, True, False]
    assert await project.variable("record_failure_counts") == {by_hand: 1, by_command: 1, other: 2}


async def test_a_count_that_a_person_raises_keeps_a_page_from_being_sent(project: Project) -> None:
    await project.run_pass()
    project.configure(context={"at_gap": "break"})
    sent, stopped = project.add_pages("CA:Lincoln:1901", [1, 3])
    await project.edit_variable("record_failure_counts", {stopped: 99})

    await project.run_pass()

    assert await project.variable("inflight_record_ids") == [sent]


async def test_a_young_batch_that_vanished_from_the_list_is_put_back(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    before = await project.variables()
    await project.edit_variable("active_batch_ids", [])

    with caplog.at_level(logging.WARNING):
        report = await project.run_pass()

    assert report.submit.sent == 0
    assert await project.variables() == before
    (batch_id,) = before["active_batch_ids"]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{batch_id} was taken out of active_batch_ids less than 60 minutes after it was made: put back" in said
    assert f"quire release {batch_id}" in said
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert project.result(key) is not None
    assert project.gemini.record(key)["billed"] == 1


async def test_a_batch_that_a_person_took_out_of_the_list_is_released_and_its_records_sent_anew(
    project: Project,
) -> None:
    project.configure(safety={"put_back_minutes": 0})
    project.configure(context={"at_gap": "break"})
    keys = project.add_pages("CA:Lincoln:1901", [1, 3])
    project.gemini.set_rules(jobs=[{"ordinal": 1, "stuck": "RUNNING"}])
    await project.run_pass()
    (stuck,) = await project.variable("active_batch_ids")
    (first,) = project.submissions()
    uploaded = set(project.gemini.existing_files())
    await project.edit_variable("active_batch_ids", [])

    report = await project.run_pass()

    assert report.submit.sent == 2
    assert sorted(project.submissions())[0] == first
    (second,) = set(project.submissions()) - {first}
    assert [(row["submission_id"], row["kind"]) for row in project.outcomes()] == [(first, "released")] * 2
    assert _job_state(project, stuck) == "CANCELLED"
    (fresh,) = await project.variable("active_batch_ids")
    assert fresh != stuck
    await _views_show(project, fresh, keys)
    assert uploaded.isdisjoint(project.gemini.existing_files())
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert all(project.result(key) is not None for key in keys)
    assert {project.gemini.record(key)["billed"] for key in keys} == {1}
    assert await project.variable("record_failure_counts") == {}
    assert project.gemini.existing_files() == []
    assert {row["submission_id"] for row in project.outcomes()} == {first, second}


async def test_a_batch_taken_out_by_hand_leaves_the_views_even_when_nothing_new_is_sent(project: Project) -> None:
    project.configure(safety={"put_back_minutes": 0})
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    await project.edit_variable("active_batch_ids", [])

    await poll(str(project.config))

    assert {name: await project.variable(name) for name in VIEWS} == {VIEWS[0]: {}, VIEWS[1]: []}
    assert [row["kind"] for row in project.outcomes()] == ["released"]


async def test_a_batch_that_is_not_active_cannot_be_released(project: Project) -> None:
    await project.run_pass()

    with pytest.raises(QuireError, match=r"^batches/none: no such batch is active; quire status lists those that are$"):
        await release_text(str(project.config), "batches/none", cancel=True)


@pytest.mark.parametrize("cancel", [False, True])
async def test_a_batch_is_released_by_command_at_any_age(project: Project, cancel: bool) -> None:
    project.configure(context={"at_gap": "break"})
    keys = project.add_pages("CA:Lincoln:1901", [1, 3])
    await project.run_pass()
    (batch_id,) = await project.variable("active_batch_ids")

    said = await release_text(str(project.config), batch_id, cancel=cancel)

    assert f"{batch_id} is released, 2 records are free" in said
    assert ("is being cancelled" in said, "the next pass cancels it" in said) == (cancel, not cancel)
    assert _job_state(project, batch_id) == ("CANCELLED" if cancel else "PENDING")
    variables = await project.variables()
    assert [variables[name] for name in ("active_batch_ids", *VIEWS)] == [[], {}, []]
    assert [(row["record_key"], row["kind"], row["batch_id"]) for row in project.outcomes()] == [
        (key, "released", batch_id) for key in keys
    ]
    assert project.gemini.existing_files() == []
    report = await project.run_pass()
    assert report.submit.sent == 2
    (fresh,) = await project.variable("active_batch_ids")
    await _views_show(project, fresh, keys)


async def _views_show(project: Project, batch_id: str, keys: list[str]) -> None:
    variables = await project.variables()
    assert variables["batch_record_keys"] == {batch_id: keys}
    assert variables["inflight_record_ids"] == keys


def _submitted(project: Project, keys: list[str]) -> list[int]:
    """How often each record was sent."""
    return [project.gemini.record(key)["submitted"] for key in keys]


def _job_state(project: Project, batch_id: str) -> str:
    (job,) = [job for job in project.gemini.books()["jobs"] if job["name"] == batch_id]
    return str(job["state"]).removeprefix("BATCH_STATE_")
