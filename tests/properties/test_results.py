"""A result file is untrusted: whatever bytes it holds, each line gets a verdict that Parquet can hold."""

import io
import json
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from assets.domain.outcome import OutcomeKind
from assets.results import batch_results, judge_line, result_of_line
from assets.validation import ModelValidator, SentSchemaValidator
from config.schemas.page_transcript import BlockKind, Heading, PageTranscript, TextBlock
from tests.unit.assets.answers import line

MODEL = ModelValidator(PageTranscript)
SENT = SentSchemaValidator(PageTranscript.model_json_schema())

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
        "key": maybe(texts),
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
        table = batch_results(None, lines=enumerate(lines), keys=["A:b:c:1"], validator=validator)
        file = io.BytesIO()
        pq.write_table(table, file)
        assert pq.read_table(io.BytesIO(file.getvalue())).equals(table)
        assert len(table) == len(lines)


@given(lines_of_any_kind)
def test_a_success_can_be_written_and_nothing_else_is_called_one(some: bytes) -> None:
    for validator in (MODEL, SENT):
        if judge_line(some, validator).kind is OutcomeKind.SUCCESS:
            json.loads(result_of_line(some, validator), parse_constant=lambda name: 1 / 0)


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
    content = result_of_line(answer, MODEL)
    assert PageTranscript.model_validate_json(content) == page
    assert result_of_line(line(content.decode()), MODEL) == content, "judged again it stays as it is"
