"""What was observed outside, in its shape: the table of source documents."""

from datetime import UTC, datetime

from assets.sources import SOURCE_SCHEMA, SourcePdf, source_documents


def test_source_documents_are_a_table_of_a_row_each() -> None:
    good = SourcePdf(("CA", "1901"), "CA/1901.pdf", 1234, 1_700_000_000_000_000_001)
    table = source_documents(documents=[(good, 7), (SourcePdf(("CA", "1902"), "CA/1902.pdf", 0, 0), None)])
    assert table.schema == SOURCE_SCHEMA
    assert table["source_path"].to_pylist() == ["CA/1901.pdf", "CA/1902.pdf"]
    assert table["pages"].to_pylist() == [7, None]
    assert table["source_bytes"].to_pylist() == [1234, 0]
    assert table["source_modified_at"][1].as_py() == datetime(1970, 1, 1, tzinfo=UTC)
    assert table["source_modified_at"][0].value == good.modified_ns


def test_none_is_an_empty_table() -> None:
    assert source_documents() == SOURCE_SCHEMA.empty_table()
