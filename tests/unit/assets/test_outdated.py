"""Which results are outdated: by what made them and what stands there now, and by nothing that happened in between."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.context import ContextMode
from assets.domain.batch import submitted_at
from assets.numbering import Records
from assets.outdated import IMAGE_HASH_SCHEMA, Making, Outdated, Pairs, outdated, paired, to_be_hashed
from assets.places import with_places
from assets.provenance import RESULTS_SCHEMA
from tests.unit.assets.tables import SUBMISSION

TODAY = Making("gemini-3.5-flash", "p", "s")
COLUMNS = ("record_key", "predecessor", "image_path", "image_frame", "image_bytes", "image_modified_at")
SENT = submitted_at(SUBMISSION)


def results(*rows: dict[str, Any]) -> pa.Table:
    """Of pages of the document d; ``modified``: nanoseconds."""
    usual: dict[str, Any] = dict.fromkeys(RESULTS_SCHEMA.names, "x") | {
        "submission_id": SUBMISSION,
        "settled_at": SENT - timedelta(minutes=1),
        "settlement": 1,
        "image_frame": 0,
        "context_key": None,
        "context_kind": None,
    }
    usual |= {"model": "gemini-3.5-flash", "prompt_hash": "p", "response_schema_hash": "s"}
    usual |= {"image_bytes": 10, "image_sha256": "old", "image_modified_at": 1}
    usual |= {"result_bytes": None, "result_modified_at": None}
    schema = RESULTS_SCHEMA.set(
        RESULTS_SCHEMA.get_field_index("image_modified_at"), pa.field("image_modified_at", pa.int64())
    )
    schema = pa.schema([field for field in schema if field.name not in ("document", "page")])
    keyed = [usual | row | {"record_key": f"d:{row['record_key']}"} for row in rows]
    return with_places(pa.Table.from_pylist(keyed, schema=schema)).cast(RESULTS_SCHEMA)


def images(*rows: dict[str, Any]) -> Records:
    """``follows``: whether the page in the row above comes before it."""
    usual = {"image_path": "x", "image_frame": 0, "image_bytes": 10, "image_modified_at": 1, "predecessor": None}
    keyed = [usual | row | {"record_key": f"d:{row['record_key']}"} for row in rows]
    table = pa.Table.from_pylist(keyed, schema=pa.schema([(name, _TYPES[name]) for name in COLUMNS]))
    at = table.schema.get_field_index("image_modified_at")
    return Records.of(
        table.set_column(at, COLUMNS[at], table[COLUMNS[at]].cast(RESULTS_SCHEMA.field(COLUMNS[at]).type))
    )


_TYPES = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(COLUMNS[3:], pa.int64())


def pairs(made: pa.Table, records: Records, done: Iterable[bool] | None = None) -> Pairs:
    return paired(records, made, np.array(list(done)) if done is not None else np.ones(len(records), dtype=bool))


def hashes(rows: Iterable[tuple[str, int, int, str]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = (pa.string(), pa.int64(), pa.int64(), pa.string())
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    return pa.table(arrays, names=IMAGE_HASH_SCHEMA.names).cast(IMAGE_HASH_SCHEMA)


def by_reason(found: Outdated) -> dict[str, list[str]]:
    return {key.removeprefix("d:"): [each.value for each in reasons] for key, reasons in found.reasons_of().items()}


def test_an_image_with_its_size_and_time_is_the_one_that_was_read_wherever_it_lies() -> None:
    made = results({"record_key": "a"}, {"record_key": "b", "image_bytes": 20})
    there = images({"record_key": "b", "image_bytes": 20, "image_path": "moved"}, {"record_key": "a"})
    found = outdated(pairs(made, there), hashes([]), TODAY)
    assert by_reason(found) == {}
    assert len(found.unknown) == 0


def test_another_size_or_another_page_of_the_file_is_another_image_without_a_look() -> None:
    made = results({"record_key": "a"}, {"record_key": "b"}, {"record_key": "c"})
    there = pairs(
        made,
        images({"record_key": "a", "image_bytes": 11, "image_modified_at": 2}, {"record_key": "b", "image_frame": 1}),
    )
    assert len(to_be_hashed(there)) == 0
    found = outdated(there, hashes([]), TODAY)
    assert by_reason(found) == {"a": ["image"], "b": ["image"]}, "c is not there any more"
    assert len(found.unknown) == 0


def test_another_time_is_decided_by_the_content_and_unknown_until_it_is_read() -> None:
    made = results(*({"record_key": key} for key in "abcd"))
    there = pairs(
        made,
        images(*({"record_key": key, "image_path": key, "image_modified_at": 2} for key in "abc"), {"record_key": "d"}),
    )
    assert to_be_hashed(there)["image_path"].to_pylist() == ["a", "b", "c"]
    # What is known of c is of a time before.
    known = hashes([("a", 10, 2, "old"), ("b", 10, 2, "new"), ("c", 10, 1, "new")])
    found = outdated(there, known, TODAY)
    assert by_reason(found) == {"b": ["image"]}
    assert found.records.keys(found.unknown).to_pylist() == ["d:c"]


def test_prompt_schema_and_model_count_each_for_itself_and_what_is_not_done_for_nothing() -> None:
    keys = [{"record_key": key} for key in "abcde"]
    made = results(
        keys[0] | {"prompt_hash": "q"},
        keys[1] | {"response_schema_hash": "t"},
        keys[2] | {"model": "gemini-3.6-flash", "prompt_hash": "q", "image_bytes": 9},
        keys[3] | {"model": "models/gemini-3.5-flash-001"},
        keys[4],
    )
    there = pairs(made, images(*keys))
    found = outdated(there, hashes([]), TODAY)
    assert by_reason(found) == {"a": ["prompt"], "b": ["schema"], "c": ["image", "prompt", "model"]}
    assert found.by_reason() == {"image": 1, "prompt": 2, "schema": 1, "model": 1}
    assert found.then["model"].to_pylist() == ["gemini-3.5-flash"] * 2 + ["gemini-3.6-flash"]
    found = outdated(there, hashes([]), Making("gemini-3.5-flash", None, None))
    assert by_reason(found) == {"c": ["image", "model"]}, "what is not known today outdates nothing"
    found = outdated(pairs(made, images(*keys), [True, False, False, True, True]), hashes([]), TODAY)
    assert by_reason(found) == {"a": ["prompt"]}


NO, IMAGE, RESULT, OF_BEFORE = (None, None), ("k", "image"), ("k", "result"), ("k", None)


@pytest.mark.parametrize(
    ("mode", "had", "expected"),
    [
        (ContextMode.NONE, (NO, IMAGE, RESULT, OF_BEFORE), "bcd"),
        (ContextMode.PREVIOUS_IMAGE, (NO, IMAGE, RESULT, OF_BEFORE), "c"),
        (ContextMode.PREVIOUS_IMAGE, (IMAGE, NO, IMAGE, IMAGE), "ab"),
        (ContextMode.PREVIOUS_RESULT, (NO, RESULT, OF_BEFORE, NO), "d"),
        (ContextMode.PREVIOUS_RESULT, (RESULT, IMAGE, IMAGE, RESULT), "ab"),
    ],
)
def test_another_context_than_today_outdates(
    mode: ContextMode, had: tuple[tuple[str | None, str | None], ...], expected: str
) -> None:
    """Pages a to d, of which a has none before it; the chain is cut before c. What was noted before there were kinds is
    of no kind."""
    made = results(
        *(
            {"record_key": key, "context_key": of, "context_kind": kind}
            for key, (of, kind) in zip("abcd", had, strict=True)
        )
    )
    there = images({"record_key": "a"}, *({"record_key": key, "predecessor": "d:x"} for key in "bcd"))
    found = outdated(pairs(made, there), hashes([]), Making("", None, None, mode, max_chain=2))
    assert by_reason(found) == {key: ["context"] for key in expected}
    none = outdated(pairs(made, there), hashes([]), Making("", None, None))
    assert len(none) == 0


def test_a_newer_result_of_the_page_before_outdates_and_one_that_is_not_there_does_not() -> None:
    of_before = {"context_key": "d:x", "context_kind": "result"}
    made = results(
        {"record_key": "a", "settled_at": SENT + timedelta(hours=1)},
        {"record_key": "b", **of_before},
        {"record_key": "c", **of_before},
        {"record_key": "d"},
    )
    there = images({"record_key": "a"}, *({"record_key": key, "predecessor": "d:x"} for key in "bcd"))
    today = Making("", None, None, ContextMode.PREVIOUS_RESULT)
    # a was read again after b was sent, and d would be told of c now.
    assert by_reason(outdated(pairs(made, there), hashes([]), today)) == {"b": ["context"], "d": ["context"]}
    # The page before has no result now: it would go without again.
    found = outdated(pairs(made, there, [False, True, False, True]), hashes([]), today)
    assert by_reason(found) == {}
