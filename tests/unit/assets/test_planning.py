"""How runnable records become a batch manifest: limits, rows, and the facts that travel with them."""

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.domain.errors import AssetCheckError
from assets.planning import BATCH_SCHEMA, BatchLimits, SubmissionFacts, batch_manifest, text_hash
from tests.unit.assets.tables import facts, manifest_of, pages_of, remote

KEYS = [f"A:b:c:{page}" for page in range(1, 6)]


def limits(**changes: int) -> BatchLimits:
    values = {
        "records": 100,
        "upload_bytes": 10**9,
        "input_bytes": 10**9,
        "tokens": 10**9,
        "tokens_per_record": 1000,
        "bytes_per_record": 1000,
    }
    return BatchLimits(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, 5),
        ({"records": 3}, 3),
        ({"tokens": 2999}, 2),
        ({"tokens": 3000}, 3),
        ({"input_bytes": 4001}, 4),
        ({"upload_bytes": 250}, 2),
        ({"upload_bytes": 300}, 3),
        ({"tokens": 1}, 1),
        ({"input_bytes": 1}, 1),
        ({"upload_bytes": 1}, 1),
    ],
)
def test_the_tightest_limit_counts_and_one_record_always_goes(changes: dict[str, int], lines: int) -> None:
    assert len(limits(**changes).first_of(pages_of(KEYS))) == lines


def test_the_first_rows_are_taken_in_their_order() -> None:
    sizes = dict(zip(KEYS, (100, 900, 1, 1, 1), strict=True))
    taken = limits(upload_bytes=500).first_of(pages_of(KEYS, sizes=sizes))
    assert taken["page"].to_pylist() == [1], "a small page behind a large one does not overtake it"


def test_of_nothing_nothing_is_taken() -> None:
    assert len(limits().first_of(pages_of([]))) == 0


def test_the_batch_manifest_holds_exactly_what_was_uploaded_in_order() -> None:
    table = batch_manifest(
        manifest_of(KEYS[:4]),
        uploads={KEYS[3]: remote("d"), KEYS[0]: remote("a"), KEYS[1]: None, "A:b:c:77": remote("x")},
        with_context=[KEYS[1], KEYS[3]],
        facts=facts(),
    )
    assert table.schema.equals(BATCH_SCHEMA)
    rows = table.select(["position", "record_key", "file_name", "file_uri", "context_key"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (0, KEYS[0], "files/a", "https://g/v1/files/a", None),
        (1, KEYS[1], None, None, KEYS[0]),
        (2, KEYS[3], "files/d", "https://g/v1/files/d", KEYS[2]),
    ]


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(AssetCheckError, match="asset batch_manifest: check not empty failed: it has no rows"):
        batch_manifest(manifest_of(KEYS), uploads={}, with_context=[], facts=facts())


def test_a_record_twice_is_refused() -> None:
    twice = pa.concat_tables([manifest_of(KEYS[:1]), manifest_of(KEYS[:1])])
    with pytest.raises(AssetCheckError, match="check each record once failed"):
        batch_manifest(twice, uploads={KEYS[0]: remote("a")}, with_context=[], facts=facts())


def test_the_facts_survive_a_parquet_file(tmp_path: Path) -> None:
    told = facts(
        collection="", generation_config={"stop": ["Ende\u2028", 'q"'], "top_p": None}, result_schema={"title": "Peñón"}
    )
    table = batch_manifest(manifest_of(KEYS), uploads={KEYS[0]: remote("a")}, with_context=[], facts=told)
    pq.write_table(table, tmp_path / "b.parquet")
    metadata = pq.read_table(tmp_path / "b.parquet").schema.metadata
    assert SubmissionFacts.from_metadata({name.decode(): text.decode() for name, text in metadata.items()}) == told


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(SubmissionFacts)])
def test_metadata_that_lacks_a_fact_are_not_ours(name: str) -> None:
    metadata = facts().to_metadata()
    del metadata[f"quire.{name}"]
    with pytest.raises(KeyError, match=name):
        SubmissionFacts.from_metadata(metadata)


def test_a_hash_is_sha_256_of_the_utf8_text() -> None:
    assert text_hash("Peñón") == "e0c384e5222969228cc5e4d23fcbeb59393c717ae93f43453e66b504368c43d9"
