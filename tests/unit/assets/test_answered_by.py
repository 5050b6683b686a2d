"""Which model has answered, until when it does, and how both are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from assets.answered_by import (
    NOTICE,
    first_retirement,
    model_notes,
    other_models,
    read_retirement,
    replaced_line,
    retirement_line,
)
from assets.domain.model_names import is_same_model, model_id
from assets.spending import SUBMISSIONS_SCHEMA
from tests.unit.assets.tables import NOW, outcomes_of, verdicts

ASKED = "gemini-3.5-flash"
END = datetime(2027, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "said", "same"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash", True),
        ("gemini-3.8-flash", "gemini-3.8-flash-001", True),
        ("gemini-3.8-flash", "models/gemini-3.8-flash-001", True),
        ("gemini-3.8-flash", "publishers/google/models/Gemini-3.8-Flash", True),
        ("gemini-3.8-flash-001", "gemini-3.8-flash", True),
        ("gemini-3.8-flash", "gemini-3.8-flash-09-2026", True),
        ("gemini-3.8-flash-001", "gemini-3.8-flash-002", False),
        ("gemini-3.5-flash", "gemini-3.5-flash-lite", False),
        ("gemini-3.1-pro", "gemini-3.1-pro-preview", False),
        ("gemini-3.1-pro", "gemini-3.1-pro-preview-001", False),
        ("gemini-2.5-flash", "gemini-3.5-flash-lite", False),
        ("gemini-3.5-flash", "", False),
    ],
)
def test_a_version_is_the_same_model_and_a_word_makes_another(asked: str, said: str, same: bool) -> None:
    assert is_same_model(asked, said) is same
    assert is_same_model(said, asked) is same


def test_an_id_is_without_its_folders() -> None:
    assert model_id(" models/gemini-3.8-flash-001") == "gemini-3.8-flash-001"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"modelStatus": {"retirementTime": "2027-05-07T00:00:00Z"}}, END),
        ({"model_status": {"retirement_time": "2027-05-07T02:00:00.123456789+02:00"}}, END.replace(microsecond=123456)),
        ({"modelStatus": {"retirementTime": "2027-05-07"}}, END),
        ({"modelStatus": {"modelStage": "STABLE"}}, None),
        ({"modelStatus": {"retirementTime": "soon"}}, None),
        ({"modelStatus": {"retirementTime": "0001-01-01T00:00:00+23:00"}}, None),
        ({"modelStatus": {"retirementTime": 1}}, None),
        ({"modelStatus": ["2027-05-07"]}, None),
        ({}, None),
    ],
)
def test_an_end_is_read_and_what_is_none_is_nothing(said: dict[str, Any], found: datetime | None) -> None:
    assert read_retirement(said) == found


def answered(*rows: dict[str, Any]) -> pa.Table:
    keys = [f"A:b:c:{number}" for number in range(1, len(rows) + 1)]
    return outcomes_of(keys, verdicts(*({"record_key": key, **row} for key, row in zip(keys, rows, strict=True))))


def test_other_models_are_counted_by_name() -> None:
    lite = {"model_version": "models/gemini-3.5-flash-lite"}
    outcomes = answered({}, lite, {"model_version": f"{ASKED}-001"}, lite, {"model_version": "gemini-3.8-flash"})
    assert other_models(outcomes) == {"gemini-3.5-flash-lite": 2, "gemini-3.8-flash": 1}
    assert other_models(answered({})) == {}


def test_the_first_end_counts() -> None:
    assert first_retirement(answered({}, {"retires_at": END}, {"retires_at": END - timedelta(1)})) == END - timedelta(1)
    assert first_retirement(answered({})) is None


def test_an_end_is_told_once_it_is_less_than_60_days_away() -> None:
    assert timedelta(days=60) == NOTICE
    assert retirement_line(ASKED, None, NOW) is None
    assert retirement_line(ASKED, END, END - timedelta(days=60)) is None
    near = retirement_line(ASKED, END, END - timedelta(days=59, hours=23)) or ""
    assert near.startswith(f"what answers for {ASKED} ends on 2027-05-07, in 60 days")
    over = retirement_line(ASKED, END, END + timedelta(days=3)) or ""
    assert "has ended on 2027-05-07" in over
    assert over.endswith("choose another model.name")


def submission(closed_at: datetime, **changes: Any) -> dict[str, Any]:
    nothing = {field.name: 0 for field in SUBMISSIONS_SCHEMA if field.type in (pa.int64(), pa.float64())}
    flags = {"released": False, "was_posted": True, "was_sent": True}
    about = {"submission_id": "s", "created_at": closed_at, "closed_at": closed_at, "model": ASKED, "way_of_asking": ""}
    return nothing | flags | about | {"answers": 1} | changes


def test_notes_go_by_the_newest_answers_of_the_model_and_change_with_the_clock() -> None:
    table = pa.Table.from_pylist(
        [
            submission(NOW, answered_by="gemini-3.5-flash-lite", retires_at=END),
            submission(NOW - timedelta(days=1), answered_by="gemini-4-neon", retires_at=NOW),
            submission(NOW + timedelta(days=1), answers=0),
            submission(NOW + timedelta(days=2), model="gemini-4-argon", retires_at=NOW),
        ],
        schema=SUBMISSIONS_SCHEMA,
    )
    assert model_notes(table, ASKED, NOW) == [replaced_line(ASKED, "gemini-3.5-flash-lite")]
    [_, end] = model_notes(table, ASKED, END - timedelta(days=1))
    assert "ends on 2027-05-07, in 1 days" in end
    assert model_notes(table, "gemini-3.8-flash", END) == []
    assert model_notes(SUBMISSIONS_SCHEMA.empty_table(), ASKED, END) == []
