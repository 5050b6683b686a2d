"""Images that are not sent: found when they are read for the upload, left out with their reason from then on, and back
when their file is another. The other pages of their batch are read."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from tests.damaged import blank, cut, page, png
from tests.detached import bare_project, detached
from tests.images import jpeg, tiff
from tests.project import Project

__all__ = ["bare_project"]
pytestmark = pytest.mark.detached

DOCUMENT = "CA:Lincoln:1901"
PLACE = "dataset/page_images/CA/Lincoln/1901"
PAGE = page(400, 500)
WHOLE = jpeg(PAGE, 85)


@pytest.fixture
def shelf(bare_project: Project) -> Project:
    folder = bare_project.root / PLACE
    folder.mkdir(parents=True)
    bare_project.configure(context={"mode": "none"}, images={"min_side_pixels": 200, "send_blank": False})
    return bare_project


def put(project: Project, **files: bytes) -> None:
    for name, content in files.items():
        stem, _, ending = name.removeprefix("p").rpartition("_")
        (project.root / PLACE / f"{stem}.{ending}").write_bytes(content)


def left_out(project: Project) -> dict[str, tuple[str, str | None]]:
    """Name of the file -> the reason and the kind."""
    rows = plain_rows(pq.ParquetFile(project.manifests / "left_out.parquet").read())
    return {Path(row["path"]).name: (row["reason"], row["kind"]) for row in rows}


def pages(project: Project) -> list[str]:
    return [row["page_label"] for row in plain_rows(pq.ParquetFile(project.manifests / "records.parquet").read())]


async def test_what_is_not_whole_or_blank_or_too_small_is_never_sent_and_the_others_are(shelf: Project) -> None:
    put(
        shelf,
        p1_jpg=WHOLE,
        p2_jpg=cut(WHOLE, 0.48),
        p3_png=png(PAGE),
        p4_png=png(PAGE)[:-5000],
        p5_tif=tiff(blank(250, 400, 500)),
        p6_jpg=jpeg(page(150, 120), 85),
        p7_jpg=WHOLE,
    )
    async with detached(shelf) as held:
        report = await held.to_the_end()
        books = shelf.gemini.books()
        assert sorted(books["records"]) == [f"{DOCUMENT}:{number}" for number in (1, 3, 7)], "each paid for once"
        assert pages(shelf) == ["1", "3", "7"]
        found = left_out(shelf)
        assert found["2.jpg"] == ("cut off at 48 %", "broken")
        assert found["4.png"][1] == "broken"
        assert found["5.tif"] == ("blank: nearly white", "blank")
        assert found["6.jpg"] == (
            "too small to be read: 150 x 120 pixels, fewer than images.min_side_pixels (200)",
            "small",
        )
        assert "the scan left out dataset/page_images/CA/Lincoln/1901/2.jpg: cut off at 48 %" in await held.why(
            f"{DOCUMENT}:2"
        )
        assert "left out 4 files: manifests/left_out.parquet lists them" in await held.status_text()
        assert held.counts == {}, "no failure of a page"
        assert report.for_a_person == []
        assert shelf.gemini.existing_files() == []


async def test_it_is_left_out_from_the_pass_on_that_finds_it_and_read_no_more(shelf: Project) -> None:
    put(shelf, p1_jpg=WHOLE, p2_jpg=cut(WHOLE), p3_jpg=jpeg(page(150, 120), 85))
    async with detached(shelf) as held:
        report = await held.run_pass()
        assert (report.submit.sent, report.submit.unfit, report.submit.unreadable) == (1, (f"{DOCUMENT}:2",), ())
        assert pages(shelf) == ["1"]
        assert not report.is_idle
        assert report.message.startswith("0 of 1 page done")
        # What no pass reads again may as well not be readable.
        before = {path.name: path.stat().st_atime_ns for path in (shelf.root / PLACE).iterdir()}
        for path in (shelf.root / PLACE).iterdir():
            os.utime(path, ns=(0, path.stat().st_mtime_ns))
        await held.wait()
        await held.to_the_end()
        read = [path.name for path in (shelf.root / PLACE).iterdir() if path.stat().st_atime_ns != 0]
        assert (sorted(before), read) == (["1.jpg", "2.jpg", "3.jpg"], [])
        assert sorted(left_out(shelf)) == ["2.jpg", "3.jpg"]


async def test_a_file_that_was_mended_is_a_page_again_and_one_that_was_broken_since_is_none(shelf: Project) -> None:
    put(shelf, p1_jpg=cut(WHOLE), p2_jpg=WHOLE)
    async with detached(shelf) as held:
        await held.to_the_end()
        assert shelf.result(f"{DOCUMENT}:1") is None
        put(shelf, p1_jpg=WHOLE, p2_jpg=cut(WHOLE))
        await held.to_the_end()
        assert shelf.result(f"{DOCUMENT}:1") is not None
        assert left_out(shelf) == {}, "what is done stays a page"
        assert pages(shelf) == ["1", "2"]
        assert len(pq.read_table(shelf.manifests / "image_checks.parquet")) == 0


async def test_a_blank_page_is_sent_when_a_person_wants_it(shelf: Project) -> None:
    put(shelf, p1_jpg=WHOLE, p2_jpg=jpeg(blank(250, 400, 500), 85))
    async with detached(shelf) as held:
        await held.to_the_end()
        assert left_out(shelf) == {"2.jpg": ("blank: nearly white", "blank")}
    shelf.configure(images={"send_blank": True})
    async with detached(shelf, held) as held:
        await held.to_the_end()
        assert left_out(shelf) == {}
        assert shelf.result(f"{DOCUMENT}:2") is not None


async def test_a_page_behind_one_that_is_left_out_waits_for_it_no_longer(shelf: Project) -> None:
    shelf.configure(context={"mode": "previous_result"})
    put(shelf, p1_jpg=WHOLE, p2_jpg=cut(WHOLE), p3_jpg=WHOLE)
    async with detached(shelf) as held:
        await held.to_the_end()
        assert [shelf.result(f"{DOCUMENT}:{number}") is not None for number in (1, 2, 3)] == [True, False, True]


async def test_with_decode_each_page_is_decoded_once(shelf: Project) -> None:
    shelf.configure(images={"verify": "decode"}, execution={"max_retries": 1})
    half = cut(WHOLE) + WHOLE[-2:]
    put(shelf, p1_jpg=WHOLE, p2_jpg=half)
    shelf.gemini.set_steps(f"{DOCUMENT}:1", "not_json", "auto")
    async with detached(shelf) as held:
        await held.to_the_end()
        assert left_out(shelf) == {"2.jpg": ("cut off at 51 %: its data end there", "broken")}
        decoded = plain_rows(pq.read_table(shelf.manifests / "decoded_images.parquet"))
        assert [Path(row["image_path"]).name for row in decoded] == ["1.jpg"], "also for its second try"


async def test_a_table_that_is_damaged_is_made_anew(shelf: Project) -> None:
    put(shelf, p1_jpg=WHOLE, p2_jpg=cut(WHOLE))
    async with detached(shelf) as held:
        await held.to_the_end()
        (shelf.manifests / "image_checks.parquet").write_bytes(b"damaged")
        await held.to_the_end()
        assert list(left_out(shelf)) == ["2.jpg"]
        assert sorted(shelf.gemini.books()["records"]) == [f"{DOCUMENT}:1"]
