"""The form of tables in files: what a group of rows holds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.gateways.files.parquet import read_table, write_table


def test_a_group_of_rows_holds_the_names_of_its_own_rows_alone(tmp_path: Path) -> None:
    names = [f"CA:School{number:03}" for number in range(200) for _ in range(5)]
    documents = pa.array(names).dictionary_encode()
    table = pa.table({"document": documents.cast(pa.dictionary(pa.int32(), pa.string())), "page": range(1000)})
    path = tmp_path / "table.parquet"

    write_table(table, path, compression="zstd", group_rows=10)

    with pq.ParquetFile(path, read_dictionary=["document"]) as parquet:
        assert parquet.metadata.num_row_groups == 100
        assert parquet.read_row_group(7)["document"].chunk(0).dictionary.to_pylist() == names[70:80:5]
    found = read_table(path, table.schema)
    assert found.schema.types == table.schema.types
    assert found["document"].to_pylist() == names


def test_a_table_without_rows_is_read_back(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("document", pa.dictionary(pa.int32(), pa.string()), nullable=False)])
    write_table(schema.empty_table(), tmp_path / "empty.parquet", compression="zstd", group_rows=10)
    assert len(read_table(tmp_path / "empty.parquet", schema)) == 0
