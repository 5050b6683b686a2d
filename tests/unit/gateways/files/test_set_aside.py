"""Texts of failed answers that wait on the disk for the outcomes."""

import errno
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.outcomes import with_counts
from assets.results import batch_results
from flows.gateways.files import parquet
from flows.gateways.files.set_aside import SetAside
from flows.gateways.files.storage import Storage
from tests.errno_matrix.faults import Fault, faults_in
from tests.unit.assets.answers import line
from tests.unit.assets.tables import FIELDS, outcomes_of
from tests.unit.assets.test_results import MODEL

KEYS = [f"A:b:c:{page}" for page in range(1, 8)]
SUBMISSION = "01jd0000000000000000000002"


def test_outcomes_have_the_texts_that_were_set_aside_in_whatever_order_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 2)
    lines = [line(f"no JSON of {key}: ü", key=key) for key in reversed(KEYS[:-1])]
    storage = Storage(root=tmp_path, manifests=tmp_path, output_results=tmp_path / "results", document_fields=FIELDS)
    expected = outcomes_of(KEYS, batch_results(None, lines=enumerate(lines), keys=KEYS, validator=MODEL))

    with SetAside(lambda: tmp_path / "texts") as texts:
        judged = batch_results(None, lines=enumerate(lines), keys=KEYS, validator=MODEL, set_aside=texts.put_aside)
        outcomes = outcomes_of(KEYS, judged)
        assert outcomes["raw_text"].null_count == len(KEYS)
        assert storage.create_outcomes(
            SUBMISSION,
            with_counts(outcomes, {}),
            lambda start, rows: texts.raw_texts(outcomes.slice(start, rows)),
        )

    written = storage.read_outcomes(SUBMISSION)
    assert written["raw_text"].to_pylist() == expected["raw_text"].to_pylist()
    assert written["raw_text"].to_pylist()[-1] is None
    assert pq.ParquetFile(storage.outcomes_path(SUBMISSION)).num_row_groups == 4
    assert not (tmp_path / "texts").exists()


def test_where_nothing_failed_there_is_no_file(tmp_path: Path) -> None:
    with SetAside(lambda: tmp_path / "texts") as texts:
        rows = pa.table({name: pa.nulls(3, pa.int64()) for name in ("text_at", "text_bytes")})
        assert texts.raw_texts(rows).to_pylist() == [None] * 3
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["create", "write", "read"])
def test_trouble_names_the_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "texts"

    def use(texts: SetAside) -> None:
        at, size = texts.put_aside("x" * 100_000)
        texts.raw_texts(pa.table({"text_at": [at], "text_bytes": [size]}))

    with faults_in(tmp_path, Fault(kind, errno.EIO)), SetAside(lambda: path) as texts, pytest.raises(OSError) as told:
        use(texts)
    assert (told.value.errno, told.value.filename) == (errno.EIO, str(path))
    assert not path.exists()
