"""Samples of more than 8 bits: what is white in a page goes up white, however much room its file has for a sample."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from flows.gateways.images.preparing import prepare
from tests.damaged import page, put
from tests.images import Drawn, deep, tiff, with_tag

GRAY = page(400, 500)
DOCS = Path(__file__).parents[4] / "docs" / "collections.md"
BEGIN, END = "<!-- deep samples, by their test -->\n", "<!-- end of deep samples -->"
MAX_SAMPLE_VALUE, S_MAX_SAMPLE_VALUE = 281, 341


def in_bits(bits: int, drawn: Drawn = GRAY) -> Drawn:
    """The page as a camera with so many bits writes it into 16."""
    samples: Drawn = np.rint(drawn.astype(float) * (2**bits - 1) / 255).astype(np.uint16)
    return samples


def in_colour(gray: Drawn) -> Drawn:
    return np.ascontiguousarray(np.dstack([gray, gray, gray // 2]))


def pixels(path: Path) -> npt.NDArray[Any]:
    found = prepare(path, 0, max_side_pixels=None, jpeg_quality=100, max_pixels=10**8)
    assert isinstance(found.source, bytes)
    return np.asarray(Image.open(io.BytesIO(found.source))).astype(int)


def png16(drawn: Drawn) -> bytes:
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(drawn)))


def tiff16(**options: Any) -> Callable[[Drawn], bytes]:
    # A copy, as the encoder turns the bytes around in place.
    return lambda drawn: tiff(drawn.copy(), **options)


GRAY_FILES = [
    png16,
    tiff16(),
    tiff16(compression="lzw"),
    tiff16(byteorder=">"),
    tiff16(byteorder=">", compression="lzw"),
]
COLOUR_FILES = [
    png16,
    *(tiff16(photometric="rgb", **each) for each in ({}, {"compression": "lzw"}, {"byteorder": ">"})),
]


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize("encode", GRAY_FILES)
def test_gray_of_fewer_bits_goes_up_as_bright_as_it_is(
    tmp_path: Path, encode: Callable[[Drawn], bytes], bits: int
) -> None:
    found = pixels(put(tmp_path / "1.tif", encode(in_bits(bits))))
    assert np.abs(found - GRAY).mean() < 1


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("encode", COLOUR_FILES)
def test_colour_of_fewer_bits_does_too_though_pillow_reads_the_higher_byte_alone(
    tmp_path: Path, encode: Callable[[Drawn], bytes], bits: int
) -> None:
    found = pixels(put(tmp_path / "1.tif", encode(in_colour(in_bits(bits)))))
    assert np.abs(found - in_colour(GRAY)).mean() < 2


def test_white_that_is_zero_stays_white(tmp_path: Path) -> None:
    path = put(tmp_path / "1.tif", tiff(4095 - in_bits(12), photometric="miniswhite"))
    assert np.abs(pixels(path) - GRAY).mean() < 1


@pytest.mark.parametrize("tag", [MAX_SAMPLE_VALUE, S_MAX_SAMPLE_VALUE])
def test_the_tags_say_what_white_is(tmp_path: Path, tag: int) -> None:
    samples = np.rint(GRAY.astype(float) * 3000 / 255).astype(np.uint16)
    assert np.abs(pixels(put(tmp_path / "1.tif", with_tag(tiff(samples), tag, 3000))) - GRAY).mean() < 1


@pytest.mark.parametrize("value", [1, 255, 65_535])
def test_tags_that_say_less_than_what_is_there_or_all_that_there_is_room_for_say_nothing(
    tmp_path: Path, value: int
) -> None:
    path = put(tmp_path / "1.tif", with_tag(tiff(in_bits(12)), MAX_SAMPLE_VALUE, value))
    assert np.abs(pixels(path) - GRAY).mean() < 1


def test_a_hot_pixel_does_not_make_the_page_black(tmp_path: Path) -> None:
    samples = in_bits(12)
    samples[10, 10] = 65_535
    assert np.abs(pixels(put(tmp_path / "1.tif", tiff(samples))) - GRAY).mean() < 1


def test_what_is_opaque_stays_so(tmp_path: Path) -> None:
    samples = np.dstack([in_bits(12)] * 3 + [np.full(GRAY.shape, 65_535, np.uint16)])
    assert np.abs(pixels(put(tmp_path / "1.png", png16(samples)))[..., 0] - GRAY).mean() < 2


def test_a_page_that_uses_the_whole_range_is_as_it_was(tmp_path: Path) -> None:
    for encode in GRAY_FILES:
        assert np.abs(pixels(put(tmp_path / "1.tif", encode(deep(GRAY)))) - GRAY).max() <= 3


def shelf() -> dict[str, bytes]:
    """What docs/collections.md tells of, each as a file."""
    hot = in_bits(12)
    hot[10, 10] = 65_535
    tagged = np.rint(GRAY.astype(float) * 3000 / 255).astype(np.uint16)
    return {
        "10 bits in 16, gray, TIFF": tiff(in_bits(10)),
        "12 bits in 16, gray, PNG": png16(in_bits(12)),
        "12 bits in 16, colour, TIFF with LZW": tiff(in_colour(in_bits(12)), photometric="rgb", compression="lzw"),
        "12 bits in 16, colour, PNG": png16(in_colour(in_bits(12))),
        "12 bits in 16, white is zero": tiff(4095 - in_bits(12), photometric="miniswhite"),
        "12 bits in 16, with a hot pixel": tiff(hot),
        "white is 3,000, as `MaxSampleValue` says": with_tag(tiff(tagged), MAX_SAMPLE_VALUE, 3000),
        "12 bits in 16, of which `MaxSampleValue` says 65,535": with_tag(tiff(in_bits(12)), MAX_SAMPLE_VALUE, 65_535),
        "16 bits": tiff(deep(GRAY)),
        "32 bits": tiff(GRAY.astype(np.uint32) * 0x01010101),
        "fractions of 1": tiff((GRAY / 255).astype(np.float32)),
    }


def rows(tmp_path: Path) -> str:
    """The table of docs/collections.md."""
    lines = ["| samples | goes up as | the paper is then |", "|---|---|---|"]
    for name, content in shelf().items():
        path = put(tmp_path / "1.tif", content)
        found = prepare(path, 0, max_side_pixels=None, jpeg_quality=100, max_pixels=10**8)
        shown = pixels(path)
        paper = round(float(np.median(shown[..., 0] if shown.ndim == 3 else shown)))
        lines.append(f"| {name} | {found.conversion} | {paper} of 255 |")
    return "\n".join(lines) + "\n"


def test_what_goes_up_is_what_the_page_says(tmp_path: Path) -> None:
    assert DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] == rows(tmp_path)
    assert round(float(np.median(GRAY))) == 235, "as the page says, too"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
        DOCS.write_text(before + BEGIN + rows(Path(folder)) + END + rest.partition(END)[2], encoding="utf-8")
