"""Whatever was a page while pages were numbers is the same page now, with the same key, image and predecessor."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.domain.labels import USUAL_PAGES
from assets.domain.page_orders import AtGap
from assets.manifest import manifest_schema, record_manifest
from assets.sources import page_images
from flows.gateways.files.parquet import read_table
from flows.gateways.files.trees import KnownFiles, walk_images
from flows.gateways.images.headers import read_header
from tests.unit.gateways.files.old_shelf import COLUMNS, EXPECTED, FIELDS, make, rows

LATER = ["page_label", "image_left", "image_right", "page_position"]


def scan(root: Path, *, pattern: str, at_gap: AtGap) -> pa.Table:
    walk = walk_images(
        root / "page_images",
        root=root,
        depth=3,
        known=KnownFiles(),
        read_header=read_header,
        page_pattern=pattern,
        max_pixels=1_000_000,
    )
    pages = page_images(None, images=walk.images, document_fields=FIELDS)
    return record_manifest(pages, document_fields=FIELDS, at_gap=at_gap)


@pytest.mark.parametrize("pattern", [USUAL_PAGES, "(?P<page>[0-9]+)"], ids=["today's names", "the names of then"])
def test_a_tree_of_before_scans_to_the_same_manifest_but_for_new_columns(tmp_path: Path, pattern: str) -> None:
    make(tmp_path / "page_images")

    table = scan(tmp_path, pattern=pattern, at_gap=AtGap.BREAK)

    assert rows(table) == EXPECTED
    assert [name for name in table.column_names if name not in (*COLUMNS, "image_modified_at")] == LATER
    follow = scan(tmp_path, pattern=pattern, at_gap=AtGap.FOLLOW)
    others = [name for name in COLUMNS if name != "predecessor"]
    assert rows(follow, others) == rows(table, others)
    changed = {
        after["record_key"]: after["predecessor"]
        for before, after in zip(EXPECTED, rows(follow), strict=True)
        if before["predecessor"] != after["predecessor"]
    }
    assert changed == {
        "AL:Adams:1901:15": "AL:Adams:1901:12",
        "AL:Adams:1901:100": "AL:Adams:1901:16",
        "CA:Book:1850:7": "CA:Book:1850:3",
        "CA:Book:1851:4": "CA:Book:1851:2",
        "TX:Peñón:1901-02:99": "TX:Peñón:1901-02:10",
        "TX:Twice:1901:5": "TX:Twice:1901:1",
    }, "the one thing that is another by default: the page before is told also where a page is missing"


def test_a_manifest_of_before_is_read(tmp_path: Path) -> None:
    make(tmp_path / "page_images")
    now = scan(tmp_path, pattern=USUAL_PAGES, at_gap=AtGap.BREAK)
    pq.write_table(now.drop_columns(LATER), tmp_path / "records.parquet")

    read = read_table(tmp_path / "records.parquet", manifest_schema(FIELDS))

    assert rows(read) == EXPECTED
    assert [read[name].null_count for name in LATER] == [len(read)] * len(LATER)
