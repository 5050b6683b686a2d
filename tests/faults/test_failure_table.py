"""The table "What each failure does" of the design, row by row. What goes wrong around the creation of a job stands in
test_submission.py, what a killed process leaves in test_kill.py, what broken state does in tests/flows.
"""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client

from assets.domain.errors import GeminiTransientError
from flows.poll import poll
from flows.scan import scan
from flows.show import release_text
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

DOCUMENTS = [f"CA:{name}:1901" for name in ("Adams", "Boone", "Clark", "Drake", "Ellis", "Flint", "Grant", "Hayes")]


def add_single_pages(project: Project, count: int) -> list[str]:
    """A page in each of so many documents: each of them can be sent at once."""
    return [project.add_pages(document, [1])[0] for document in DOCUMENTS[:count]]


def one_batch_a_record(project: Project, **sections: Any) -> None:
    project.configure(execution={"batch_size_limit": 1}, **sections)


def job_of(project: Project, key: str) -> str:
    """The newest batch id with that record."""
    names: list[str] = project.gemini.record(key)["batches"]
    return names[-1]


def kinds(project: Project) -> dict[str, list[str]]:
    """Record key -> the kinds of its outcomes, oldest first."""
    found: dict[str, list[str]] = {}
    for row in project.outcomes():
        found.setdefault(row["record_key"], []).append(row["kind"])
    return found


def done(project: Project, keys: Sequence[str]) -> list[bool]:
    return [project.result(key) is not None for key in keys]


async def test_trouble_that_passes_on_poll_list_and_download_is_retried_by_prefects_tasks(project: Project) -> None:
    one_batch_a_record(project)
    cut, unlisted, third = add_single_pages(project, 3)
    project.gemini.set_rules(jobs=[{"contains_key": unlisted, "list_lag_calls": 99}])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    project.gemini.add_fault("list_batches", status=503)
    project.gemini.add_fault("list_batches", status=429)
    project.gemini.add_fault("list_batches", cut="connection")
    project.gemini.add_fault("get_batch", status=500, times=2)
    project.gemini.add_fault("download", key=cut, cut="body", after_bytes=20)
    project.gemini.add_fault("download", key=cut, status=503)

    report = await project.run_pass()

    assert report.poll.settled == 3
    assert done(project, [cut, unlisted, third]) == [True, True, True]
    recorded = Recorded(project)
    tries = {name: [run.run_count for run in await recorded.task_runs(name)] for name in ("list_batches", "get_batch")}
    assert tries == {"list_batches": [4], "get_batch": [3]}
    assert sorted(run.run_count for run in await recorded.task_runs("download_results")) == [1, 1, 3]
    assert await project.variable("record_failure_counts") == {}
    assert [project.gemini.record(key)["billed"] for key in (cut, unlisted, third)] == [1, 1, 1]


async def test_a_download_that_fails_for_good_holds_up_nobody_and_the_next_pass_settles_it(project: Project) -> None:
    one_batch_a_record(project)
    stuck, other = add_single_pages(project, 2)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    project.gemini.add_fault("download", key=stuck, status=503, times=None)

    report = await project.run_pass()

    assert (report.poll.settled, done(project, [stuck, other])) == (1, [False, True])
    assert not report.is_idle, "there is something to do for the next pass"
    assert await project.variable("active_batch_ids") == [job_of(project, stuck)]
    assert kinds(project) == {other: ["success"]}
    recorded = Recorded(project)
    assert sorted(run.run_count for run in await recorded.task_runs("download_results")) == [1, 4]
    [error] = [text for text in await recorded.texts("ERROR") if text.startswith("Cannot settle")]
    assert error.startswith(f"Cannot settle {job_of(project, stuck)} now; it stays as it is for the next pass")
    assert "Traceback" in error, "errors of the API come with their stack trace"

    project.gemini.clear_faults()
    assert (await project.run_pass()).poll.settled == 1
    assert done(project, [stuck]) == [True]
    assert project.gemini.record(stuck)["submitted"] == 1
    assert await project.variable("active_batch_ids") == []
    assert project.gemini.existing_files() == []


async def test_a_list_that_cannot_be_had_at_all_ends_the_pass_and_loses_nothing(project: Project) -> None:
    [key] = add_single_pages(project, 1)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    project.gemini.add_fault("list_batches", status=503, times=4)

    with pytest.raises(GeminiTransientError, match="list of batches"):
        await project.run_pass()
    assert await project.variable("active_batch_ids") == [job_of(project, key)]

    assert (await project.run_pass()).poll.settled == 1
    assert done(project, [key]) == [True]


async def test_an_image_that_cannot_be_uploaded_is_left_out_and_one_that_is_refused_is_a_failure(
    project: Project,
) -> None:
    project.configure(execution={"max_retries": 0})
    late, refused, good = add_single_pages(project, 3)
    project.gemini.add_fault("upload_start", display_name="*-0-[0-9]", status=503, times=None)
    project.gemini.add_fault("upload_start", display_name="*-1-1", status=400, message="no picture")

    report = await project.run_pass()

    assert report.submit.sent == 1
    assert project.gemini.record(good)["submitted"] == 1
    assert kinds(project) == {refused: ["upload_refused"]}
    assert await project.variable("record_failure_counts") == {refused: 1}
    recorded = Recorded(project)
    [warning] = [text for text in await recorded.texts("WARNING") if "Upload" in text]
    assert warning.startswith(f"Upload failed for good, page left out of this cycle: {late}: ")
    [error] = await recorded.texts("ERROR")
    assert error.startswith(f"Gemini refused the image: {refused}: ")
    assert "no picture" in error
    [message] = [row["message"] for row in project.outcomes()]
    assert "no picture" in message

    project.gemini.clear_faults()
    project.gemini.advance(JOB_SECONDS)
    report = await project.run_pass()
    assert (report.submit.sent, report.submit.states["dead"]) == (1, 1)
    assert project.gemini.record(late)["submitted"] == 1
    names = [file["displayName"] for file in project.gemini.books()["files"]]
    assert len(names) == len(set(names)), "every upload has a name of its own"


async def test_a_job_that_fails_is_cancelled_or_expires_frees_its_records_without_counting(project: Project) -> None:
    project.configure(execution={"batch_size_limit": 2})
    keys = add_single_pages(project, 8)
    ends = ("FAILED", "CANCELLED", "EXPIRED")
    project.gemini.set_rules(
        jobs=[
            *({"contains_key": key, "end": end} for key, end in zip(keys[::2], ends, strict=False)),
            {"contains_key": keys[6], "end": "FAILED", "result_file": True, "result_lines": 1},
        ]
    )
    await project.run_pass()
    jobs = [job_of(project, key) for key in keys[::2]]
    project.gemini.set_rules()
    project.gemini.advance(JOB_SECONDS)

    report = await project.run_pass()

    expected = (
        [["batch_failed"]] * 2 + [["batch_cancelled"]] * 2 + [["batch_expired"]] * 2 + [["success"], ["batch_failed"]]
    )
    assert kinds(project) == dict(zip(keys, expected, strict=True)), "a result file counts, whatever the end"
    assert {(row["count_before"], row["count_after"]) for row in project.outcomes()} == {(None, None)}
    assert await project.variable("record_failure_counts") == {}
    assert report.submit.sent == 7, "what was freed is sent again"
    recorded = Recorded(project)
    errors, warnings = await recorded.texts("ERROR"), await recorded.texts("WARNING")
    assert sorted(errors) == sorted(
        [
            f"Batch Failed: {jobs[0]}: 2 batch_failed",
            f"Batch Failed: {jobs[3]}: 1 batch_failed, 1 success",
        ]
    )
    assert f"Batch Cancelled: {jobs[1]}: 2 batch_cancelled" in warnings
    assert f"Batch Expired: {jobs[2]}: 2 batch_expired" in warnings

    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    assert all(done(project, keys))
    assert [project.gemini.record(key)["billed"] for key in keys] == [1] * 8
    assert project.gemini.existing_files() == []


BAD_LINES: list[tuple[str, str | dict[str, Any], str]] = [
    ("api_error", {"kind": "error", "code": 503, "message": "overloaded"}, "503: overloaded"),
    ("blocked", {"kind": "blocked_prompt", "reason": "PROHIBITED_CONTENT"}, "PROHIBITED_CONTENT"),
    ("blocked", {"kind": "blocked_answer", "reason": "RECITATION"}, "RECITATION"),
    ("cut_short", "cut_short", "MAX_TOKENS"),
    ("empty", {"kind": "empty", "shape": "null_candidate"}, "no candidate"),
    ("empty", {"kind": "empty", "shape": "no_parts"}, "no text"),
    ("not_json", "not_json", "not JSON"),
    ("schema_mismatch", "wrong_shape", ""),
    ("missing", "missing", "no line in the result"),
    ("missing", {"kind": "raw", "text": '["no object"]'}, "no line in the result"),
]
GOOD_LINES: list[str | dict[str, Any]] = [
    {"kind": "repeated", "times": 3},
    {"kind": "unknown_key", "unknown": "ZZ:nobody:1:1"},
    {"kind": "auto", "thoughts": ["hm"], "split": 3, "null_error": True},
]


async def test_every_bad_line_counts_and_writes_nothing_and_odd_lines_never_stop_the_batch(project: Project) -> None:
    project.configure(execution={"max_retries": 1}, context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", range(1, len(BAD_LINES) + len(GOOD_LINES) + 1))
    bad, good = keys[: len(BAD_LINES)], keys[len(BAD_LINES) :]
    for key, (_, step, _) in zip(bad, BAD_LINES, strict=True):
        project.gemini.set_steps(key, step)
    for key, step in zip(good, GOOD_LINES, strict=True):
        project.gemini.set_steps(key, step)
    await scan(str(project.config))
    await project.edit_variable("record_failure_counts", {bad[0]: 1})
    await project.run_pass()
    batch_id = job_of(project, keys[0])
    project.gemini.advance(JOB_SECONDS)

    await poll(str(project.config))

    assert done(project, keys) == [False] * len(bad) + [True] * len(good)
    rows = {row["record_key"]: row for row in project.outcomes()}
    for key, (kind, _, said) in zip(bad, BAD_LINES, strict=True):
        assert rows[key]["kind"] == kind
        assert said in rows[key]["message"]
    assert await project.variable("record_failure_counts") == dict.fromkeys(bad, 1) | {bad[0]: 2}
    assert rows[good[2]]["thoughts_tokens"] > 0
    assert all(rows[key]["batch_id"] == batch_id for key in keys)

    recorded = Recorded(project)
    warnings = [text.partition(": result line at byte ") for text in await recorded.texts("WARNING")]
    told = [rest.partition(": ")[2] for name, _, rest in warnings if name == batch_id]
    assert sorted(told) == [
        "a line is no JSON object",
        f"the key '{good[0]}' came before",
        f"the key '{good[0]}' came before",
        "the key 'ZZ:nobody:1:1' is not in this batch",
    ]
    assert f"Batch Complete: {batch_id}: 3 success, 2 blocked, 2 empty" in "\n".join(await recorded.texts("INFO"))

    report = await _batch_report(project)
    assert report.startswith("Processed 13 records. 3 Success, 10 Failed.\n")
    assert report.count("retry 1/1") == 9
    assert "### Dead letters: 1" in report


async def test_a_dead_letter_makes_its_successors_wait_or_proceed(project: Project) -> None:
    project.configure(execution={"max_retries": 0})
    dead, second, third = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    project.gemini.set_steps(dead, "not_json")

    waiting = (await project.run_until_idle())[-1]
    assert {name: count for name, count in waiting.submit.states.items() if count} == {"dead": 1, "waiting": 2}

    project.configure(context={"on_dead_dependency": "proceed"})
    await project.run_until_idle()
    assert done(project, [dead, second, third]) == [False, True, True]
    assert project.gemini.record(dead)["submitted"] == 1
    contexts: dict[str, str | None] = {}
    for submission_id in project.submissions():
        rows = pq.read_table(project.manifests / "batches" / f"{submission_id}.parquet").to_pylist()
        contexts |= {row["record_key"]: row["context_key"] for row in rows}
    assert contexts == {dead: None, second: None, third: second}


async def test_a_job_that_gemini_does_not_know_is_an_error_for_a_person_and_never_freed_by_itself(
    project: Project,
) -> None:
    [key] = add_single_pages(project, 1)
    project.gemini.set_rules(jobs=[{"list_lag_calls": 99}])
    await project.run_pass()
    name = job_of(project, key)
    project.gemini.add_fault("get_batch", status=404, times=None)

    report = await project.run_pass()

    assert (report.poll.troubled, report.submit.sent) == ([name], 0)
    assert await project.variable("active_batch_ids") == [name]
    assert await project.variable("inflight_record_ids") == [key]
    assert project.outcomes() == []
    [error] = [text for text in await Recorded(project).texts("ERROR") if "quire release" in text]
    assert f"run quire release {name}" in error

    assert "1 records are free" in await release_text(str(project.config), name, cancel=False)
    assert kinds(project) == {key: ["released"]}
    assert await project.variable("active_batch_ids") == []


async def test_an_answer_for_a_record_that_was_done_meanwhile_is_superseded(project: Project) -> None:
    one, other = project.add_pages("CA:Lincoln:1901", [1]) + project.add_pages("CA:Adams:1901", [1])
    await project.run_pass()
    path = project.result_path(one)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"by": "hand"}))
    project.gemini.advance(JOB_SECONDS)

    await project.run_pass()

    assert project.result(one) == {"by": "hand"}
    assert done(project, [other]) == [True]
    assert kinds(project) == {one: ["superseded"], other: ["success"]}
    assert await project.variable("record_failure_counts") == {}
    assert any(
        text.startswith(f"Done before, so that this answer is not written: {one}: ")
        for text in await Recorded(project).texts("WARNING")
    )


async def test_trouble_with_the_disk_ends_a_settlement_and_is_never_an_outcome(project: Project) -> None:
    one_batch_a_record(project)
    blocked, other = add_single_pages(project, 2)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    in_the_way = project.result_path(blocked).parent
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder should be")

    report = await project.run_pass()

    assert report.poll.settled == 1
    assert kinds(project) == {other: ["success"]}
    assert await project.variable("active_batch_ids") == [job_of(project, blocked)]

    in_the_way.unlink()
    await project.run_pass()
    assert done(project, [blocked, other]) == [True, True]
    assert project.gemini.record(blocked)["submitted"] == 1


async def _batch_report(project: Project) -> str:
    """The newest Markdown artifact of the project, as Prefect's UI shows it."""
    async with get_client() as client:
        response = await client.request(
            "GET",
            f"/artifacts/{project.collection}-batch-report/latest",  # type: ignore[arg-type]  # a literal elsewhere
        )
    markdown: str = response.raise_for_status().json()["data"]
    return markdown
