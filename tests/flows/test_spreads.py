"""Two-page spreads, from the folder to the results: each of the two pages is a record of its own."""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.domain.errors import QuireError
from assets.domain.spread_words import SpreadOrder
from assets.plain_rows import plain_rows
from assets.sources import PageImage
from assets.spreads import split, stamp_of
from flows.terminal.picture import check_with_picture
from tests.damaged import blank, page
from tests.detached import bare_project, detached
from tests.images import jpeg
from tests.project import JsonObject, Project
from tests.spreads import HEIGHT, one_wide_page, spread

__all__ = ["bare_project"]
pytestmark = pytest.mark.detached

DOCUMENT = "CA:Lincoln:1901"
PLACE = "dataset/page_images/CA/Lincoln/1901"


@pytest.fixture
def shelf(bare_project: Project) -> Project:
    (bare_project.root / PLACE).mkdir(parents=True)
    bare_project.configure(context={"mode": "none"}, images={"split_spreads": "auto", "send_blank": False})
    return bare_project


def put(project: Project, name: str, content: bytes) -> None:
    (project.root / PLACE / name).write_bytes(content)


def records(project: Project) -> list[JsonObject]:
    rows: list[JsonObject] = plain_rows(pq.ParquetFile(project.manifests / "records.parquet").read())
    return rows


def told(project: Project) -> dict[str, str]:
    rows = plain_rows(pq.ParquetFile(project.manifests / "left_out.parquet").read())
    return {Path(row["path"]).name: row["reason"] for row in rows}


async def test_a_spread_is_two_pages_in_their_order_and_each_has_its_result(shelf: Project) -> None:
    shelf.configure(context={"mode": "previous_result"})
    put(shelf, "0011.jpg", jpeg(page(600, 800), 85))
    put(shelf, "0012.jpg", jpeg(spread(0.47), 85))
    put(shelf, "0013.jpg", jpeg(one_wide_page(), 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        found = [(row["page_label"], row["image_left"], row["predecessor"]) for row in records(shelf)]
        cut = records(shelf)[1]["image_right"]
        assert abs(cut - 0.47 * 1400) < 15
        assert found == [
            ("11", None, None),
            ("12.1", 0, f"{DOCUMENT}:11"),
            ("12.2", cut, f"{DOCUMENT}:12.1"),
            ("13", None, f"{DOCUMENT}:12.2"),
        ]
        assert all(shelf.result(f"{DOCUMENT}:{label}") is not None for label in ("11", "12.1", "12.2", "13"))
        assert told(shelf)["0013.jpg"] == "wider than a page, and where to cut it is not sure: it stays one page"
        assert max(shelf.gemini.record(f"{DOCUMENT}:12.{half}")["submitted"] for half in (1, 2)) == 1


async def test_it_is_looked_at_once_and_again_when_it_has_changed(shelf: Project) -> None:
    put(shelf, "1.jpg", jpeg(spread(0.5), 85))
    put(shelf, "2.jpg", jpeg(one_wide_page(), 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        for path in (shelf.root / PLACE).iterdir():
            os.utime(path, ns=(0, path.stat().st_mtime_ns))
        await held.run_pass()
        assert [path.stat().st_atime_ns for path in (shelf.root / PLACE).iterdir()] == [0, 0]
        put(shelf, "2.jpg", jpeg(spread(0.5), 85))
        await held.to_the_end()
        assert [row["page_label"] for row in records(shelf)] == ["1.1", "1.2", "2.1", "2.2"]
        assert told(shelf) == {}


async def test_a_blank_half_is_left_out_and_the_other_is_sent(shelf: Project) -> None:
    drawn = spread(0.5)
    drawn[:, :640] = blank(235, 640, HEIGHT)
    put(shelf, "1.jpg", jpeg(drawn, 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        assert [row["page_label"] for row in records(shelf)] == ["1.2"]
        assert told(shelf) == {"1.jpg": "blank: of one shade all over"}
        assert "the scan left out" in await held.why(f"{DOCUMENT}:1.1")
        assert list(shelf.gemini.books()["records"]) == [f"{DOCUMENT}:1.2"]


async def test_an_allow_list_names_a_spread_or_one_of_its_pages(shelf: Project) -> None:
    allowed = shelf.root / "allowed/CA/Lincoln/1901"
    allowed.mkdir(parents=True)
    for name in ("1", "2.1"):
        (allowed / f"{name}.json").touch()
    shelf.configure(paths={"allow_list": "allowed"})
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        put(shelf, name, jpeg(spread(0.5), 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        assert [row["page_label"] for row in records(shelf)] == ["1.1", "1.2", "2.1"]


async def test_without_the_word_for_it_a_spread_is_one_page(shelf: Project) -> None:
    shelf.configure(images={"split_spreads": "never"})
    put(shelf, "1.jpg", jpeg(spread(0.5), 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        assert [row["page_label"] for row in records(shelf)] == ["1"]
        assert not (shelf.manifests / "spreads.parquet").exists()


async def test_check_shows_the_cut_as_a_picture(shelf: Project, tmp_path: Path) -> None:
    put(shelf, "1.jpg", jpeg(spread(0.45), 85))
    async with detached(shelf) as held:
        await held.run_pass()
    picture = tmp_path / "cut.png"
    said = await check_with_picture(str(shelf.config), f"{DOCUMENT}:1.2", picture)
    cut = records(shelf)[1]["image_left"]
    assert f"1.jpg, columns {cut} to 1400: image/jpeg, 1400 x {HEIGHT} pixels" in said
    assert said.endswith(f"The page as it goes up: {picture}")
    shown = np.asarray(Image.open(picture)).astype(int)
    assert shown.shape == (HEIGHT, 1400, 3)
    assert shown[400, cut].tolist() == [220, 0, 0]
    assert shown[:, :600].min() > 130, "the other page is pale"
    assert shown[:, 800:].min() < 60
    with pytest.raises(QuireError, match="is there already"):
        await check_with_picture(str(shelf.config), f"{DOCUMENT}:1.2", picture)


def image(label: str, *, width: int = 1400) -> PageImage:
    return PageImage(("CA",), label, f"CA/{label}.jpg", 0, "image/jpeg", 10, 20, width, 900)


def test_the_order_is_that_of_the_script() -> None:
    wide = image("12-13")
    for order, lefts in ((SpreadOrder.LEFT_TO_RIGHT, [0, 700]), (SpreadOrder.RIGHT_TO_LEFT, [700, 0])):
        pages, problems = split([wide], {stamp_of(wide): 0.5}, order)
        assert [(each.label, each.left) for each in pages] == list(zip(["12-13.1", "12-13.2"], lefts, strict=True))
        assert problems == []


def test_a_spread_stays_whole_where_one_of_its_pages_has_an_image_of_its_own() -> None:
    wide, own = image("12"), image("12.2", width=600)
    pages, problems = split([wide, own], {stamp_of(wide): 0.5}, SpreadOrder.LEFT_TO_RIGHT)
    assert pages == [wide, own]
    assert [each.reason for each in problems] == ["a spread, but page 12.2 has an image of its own: it stays one page"]
