"""The folder of a document that was fetched: what is known of its images after a crash, damage, and edits."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from assets.fetching import FetchedPage
from flows.gateways.files.fetched import FetchedFolder

PAGE = FetchedPage(
    1, "0001.jpg", "f. 1r", "https://x.org/c1", "https://x.org/1.jpg", 60, 80, 3072, 5, "", fetched_at="2026-11-27"
)
SHA256 = {b"first": "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"}


@pytest.fixture
def folder(tmp_path: Path) -> FetchedFolder:
    found = FetchedFolder(tmp_path / "book")
    found.write_document(b'{"type": "Manifest"}', {"id": "https://x.org/m", "label": "A book"})
    return found


def test_an_image_is_noted_before_it_takes_its_place_and_the_last_note_counts(folder: FetchedFolder) -> None:
    first = replace(PAGE, sha256=SHA256[b"first"])
    folder.put_image(first, b"first")
    assert folder.pages() == {1: first}
    assert folder.is_whole(first) is True
    other = replace(PAGE, sha256="0" * 64)
    folder.put_image(other, b"other")
    assert folder.pages() == {1: other}
    assert folder.is_whole(other) is False, "byte by byte, though the size is the same"
    (folder.folder / "0001.jpg").unlink()
    assert folder.is_whole(other) is None


@pytest.mark.parametrize("torn", [b'{"page": 2, "fi', b"\xff\xfe\n", b"[1]\n", b"{" * 100_000, b'{"page": 2}\n'])
def test_a_torn_note_is_none_and_swallows_no_other(folder: FetchedFolder, torn: bytes) -> None:
    folder.put_image(PAGE, b"first")
    notes = folder.folder / ".iiif/pages.jsonl"
    with notes.open("ab") as file:
        file.write(torn)
    third = replace(PAGE, page=3, file="0003.jpg")

    folder.put_image(third, b"third")

    assert folder.pages() == {1: PAGE, 3: third}


def test_a_note_that_names_a_file_elsewhere_is_none(folder: FetchedFolder) -> None:
    folder.put_image(PAGE, b"first")
    notes = folder.folder / ".iiif/pages.jsonl"
    notes.write_text(notes.read_text().replace("0001.jpg", "../0001.jpg"))
    assert folder.pages() == {}


def test_images_alone_are_what_lies_there(folder: FetchedFolder) -> None:
    for name in ("0001.jpg", "cover.PNG", "notes.txt", ".tmp-1.jpg", "0002"):
        (folder.folder / name).write_text("x")
    assert folder.stems() == {"0001", "cover"}
    assert FetchedFolder(folder.folder / "gone").stems() == set()


def test_a_document_that_cannot_be_understood_is_told(folder: FetchedFolder) -> None:
    assert (folder.document() or {})["label"] == "A book"
    assert FetchedFolder(folder.folder / "gone").document() is None
    (folder.folder / ".iiif/document.json").write_text("[")
    with pytest.raises(ManifestError, match="cannot be understood; move the folder away, and it is fetched anew"):
        folder.document()
