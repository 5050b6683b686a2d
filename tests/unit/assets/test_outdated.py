"""Which results are outdated: by what made them and what stands there now, and by nothing that happened in between."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from assets.outdated import IMAGE_HASH_SCHEMA, Making, outdated, to_be_hashed
from assets.provenance import RESULTS_SCHEMA
from tests.unit.assets.tables import NOW

TODAY = Making("gemini-3.5-flash", "p", "s")
COLUMNS = ("record_key", "image_path", "image_frame", "image_bytes", "image_modified_at")


def results(*rows: dict[str, Any]) -> pa.Table:
    """``modified``: nanoseconds."""
    usual: dict[str, Any] = dict.fromkeys(RESULTS_SCHEMA.names, "x") | {
        "settled_at": NOW,
        "settlement": 1,
        "image_frame": 0,
    }
    usual |= {"model": "gemini-3.5-flash", "prompt_hash": "p", "response_schema_hash": "s"}
    usual |= {"image_bytes": 10, "image_sha256": "old", "image_modified_at": 1}
    usual |= {"result_bytes": None, "result_modified_at": None, "page": None}
    schema = RESULTS_SCHEMA.set(
        RESULTS_SCHEMA.get_field_index("image_modified_at"), pa.field("image_modified_at", pa.int64())
    )
    return pa.Table.from_pylist([usual | row for row in rows], schema=schema).cast(RESULTS_SCHEMA)


def images(*rows: dict[str, Any]) -> pa.Table:
    usual = {"image_path": "x", "image_frame": 0, "image_bytes": 10, "image_modified_at": 1}
    table = pa.Table.from_pylist([usual | row for row in rows]).select(COLUMNS)
    return table.set_column(4, COLUMNS[4], table[COLUMNS[4]].cast(RESULTS_SCHEMA.field(COLUMNS[4]).type))


def hashes(rows: Iterable[tuple[str, int, int, str]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = (pa.string(), pa.int64(), pa.int64(), pa.string())
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    return pa.table(arrays, names=IMAGE_HASH_SCHEMA.names).cast(IMAGE_HASH_SCHEMA)


def by_reason(table: pa.Table) -> dict[str, list[str]]:
    return {row.pop("record_key"): [reason for reason, holds in row.items() if holds] for row in table.to_pylist()}


def test_an_image_with_its_size_and_time_is_the_one_that_was_read_wherever_it_lies() -> None:
    table, unknown = outdated(
        results({"record_key": "a"}, {"record_key": "b", "image_bytes": 20}),
        images({"record_key": "b", "image_bytes": 20, "image_path": "moved"}, {"record_key": "a"}),
        hashes([]),
        TODAY,
    )
    assert by_reason(table) == {}
    assert unknown == 0


def test_another_size_or_another_page_of_the_file_is_another_image_without_a_look() -> None:
    made = results({"record_key": "a"}, {"record_key": "b"}, {"record_key": "c"})
    there = images(
        {"record_key": "a", "image_bytes": 11, "image_modified_at": 2}, {"record_key": "b", "image_frame": 1}
    )
    assert len(to_be_hashed(made, there)) == 0
    table, unknown = outdated(made, there, hashes([]), TODAY)
    assert by_reason(table) == {"a": ["image"], "b": ["image"]}, "c is not there any more"
    assert unknown == 0


def test_another_time_is_decided_by_the_content_and_unknown_until_it_is_read() -> None:
    made = results(*({"record_key": key} for key in "abcd"))
    there = images(
        *({"record_key": key, "image_path": key, "image_modified_at": 2} for key in "abc"), {"record_key": "d"}
    )
    assert to_be_hashed(made, there)["record_key"].to_pylist() == ["a", "b", "c"]
    # What is known of c is of a time before.
    known = hashes([("a", 10, 2, "old"), ("b", 10, 2, "new"), ("c", 10, 1, "new")])
    table, unknown = outdated(made, there, known, TODAY)
    assert by_reason(table) == {"b": ["image"]}
    assert unknown == 1


def test_prompt_schema_and_model_count_each_for_itself() -> None:
    keys = [{"record_key": key} for key in "abcde"]
    made = results(
        keys[0] | {"prompt_hash": "q"},
        keys[1] | {"response_schema_hash": "t"},
        keys[2] | {"model": "gemini-3.6-flash", "prompt_hash": "q", "image_bytes": 9},
        keys[3] | {"model": "models/gemini-3.5-flash-001"},
        keys[4],
    )
    table, _ = outdated(made, images(*keys), hashes([]), TODAY)
    assert by_reason(table) == {"a": ["prompt"], "b": ["schema"], "c": ["image", "prompt", "model"]}
    table, _ = outdated(made, images(*keys), hashes([]), Making("gemini-3.5-flash", None, None))
    assert by_reason(table) == {"c": ["image", "model"]}, "what is not known today outdates nothing"
