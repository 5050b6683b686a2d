"""What goes up of images as archives keep them. The images are made by ImageMagick, and what became of them is compared
with what ImageMagick itself makes of them."""

import hashlib
import io
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from assets.domain.errors import ImageError
from flows.gateways.images.preparing import PixelBudget, prepare
from flows.gateways.ports import Prepared
from tests.images import convert, needs_imagemagick, pixel_of, png_of, small_jpeg, tiff_of, with_orientation

pytestmark = needs_imagemagick

Pixels = npt.NDArray[np.uint8]


def prepared(path: Path, frame: int = 0, *, max_side_pixels: int | None = None) -> Prepared:
    before = path.read_bytes()
    found = prepare(path, frame, max_side_pixels=max_side_pixels, jpeg_quality=95, max_pixels=150_000_000)
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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1.jpg", []),
        ("2.jpg", ["-colorspace", "Gray"]),
        ("1.png", ["-depth", 8]),
        ("2.png", ["-monochrome"]),
        ("3.png", ["-type", "Palette"]),
        ("1.webp", []),
    ],
)
def test_what_gemini_takes_goes_up_as_it_is(tmp_path: Path, name: str, options: list[object]) -> None:
    convert("-size", "60x80", "gradient:red-blue", *options, tmp_path / name)
    found = prepared(tmp_path / name, max_side_pixels=256)
    assert found.source == tmp_path / name
    assert (found.width, found.height, found.conversion) == (60, 80, "")
    assert found.mime_type == {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}[name[2:]]
    assert found.size_bytes == (tmp_path / name).stat().st_size


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1.tif", ["-depth", 16]),
        ("2.tif", ["-depth", 16, "-endian", "MSB"]),
        ("3.tif", ["-negate", "-depth", 16, "-define", "quantum:polarity=min-is-white"]),
        ("4.tif", ["-depth", 32]),
        ("5.tif", ["-depth", 32, "-define", "quantum:format=floating-point", "-compress", "Zip"]),
        ("6.tif", ["-depth", 32, "-define", "quantum:format=floating-point", "-compress", "LZW", "-endian", "MSB"]),
        ("7.tif", ["-depth", 8]),
        ("8.tif", ["-depth", 16, "-compress", "LZW"]),
        ("1.png", ["-depth", 16]),
        ("1.jp2", ["-depth", 16]),
    ],
)
def test_deep_gray_keeps_its_whole_range(tmp_path: Path, name: str, options: list[object]) -> None:
    path = tmp_path / name
    convert("-size", "64x1024", "gradient:", "-colorspace", "Gray", *options, path)
    found = prepared(path)
    assert_gradient(pixels_of(found))
    assert image_of(found).mode == "L"
    if name.endswith("png"):
        assert found.conversion == "PNG 64 x 1024, 16 bits -> JPEG 64 x 1024"


@pytest.mark.parametrize("name", ["1.tif", "1.png"])
def test_deep_colour_keeps_its_whole_range(tmp_path: Path, name: str) -> None:
    convert("-size", "64x1024", "gradient:#ff0000-#000000", "-depth", 16, "-type", "TrueColor", tmp_path / name)
    pixels = pixels_of(prepared(tmp_path / name))
    assert_gradient(pixels[:, :, 0])
    assert pixels[:, :, 1].max() <= 4


COLOURS = ("#c03020", "#20a040", "#3040b0", "#e0d0b0")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1.jpg", ["-colorspace", "CMYK", "-quality", 98]),
        ("1.tif", ["-colorspace", "CMYK"]),
        ("2.tif", ["-colorspace", "CMYK", "-depth", 16]),
        ("3.tif", ["-compress", "JPEG", "-quality", 98]),
        ("4.tif", ["-type", "Palette"]),
        ("5.tif", ["-compress", "LZW", "-define", "tiff:tile-geometry=64x64"]),
        ("6.tif", ["-interlace", "plane"]),
        ("1.gif", []),
        ("1.bmp", []),
        ("1.jp2", ["-quality", 98]),
        ("1.j2k", ["-quality", 98]),
    ],
)
def test_colours_are_those_that_imagemagick_sees(tmp_path: Path, name: str, options: list[object]) -> None:
    path = tmp_path / name
    convert("-size", "100x100", *[f"xc:{colour}" for colour in COLOURS], "+append", "-depth", 8, *options, path)
    pixels = pixels_of(prepared(path)).astype(int)
    for at in range(len(COLOURS)):
        x = at * 100 + 50
        assert np.abs(pixels[50, x] - np.array(pixel_of(path, x, 50))).max() <= 6, COLOURS[at]


@pytest.mark.parametrize("name", ["1.png", "1.tif", "1.webp", "1.gif", "2.png", "3.png", "4.png", "1.jp2"])
def test_what_is_transparent_becomes_white(tmp_path: Path, name: str) -> None:
    """Black strokes on nothing would otherwise be black on black. RGBA, palettes and gray, each with transparency."""
    forms: dict[str, list[object]] = {
        "1.tif": ["-depth", 8, "-type", "TrueColorMatte"],
        "1.jp2": ["-depth", 8],
        "2.png": ["png8:"],
        "3.png": ["-colorspace", "Gray", "-type", "GrayscaleAlpha"],
        "4.png": ["-depth", 16],
    }
    options = forms.get(name, [])
    target = f"png8:{tmp_path / name}" if options == ["png8:"] else tmp_path / name
    black_bar = ["-size", "100x100", "xc:transparent", "-fill", "black", "-draw", "rectangle 40,0 60,99"]
    convert(*black_bar, *(options if options != ["png8:"] else []), target)
    found = prepared(tmp_path / name)
    pixels = pixels_of(found)
    assert pixels[50, 10].min() >= 250
    assert pixels[50, 50].max() <= 5
    assert "transparent" in found.conversion


def test_half_transparent_is_half_white(tmp_path: Path) -> None:
    for name, options in {"1.png": [], "2.png": ["-type", "GrayscaleAlpha"], "1.tif": ["-depth", "8"]}.items():
        convert("-size", "50x50", "xc:rgba(0,0,0,0.5)", *options, tmp_path / name)
        assert abs(int(pixels_of(prepared(tmp_path / name)).reshape(-1)[0]) - 127) <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["1.jpg", "1.tif"])
@pytest.mark.parametrize("max_side_pixels", [None, 256])
def test_a_page_goes_up_upright(tmp_path: Path, name: str, orientation: int, max_side_pixels: int | None) -> None:
    path = tmp_path / name
    corners = ["xc:red", "xc:lime", "xc:blue", "xc:white"]
    row = ["(", "-size", "200x150", *corners[:2], "+append", ")", "(", *corners[2:], "+append", ")", "-append"]
    names = ["TopLeft", "TopRight", "BottomRight", "BottomLeft", "LeftTop", "RightTop", "RightBottom", "LeftBottom"]
    convert(*row, "-quality", 95, *(["-orient", names[orientation - 1]] if name == "1.tif" else []), path)
    if name == "1.jpg":
        path.write_bytes(with_orientation(path.read_bytes(), orientation))
    convert(path, "-auto-orient", tmp_path / "upright.png")

    found = prepared(path, max_side_pixels=max_side_pixels)

    if found.source == path:
        assert orientation == 1
        return
    with Image.open(tmp_path / "upright.png") as image:
        expected = np.asarray(image.convert("RGB").resize((found.width, found.height))).astype(int)
    assert found.height > found.width if orientation > 4 else found.width > found.height
    pixels = pixels_of(found).astype(int)
    for x, y in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)):
        at = int(y * found.height), int(x * found.width)
        assert np.abs(pixels[at] - expected[at]).max() <= 6
    assert ("turned" in found.conversion) == (orientation != 1)


def test_damaged_exif_is_as_good_as_none(tmp_path: Path) -> None:
    content = with_orientation(small_jpeg(), 6)
    (tmp_path / "1.jpg").write_bytes(content.replace(b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff"))
    assert prepared(tmp_path / "1.jpg").conversion == ""


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("compression", ["Group4", "LZW", "JPEG"])
def test_each_page_of_a_tiff_goes_up_by_itself(tmp_path: Path, compression: str, frame: int) -> None:
    shades = ["black", "gray(50%)", "white"] if compression != "Group4" else ["black", "white", "black"]
    pages = [each for at, shade in enumerate(shades) for each in ("(", "-size", f"{60 + at}x80", f"xc:{shade}", ")")]
    bilevel = ["-monochrome"] if compression == "Group4" else ["-type", "TrueColor"]
    convert(*pages, *bilevel, "-compress", compression, tmp_path / "5.tif")
    found = prepared(tmp_path / "5.tif", frame)
    assert found.width == 60 + frame
    assert found.mime_type == ("image/png" if compression == "Group4" else "image/jpeg")
    value = {"black": 0, "gray(50%)": 127, "white": 255}[shades[frame]]
    image = image_of(found)
    assert image.mode == ("1" if compression == "Group4" else "RGB")
    assert abs(int(np.asarray(image.convert("L"))[40, 30]) - value) <= 3


def test_a_page_behind_a_thumbnail_is_counted_as_the_scan_counts_it(tmp_path: Path) -> None:
    convert("-size", "600x800", "gradient:red-blue", "-depth", 8, f"ptif:{tmp_path / '1.tif'}")
    assert (prepared(tmp_path / "1.tif").width, prepared(tmp_path / "1.tif").height) == (600, 800)
    with pytest.raises(ImageError, match="it has no page 2 any more"):
        prepared(tmp_path / "1.tif", 1)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.tif", "2.tif", "1.webp", "1.jp2"])
def test_what_is_too_large_is_shrunk_in_proportion(tmp_path: Path, name: str) -> None:
    bilevel = ["-monochrome"] if name == "2.tif" else []
    convert("-size", "900x1200", "gradient:", *bilevel, "-depth", 8, tmp_path / name)
    found = prepared(tmp_path / name, max_side_pixels=400)
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


@pytest.mark.parametrize(
    ("name", "options"), [("1.tif", ["-compress", "None"]), ("2.tif", ["-compress", "LZW"]), ("1.png", ["-depth", 16])]
)
def test_pixels_that_are_cut_short_are_told_where_they_must_be_read(
    tmp_path: Path, name: str, options: list[object]
) -> None:
    path = tmp_path / name
    convert("-size", "300x400", "-seed", 1, "plasma:fractal", *options, path)
    content = path.read_bytes()
    if name == "2.tif":
        path.write_bytes(content[:500] + b"\xff" * 5000 + content[5500:])
    elif name == "1.tif":
        path.write_bytes(tiff_of(300, 400, bits=8, content=bytes(1000)))
    else:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError) as error:
        prepared(path)
    assert error.value.reason.startswith("the image ")
    assert "\n" not in error.value.reason


def test_a_jpeg_that_is_cut_short_goes_up_as_it_is_and_is_told_when_it_must_be_turned(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    convert("-size", "300x400", "-seed", 1, "plasma:fractal", path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert prepared(path).source == path
    path.write_bytes(with_orientation(content[: len(content) // 2], 6))
    with pytest.raises(ImageError, match="the image is cut short or damaged"):
        prepared(path)


@pytest.mark.parametrize("content", [png_of(60_000, 60_000), tiff_of(60_000, 60_000)])
def test_a_bomb_is_not_decoded(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.tif").write_bytes(content)
    with pytest.raises(ImageError, match="60000 x 60000 pixels, more than"):
        prepared(tmp_path / "1.tif")


def test_a_file_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(tmp_path / "1.tif", 0, max_side_pixels=None, jpeg_quality=90, max_pixels=10**8)


def test_conversions_together_hold_no_more_than_the_budget_and_a_large_one_goes_alone() -> None:
    budget, held, most, lock = PixelBudget(100), [0], [0], threading.Lock()
    shares = [60, 30, 500, 60, 50, 40, 100, 1] * 5
    seen: list[int] = []

    def hold(pixels: int) -> None:
        with budget.hold(pixels):
            with lock:
                held[0] += pixels
                most[0] = max(most[0], held[0] if pixels <= 100 else held[0] - pixels)
                seen.append(pixels)
            threading.Event().wait(0.002)
            with lock:
                held[0] -= pixels

    threads = [threading.Thread(target=hold, args=(pixels,)) for pixels in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == sorted(shares)
    assert most[0] <= 100
