"""Result files from hell, from the bytes on the disk to the outcomes and the answers that would be written. One line
by itself is judged in test_results.py; laws for any bytes stand in tests/properties/test_results.py.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from assets.lines import line_problems
from assets.outcomes import output_results
from assets.results import batch_results
from assets.usage import USAGE_COLUMNS
from assets.validation import ModelValidator, ResultValidator, SentSchemaValidator
from flows.gateways.files.atomic import read_lines
from tests.unit.assets.answers import line, result_of
from tests.unit.assets.result_files import AFTER, BEFORE, CASES, GOOD, MAX_LINE_BYTES, VICTIM, Case
from tests.unit.assets.tables import batch_of, outcomes_of

DOCS = Path(__file__).parents[3] / "docs" / "result-files.md"
KEYS = (VICTIM, BEFORE, AFTER)


class Page(BaseModel):
    text: str
    value: Any = None


@pytest.mark.parametrize(
    "validator", [ModelValidator(Page), SentSchemaValidator(Page.model_json_schema())], ids=["model", "sent_schema"]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_file_has_its_outcome(case: Case, validator: ResultValidator, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(_file(case))
    lines = read_lines(path, max_line_bytes=MAX_LINE_BYTES)
    judged = batch_results(None, lines=lines, keys=KEYS, validator=validator)

    outcomes = outcomes_of(KEYS, judged)

    rows = {row["record_key"]: row for row in outcomes.to_pylist()}
    victim = rows[VICTIM]
    assert victim["kind"] == case.kind
    assert victim["message"].startswith(case.message)
    assert bool(victim["message"]) == (case.kind != "success")
    assert tuple(victim[name] for name in USAGE_COLUMNS) == (case.usage or (None,) * 5), "garbage is no number"
    was_answered = case.kind != "missing" and b'"response": null' not in case.content
    assert bool(victim["unsure"]) == (was_answered and case.usage is None)
    assert rows[BEFORE]["kind"] == ("missing" if case.is_whole else "success")
    assert rows[AFTER]["kind"] == ("missing" if case.is_whole or case.is_last else "success")
    told = line_problems(batch_of(KEYS), judged)
    assert len(told) == len(case.told)
    for problem, beginning in zip(told, case.told, strict=True):
        assert re.sub(r"^result line at byte \d+: ", "", problem).startswith(beginning)
    written = set()
    for row in output_results(outcomes).to_pylist():
        content = path.read_bytes()[row["line_offset"] :][: row["line_bytes"]]
        assert isinstance(Page.model_validate_json(result_of(content, validator)), Page)
        written.add(row["record_key"])
    assert written == {key for key in KEYS if rows[key]["kind"] == "success"}


def test_the_table_of_the_docs_is_the_table_of_the_cases() -> None:
    rows = [re.split(r"(?<!\\)\|", row.strip("|")) for row in DOCS.read_text("utf-8").splitlines() if row[:1] == "|"]
    header, _, *body = [[cell.strip() for cell in row] for row in rows]
    assert header == ["what stands in the file", "outcome kind", "message begins with", "test id"]

    told = [tuple(cell.strip("`") for cell in row[1:]) for row in body]

    assert told == [(case.kind, case.message, case.name) for case in CASES]
    assert all(row[0] for row in body)
    assert len({case.name for case in CASES}) == len(CASES)


def test_one_case_alone_is_over_the_longest_line() -> None:
    assert [case.name for case in CASES if len(case.content) > MAX_LINE_BYTES] == ["huge-line"]


def _file(case: Case) -> bytes:
    content = case.content
    if case.is_whole:
        return content
    before, after = (line(GOOD, key=key) for key in (BEFORE, AFTER))
    return b"\n".join([before, content] if case.is_last else [before, content, after, b""])
