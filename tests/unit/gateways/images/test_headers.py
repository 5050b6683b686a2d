"""What the head of an image file says, for files that other tools than Pillow made, and for files that are none."""

import io
import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from assets.domain.errors import ImageError
from assets.manifest import record_manifest
from assets.sources import ImageHeader, page_images
from flows.gateways.files.trees import KnownFiles, walk_images
from flows.gateways.images.headers import read_header
from flows.gateways.images.plain_heads import plain_size
from flows.tables.known_images import known_files, known_images
from tests.images import (
    ORIENTATION,
    blended,
    deep,
    gradient,
    heic,
    png_of,
    pyramid,
    small_jpeg,
    small_webp,
    tiff,
    tiff_of,
    with_tag,
    write,
)
from tests.unit.assets.tables import FIELDS

MAX_PIXELS = 150_000_000


def reason_of(path: Path) -> str:
    with pytest.raises(ImageError) as error:
        read_header(path, max_pixels=MAX_PIXELS)
    return error.value.reason


def put(folder: Path, content: bytes) -> Path:
    path = folder / "1.jpg"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("1.jpg", "image/jpeg"),
        ("1.png", "image/png"),
        ("1.webp", "image/webp"),
        ("1.tif", "image/tiff"),
        ("2.tif", "image/tiff"),
        ("1.gif", "image/gif"),
        ("1.bmp", "image/bmp"),
        ("1.jp2", "image/jp2"),
        ("1.j2k", "image/jp2"),
        ("1.heic", "image/heic"),
        ("1.avif", "image/avif"),
    ],
)
def test_type_and_size_are_those_of_the_content(tmp_path: Path, name: str, mime_type: str) -> None:
    options = {"bigtiff": True} if name == "2.tif" else {}
    shutil.move(write(tmp_path / name, gradient(60, 80), **options), tmp_path / "other.jpg")
    assert read_header(tmp_path / "other.jpg", max_pixels=MAX_PIXELS) == ImageHeader(mime_type, ((60, 80),))


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_head_that_is_read_by_hand_says_what_pillow_says(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["L", "RGB", "CMYK", "P", "1"]))
    kind = data.draw(
        st.sampled_from(["JPEG", "PNG"] if mode in ("L", "RGB") else ["JPEG" if mode == "CMYK" else "PNG"])
    )
    options = {"dpi": (300, 300), "comment": b"scanned"} if kind == "JPEG" else {"dpi": (300, 300)}
    buffer = io.BytesIO()
    Image.new(mode, (data.draw(st.integers(1, 400)), 80)).save(buffer, kind, **options)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(8, min(len(content), 700) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content), 40, 300]))]

    plain = plain_size(bytes(content))

    if plain is not None:
        by_pillow = (JpegImageFile if kind == "JPEG" else PngImageFile)(io.BytesIO(content))
        assert plain == (f"image/{kind.lower()}", *by_pillow.size)


def test_plain_images_need_no_pillow() -> None:
    for kind, options in (
        ("JPEG", {"dpi": (300, 300), "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
        ("PNG", {"dpi": (300, 300)}),
    ):
        buffer = io.BytesIO()
        Image.new("RGB", (640, 480)).save(buffer, kind, **options)
        assert plain_size(buffer.getvalue()) == (f"image/{kind.lower()}", 640, 480)


def test_every_kind_of_webp_says_its_size(tmp_path: Path) -> None:
    colours = blended(61, 83, (255, 0, 0), (0, 0, 255))
    lossy = write(tmp_path / "1.webp", colours)
    lossless = write(tmp_path / "2.webp", colours, lossless=True)
    transparent = write(tmp_path / "3.webp", np.dstack([colours, gradient(61, 83)]))
    for path, kind in {lossy: b"VP8 ", lossless: b"VP8L", transparent: b"VP8X"}.items():
        assert path.read_bytes()[12:16] == kind
        assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((61, 83),)
    assert reason_of(put(tmp_path, small_webp()[:25])) == "its WebP header is cut short or damaged"


@pytest.mark.parametrize("compression", ["ccittfax4", "lzw", "jpeg", "deflate", "none"])
def test_each_page_of_a_tiff_is_one(tmp_path: Path, compression: str) -> None:
    pages = [gradient(*size) for size in ((60, 80), (70, 90), (80, 60))]
    if compression == "ccittfax4":
        pages = [page > 127 for page in pages]
    path = put(tmp_path, tiff(*pages, compression=compression))
    assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((60, 80), (70, 90), (80, 60))


def test_the_levels_of_a_pyramid_are_no_pages(tmp_path: Path) -> None:
    path = put(tmp_path, pyramid(gradient(600, 800)))
    assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((600, 800),)
    # As other tools write them, the smaller versions say what they are: here the second of two.
    path = put(tmp_path, tiff(gradient(60, 80)))
    path.write_bytes(imagecodecs.tiff_encode(gradient(30, 40), appendto=path.read_bytes(), subfiletype=1))
    assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((60, 80),)


def test_the_size_is_that_before_a_rotation(tmp_path: Path) -> None:
    path = put(tmp_path, with_tag(tiff(gradient(60, 80)), ORIENTATION, 6))
    assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((60, 80),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"<html>", "it does not begin like a JPEG, PNG, WebP, TIFF, JPEG 2000, GIF, BMP, HEIC or AVIF file"),
        (b"%PDF-1.7", "it is a PDF: paths.source_documents is for these"),
        (
            b"AT&TFORM",
            "it is a DjVu file: make a PDF of it (ddjvu -format=pdf), which paths.source_documents is for",
        ),
        (heic(gradient(60, 80))[:300], "its HEIC header is cut short or damaged"),
        (small_jpeg()[:40], "its JPEG header is cut short or damaged"),
        (small_jpeg()[:3], "its JPEG header is cut short or damaged"),
        (png_of(60, 80)[:20], "its PNG header is cut short or damaged"),
        (tiff_of(60, 80)[:10], "its TIFF header is cut short or damaged"),
        (b"II*\0", "its TIFF header is cut short or damaged"),
        (b"GIF89a\1", "its GIF header is cut short or damaged"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "its JPEG 2000 header is cut short or damaged"),
        (b"BM" + bytes(60), "its BMP header cannot be read: Unsupported BMP header type (0)"),
    ],
)
def test_what_is_no_image_is_told_in_a_few_words(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason_of(put(tmp_path, content)) == reason


@pytest.mark.parametrize("content", [png_of(60_000, 60_000), tiff_of(60_000, 60_000), png_of(15_000, 10_001)])
def test_a_bomb_is_told_by_its_head(tmp_path: Path, content: bytes) -> None:
    assert len(content) < 200
    assert reason_of(put(tmp_path, content)).endswith(" pixels, more than safety.max_image_pixels")
    assert read_header(tmp_path / "1.jpg", max_pixels=3_600_000_000), "our own limit decides, not Pillow's"


def test_a_tiff_that_ends_in_its_second_page_is_told(tmp_path: Path) -> None:
    content = tiff(gradient(60, 80), gradient(60, 80))
    assert reason_of(put(tmp_path, content[: len(content) * 3 // 4])).startswith("page 2 of the TIFF file ")


def test_pages_count_up_from_the_name_and_one_that_is_there_twice_is_taken_from_neither(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "CA" / "Lincoln" / "1901"
    folder.mkdir(parents=True)
    (folder / "5.tif").write_bytes(tiff(*[gradient(60, 80)] * 3))
    (folder / "10.tif").write_bytes(tiff(*[gradient(50, 40)] * 2))
    (folder / "11.jpg").write_bytes(small_jpeg())

    def walk(known: dict[tuple[str, int, int], ImageHeader]) -> dict[str, tuple[str, int, int]]:
        found = walk_images(
            tmp_path / "images",
            root=tmp_path,
            depth=3,
            known=KnownFiles(known),
            read_header=read_header,
            page_pattern="(?P<page>.*)",
            max_pixels=MAX_PIXELS,
        )
        words = "page 11 has 2 images; keep one, or call pages of one file 1.1, 1.2: record.file_pages: suffix"
        told = {Path(problem.path).name: problem.reason for problem in found.problems}
        assert told == dict.fromkeys(("10.tif", "11.jpg"), words)
        manifest = record_manifest(
            page_images(None, images=found.images, document_fields=FIELDS), document_fields=FIELDS
        )
        known.clear()
        known.update(known_images(manifest))
        return {image.label: (Path(image.path).name, image.frame, image.width) for image in found.images}

    known: dict[tuple[str, int, int], ImageHeader] = {}
    first = walk(known)
    assert first == {"5": ("5.tif", 0, 60), "6": ("5.tif", 1, 60), "7": ("5.tif", 2, 60), "10": ("10.tif", 0, 50)}
    assert [Path(path).name for path, _, _ in known] == ["5.tif"], "of the other, one page is not in the manifest"
    assert [len(header.sizes) for header in known.values()] == [3]
    assert walk(known) == first


def test_what_pages_of_a_file_are_called_stays_whatever_comes_or_goes_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "CA" / "Lincoln" / "1901"
    folder.mkdir(parents=True)

    def scan(before: pa.Table | None) -> pa.Table:
        found = walk_images(
            tmp_path / "images",
            root=tmp_path,
            depth=3,
            known=known_files(before),
            read_header=read_header,
            page_pattern="(?P<page>.*)",
            max_pixels=MAX_PIXELS,
        )
        pages = page_images(None, images=found.images, document_fields=FIELDS)
        return record_manifest(pages, document_fields=FIELDS)

    def labels(manifest: pa.Table) -> list[str]:
        return [key.rpartition(":")[2] for key in manifest["record_key"].to_pylist()]

    (folder / "1.tif").write_bytes(tiff(*[gradient(60, 80)] * 2))
    first = scan(None)
    assert labels(first) == ["1", "2"]
    (folder / "2.tif").write_bytes(tiff(*[gradient(60, 80)] * 2))
    grown = scan(first)
    assert labels(grown) == ["1", "3"], "page 2 has two images, and no page that is there gets another name"
    assert labels(scan(grown)) == ["1", "3"]

    both = scan(None)
    assert labels(both) == ["1.1", "1.2", "2.1", "2.2"]
    (folder / "2.tif").unlink()
    assert labels(scan(both)) == ["1.1", "1.2"]


def test_a_deep_jpeg_2000_in_colour_is_left_out_rather_than_read_wrongly(tmp_path: Path) -> None:
    colours = blended(60, 80, (255, 0, 0), (0, 0, 255))
    for form in ("jp2", "j2k"):
        reason = reason_of(write(tmp_path / f"1.{form}", deep(colours)))
        assert reason.startswith("a JPEG 2000 in colour with more than 8 bits")
        path = write(tmp_path / f"2.{form}", colours)
        assert read_header(path, max_pixels=MAX_PIXELS).sizes == ((60, 80),)
