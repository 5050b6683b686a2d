"""Several files of one page: which of them is sent, and when a person is asked."""

import pytest

from assets.copies import copies_notes, one_of, settle
from assets.domain.image_kinds import ImageKind
from assets.sources import PageImage

JPG, PNG, TIF, JP2, WEBP = ImageKind.JPG, ImageKind.PNG, ImageKind.TIF, ImageKind.JP2, ImageKind.WEBP
TYPES = {"jpg": "image/jpeg", "png": "image/png", "tif": "image/tiff", "jp2": "image/jp2", "webp": "image/webp"}


def image(name: str, size: tuple[int, int] = (2000, 3000), frames: int = 1) -> PageImage:
    kind = TYPES[name.rpartition(".")[2]]
    return PageImage(("book",), "1", name, 0, kind, 100, 1, *size, frames)


@pytest.mark.parametrize(
    ("images", "prefer", "taken"),
    [
        ([image("1.tif"), image("1.jpg")], [], "1.jpg"),
        ([image("1.jpg"), image("1.tif")], [], "1.jpg"),
        ([image("1.tif"), image("1.jpg")], [TIF, JPG], "1.tif"),
        ([image("1.tif"), image("1.jpg"), image("1.jp2")], [JP2], "1.jp2"),
        ([image("1.tif"), image("1.jp2")], [], "1.tif"),
        ([image("1.tif"), image("1.png"), image("1.webp")], [JP2], "1.png"),
        # An access copy is smaller, and has lost a row of pixels.
        ([image("1.tif", (4000, 6001)), image("1.jpg", (1333, 2000))], [], "1.jpg"),
        # A thumbnail is no copy to read, but for a person's word.
        ([image("1.tif"), image("1.jpg", (400, 600))], [], "1.tif"),
        ([image("1.tif"), image("1.jpg", (400, 600))], [JPG], "1.jpg"),
        ([image("1.tif", (500, 750)), image("1.jpg", (400, 600))], [], "1.jpg"),
    ],
)
def test_a_master_and_its_copy(images: list[PageImage], prefer: list[ImageKind], taken: str) -> None:
    for order in (images, images[::-1]):
        found = one_of(order, prefer)
        assert found is not None
        assert found.path == taken


@pytest.mark.parametrize(
    "images",
    [
        [image("1.jpg"), image("01.jpg")],
        [image("1.tif"), image("1.jpg"), image("01.jpg")],
        [image("1.tif"), image("1.jpg", (3000, 2000))],
        [image("1.tif"), image("1.jpg", (2000, 2900))],
        [image("1.tif", frames=2), image("1.jpg")],
    ],
)
def test_what_may_be_different_pictures_is_for_a_person_to_say(images: list[PageImage]) -> None:
    assert one_of(images, [JPG]) is None


def test_it_is_told_in_one_line() -> None:
    assert copies_notes([], []) == []
    assert copies_notes([("a/1.jpg", "a/1.tif")], []) == [
        "1 page has several files of which one is sent (what Gemini takes as it is, unless images.prefer is set), such "
        "as a/1.jpg and not a/1.tif"
    ]
    assert copies_notes([("a/2.tif", "a/2.jpg"), ("a/1.tif", "a/1.jpg"), ("a/1.tif", "a/1.png")], [TIF, JPG]) == [
        "2 pages have several files of which one is sent (images.prefer: tif, jpg), such as a/1.tif and not a/1.jpg"
    ]


def test_a_file_that_is_cut_off_gives_way_to_another_of_its_page() -> None:
    tif, jpg, alone = image("1.tif"), image("1.jpg"), image("2.jpg")
    found, copies = settle({"1": [tif, jpg], "2": [alone]}, [], lambda each: each is jpg)
    assert found == {"1": [tif], "2": [alone]}
    assert copies == [(tif, jpg)]
    # Where both are, one is left out as what it is, and not both as a question.
    found, _ = settle({"1": [tif, jpg]}, [], lambda each: True)
    assert found == {"1": [jpg]}
    # What is a question stays one, though only one of them could be sent.
    other = image("01.jpg")
    assert settle({"1": [jpg, other]}, [], lambda each: each is jpg) == ({"1": [jpg, other]}, [])
