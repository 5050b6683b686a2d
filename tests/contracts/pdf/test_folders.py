"""The folders of images: when one is made anew, what stays as it is, what a crash leaves, and what is not ours."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from assets.domain.errors import LeaseLostError
from flows.gateways.ports import SOURCE_MARKER, TEMPORARY_PREFIX
from tests.contracts.pdf.shelf import SQUARE, Shelf, by_hand, jpegs, typeset
from tests.errno_matrix.faults import Fault, faults_in

DOCUMENT = "CA/Lincoln/1901"
PDF = f"{DOCUMENT}.pdf"
OWN_IMAGES = "the folder already holds images of its own"


@pytest.fixture
def folder(shelf: Shelf) -> Path:
    """The images of a PDF of three pages."""
    typeset(shelf.place(PDF), ["one", "two", "three"])
    assert shelf.scan().problems == []
    folder = shelf.images / DOCUMENT
    assert shelf.pages(DOCUMENT) == jpegs(3)
    return folder


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file: what was written anew has others."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


class TestWhenItIsRendered:
    def test_once(self, shelf: Shelf, folder: Path) -> None:
        before, inode = stamps(folder), folder.stat().st_ino
        scanned = shelf.scan()
        assert scanned.rendered == []
        assert [document.pages for document in scanned.documents] == [3]
        assert (stamps(folder), folder.stat().st_ino) == (before, inode)

    def test_again_when_the_pdf_changed_and_pages_that_did_not_keep_their_files(
        self, shelf: Shelf, folder: Path
    ) -> None:
        before = stamps(folder)
        typeset(shelf.place(PDF), ["one", "2", "three", "four"])
        scanned = shelf.scan()
        assert scanned.rendered == [PDF]
        assert shelf.pages(DOCUMENT) == jpegs(4)
        assert changed(before, stamps(folder)) == {"2.jpg", "4.jpg", SOURCE_MARKER}
        assert shelf.leftovers() == []

    def test_again_when_only_its_time_changed(self, shelf: Shelf, folder: Path) -> None:
        before = stamps(folder)
        os.utime(shelf.sources / PDF, (1, 1))
        assert shelf.scan().rendered == [PDF]
        assert changed(before, stamps(folder)) == {SOURCE_MARKER}
        assert shelf.scan().rendered == []

    def test_a_pdf_that_got_shorter_loses_its_last_pages(self, shelf: Shelf, folder: Path) -> None:
        before = stamps(folder)
        typeset(shelf.place(PDF), ["one"])
        shelf.scan()
        assert shelf.pages(DOCUMENT) == jpegs(1)
        assert changed(before, stamps(folder)) == {"2.jpg", "3.jpg", SOURCE_MARKER}

    def test_again_when_an_image_is_gone(self, shelf: Shelf, folder: Path) -> None:
        before = stamps(folder)
        (folder / "2.jpg").unlink()
        assert shelf.scan().rendered == [PDF]
        assert shelf.pages(DOCUMENT) == jpegs(3)
        assert changed(before, stamps(folder)) == {"2.jpg", SOURCE_MARKER}

    def test_again_when_the_folder_is_gone(self, shelf: Shelf, folder: Path) -> None:
        shutil.rmtree(folder)
        assert shelf.scan().rendered == [PDF]
        assert shelf.pages(DOCUMENT) == jpegs(3)

    @pytest.mark.parametrize("setting", ["dpi", "max_side_pixels", "jpeg_quality", "max_image_pixels"])
    def test_again_when_a_setting_changed_that_counts(self, shelf: Shelf, folder: Path, setting: str) -> None:
        shelf.settings = replace(shelf.settings, **{setting: getattr(shelf.settings, setting) - 10})
        assert shelf.scan().rendered == [PDF]
        assert shelf.scan().rendered == []

    def test_a_pdf_that_is_gone_leaves_its_images(self, shelf: Shelf, folder: Path) -> None:
        before = stamps(folder)
        (shelf.sources / PDF).unlink()
        assert shelf.scan().documents == []
        assert stamps(folder) == before

    def test_one_that_becomes_readable_is_rendered(self, shelf: Shelf) -> None:
        shelf.place(PDF).write_bytes(b"%PDF-1.7 half a copy")
        assert list(shelf.scan().left_out) == [PDF]
        typeset(shelf.place(PDF), 2)
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(2)


class TestNames:
    @pytest.mark.parametrize("name", ["Île-de-France/École nº 1/août 1901", "東京/第一 高校/昭和", "a b/c.d/1901.v2"])
    def test_of_any_letters(self, shelf: Shelf, tmp_path: Path, name: str) -> None:
        shutil.move(typeset(tmp_path / "plain.pdf", 1), shelf.place(f"{name}.pdf"))
        assert shelf.scan().problems == []
        assert shelf.pages(name) == jpegs(1)
        assert shelf.scan().rendered == []

    def test_letters_in_another_coding_meet_in_one_folder(self, shelf: Shelf, tmp_path: Path) -> None:
        shutil.move(typeset(tmp_path / "plain.pdf", 1), shelf.place("CA/E\u0301cole/1901.pdf"))
        assert shelf.scan().problems == []
        assert shelf.pages("CA/\u00c9cole/1901") == jpegs(1), "the names of folders are NFC"

        shutil.rmtree(shelf.images / "CA")
        (shelf.images / "CA/E\u0301cole").mkdir(parents=True)
        assert shelf.scan().problems == []
        assert [path.name for path in (shelf.images / "CA").iterdir()] == ["E\u0301cole"], (
            "but one that is there is used as it is"
        )
        assert shelf.pages("CA/E\u0301cole/1901") == jpegs(1)

    def test_endings_in_capitals(self, shelf: Shelf, tmp_path: Path) -> None:
        shutil.move(typeset(tmp_path / "plain.pdf", 1), shelf.place("CA/Lincoln/1901.PDF"))
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(1)


class TestWhatIsNotOurs:
    def test_images_of_a_persons_own(self, shelf: Shelf) -> None:
        """Where the first page is there no PDF is opened, nor anything written."""
        typeset(shelf.place(PDF), 3)
        own = shelf.images / DOCUMENT / "0001.png"
        own.parent.mkdir(parents=True)
        own.write_bytes(b"by hand")
        for _ in range(2):
            scanned = shelf.scan()
            assert scanned.left_out == {PDF: f"{OWN_IMAGES}: 0001.png is page 1, and so is page 1 of the PDF"}
            assert scanned.rendered == []
        assert list(own.parent.iterdir()) == [own]
        assert own.read_bytes() == b"by hand"

    def test_images_of_a_persons_own_that_are_no_page_of_the_pdf_stay_beside_it(self, shelf: Shelf) -> None:
        typeset(shelf.place(PDF), 3)
        folder = shelf.images / DOCUMENT
        folder.mkdir(parents=True)
        for name in ("4.png", "cover.jpg", "2r.tif"):
            (folder / name).write_text(name)
        before = stamps(folder)

        assert shelf.scan().problems == []

        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [SOURCE_MARKER, *jpegs(3), "4.png", "cover.jpg", "2r.tif"]
        )
        assert {name: stamps(folder)[name] for name in before} == before
        assert shelf.leftovers() == []
        assert shelf.scan().rendered == []

    def test_a_pdf_whose_pages_meet_them_is_opened_once_and_rendered_when_they_do_not_any_more(
        self, shelf: Shelf
    ) -> None:
        typeset(shelf.place(PDF), 3)
        own = shelf.images / DOCUMENT / "3.png"
        own.parent.mkdir(parents=True)
        own.write_bytes(b"by hand")
        told = {PDF: f"{OWN_IMAGES}: 3.png is page 3, and so is page 3 of the PDF"}
        first, second = shelf.scan(), shelf.scan()
        assert (first.left_out, first.rendered) == (told, [PDF])
        assert (second.left_out, second.rendered) == (told, [])
        assert shelf.pages(DOCUMENT) == ["3.png"]

        own.rename(own.with_name("5.png"))

        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == [*jpegs(3), "5.png"]

    def test_a_folder_among_a_persons_images_is_not_lost(self, shelf: Shelf) -> None:
        typeset(shelf.place(PDF), 1)
        (shelf.images / DOCUMENT / "old").mkdir(parents=True)
        reason = "the folder of its images holds old, which is not made from it; move it away"
        assert (shelf.scan().left_out, shelf.scan().rendered) == ({PDF: reason}, [])

    def test_an_empty_folder_is_filled(self, shelf: Shelf) -> None:
        typeset(shelf.place(PDF), 1)
        (shelf.images / DOCUMENT).mkdir(parents=True)
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(1)

    def test_what_a_person_laid_beside_the_images_stays(self, shelf: Shelf, folder: Path) -> None:
        for name in ("notes.txt", "9.png", ".DS_Store"):
            (folder / name).write_text(name)
        before = stamps(folder)
        typeset(shelf.place(PDF), ["1", "2", "3"])
        assert shelf.scan().problems == []
        assert changed(before, stamps(folder)) == {*jpegs(3), SOURCE_MARKER}
        assert (folder / "notes.txt").read_text() == "notes.txt"

    def test_a_persons_file_is_not_overwritten_by_a_page(self, shelf: Shelf, folder: Path) -> None:
        (folder / "4.jpg").write_text("by hand")
        before = stamps(folder)
        typeset(shelf.place(PDF), 4)
        reason = f"{OWN_IMAGES}: 4.jpg is page 4, and so is page 4 of the PDF"
        assert shelf.scan().left_out == {PDF: reason}
        assert stamps(folder) == before
        assert shelf.leftovers() == []

    def test_a_folder_in_the_folder_is_not_lost(self, shelf: Shelf, folder: Path) -> None:
        (folder / "old").mkdir()
        (folder / "old" / "1.jpg").write_text("by hand")
        os.utime(shelf.sources / PDF, (1, 1))
        assert list(shelf.scan().left_out) == [PDF]
        assert (folder / "old" / "1.jpg").read_text() == "by hand"

    def test_a_marker_that_cannot_be_read(self, shelf: Shelf, folder: Path) -> None:
        (folder / SOURCE_MARKER).write_text('{"source": 1')
        before = stamps(folder)
        scanned = shelf.scan()
        assert "cannot be read; delete that folder" in scanned.left_out[PDF]
        assert stamps(folder) == before

    def test_a_marker_that_would_fill_the_memory_or_never_end_is_not_read(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [SQUARE])
        assert shelf.scan().problems == []
        marker = shelf.images / DOCUMENT / SOURCE_MARKER
        with marker.open("wb") as file:
            file.truncate(2**40)
        assert "cannot be read; delete that folder" in shelf.scan().left_out[PDF]
        marker.unlink()
        os.mkfifo(marker)
        assert "cannot be read; delete that folder" in shelf.scan().left_out[PDF]

    @pytest.mark.parametrize("linked", ["CA", "CA/Lincoln", DOCUMENT])
    def test_nothing_is_written_through_a_link_that_leads_out(self, shelf: Shelf, tmp_path: Path, linked: str) -> None:
        typeset(shelf.place(PDF), 1)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        link = shelf.images / linked
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(elsewhere)
        scanned = shelf.scan()
        assert list(scanned.left_out) == [PDF]
        assert "leads out of" in scanned.left_out[PDF] or "is a symbolic link" in scanned.left_out[PDF]
        assert list(elsewhere.iterdir()) == []

    def test_page_images_may_themselves_be_a_link(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.images.rmdir()
        (tmp_path / "share").mkdir()
        shelf.images.symlink_to(tmp_path / "share")
        typeset(shelf.place(PDF), 1)
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(1)

    def test_a_file_where_its_folder_should_be(self, shelf: Shelf) -> None:
        typeset(shelf.place(PDF), 1)
        (shelf.images / "CA").write_text("")
        assert list(shelf.scan().left_out) == [PDF]


class TestWhatACrashLeaves:
    """States between two steps, laid out by hand; tests/flows/test_render.py kills a real scan."""

    NEW = f"{TEMPORARY_PREFIX}pdf-{'0' * 16}"
    OLD = f"{TEMPORARY_PREFIX}pdf-{'1' * 16}"

    def test_images_without_a_marker_are_thrown_away(self, shelf: Shelf, folder: Path) -> None:
        left = folder.with_name(self.NEW)
        shutil.copytree(folder, left)
        (left / SOURCE_MARKER).unlink()
        before = stamps(folder)
        assert shelf.scan().rendered == []
        assert (shelf.leftovers(), stamps(folder)) == ([], before)

    def test_a_whole_folder_beside_the_old_one_is_thrown_away(self, shelf: Shelf, folder: Path) -> None:
        shutil.copytree(folder, folder.with_name(self.NEW))
        before = stamps(folder)
        assert shelf.scan().rendered == []
        assert (shelf.leftovers(), stamps(folder)) == ([], before)

    def test_between_the_two_renames_a_whole_folder_is_put_in_place(self, shelf: Shelf, folder: Path) -> None:
        (folder / "notes.txt").write_text("by hand")
        shutil.copytree(folder, folder.with_name(self.NEW))
        folder.rename(folder.with_name(self.OLD))
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == [*jpegs(3), "notes.txt"]
        assert shelf.leftovers() == []

    def test_temporary_files_of_somebody_else_stay(self, shelf: Shelf, folder: Path) -> None:
        for name in (f"{TEMPORARY_PREFIX}mine", f"{TEMPORARY_PREFIX}pdf-short"):
            folder.with_name(name).mkdir()
        shelf.scan()
        assert len(shelf.leftovers()) == 2

    def test_a_lost_lease_leaves_all_as_it_was(self, shelf: Shelf, folder: Path) -> None:
        before = stamps(folder)
        typeset(shelf.place(PDF), ["other"])
        calls = []

        def check() -> None:
            calls.append(1)
            raise LeaseLostError("gone")

        with pytest.raises(LeaseLostError):
            shelf.scan(check=check)
        assert calls == [1]
        assert (shelf.leftovers(), stamps(folder)) == ([], before)

    def test_one_trouble_ends_all_and_the_rest_is_done_by_the_next_scan(self, shelf: Shelf) -> None:
        for year in range(1900, 1910):
            typeset(shelf.place(f"CA/Lincoln/{year}.pdf"), 3)
        done = []

        def check() -> None:
            done.append(1)
            if len(done) == 3:
                raise LeaseLostError("gone")

        with pytest.raises(LeaseLostError):
            shelf.scan(check=check, processes=1)
        assert len(list(shelf.images.rglob("*.jpg"))) == 6
        assert shelf.leftovers() == []
        assert len(shelf.scan().rendered) == 8
        assert len(list(shelf.images.rglob("*.jpg"))) == 30

    def test_a_full_disk_leaves_out_its_document_and_the_next_scan_renders_it(self, shelf: Shelf) -> None:
        for year in (1901, 1902):
            typeset(shelf.place(f"CA/Lincoln/{year}.pdf"), 1)
        with faults_in(shelf.images, Fault("fsync", errno.ENOSPC)):
            [problem] = shelf.scan().problems
        assert "its images cannot be written: " in problem.reason
        assert "No space left on device; make room on that disk, then run again" in problem.reason
        assert len(list(shelf.images.rglob("*.jpg"))) == 1, "the other is there"
        assert shelf.scan().problems == []
        assert [shelf.pages(f"CA/Lincoln/{year}") for year in (1901, 1902)] == [jpegs(1), jpegs(1)]

    def test_a_pdf_that_changes_while_it_is_rendered_is_left_for_the_next_scan(self, shelf: Shelf) -> None:
        path = typeset(shelf.place(PDF), 3)
        # A neighbour that is put in place first, by which the file changes that is rendered by then.
        typeset(shelf.place("CA/Lincoln/1900.pdf"), 1)
        scanned = shelf.scan(check=lambda: os.utime(path, (1, 1)), processes=1)
        assert scanned.left_out == {PDF: "it was changed while it was rendered; the next scan takes it again"}
        assert not (shelf.images / DOCUMENT).exists()
        assert shelf.scan().rendered == [PDF]


def test_progress_goes_from_nothing_to_all(shelf: Shelf) -> None:
    for year in (1900, 1901):
        typeset(shelf.place(f"CA/Lincoln/{year}.pdf"), 4)
    seen: list[int] = []
    shelf.scan(check=lambda: seen.append(shelf.progress.percent(2)), processes=1)
    assert seen == [50, 100], "all pages of the first, then of both, when they are put in place"
