"""How runnable records become a batch manifest: limits, rows, and the facts that travel with them."""

import dataclasses
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.domain.errors import AssetCheckError
from assets.domain.money import Price
from assets.planning import (
    BATCH_SCHEMA,
    ContextImage,
    Room,
    SentImage,
    SubmissionFacts,
    Weights,
    batch_manifest,
    text_hash,
)
from tests.unit.assets.tables import estimates_of, facts, manifest_of, remote, sent

KEYS = [f"A:b:c:{page}" for page in range(1, 6)]


def weights(
    uploads: Sequence[int] = (100,) * 5, *, input_bytes: int = 1000, tokens: int = 1000, usd: float = 0.1
) -> Weights:
    """Of as many records as there are ``uploads``, in bytes; all else is alike."""
    count = len(uploads)
    return Weights(
        upload_bytes=np.array(uploads, dtype=np.int64),
        input_bytes=np.full(count, input_bytes, dtype=np.int64),
        input_tokens=np.full(count, tokens, dtype=np.int64),
        max_usd=np.full(count, usd),
        estimated_usd=np.full(count, usd / 4),
    )


def room(**changes: Any) -> Room:
    values = {"records": 100, "input_bytes": 10**9, "upload_bytes": 10**9, "tokens": 10**9, "usd": inf}
    return Room(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, (5, "")),
        ({"records": 3}, (3, "")),
        ({"input_bytes": 4001}, (4, "")),
        ({"tokens": 2999}, (2, "limits.enqueued_tokens")),
        ({"tokens": 3000}, (3, "limits.enqueued_tokens")),
        ({"upload_bytes": 250}, (2, "limits.storage_bytes")),
        ({"upload_bytes": 300}, (3, "limits.storage_bytes")),
        ({"usd": 0.35, "usd_from": "budget.max_usd_total"}, (3, "budget.max_usd_total")),
        ({"usd": 0.05, "usd_from": "budget.max_usd_total"}, (0, "budget.max_usd_total")),
        ({"usd": -inf, "usd_from": "budget.max_usd_total"}, (0, "budget.max_usd_total")),
        ({"records": 2, "usd": 0.35, "usd_from": "budget.max_usd_day"}, (2, "")),
        ({"window_usd": 0.08}, (3, "limits.usd_per_10_minutes")),
        ({"window_usd": 0.125}, (5, "")),
        ({"window_usd": 0.02}, (1, "limits.usd_per_10_minutes")),
        ({"window_usd": 0.02, "is_window_empty": False}, (0, "limits.usd_per_10_minutes")),
        ({"window_usd": -1, "is_window_empty": False, "records": 2}, (0, "limits.usd_per_10_minutes")),
        ({"tokens": 2000, "usd": 0.15, "usd_from": "budget.max_usd_day"}, (1, "budget.max_usd_day")),
    ],
)
def test_the_tightest_limit_counts_and_is_named(changes: dict[str, Any], found: tuple[int, str]) -> None:
    assert room(**changes).first_of(weights()) == found


@pytest.mark.parametrize("changes", [{"tokens": 1}, {"input_bytes": 1}, {"upload_bytes": 1}])
def test_a_record_over_a_limit_goes_alone_and_only_while_nothing_else_is_open(changes: dict[str, Any]) -> None:
    assert room(**changes).first_of(weights())[0] == 1
    assert room(**changes, is_empty=False).first_of(weights())[0] == 0


def test_a_cap_has_no_exception_for_the_first_record() -> None:
    tight = room(tokens=1, usd=0.01, usd_from="budget.max_usd_total")
    assert tight.first_of(weights()) == (0, "budget.max_usd_total")


def test_a_small_page_behind_a_large_one_does_not_overtake_it() -> None:
    assert room(upload_bytes=500).first_of(weights([100, 900, 1, 1, 1])) == (1, "limits.storage_bytes")


def test_of_nothing_nothing_is_taken() -> None:
    assert room().first_of(weights([])) == (0, "")


def test_the_batch_manifest_holds_exactly_what_was_uploaded_in_order() -> None:
    refused = SentImage(None, "3" * 64, 77, 7)
    table = batch_manifest(
        manifest_of(KEYS[:4]),
        uploads={
            KEYS[3]: sent("d"),
            KEYS[0]: sent("a"),
            KEYS[1]: refused,
            "A:b:c:77": sent("x"),
        },
        with_context=[KEYS[1], KEYS[3]],
        context_images={KEYS[3]: ContextImage(remote("before"), "b.jpg", 1, 90, 5, "4" * 64)},
        estimates=estimates_of(manifest_of(KEYS[:4])),
        facts=facts(),
    )
    assert table.schema.equals(BATCH_SCHEMA)
    assert table["image_bytes"].to_pylist() == [100, 77, 100], "as it was when it went up"
    columns = ["position", "record_key", "image_sha256", "file_name", "file_uri", "context_key", "context_file_name"]
    assert [tuple(row.values()) for row in table.select(columns).to_pylist()] == [
        (0, KEYS[0], "2" * 64, "files/a", "https://g/v1/files/a", None, None),
        (1, KEYS[1], "3" * 64, None, None, KEYS[0], None),
        (2, KEYS[3], "2" * 64, "files/d", "https://g/v1/files/d", KEYS[2], "files/before"),
    ]
    before = [name for name in BATCH_SCHEMA.names if name.startswith("context_image_")]
    told = table.select(before).set_column(3, "modified_ns", table["context_image_modified_at"].cast(pa.int64()))
    assert [tuple(row.values()) for row in told.to_pylist()] == [
        *[(None,) * 5] * 2,
        ("b.jpg", 1, 90, 5, "4" * 64),
    ]


def _batch(rows: pa.Table, keys: Sequence[str], about: SubmissionFacts | None = None) -> pa.Table:
    return batch_manifest(
        rows,
        uploads={key: sent("a") for key in keys},
        with_context=[],
        estimates=estimates_of(rows),
        facts=about or facts(),
    )


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(AssetCheckError, match="asset batch_manifest: check not empty failed: it has no rows"):
        _batch(manifest_of(KEYS), [])


def test_a_record_twice_is_refused() -> None:
    twice = pa.concat_tables([manifest_of(KEYS[:1]), manifest_of(KEYS[:1])])
    with pytest.raises(AssetCheckError, match="check each record once failed"):
        _batch(twice, KEYS[:1])


def test_the_facts_survive_a_parquet_file(tmp_path: Path) -> None:
    told = facts(
        prices={"gemini-3.5-flash-lite": Price(0.3, 2.5, 0.3, 0.5)},
        collection="",
        generation_config={"stop": ["Ende\u2028", 'q"'], "top_p": None},
        result_schema={"title": "Peñón"},
    )
    table = _batch(manifest_of(KEYS), KEYS[:1], told)
    pq.write_table(table, tmp_path / "b.parquet")
    metadata = pq.read_table(tmp_path / "b.parquet").schema.metadata
    assert SubmissionFacts.from_metadata({name.decode(): text.decode() for name, text in metadata.items()}) == told


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(SubmissionFacts) if field.name != "prices"]
)
def test_metadata_that_lacks_a_fact_are_not_ours(name: str) -> None:
    metadata = facts().to_metadata()
    del metadata[f"quire.{name}"]
    with pytest.raises(KeyError, match=name):
        SubmissionFacts.from_metadata(metadata)


def test_an_answer_has_the_price_of_the_model_that_gave_it_as_it_was_when_the_batch_was_sent() -> None:
    lite, eight = Price(0.3, 2.5, 0.3, 0.5), Price(0.75, 3.75, 0.75, 0.5)
    told = facts(model="gemini-2.5-flash", prices={"gemini-3.5-flash-lite": lite, "gemini-3.8-flash": eight})
    assert told.price_of(None) == told.price, "it did not say"
    assert told.price_of("models/gemini-2.5-flash") == told.price_of("gemini-2.5-flash-001") == told.price
    assert told.price_of("gemini-3.5-flash-lite") == lite
    assert told.price_of("models/gemini-3.8-flash-001") == eight
    assert told.price_of("gemini-9-flash") == told.price, "nothing better is known"


def test_batch_manifests_of_earlier_versions_know_one_price() -> None:
    metadata = facts(prices={"gemini-3.5-flash-lite": Price(0.3, 2.5, 0.3, 0.5)}).to_metadata()
    del metadata["quire.prices"]
    assert SubmissionFacts.from_metadata(metadata) == facts()


def test_a_hash_is_sha_256_of_the_utf8_text() -> None:
    assert text_hash("Peñón") == "e0c384e5222969228cc5e4d23fcbeb59393c717ae93f43453e66b504368c43d9"
