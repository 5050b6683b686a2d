"""A result file is untrusted: whatever bytes it holds, each line gets a verdict that Parquet can hold, and each record
of the batch one outcome. What becomes of each known kind of damage stands in docs/result-files.md. `make fuzz` tries
these laws with many more examples.
"""

import io
import json
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from assets.domain.batch import TERMINAL_STATES, JobState
from assets.domain.outcome import OutcomeKind, kind_without_line
from assets.lines import line_problems
from assets.outcomes import count_changes, output_results, record_outcomes, with_counts
from assets.results import batch_results, judge_line
from assets.validation import ModelValidator, SentSchemaValidator
from config.schemas.page_transcript import BlockKind, Heading, PageTranscript, TextBlock
from flows.gateways.files.atomic import read_lines
from tests.unit.assets.answers import line, result_of
from tests.unit.assets.tables import NOW, batch_of, facts

MODEL = ModelValidator(PageTranscript)
SENT = SentSchemaValidator(PageTranscript.model_json_schema())
KEYS = ("A:b:c:1", "A:b:c:2", "A:b:c:3")
BATCH = batch_of(KEYS)
FACTS = facts()
MAX_LINE_BYTES = 600
"""Short enough for some of the lines to be cut off."""

texts = st.text(st.characters(), max_size=20)
"""Half characters, too: JSON can hold them."""
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
wrong = json_values


def maybe(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What belongs there, or anything else."""
    return st.one_of(good, good, wrong)


parts = st.fixed_dictionaries({}, optional={"text": maybe(texts), "thought": maybe(st.booleans())})
candidates = st.fixed_dictionaries(
    {},
    optional={
        "content": maybe(st.fixed_dictionaries({}, optional={"parts": maybe(st.lists(maybe(parts), max_size=3))})),
        "finishReason": maybe(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"])),
    },
)
responses = st.fixed_dictionaries(
    {},
    optional={
        "candidates": maybe(st.lists(maybe(candidates), max_size=3)),
        "promptFeedback": maybe(st.fixed_dictionaries({}, optional={"blockReason": maybe(texts)})),
        "usageMetadata": maybe(st.dictionaries(st.sampled_from(["promptTokenCount", "totalTokenCount"]), wrong)),
    },
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "key": maybe(st.sampled_from(KEYS) | texts),
        "response": maybe(responses),
        "error": maybe(st.fixed_dictionaries({}, optional={"code": wrong, "message": wrong})),
        "status": maybe(st.none()),
    },
)
lines_of_any_kind = st.one_of(
    st.binary(max_size=60),
    wrong.map(lambda value: json.dumps(value).encode()),
    objects.map(lambda value: json.dumps(value).encode()),
    wrong.map(lambda value: line(json.dumps(value))),
)


@given(st.lists(lines_of_any_kind, max_size=5))
def test_no_bytes_raise_and_every_verdict_can_be_written(lines: list[bytes]) -> None:
    for validator in (MODEL, SENT):
        table = batch_results(None, lines=enumerate(lines), keys=KEYS, validator=validator)
        file = io.BytesIO()
        pq.write_table(table, file)
        assert pq.read_table(io.BytesIO(file.getvalue())).equals(table)
        assert len(table) == len(lines)


@given(lines_of_any_kind)
def test_a_success_can_be_written_and_nothing_else_is_called_one(some: bytes) -> None:
    for validator in (MODEL, SENT):
        if judge_line(some, validator).kind is OutcomeKind.SUCCESS:
            json.loads(result_of(some, validator), parse_constant=lambda name: 1 / 0)


class Loose(BaseModel):
    """It passes over what it does not know, and takes numbers of any kind."""

    number: float | None = None
    anything: Any = None


numbers = st.sampled_from(
    ["1e400", "-1e400", "9" * 400, "9" * 5000, "NaN", "-Infinity", "1e5", '"inf"', '"NaN"', "2e-400"]
)
members = st.one_of(
    st.just("number").flatmap(lambda name: numbers.map(lambda value: f'"{name}":{value}')),
    st.tuples(st.sampled_from(["anything", "other"]), st.one_of(numbers, json_values.map(json.dumps))).map(
        lambda pair: f'"{pair[0]}":{pair[1]}'
    ),
)
texts_of_answers = st.one_of(
    st.lists(members, max_size=3).map(lambda found: f"{{{','.join(found)}}}"),
    json_values.map(json.dumps),
    st.text(max_size=20),
)


@given(texts_of_answers)
def test_what_is_told_at_once_is_what_is_told_with_care(text: str) -> None:
    for validator in (ModelValidator(Loose), MODEL):
        at_once = validator._at_once(text)
        if at_once is not None:
            assert validator._carefully(text) == at_once


@given(lines_of_any_kind)
def test_each_line_is_read_as_pythons_own_reader_reads_it(some: bytes) -> None:
    with patch("assets.results.orjson.loads", side_effect=ValueError):
        expected = judge_line(some, MODEL), judge_line(some, SENT)
    assert (judge_line(some, MODEL), judge_line(some, SENT)) == expected


GOOD = PageTranscript(
    printed_page_number=None,
    language="en",
    continues_previous_page=False,
    continues_on_next_page=False,
    headings=[Heading(text="Peñón\u2028", level=1)],
    blocks=[TextBlock(kind=next(iter(BlockKind)), text="a")],
).model_dump_json(by_alias=True)
good_lines = st.sampled_from(KEYS).map(lambda key: line(GOOD, key=key))


def _damage(content: bytes, at: int, gone: int, put: bytes) -> bytes:
    return content[:at] + put + content[at + gone :]


damaged_lines = st.builds(_damage, good_lines, st.integers(0, 400), st.integers(0, 20), st.binary(max_size=8))
repeated_members = st.builds(
    lambda one, other: b"{" + one[1:-1] + b"," + other[1:],
    good_lines,
    objects.map(lambda value: json.dumps(value or {"key": None}).encode()),
)
"""The names stand there twice: the last one counts."""
files = st.one_of(
    st.binary(max_size=400),
    st.lists(st.one_of(good_lines, damaged_lines, repeated_members, lines_of_any_kind), max_size=6).map(b"\n".join),
)


@given(content=st.none() | files, state=st.sampled_from(sorted(TERMINAL_STATES)))
def test_whatever_the_file_each_record_has_one_outcome(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | None, state: JobState
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-result-file"
    path.write_bytes(content or b"")
    for validator in (MODEL, SENT):
        lines = read_lines(path, max_line_bytes=MAX_LINE_BYTES)
        judged = batch_results(None, lines=lines, keys=KEYS, validator=validator) if content is not None else None
        outcomes = record_outcomes(BATCH, judged, job_state=state, batch_id="batches/b1", facts=FACTS, settled_at=NOW)
        assert tuple(outcomes["record_key"].to_pylist()) == KEYS
        named = set(judged["record_key"].to_pylist()) if judged is not None else set()
        for row in outcomes.to_pylist():
            assert (row["kind"] != "success") == bool(row["message"]), "a failure says why, a success nothing"
            assert (row["record_key"] in named) == (row["line_offset"] is not None)
            assert row["line_offset"] is not None or row["kind"] == kind_without_line(state)
        for row in output_results(outcomes).to_pylist():
            at = row["line_offset"]
            whole = path.read_bytes()[at : at + row["line_bytes"]]
            assert json.loads(whole)["key"] == row["record_key"]
            json.loads(result_of(whole, validator))
        committed = with_counts(outcomes, {})
        pq.write_table(committed, io.BytesIO())
        assert all(change.after == 1 for change in count_changes(committed))
        if judged is not None:
            assert len(line_problems(BATCH, judged)) == len(judged) - len(named & set(KEYS))


clean = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
transcripts = st.builds(
    PageTranscript,
    printed_page_number=st.none() | clean,
    language=st.sampled_from(["en", "de-1901", "und"]),
    continues_previous_page=st.booleans(),
    continues_on_next_page=st.booleans(),
    headings=st.lists(st.builds(Heading, text=clean, level=st.integers(1, 6)), max_size=2),
    blocks=st.lists(st.builds(TextBlock, kind=st.sampled_from(BlockKind), text=clean), max_size=3),
)


@given(transcripts)
def test_what_is_written_is_the_validated_model(page: PageTranscript) -> None:
    answer = line(page.model_dump_json(by_alias=True))
    assert judge_line(answer, MODEL).kind is OutcomeKind.SUCCESS
    content = result_of(answer, MODEL)
    assert PageTranscript.model_validate_json(content) == page
    assert result_of(line(content.decode()), MODEL) == content, "judged again it stays as it is"
