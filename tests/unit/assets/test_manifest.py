"""The record manifest: order, filters, allow list, predecessors."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from assets.domain.errors import AssetCheckError
from assets.domain.page_orders import AtGap
from assets.manifest import is_wanted, manifest_schema, record_manifest
from assets.plain_rows import plain_rows
from assets.sources import PageImage, page_images
from tests.unit.assets.tables import FIELDS, images, manifest_of, pages_of

DOCUMENT = "CA:Lincoln:2023"


def keys_of(table: pa.Table) -> list[str]:
    keys: list[str] = table["record_key"].to_pylist()
    return keys


def predecessors(table: pa.Table) -> dict[str, str | None]:
    return dict(zip(keys_of(table), table["predecessor"].to_pylist(), strict=True))


def test_page_10_comes_after_page_9_and_documents_are_in_order_of_their_fields() -> None:
    keys = ["CA:Lincoln 2:1901:1", "CA:Lincoln:1902:2", "CA:Lincoln:1902:10", "CA:Lincoln:1902:9", "AL:Zeta:1:1"]
    assert keys_of(manifest_of(keys)) == [
        "AL:Zeta:1:1",
        "CA:Lincoln:1902:2",
        "CA:Lincoln:1902:9",
        "CA:Lincoln:1902:10",
        "CA:Lincoln 2:1901:1",
    ]


def test_a_row_holds_the_record_its_image_and_its_predecessor() -> None:
    image = PageImage(("CA", "Peñón", "2023"), "2", "d/2.tif", 1, "image/tiff", 7, 1_700_000_000_123_456_789, 60, 80, 3)
    pages = page_images(None, images=[image], document_fields=FIELDS)
    table = record_manifest(pages, document_fields=FIELDS)
    assert table.schema == manifest_schema(FIELDS)
    [row] = plain_rows(table)
    assert row.pop("image_modified_at") == 1_700_000_000_123_456_789
    assert row == {
        "record_key": "CA:Peñón:2023:2",
        "state": "CA",
        "school": "Peñón",
        "year": "2023",
        "page": 2,
        "page_label": "2",
        "image_path": "d/2.tif",
        "image_frame": 1,
        "image_frames": 3,
        "image_mime_type": "image/tiff",
        "image_bytes": 7,
        "image_width": 60,
        "image_height": 80,
        "image_left": None,
        "image_right": None,
        "predecessor": None,
        "page_position": 1,
    }


def test_a_gap_or_another_document_starts_a_new_chain() -> None:
    keys = [f"{DOCUMENT}:{page}" for page in (1, 2, 4, 5)] + ["CA:Lincoln:2024:6"]
    assert predecessors(manifest_of(keys))[f"{DOCUMENT}:4"] == f"{DOCUMENT}:2", "unless a setting says so"
    table = manifest_of(keys, at_gap=AtGap.BREAK)
    assert predecessors(table) == {
        f"{DOCUMENT}:1": None,
        f"{DOCUMENT}:2": f"{DOCUMENT}:1",
        f"{DOCUMENT}:4": None,
        f"{DOCUMENT}:5": f"{DOCUMENT}:4",
        "CA:Lincoln:2024:6": None,
    }


def test_documents_whose_fields_join_to_alike_texts_stay_apart() -> None:
    table = manifest_of(["A:b c:d:1", "A:b:c d:2"])
    assert set(predecessors(table).values()) == {None}


def test_the_allow_list_takes_pages_out_before_chains_are_made() -> None:
    keys = [f"{DOCUMENT}:{page}" for page in (1, 2, 3, 4)]
    allowed = {f"{DOCUMENT}:1", f"{DOCUMENT}:3", f"{DOCUMENT}:4", f"{DOCUMENT}:99"}
    assert predecessors(manifest_of(keys, allowed=allowed)) == {
        f"{DOCUMENT}:1": None,
        f"{DOCUMENT}:3": None,
        f"{DOCUMENT}:4": f"{DOCUMENT}:3",
    }
    assert keys_of(manifest_of(keys, allowed=set())) == []


def test_filters_are_lists_and_ranges_with_both_ends_and_all_must_match() -> None:
    years = ("1848", "1849", "0851", "01850", "1852", "1853", "1850a", "c. 1850", "")
    keys = [f"{state}:L:{year}:1" for state in ("AL", "CA", "TX") for year in years if year]
    found = keys_of(manifest_of(keys, filters={"state": ["AL", "CA"], "year": range(1849, 1853)}))
    assert found == [f"{state}:L:{year}:1" for state in ("AL", "CA") for year in ("01850", "1849", "1852")], (
        "leading zeros do not count, and what is no number is in no range"
    )
    assert keys_of(manifest_of(keys, filters={"state": []})) == []
    assert keys_of(manifest_of(keys, filters={"state": ["ca"]})) == [], "texts are compared as they are"


def test_an_empty_tree_is_an_empty_manifest_of_the_same_shape() -> None:
    for table in (manifest_of([]), manifest_of([f"{DOCUMENT}:1"], filters={"state": ["TX"]})):
        assert table.schema == manifest_schema(FIELDS)
        assert len(table) == 0


def test_two_rows_for_one_page_break_the_promise() -> None:
    pages = pages_of([f"{DOCUMENT}:1", f"{DOCUMENT}:1"])
    with pytest.raises(AssetCheckError, match="asset record_manifest: check unique keys failed"):
        record_manifest(pages, document_fields=FIELDS)


def test_other_document_fields_are_other_columns() -> None:
    fields = ("archive", "box")
    image = PageImage(("NARA", "12"), "3", "p", 0, "image/webp", 1, 1, 1, 1)
    table = record_manifest(page_images(None, images=[image], document_fields=fields), document_fields=fields)
    assert table.column_names[:3] == ["record_key", "archive", "box"]
    assert keys_of(table) == ["NARA:12:3"]


def test_the_order_of_the_walk_does_not_matter() -> None:
    found = images([f"{DOCUMENT}:{page}" for page in range(1, 30)])
    tables = [
        record_manifest(page_images(None, images=some, document_fields=FIELDS), document_fields=FIELDS)
        for some in (found, found[::-1])
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, ["CA:Lincoln:1901", "TX:Lincoln:01850", "AL:Lincoln:1901-02"]),
        ({"state": ["AL", "TX"]}, ["TX:Lincoln:01850", "AL:Lincoln:1901-02"]),
        ({"year": range(1800, 1902)}, ["CA:Lincoln:1901", "TX:Lincoln:01850"]),
        ({"state": ["CA"], "year": range(1800, 1901)}, []),
    ],
)
def test_a_document_is_wanted_by_the_same_rule(
    filters: dict[str, Sequence[str] | range], wanted: Sequence[str]
) -> None:
    documents = ["CA:Lincoln:1901", "TX:Lincoln:01850", "AL:Lincoln:1901-02"]
    assert [each for each in documents if is_wanted(each.split(":"), FIELDS, filters)] == wanted
    table = manifest_of([f"{each}:1" for each in documents], filters=filters)
    assert sorted(table["record_key"].to_pylist()) == sorted(f"{each}:1" for each in wanted)
