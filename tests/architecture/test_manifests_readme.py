"""manifests/README.md names every column that the files have, with its type, in their order, and every kind."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from assets.attempts import ATTEMPTS_SCHEMA
from assets.corrections import CORRECTION_SCHEMA
from assets.domain.outcome import ANSWERED_WELL, COUNTED, FREED, HELD, OutcomeKind
from assets.edited import RESULT_CHECK_SCHEMA
from assets.gold import IMPORT_SCHEMA
from assets.history import HISTORY_SCHEMA
from assets.image_checks import DECODED_SCHEMA, IMAGE_CHECK_SCHEMA
from assets.manifest import manifest_schema
from assets.outcomes import KINDS_SCHEMA, OUTCOME_SCHEMA
from assets.outdated import IMAGE_HASH_SCHEMA
from assets.planning import BATCH_SCHEMA
from assets.provenance import RESULTS_SCHEMA
from assets.reruns import RERUN_SCHEMA
from assets.results import MAX_RAW_CHARS
from assets.sources import LEFT_OUT_SCHEMA
from assets.spending import SUBMISSIONS_SCHEMA
from assets.spreads import SPREAD_SCHEMA
from assets.validation import MAX_MESSAGE_CHARS
from config.settings import Settings
from flows.gateways.files.result_index import RESULT_INDEX_SCHEMA
from flows.tables.image_index import INDEX_SCHEMA

TEXT = (Path(__file__).parents[2] / "manifests" / "README.md").read_text(encoding="utf-8")
_PARTS = re.split(r"^## (.*)$", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(_PARTS[1::2], _PARTS[2::2], strict=True))


def table(body: str) -> list[tuple[str, str, str]]:
    """The rows of the section's one table: column, type, meaning."""
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in body.splitlines() if line[:1] == "|"]
    assert rows[0] == ("column", "type", "meaning")
    assert all(len(row) == 3 for row in rows)
    return [(row[0], row[1], row[2]) for row in rows[2:]]


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("records.parquet", manifest_schema(Settings().record.document_fields)),
        ("left_out.parquet", LEFT_OUT_SCHEMA),
        ("batches/{submission id}.parquet", BATCH_SCHEMA),
        ("outcomes/{submission id}.parquet", OUTCOME_SCHEMA),
        ("results/*.parquet", RESULTS_SCHEMA),
        ("image_hashes.parquet", IMAGE_HASH_SCHEMA),
        ("image_checks.parquet", IMAGE_CHECK_SCHEMA),
        ("index/images.arrow", INDEX_SCHEMA),
        ("index/results.arrow", RESULT_INDEX_SCHEMA),
        ("decoded_images.parquet", DECODED_SCHEMA),
        ("spreads.parquet", SPREAD_SCHEMA),
        ("result_checks.parquet", RESULT_CHECK_SCHEMA),
        ("reruns.parquet", RERUN_SCHEMA),
        ("corrections.parquet", CORRECTION_SCHEMA),
        ("gold/{id}.parquet", IMPORT_SCHEMA),
        ("submissions/*.parquet", SUBMISSIONS_SCHEMA),
        ("history/*.parquet", HISTORY_SCHEMA),
        ("outcome_kinds/*.parquet", KINDS_SCHEMA),
        ("attempts/*.parquet", ATTEMPTS_SCHEMA),
    ],
)
def test_every_column_is_described_with_its_type(heading: str, schema: pa.Schema) -> None:
    rows = table(SECTIONS[heading])
    assert [(name, type_) for name, type_, _ in rows] == [(field.name, _told(field.type)) for field in schema]
    for (name, _, meaning), field in zip(rows, schema, strict=True):
        assert meaning, f"{name} has a meaning"
        assert ("null" in meaning) == field.nullable, f"{name}: whether it can be empty"


def _told(type_: pa.DataType) -> str:
    # What a reader makes of it: how texts are kept is no part of the promise.
    return str(type_.value_type if pa.types.is_dictionary(type_) else type_)


def test_every_kind_of_outcome_is_named_in_its_group() -> None:
    body = SECTIONS["outcomes/{submission id}.parquet"]
    groups = [set(re.findall(r"`([a-z_]+)`", line)) for line in body.splitlines() if line.startswith("- ")]
    assert groups == [set(ANSWERED_WELL), set(COUNTED), set(FREED), set(HELD)]
    assert set.union(*groups) == set(OutcomeKind)


def test_the_bounds_that_are_told_are_those_of_the_code() -> None:
    assert f"at most {MAX_MESSAGE_CHARS} characters" in TEXT
    assert f"at most {MAX_RAW_CHARS:,} characters" in TEXT
