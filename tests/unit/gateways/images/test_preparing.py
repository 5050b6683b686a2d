"""What goes up of images as archives keep them. Other tools than Pillow write them, and what became of them is compared
with what was drawn."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from assets.domain.errors import ImageError
from flows.gateways.images.preparing import prepare
from flows.gateways.ports import Prepared
from tests.images import (
    ORIENTATION,
    Drawn,
    blended,
    cmyk,
    deep,
    dithered,
    gif,
    gradient,
    noise,
    patches,
    png,
    png_of,
    pyramid,
    small_jpeg,
    tiff,
    tiff_of,
    with_orientation,
    with_tag,
    write,
)

Pixels = npt.NDArray[np.uint8]


def prepared(path: Path, frame: int = 0, *, max_side_pixels: int | None = None) -> Prepared:
    """Also what has nothing on it."""
    before = path.read_bytes()
    found = prepare(
        path, frame, max_side_pixels=max_side_pixels, jpeg_quality=95, max_pixels=150_000_000, send_blank=True
    )
    assert path.read_bytes() == before, "the original stays as it is"
    assert found.sha256 == hashlib.sha256(before).hexdigest()
    return found


def image_of(found: Prepared) -> Image.Image:
    assert isinstance(found.source, bytes), "it was converted"
    assert found.size_bytes == len(found.source)
    image = Image.open(io.BytesIO(found.source))
    assert image.size == (found.width, found.height)
    assert Image.MIME[image.format or ""] == found.mime_type
    assert "exif" not in image.info
    return image


def pixels_of(found: Prepared) -> Pixels:
    return np.asarray(image_of(found))


def assert_gradient(pixels: Pixels) -> None:
    """White above, black below: the whole range, and gray in the middle."""
    column = pixels[:, pixels.shape[1] // 2].astype(int)
    assert column[0] >= 253
    assert column[-1] <= 2
    assert abs(column[len(column) // 2] - 127) <= 2
    assert abs(column[len(column) // 4] - 191) <= 2


RED_TO_BLUE = blended(60, 80, (255, 0, 0), (0, 0, 255))


def test_what_gemini_takes_goes_up_as_it_is(tmp_path: Path) -> None:
    gray = gradient(60, 80)
    files = [write(tmp_path / f"1.{kind}", RED_TO_BLUE) for kind in ("jpg", "png", "webp")]
    files.append(write(tmp_path / "2.jpg", gray))
    (tmp_path / "2.png").write_bytes(png(dithered(gray), bits=1))
    (tmp_path / "3.png").write_bytes(png(gray, palette=blended(1, 256, (255, 0, 0), (0, 0, 255))[:, 0]))
    for path in [*files, tmp_path / "2.png", tmp_path / "3.png"]:
        found = prepared(path, max_side_pixels=256)
        assert found.source == path
        assert (found.width, found.height, found.conversion) == (60, 80, "")
        assert found.mime_type == {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}[path.suffix]
        assert found.size_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("1.tif", "u2", {}),
        ("2.tif", "u2", {"byteorder": ">"}),
        ("3.tif", "u2", {"photometric": "miniswhite"}),
        ("4.tif", "u4", {}),
        ("5.tif", "f4", {"compression": "deflate"}),
        ("6.tif", "f4", {"compression": "lzw", "byteorder": ">"}),
        ("7.tif", "u1", {}),
        ("8.tif", "u2", {"compression": "lzw"}),
        ("9.tif", "u2", {"compression": "lzw", "byteorder": ">"}),
        ("10.tif", "i2", {"compression": "lzw", "byteorder": ">"}),
        ("11.tif", "f4", {"byteorder": ">"}),
        ("12.tif", "f4", {"compression": "lzw", "byteorder": ">", "predictor": True}),
        ("1.png", "u2", {}),
        ("1.jp2", "u2", {}),
    ],
)
def test_deep_gray_keeps_its_whole_range(tmp_path: Path, name: str, kind: str, options: dict[str, Any]) -> None:
    drawn = gradient(64, 1024, kind)
    path = write(tmp_path / name, 65_535 - drawn if "photometric" in options else drawn, **options)
    found = prepared(path)
    assert_gradient(pixels_of(found))
    assert image_of(found).mode == "L"
    if name.endswith("png"):
        assert found.conversion == "PNG 64 x 1024, 16 bits -> JPEG 64 x 1024"


@pytest.mark.parametrize("name", ["1.tif", "1.png"])
def test_deep_colour_keeps_its_whole_range(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, deep(blended(64, 1024, (255, 0, 0), (0, 0, 0))))
    pixels = pixels_of(prepared(path))
    assert_gradient(pixels[:, :, 0])
    assert pixels[:, :, 1].max() <= 4


COLOURS = ((0xC0, 0x30, 0x20), (0x20, 0xA0, 0x40), (0x30, 0x40, 0xB0), (0xE0, 0xD0, 0xB0))
COLOURED = patches(*COLOURS)
NUMBERED = np.tile(np.repeat(np.arange(4, dtype=np.uint8), 100), (100, 1))
"""The same as numbers of colours."""
TABLE = np.zeros((256, 3), np.uint8)
TABLE[:4] = COLOURS
INKS = cmyk(COLOURED)


@pytest.mark.parametrize(
    ("name", "drawn", "options"),
    [
        ("1.jpg", INKS, {}),
        ("1.tif", INKS, {"photometric": "separated"}),
        ("2.tif", deep(INKS), {"photometric": "separated"}),
        ("3.tif", COLOURED, {"compression": "jpeg", "level": 98}),
        ("4.tif", COLOURED, {"compression": "jpeg", "level": 98, "photometric": "ycbcr"}),
        ("5.tif", NUMBERED, {"photometric": "palette", "colormap": TABLE.T.astype(np.uint16) * 257}),
        ("6.tif", COLOURED, {"compression": "lzw", "tile": (64, 64)}),
        (
            "7.tif",
            COLOURED.transpose(2, 0, 1),
            {"planarconfig": "separate", "photometric": "rgb"},
        ),
        ("1.gif", NUMBERED, {"colormap": TABLE}),
        ("1.bmp", COLOURED, {}),
        ("1.jp2", COLOURED, {}),
        ("1.j2k", COLOURED, {}),
    ],
)
def test_colours_are_those_that_were_drawn(tmp_path: Path, name: str, drawn: Drawn, options: dict[str, Any]) -> None:
    pixels = pixels_of(prepared(write(tmp_path / name, drawn, **options))).astype(int)
    for at, colour in enumerate(COLOURS):
        assert np.abs(pixels[50, at * 100 + 50] - np.array(colour)).max() <= 6, colour


BAR = np.zeros((100, 100), np.uint8)
BAR[:, 40:61] = 255
BLACK_BAR = np.dstack([np.zeros((100, 100, 3), np.uint8), BAR])
"""Black strokes on nothing, of which the colour is black, too."""


@pytest.mark.parametrize("name", ["1.png", "1.tif", "1.webp", "1.gif", "2.png", "3.png", "4.png", "1.jp2"])
def test_what_is_transparent_becomes_white(tmp_path: Path, name: str) -> None:
    """Black strokes on nothing would otherwise be black on black. RGBA, palettes and gray, each with transparency."""
    path, numbers, black = tmp_path / name, 1 - BAR // 255, np.zeros((256, 3), np.uint8)
    match name:
        case "1.gif":
            path.write_bytes(gif(numbers, black, transparent=1))
        case "2.png":
            path.write_bytes(png(numbers, palette=black[:2], transparent=1))
        case "3.png":
            write(path, BLACK_BAR[:, :, 2:])
        case "4.png":
            write(path, deep(BLACK_BAR))
        case _:
            write(path, BLACK_BAR)
    found = prepared(path)
    pixels = pixels_of(found)
    assert pixels[50, 10].min() >= 250
    assert pixels[50, 50].max() <= 5
    assert "transparent" in found.conversion


def test_half_transparent_is_half_white(tmp_path: Path) -> None:
    half = np.zeros((50, 50, 4), np.uint8)
    half[:, :, 3] = 128
    for name, drawn in {"1.png": half, "2.png": half[:, :, 2:], "1.tif": half}.items():
        assert abs(int(pixels_of(prepared(write(tmp_path / name, drawn))).reshape(-1)[0]) - 127) <= 3


UPRIGHT: dict[int, Callable[[Drawn], Drawn]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored.transpose(1, 0, 2), 2),
    8: np.rot90,
}
"""What EXIF's numbers mean: where the first row and the first column of what is stored belong."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["1.jpg", "1.tif"])
@pytest.mark.parametrize("max_side_pixels", [None, 256])
def test_a_page_goes_up_upright(tmp_path: Path, name: str, orientation: int, max_side_pixels: int | None) -> None:
    red_and_lime, blue_and_white = patches((255, 0, 0), (0, 255, 0)), patches((0, 0, 255), (255, 255, 255))
    stored = np.vstack([red_and_lime, blue_and_white]).repeat(2, axis=1)[:150]
    path = write(tmp_path / name, stored)
    turned = with_orientation if name == "1.jpg" else lambda content, value: with_tag(content, ORIENTATION, value)
    path.write_bytes(turned(path.read_bytes(), orientation))
    expected = UPRIGHT[orientation](stored).astype(int)

    found = prepared(path, max_side_pixels=max_side_pixels)

    if found.source == path:
        assert orientation == 1
        return
    assert found.height > found.width if orientation > 4 else found.width > found.height
    pixels = pixels_of(found).astype(int)
    for x, y in ((0.25, 0.2), (0.75, 0.2), (0.25, 0.8), (0.75, 0.8), (0.2, 0.25), (0.8, 0.75)):
        seen = pixels[int(y * found.height), int(x * found.width)]
        assert np.abs(seen - expected[int(y * expected.shape[0]), int(x * expected.shape[1])]).max() <= 6
    assert ("turned" in found.conversion) == (orientation != 1)


def test_damaged_exif_is_as_good_as_none(tmp_path: Path) -> None:
    content = with_orientation(small_jpeg(), 6)
    (tmp_path / "1.jpg").write_bytes(content.replace(b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff"))
    assert prepared(tmp_path / "1.jpg").conversion == ""


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("compression", ["ccittfax4", "lzw", "jpeg"])
def test_each_page_of_a_tiff_goes_up_by_itself(tmp_path: Path, compression: str, frame: int) -> None:
    is_bilevel = compression == "ccittfax4"
    shades = (0, 255, 0) if is_bilevel else (0, 127, 255)
    pages: list[Drawn] = [np.full((80, 60 + at), shade, np.uint8) for at, shade in enumerate(shades)]
    pages = [page > 127 if is_bilevel else np.dstack([page] * 3) for page in pages]
    (tmp_path / "5.tif").write_bytes(tiff(*pages, compression=compression))
    found = prepared(tmp_path / "5.tif", frame)
    assert found.width == 60 + frame
    assert found.mime_type == ("image/png" if is_bilevel else "image/jpeg")
    image = image_of(found)
    assert image.mode == ("1" if is_bilevel else "RGB")
    assert abs(int(np.asarray(image.convert("L"))[40, 30]) - shades[frame]) <= 3


def test_a_page_behind_a_thumbnail_is_counted_as_the_scan_counts_it(tmp_path: Path) -> None:
    (tmp_path / "1.tif").write_bytes(pyramid(blended(600, 800, (255, 0, 0), (0, 0, 255))))
    assert (prepared(tmp_path / "1.tif").width, prepared(tmp_path / "1.tif").height) == (600, 800)
    with pytest.raises(ImageError, match="it has no page 2 any more"):
        prepared(tmp_path / "1.tif", 1)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif", "2.tif", "1.webp", "1.jp2"])
def test_what_is_too_large_is_shrunk_in_proportion(tmp_path: Path, name: str) -> None:
    drawn = gradient(900, 1200)
    path = write(tmp_path / name, dithered(drawn) if name == "2.tif" else drawn)
    found = prepared(path, max_side_pixels=400)
    assert (found.width, found.height) == (300, 400)
    assert found.mime_type == "image/jpeg", "also what was bilevel: it is gray where it was shrunk"
    assert found.conversion.endswith("shrunk -> JPEG 300 x 400")
    gray = np.asarray(image_of(found).convert("L")).astype(int)
    assert gray[:20].mean() > 230
    assert gray[-20:].mean() < 25
    assert abs(gray[190:210].mean() - 127) < 10


def test_a_side_that_no_jpeg_can_have_makes_a_png(tmp_path: Path) -> None:
    (tmp_path / "1.tif").write_bytes(tiff_of(4, 66_000, bits=8, content=bytes(4 * 66_000)))
    assert prepared(tmp_path / "1.tif").mime_type == "image/png"


DAMAGED = tiff(noise(300, 400), compression="lzw")


@pytest.mark.parametrize(
    "content",
    [tiff_of(300, 400, bits=8, content=bytes(1000)), DAMAGED[:500] + b"\xff" * 5000 + DAMAGED[5500:]],
    ids=["a short strip", "damaged LZW"],
)
def test_pixels_that_cannot_be_decoded_are_told_where_they_must_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "1.tif"
    path.write_bytes(content)
    with pytest.raises(ImageError) as error:
        prepared(path)
    assert error.value.reason.startswith("the image ")
    assert "\n" not in error.value.reason


@pytest.mark.parametrize("content", [png_of(60_000, 60_000), tiff_of(60_000, 60_000)])
def test_a_bomb_is_not_decoded(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.tif").write_bytes(content)
    with pytest.raises(ImageError, match="60000 x 60000 pixels, more than"):
        prepared(tmp_path / "1.tif")


def test_a_file_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "1.tif", 0, max_side_pixels=None, jpeg_quality=90, max_pixels=10**8)


@pytest.mark.parametrize("name", ["1.heic", "1.avif"])
def test_images_of_phones_become_jpegs_and_a_cut_one_is_told(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, gradient(600, 800))
    found = prepared(path)
    assert (found.mime_type, found.width, found.height) == ("image/jpeg", 600, 800)
    assert found.conversion.endswith("600 x 800 -> JPEG 600 x 800")
    assert_gradient(pixels_of(found)[:, :, 0])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImageError, match=r"image|header"):
        prepared(path)
