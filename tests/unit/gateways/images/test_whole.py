"""Images that are not whole, made by other tools than those that read them: each kind of file, each kind of damage.
What is found is the table in docs/collections.md."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assets.domain.errors import ImageError, UnfitImageError
from assets.image_checks import BLANK, BROKEN
from flows.gateways.images.preparing import prepare
from tests.damaged import DAMAGE, KINDS, blank, cut, flipped, front_tiff, in_chunks, lost, page, png, put, turned
from tests.images import Drawn, jpeg, png_chunk, small_jpeg, tiff, webp

DOCS = Path(__file__).parents[4] / "docs" / "collections.md"
BEGIN, END = "<!-- damaged files, by their test -->\n", "<!-- end of damaged files -->"
BEGIN_BLANK, END_BLANK = "<!-- blank pages, by their test -->\n", "<!-- end of blank pages -->"
DRAWN = page()


def said(tmp_path: Path, content: bytes, *, decodes: bool = False, send_blank: bool = False) -> str:
    """What is found of an image with this content: why it is not sent, or ""."""
    path = put(tmp_path / "1.jpg", content)
    how: dict[str, Any] = {"max_side_pixels": None, "jpeg_quality": 90, "max_pixels": 150_000_000}
    try:
        prepare(path, 0, decodes=decodes, send_blank=send_blank, **how)
    except UnfitImageError as error:
        found = path.stat()
        is_of_file = (error.size_bytes, error.modified_ns) == (found.st_size, found.st_mtime_ns)
        return error.reason if is_of_file and error.kind in (BROKEN, BLANK) else f"not of this file: {error.kind}"
    return ""


def table(tmp_path: Path) -> str:
    """The rows of docs/collections.md."""
    lines = [f"| file | {' | '.join(DAMAGE)} |", "|---|" + "---|" * len(DAMAGE)]
    for kind, encode in KINDS.items():
        whole = encode(DRAWN)
        assert said(tmp_path, whole) == "", f"{kind}: a whole one is sent"
        found = [said(tmp_path, damage(whole)) for damage in DAMAGE.values()]
        lines.append(f"| {kind} | {' | '.join(each or 'not told' for each in found)} |")
    return "\n".join(lines) + "\n"


def blank_rows(tmp_path: Path) -> str:
    """The rows of pages with nothing on them, or little."""
    numbered, pencilled, specked = blank(245), blank(245), blank(245)
    numbered[950:980, 380:384] = 40
    numbered[950:980, 400:404] = 40
    pencilled[400:404, 200:700] = 215
    specked[100:103, 100:103] = 60
    pages = {
        "white paper with its grain": blank(250),
        "the same, with a speck": specked,
        "black, as of a closed lid": blank(3),
        "gray all over": blank(128),
        "a page number alone": numbered,
        "a line in pencil": pencilled,
    }
    kinds = ("JPEG", "PNG", "TIFF, LZW")
    lines = [f"| page | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
    for name, drawn in pages.items():
        found = [said(tmp_path, KINDS[kind](drawn)) or "sent" for kind in kinds]
        lines.append(f"| {name} | {' | '.join(found)} |")
    return "\n".join(lines) + "\n"


def test_pages_with_nothing_on_them_are_told_as_the_page_says(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.partition(BEGIN_BLANK)[2].partition(END_BLANK)[0] == blank_rows(tmp_path)


def test_each_kind_of_damage_to_each_kind_of_file_is_told_as_the_page_says(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table(tmp_path)


def test_how_much_is_there_is_told(tmp_path: Path) -> None:
    for share in (0.2, 0.48, 0.9):
        for content in (jpeg(DRAWN, 85), png(DRAWN), webp(DRAWN)):
            match = re.fullmatch(r"cut off at ([0-9]+) %", said(tmp_path, cut(content, share)))
            assert match is not None
            assert abs(int(match[1]) - 100 * share) <= 2


def test_what_stands_behind_the_end_of_an_image_is_no_damage(tmp_path: Path) -> None:
    """Cameras write a second picture there, copies fill a block up with zeros."""
    for content in (jpeg(DRAWN, 85), png(DRAWN), webp(DRAWN)):
        for behind in (bytes(3000), bytes(70_000), b"made by a camera" * 500):
            assert said(tmp_path, content + behind) == ""
    assert said(tmp_path, jpeg(DRAWN, 85) + jpeg(DRAWN[:160, :120], 85)) == ""


def test_a_thumbnail_in_the_head_does_not_hide_that_the_end_is_missing(tmp_path: Path) -> None:
    content, thumbnail = jpeg(DRAWN, 85), small_jpeg()
    block = b"\xff\xe1" + (len(thumbnail) + 8).to_bytes(2, "big") + b"Exif\0\0" + thumbnail
    whole = content[:2] + block + content[2:]
    assert said(tmp_path, whole) == ""
    assert said(tmp_path, cut(whole)).startswith("cut off at ")
    assert said(tmp_path, whole[:-2]).startswith("cut off at 99 %"), "the mark of the end alone is missing"


def test_a_png_is_told_by_its_checksums_wherever_its_chunks_end(tmp_path: Path) -> None:
    for chunk_bytes in (500, 8192, 65_536, 10_000_000):
        content = in_chunks(png(DRAWN), chunk_bytes)
        assert said(tmp_path, content) == ""
        assert "the checksum of its chunk IDAT does not fit" in said(tmp_path, flipped(content))
    text = png_chunk(b"tEXt", b"Comment\0nothing that is needed")
    damaged = text[:-1] + bytes([text[-1] ^ 1])
    assert said(tmp_path, in_chunks(png(DRAWN), 8192, damaged)) == "", "a text may be damaged"


def test_white_paper_in_a_jpeg_of_short_codes_is_no_hole(tmp_path: Path) -> None:
    """Codes that were made for the image are zeros where nothing is on it: thousands of them in a row."""
    drawn = np.full((4000, 3000), 255, np.uint8)
    drawn[:1200, :900] = DRAWN
    Image.fromarray(drawn).save(tmp_path / "a.jpg", quality=85, optimize=True)
    content = (tmp_path / "a.jpg").read_bytes()
    assert re.search(rb"\0{5000}", content)
    assert said(tmp_path, content) == ""
    assert said(tmp_path, cut(content)) != ""


def test_black_in_a_plain_tiff_is_no_hole_and_a_strip_behind_the_end_is_missing(tmp_path: Path) -> None:
    drawn = DRAWN.copy()
    drawn[700:] = 0
    drawn[:, :300] = 0
    assert said(tmp_path, front_tiff(drawn)) == ""
    assert said(tmp_path, front_tiff(DRAWN)[:-1]) == "cut off at 99 %"
    assert said(tmp_path, cut(front_tiff(DRAWN), 0.25)) == "cut off at 25 %"


def test_of_a_book_in_one_tiff_only_the_page_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    pages = [page(400, 500), page(400, 500), page(400, 500)]
    content = tiff(*pages, compression="lzw")
    at = content.find(tiff(pages[1], compression="lzw")[8:200], len(content) // 3)
    path = put(tmp_path / "1.tif", content[:at] + bytes(40_000) + content[at + 40_000 :])

    def is_fit(frame: int) -> bool:
        try:
            prepare(path, frame, max_side_pixels=None, jpeg_quality=90, max_pixels=10**8)
        except ImageError:
            return False
        return True

    assert [is_fit(frame) for frame in range(3)] == [True, False, True]


def test_what_only_its_pixels_tell_is_told_where_they_are_decoded(tmp_path: Path) -> None:
    """Half of the data is gone and the end was written all the same: libjpeg makes it gray, and says nothing."""
    content = lost(jpeg(DRAWN, 85))
    assert said(tmp_path, content) == ""
    assert said(tmp_path, content, decodes=True) == "cut off at 50 %: its data end there"
    assert said(tmp_path, jpeg(DRAWN, 85), decodes=True) == ""


@pytest.mark.parametrize(
    ("shade", "words"), [(3, "nearly black"), (128, "of one shade all over"), (250, "nearly white")]
)
def test_a_page_with_nothing_on_it_is_told(tmp_path: Path, shade: int, words: str) -> None:
    drawn = blank(shade)
    for content in (jpeg(drawn, 85), webp(drawn), front_tiff(drawn), png(drawn), png(blank(shade, grain=0))):
        assert said(tmp_path, content) == f"blank: {words}"
        assert said(tmp_path, content, send_blank=True) == ""
        assert said(tmp_path, content, decodes=True) == f"blank: {words}"


def test_a_page_with_a_number_alone_is_not_blank_and_one_with_specks_is(tmp_path: Path) -> None:
    numbered, pencilled, specked = blank(245), blank(245), blank(245)
    numbered[950:980, 380:384] = 40
    numbered[950:980, 400:404] = 40
    pencilled[400:404, 200:700] = 215
    specked[100:103, 100:103] = 60
    for drawn, is_sent in ((numbered, True), (pencilled, True), (specked, False)):
        for content in (jpeg(drawn, 85), png(drawn), front_tiff(drawn)):
            assert (said(tmp_path, content) == "") is is_sent


@pytest.mark.parametrize("place", sorted(turned(DRAWN, 6)))
def test_a_page_is_turned_wherever_its_file_says_so(tmp_path: Path, place: str) -> None:
    drawn: Drawn = np.full((400, 600), 255, np.uint8)
    drawn[:, :50] = 0
    path = put(tmp_path / "1.png", turned(drawn, 6)[place])
    found = prepare(path, 0, max_side_pixels=None, jpeg_quality=95, max_pixels=10**8)
    assert found.conversion.endswith(", turned -> JPEG 400 x 600")
    path = put(tmp_path / "2.png", turned(drawn, 1)[place])
    found = prepare(path, 0, max_side_pixels=None, jpeg_quality=95, max_pixels=10**8)
    assert "turned" not in found.conversion


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        text = DOCS.read_text(encoding="utf-8")
        for begin, end, made in ((BEGIN, END, table), (BEGIN_BLANK, END_BLANK, blank_rows)):
            before, _, rest = text.partition(begin)
            text = before + begin + made(Path(folder)) + end + rest.partition(end)[2]
        DOCS.write_text(text, encoding="utf-8")
