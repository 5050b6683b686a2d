"""What became of each record: one row each, whatever the result file holds."""

import pyarrow as pa
import pytest

from assets.domain.batch import JobState
from assets.domain.errors import AssetCheckError
from assets.domain.ledger import apply_counts
from assets.domain.outcome import COUNTED, OutcomeKind
from assets.lines import line_problems
from assets.outcomes import (
    OUTCOME_SCHEMA,
    count_changes,
    output_results,
    record_outcomes,
    uniform_outcomes,
    with_counts,
    with_superseded,
)
from tests.unit.assets.tables import NOW, SUBMISSION, batch_of, facts, ledger_of, outcomes_of, verdicts

A, B, C = (f"A:b:c:{page}" for page in (1, 2, 3))


def kinds(table: pa.Table) -> dict[str, str]:
    return dict(zip(table["record_key"].to_pylist(), table["kind"].to_pylist(), strict=True))


def test_there_is_one_row_a_record_in_the_order_of_the_batch() -> None:
    table = outcomes_of([A, B, C], verdicts({"record_key": C}, {"record_key": A}, {"record_key": B}))
    assert table["record_key"].to_pylist() == [A, B, C]
    assert table["line_offset"].to_pylist() == [100, 200, 0], "joined by key, not by position"


def test_a_row_tells_submission_batch_model_prompt_and_usage() -> None:
    line = {"record_key": A, "finish_reason": "STOP", "prompt_tokens": 9, "thoughts_tokens": 3, "raw_text": None}
    [row] = with_counts(outcomes_of([A], verdicts(line)), {A: 5}).to_pylist()
    assert row == {
        "record_key": A,
        "submission_id": SUBMISSION,
        "batch_id": "batches/b1",
        "kind": "success",
        "message": "",
        "finish_reason": "STOP",
        "prompt_tokens": 9,
        "output_tokens": None,
        "thoughts_tokens": 3,
        "cached_tokens": None,
        "total_tokens": None,
        "unsure": None,
        "model_version": None,
        "retires_at": None,
        "count_before": None,
        "count_after": None,
        "model": "gemini-3.5-flash",
        "prompt_name": "page",
        "prompt_version": "v1",
        "response_schema_hash": "1" * 64,
        "settled_at": NOW,
        "settlement": None,
        "result_sha256": None,
        "result_bytes": None,
        "result_modified_at": None,
        "raw_text": None,
    }


@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        (JobState.SUCCEEDED, "missing", "no line in the result"),
        (JobState.FAILED, "batch_failed", "the job ended FAILED"),
        (JobState.CANCELLED, "batch_cancelled", "the job ended CANCELLED"),
        (JobState.EXPIRED, "batch_expired", "the job ended EXPIRED"),
        (JobState.PARTIALLY_SUCCEEDED, "batch_failed", "the job ended PARTIALLY_SUCCEEDED"),
    ],
)
def test_a_record_without_a_line_failed_only_if_the_job_succeeded(state: JobState, kind: str, message: str) -> None:
    for lines in (None, verdicts()):
        [row] = outcomes_of([A], lines, state=state).select(["kind", "message"]).to_pylist()
        assert row == {"kind": kind, "message": message}
    partly = outcomes_of([A, B], verdicts({"record_key": A}), state=state)
    assert kinds(partly) == {A: "success", B: kind}, "what was answered counts, whatever the end"
    assert (OutcomeKind(kind) in COUNTED) == (state is JobState.SUCCEEDED)


def test_of_several_lines_the_first_good_one_counts() -> None:
    bad, good = {"record_key": A, "kind": "not_json"}, {"record_key": A}
    assert outcomes_of([A], verdicts(bad, good, good))["line_offset"].to_pylist() == [100]
    assert outcomes_of([A], verdicts(good, bad))["line_offset"].to_pylist() == [0]
    two_bad = outcomes_of([A], verdicts({**bad, "message": "first"}, {**bad, "message": "second"}))
    assert two_bad["message"].to_pylist() == ["first"]


def test_an_answer_for_a_replaced_image_is_neither_written_nor_counted_whatever_it_says() -> None:
    table = record_outcomes(
        batch_of([A, B, C]),
        verdicts({"record_key": A, "prompt_tokens": 9}, {"record_key": B, "kind": "not_json", "raw_text": "x"}),
        job_state=JobState.SUCCEEDED,
        batch_id="batches/b1",
        facts=facts(),
        settled_at=NOW,
        replaced=dict.fromkeys([A, B, C], "another image"),
    )
    assert kinds(table) == {A: "image_replaced", B: "image_replaced", C: "missing"}, "C was not answered"
    assert table["message"].to_pylist()[:2] == ["another image"] * 2
    assert len(output_results(table)) == 0
    rows = with_counts(table, {}).to_pylist()
    assert [row["count_after"] for row in rows] == [None, None, 1]
    assert rows[0]["prompt_tokens"] == 9, "it was paid for"
    assert rows[1]["raw_text"] == "x"


def test_lines_that_belong_to_nobody_are_told_and_change_nothing() -> None:
    lines = verdicts(
        {"record_key": None, "kind": None, "message": "a line is not JSON"},
        {"record_key": A},
        {"record_key": "X:y:z:9"},
        {"record_key": A},
        {"record_key": "\x1b[31m" + "k" * 500},
    )
    assert kinds(outcomes_of([A], lines)) == {A: "success"}
    problems = line_problems(batch_of([A]), lines)
    assert problems[:3] == [
        "result line at byte 0: a line is not JSON",
        "result line at byte 200: the key 'X:y:z:9' is not in this batch",
        "result line at byte 300: the key 'A:b:c:1' came before",
    ]
    assert "\x1b" not in problems[3]
    assert len(problems[3]) < 300
    assert len(problems) == 4


def test_counts_go_up_by_one_for_failures_of_the_record_alone() -> None:
    every = {kind: f"A:b:c:{page}" for page, kind in enumerate(OutcomeKind, 1)}
    table = outcomes_of(every.values(), verdicts(*({"record_key": k, "kind": kind.value} for kind, k in every.items())))
    committed = with_counts(table, dict.fromkeys(every.values(), 2))
    assert committed.schema.equals(OUTCOME_SCHEMA)
    counts = dict(zip(committed["kind"].to_pylist(), committed["count_after"].to_pylist(), strict=True))
    assert counts == {kind: 3 if kind in COUNTED else None for kind in OutcomeKind}
    assert committed["count_before"].to_pylist() == [2 if kind in COUNTED else None for kind in OutcomeKind]


def test_the_same_outcomes_applied_twice_count_once() -> None:
    lines = verdicts({"record_key": A, "kind": "not_json"}, {"record_key": B, "kind": "empty"})
    ledger = ledger_of({A: 1})
    changes = count_changes(with_counts(outcomes_of([A, B, C], lines), ledger.counts))
    (once,) = apply_counts(ledger, changes)
    assert once.counts == {A: 2, B: 1, C: 1}
    assert apply_counts(once, changes) == []


def test_a_count_that_a_person_has_reset_meanwhile_stays_reset() -> None:
    changes = count_changes(with_counts(outcomes_of([A], verdicts({"record_key": A, "kind": "empty"})), {A: 3}))
    assert apply_counts(ledger_of(), changes) == []


def test_superseded_answers_are_not_written_and_not_counted() -> None:
    table = with_superseded(outcomes_of([A, B], verdicts({"record_key": A}, {"record_key": B})), [B])
    assert kinds(table) == {A: "success", B: "superseded"}
    assert output_results(table)["record_key"].to_pylist() == [A]
    assert count_changes(with_counts(table, {})) == []


def test_only_successes_are_to_be_written_with_the_place_of_their_line() -> None:
    lines = verdicts({"record_key": A, "kind": "empty"}, {"record_key": B})
    assert output_results(outcomes_of([A, B, C], lines)).to_pylist() == [
        {"record_key": B, "line_offset": 100, "line_bytes": 90}
    ]


def test_a_uniform_end_is_a_row_a_record_too() -> None:
    table = uniform_outcomes(
        [B, A], OutcomeKind.RELEASED, messages="by a person", batch_id=None, facts=facts(), settled_at=NOW
    )
    assert kinds(table) == {B: "released", A: "released"}
    told = uniform_outcomes(
        [A, B],
        OutcomeKind.UPLOAD_REFUSED,
        messages={A: "too big", B: "no picture"},
        batch_id=None,
        facts=facts(),
        settled_at=NOW,
    )
    assert told["message"].to_pylist() == ["too big", "no picture"]
    assert with_counts(told, {A: 1})["count_after"].to_pylist() == [2, 1]


def test_a_record_twice_in_the_batch_breaks_the_promise() -> None:
    batch = batch_of([A])
    with pytest.raises(AssetCheckError, match="asset record_outcomes: check one outcome a record failed"):
        record_outcomes(
            pa.concat_tables([batch, batch]),
            None,
            job_state=JobState.FAILED,
            batch_id=None,
            facts=facts(),
            settled_at=NOW,
        )


def test_a_success_without_a_line_breaks_the_promise() -> None:
    made_up = uniform_outcomes([A], OutcomeKind.SUCCESS, messages="", batch_id=None, facts=facts(), settled_at=NOW)
    with pytest.raises(AssetCheckError, match="asset output_results: check each has an answer failed"):
        output_results(made_up)


def test_a_record_that_is_given_up_is_a_dead_letter_at_once_unless_a_person_has_reset_its_count() -> None:
    lines = verdicts(*({"record_key": key, "kind": "blocked"} for key in (A, B, C)))
    table = with_counts(outcomes_of([A, B, C], lines), {A: 1, C: 1}, given_up=[A, B], max_retries=3)
    assert table["count_after"].to_pylist() == [4, 1, 2]
    late = with_counts(outcomes_of([A], verdicts({"record_key": A, "kind": "blocked"})), {A: 9}, given_up=[A])
    assert late["count_after"].to_pylist() == [10], "it never goes back"
