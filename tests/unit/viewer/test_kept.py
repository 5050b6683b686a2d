"""What the viewer keeps in the folder of the index, and the images that it makes: kept only to save time, and of any
kind of file."""

import io
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assets.domain.errors import ImageError
from tests.images import gradient, heic, jpeg_2000, noise, png, tiff
from tests.unit.exports.shelf import Shelf, block, transcript
from viewer.index import TextIndex
from viewer.pictures import FULL_SIDE, SMALL_SIDE, Pictures


def row(path: Path, root: Path, **more: Any) -> Mapping[str, Any]:
    said = {"image_path": path.relative_to(root).as_posix(), "image_frame": 0, "image_left": None, "image_right": None}
    return {**said, "image_bytes": path.stat().st_size, "image_modified_at": path.stat().st_mtime_ns, **more}


def pictures(root: Path, **more: Any) -> Pictures:
    return Pictures(root, root, **{"max_pixels": 100_000_000, **more})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tif", tiff(gradient(600, 800))),
        ("a.jp2", jpeg_2000(gradient(600, 800))),
        ("a.heic", heic(gradient(600, 800)[:, :, None].repeat(3, 2))),
        ("a.png", png(gradient(600, 800))),
    ],
)
def test_any_kind_of_image_becomes_one_that_a_browser_shows(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    made = pictures(tmp_path).small(row(path, tmp_path))
    assert made.mime_type in ("image/jpeg", "image/png")
    with Image.open(io.BytesIO(made.content)) as shown:
        assert max(shown.size) == SMALL_SIDE
        assert shown.format is not None
        assert shown.format.lower() == made.mime_type.removeprefix("image/")


def test_a_second_page_of_a_file_and_half_of_a_spread_are_shown_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(gradient(600, 800), noise(400, 500)))
    of = pictures(tmp_path)
    with Image.open(io.BytesIO(of.full(row(path, tmp_path, image_frame=1)).content)) as second:
        assert second.size == (400, 500)
    with Image.open(io.BytesIO(of.full(row(path, tmp_path, image_left=0, image_right=250)).content)) as half:
        assert half.size == (250, 800)
    with pytest.raises(ImageError, match="it has no page 3 any more"):
        of.full(row(path, tmp_path, image_frame=2))


def test_a_large_image_is_shrunk_and_a_bomb_is_refused_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(gradient(5_000, 4_000)))
    with Image.open(io.BytesIO(pictures(tmp_path).full(row(path, tmp_path)).content)) as shown:
        assert shown.size == (FULL_SIDE, FULL_SIDE * 4 // 5)
    with pytest.raises(ImageError, match="pixels"):
        pictures(tmp_path, max_pixels=10_000_000).full(row(path, tmp_path))


def test_small_images_are_kept_to_a_bound_and_made_anew_for_another_image(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.tif" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(tiff(np.roll(noise(300, 400), number, axis=0)))
    of = pictures(tmp_path, most_bytes=300_000)
    first = of.small(row(paths[0], tmp_path))
    paths[0].write_bytes(tiff(gradient(300, 400)))
    assert of.small(row(paths[0], tmp_path)) != first
    made = [of.small(row(path, tmp_path)) for path in paths[1:]]
    assert sum(len(each.content) for each in made) > 400_000
    with closing(sqlite3.connect(tmp_path / "thumbnails.sqlite")) as base:
        (held,) = base.execute("SELECT sum(length(content)) FROM small").fetchone()
    assert 100_000 < held < 300_000
    last = row(paths[-1], tmp_path)
    paths[-1].unlink()
    assert of.small(last) == made[-1], "it is kept"
    (tmp_path / "thumbnails.sqlite").write_bytes(b"damaged")
    assert of.small(row(paths[1], tmp_path)) == made[0]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.add("CA:Lincoln:2023", {"1": transcript(block("The School"))})
    return shelf


def found(index: TextIndex, shelf: Shelf) -> list[str]:
    index.update(shelf.storage, shelf.storage.find_results().by_document)
    return [key for keys in index.hits('"school"')[1] for key in keys]


def test_a_damaged_index_is_made_anew(shelf: Shelf) -> None:
    folder = shelf.storage.manifests / "index"
    assert found(TextIndex(folder), shelf) == ["CA:Lincoln:2023:1"]
    (folder / "search.sqlite").write_bytes(b"not a database" * 1_000)
    assert found(TextIndex(folder), shelf) == ["CA:Lincoln:2023:1"]


def test_where_nothing_can_be_written_the_index_lasts_as_long_as_the_viewer(shelf: Shelf) -> None:
    blocked = shelf.root / "blocked"
    blocked.write_text("a file in its place")
    index = TextIndex(blocked)
    assert found(index, shelf) == ["CA:Lincoln:2023:1"]
    assert not index.path.is_relative_to(shelf.root)
    index.close()
    assert not index.path.exists()


def test_one_viewer_at_a_time_adds_to_the_index(shelf: Shelf) -> None:
    folder = shelf.storage.manifests / "index"
    first, second = TextIndex(folder), TextIndex(folder)
    files = shelf.storage.find_results().by_document

    def meanwhile(_: int) -> None:
        assert second.update(shelf.storage, files) is False

    assert first.update(shelf.storage, files, meanwhile) is True
    assert second.count() == 1
