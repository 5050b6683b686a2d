"""The table of docs/failures.md, as far as single answers go: what becomes of a line of a result file, and of a record
that failed too often. Calls and whole batches stand in test_failure_table.py.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from flows.poll import poll
from flows.scan import scan
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

BAD_LINES: list[tuple[str, str | dict[str, Any], str]] = [
    ("api_error", {"kind": "error", "code": 499, "message": "cancelled"}, "499: cancelled"),
    ("blocked", {"kind": "blocked_prompt", "reason": "PROHIBITED_CONTENT"}, "PROHIBITED_CONTENT"),
    ("recitation", {"kind": "blocked_answer", "reason": "RECITATION"}, "RECITATION"),
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


@dataclass(frozen=True)
class Answered:
    """What was to be seen after the batch was settled. ``rows``: record key -> its outcome; ``warnings``: what was told
    of single lines; ``report``: the newest Markdown artifact, as Prefect's UI shows it."""

    bad: list[str]
    good: list[str]
    batch_id: str
    rows: dict[str, dict[str, Any]]
    results: set[str]
    counts: dict[str, int]
    active: list[str]
    warnings: list[str]
    infos: str
    report: str


@pytest.fixture(scope="module")
async def answered(shared_project: Project) -> Answered:
    """One batch whose lines are all of these at once."""
    project = shared_project
    project.configure(execution={"max_retries": 1}, context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", range(1, len(BAD_LINES) + len(GOOD_LINES) + 1))
    for key, step in zip(keys, [*(step for _, step, _ in BAD_LINES), *GOOD_LINES], strict=True):
        project.gemini.set_steps(key, step)
    await scan(str(project.config))
    await project.edit_variable("record_failure_counts", {keys[0]: 1})
    await project.run_pass()
    [batch_id] = await project.variable("active_batch_ids")
    project.gemini.advance(JOB_SECONDS)
    await poll(str(project.config))
    recorded = Recorded(project)
    warnings = [text.partition(": result line at byte ") for text in await recorded.texts("WARNING")]
    return Answered(
        keys[: len(BAD_LINES)],
        keys[len(BAD_LINES) :],
        batch_id,
        {row["record_key"]: row for row in project.outcomes()},
        {key for key in keys if project.result(key) is not None},
        await project.variable("record_failure_counts"),
        await project.variable("active_batch_ids"),
        [rest.partition(": ")[2] for name, _, rest in warnings if name == batch_id],
        "\n".join(await recorded.texts("INFO")),
        (await recorded.artifacts("batch-report"))[-1],
    )


async def test_result_line_api_error_blocked_cut_short_empty_not_json_fails_the_schema_or_no_line_at_all_is_counted(
    answered: Answered,
) -> None:
    for key, (kind, _, said) in zip(answered.bad, BAD_LINES, strict=True):
        row = answered.rows[key]
        assert (row["kind"], row["batch_id"]) == (kind, answered.batch_id)
        assert said in row["message"]
    assert answered.results.isdisjoint(answered.bad), "no output is written"
    assert answered.counts == dict.fromkeys(answered.bad, 1) | {answered.bad[0]: 2}
    assert answered.report.startswith("Processed 13 records. 3 Success, 10 Failed.\n")
    assert answered.report.count("retry 1/1") == 9
    assert "### Dead letters: 1" in answered.report


async def test_line_with_unknown_or_repeated_key_or_that_is_not_an_object_is_reported_and_never_stops_the_batch(
    answered: Answered,
) -> None:
    assert answered.results == set(answered.good)
    assert sorted(answered.warnings) == [
        "a line is no JSON object",
        f"the key '{answered.good[0]}' came before",
        f"the key '{answered.good[0]}' came before",
        "the key 'ZZ:nobody:1:1' is not in this batch",
    ]
    assert answered.rows.keys() == {*answered.bad, *answered.good}
    assert answered.rows[answered.good[2]]["thoughts_tokens"] > 0
    assert f"Batch Complete: {answered.batch_id}: 3 success, 2 empty, 2 missing" in answered.infos
    assert answered.active == []


@pytest.mark.detached
async def test_failure_count_over_max_retries_is_a_dead_letter_skipped_and_its_successors_wait_or_proceed(
    project: Project,
) -> None:
    project.configure(execution={"max_retries": 0})
    dead, second, third = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    project.gemini.set_steps(dead, "not_json")

    waiting = (await project.run_until_idle())[-1]
    assert {name: count for name, count in waiting.submit.states.items() if count} == {"dead": 1, "waiting": 2}

    project.configure(context={"on_dead_dependency": "proceed"})
    await project.run_until_idle()
    assert [project.result(key) is not None for key in (dead, second, third)] == [False, True, True]
    assert project.gemini.record(dead)["submitted"] == 1
    contexts: dict[str, str | None] = {}
    for submission_id in project.submissions():
        rows = plain_rows(pq.read_table(project.manifests / "batches" / f"{submission_id}.parquet"))
        contexts |= {row["record_key"]: row["context_key"] for row in rows}
    assert contexts == {dead: None, second: None, third: second}
