"""Walks of folders in which anything can lie: what is a page is found, what is not is told once, nothing stops."""

import os
import re
import unicodedata
from pathlib import Path

import pytest

from assets.domain.errors import ManifestError
from assets.sources import ImageHeader, left_out
from flows.gateways.files.image_files import KnownImages
from flows.gateways.files.trees import ImageWalk, KnownFiles, keys_by_name, walk_allowed, walk_images
from flows.gateways.images.headers import read_header
from tests.images import gradient, png_of, small_jpeg, small_webp, tiff, tiff_of

JPEG, PNG, WEBP = small_jpeg(), png_of(60, 80), small_webp()
PATTERN = "(?P<page>[0-9]+)"
NFC, NFD = (unicodedata.normalize(form, "Peñón") for form in ("NFC", "NFD"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder of page images, of which CA/Lincoln/2023 is a document."""
    folder = tmp_path / "data" / "images"
    (folder / "CA" / "Lincoln" / "2023").mkdir(parents=True)
    return folder


def put(tree: Path, name: str, content: bytes = JPEG) -> Path:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def walk(tree: Path, known: KnownImages | None = None, *, pattern: str = PATTERN) -> ImageWalk:
    root = tree.parent.parent
    return walk_images(
        tree,
        root=root,
        depth=3,
        known=KnownFiles(known or {}),
        read_header=read_header,
        page_pattern=pattern,
        max_pixels=1_000_000,
    )


def pages(found: ImageWalk) -> dict[str, str]:
    return {f"{':'.join(image.fields)}:{image.label}": image.path for image in found.images}


def problems(found: ImageWalk) -> dict[str, str]:
    told = {problem.path: problem.reason for problem in found.problems}
    assert len(told) == len(found.problems), "one line each"
    return told


def test_an_image_becomes_a_page_with_type_size_and_time(tree: Path) -> None:
    path = put(tree, "CA/Lincoln/2023/0004.JPEG", PNG)
    os.utime(path, ns=(5, 1_700_000_000_123_456_789))
    [image] = walk(tree).images
    assert (image.fields, image.label) == (("CA", "Lincoln", "2023"), "4"), "leading zeros do not count"
    assert image.path == "data/images/CA/Lincoln/2023/0004.JPEG"
    assert image.mime_type == "image/png", "by its content, whatever its name says"
    assert (image.bytes, image.modified_ns) == (len(PNG), 1_700_000_000_123_456_789)
    assert (image.frame, image.frames, image.width, image.height) == (0, 1, 60, 80)


def test_all_usual_endings_are_taken_in_either_case(tree: Path) -> None:
    for page, (ending, content) in enumerate(
        {
            "jpg": JPEG,
            "jpeg": JPEG,
            "png": PNG,
            "webp": WEBP,
            "JPG": JPEG,
            "Webp": WEBP,
            "jfif": JPEG,
            "JPE": PNG,
        }.items(),
        1,
    ):
        put(tree, f"CA/Lincoln/2023/{page}.{ending}", content)
    found = walk(tree)
    assert sorted(image.mime_type for image in found.images) == [
        "image/jpeg",
        "image/jpeg",
        "image/jpeg",
        "image/jpeg",
        "image/png",
        "image/png",
        "image/webp",
        "image/webp",
    ]
    assert found.problems == []


def test_two_images_of_a_page_are_both_told_and_neither_is_taken(tree: Path) -> None:
    for name in ("4.jpg", "04.jpg", "004.png", "5.jpg", "6.jpg", "6.webp"):
        put(tree, f"CA/Lincoln/2023/{name}", PNG)
    found = walk(tree)
    assert list(pages(found)) == ["CA:Lincoln:2023:5"]
    place = "data/images/CA/Lincoln/2023"
    assert problems(found) == {
        **{f"{place}/{name}": "page 4 has 3 images; keep one" for name in ("004.png", "04.jpg", "4.jpg")},
        **{f"{place}/{name}": "page 6 has 2 images; keep one" for name in ("6.jpg", "6.webp")},
    }


def test_what_is_no_page_is_told_with_its_reason_and_the_rest_goes_on(tree: Path) -> None:
    document = "CA/Lincoln/2023"
    put(tree, f"{document}/1.jpg")
    put(tree, f"{document}/0.jpg")
    put(tree, f"{document}/-3.jpg")
    put(tree, f"{document}/4a.jpg")
    put(tree, f"{document}/٤.jpg")
    put(tree, f"{document}/{'9' * 240}.jpg")
    put(tree, f"{document}/notes.txt")
    put(tree, f"{document}/5.pdf")
    put(tree, f"{document}/5.DJVU")
    put(tree, f"{document}/1849/1.jpg")
    put(tree, f"{document}/README")
    put(tree, f"{document}/12", b"no image")
    put(tree, f"{document}/13")
    put(tree, f"{document}/6.jpg", b"")
    put(tree, f"{document}/7.jpg", b"<html>not found</html>")
    (tree / document / "8.jpg").mkdir()
    (tree / document / "9.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tree / document / "10.jpg")
    put(tree, f"{document}/11.webp", WEBP)
    found = walk(tree)
    assert sorted(pages(found)) == [f"CA:Lincoln:2023:{page}" for page in ("0", "1", "11", "13")]
    no_match = "no page: its name does not match record.page_pattern"
    endings = (
        ".avif, .bmp, .dib, .gif, .heic, .heif, .hif, .j2c, .j2k, .jfif, .jif, .jp2, .jpc, .jpe, .jpeg, .jpf, .jpg"
    )
    endings += ", .jpx, .png, .tif, .tiff, .webp"
    no_image = f"no page image: its name does not end in {endings}"
    assert {Path(path).name: reason for path, reason in problems(found).items()} == {
        "-3.jpg": no_match,
        "4a.jpg": no_match,
        "٤.jpg": no_match,
        f"{'9' * 240}.jpg": f"no page: the page label '{'9' * 57}...' is longer than 200 bytes",
        "notes.txt": no_image,
        "5.pdf": "a PDF, and no page image: paths.source_documents is for PDFs, which quire scan makes page images of",
        "5.DJVU": "a DjVu file, and no page image: make a PDF of it (ddjvu -format=pdf), which paths.source_documents "
        "is for",
        "1849": "a folder where images are expected: what lies in it is too deep for record.document_fields",
        "README": no_match,
        "12": "unreadable: it does not begin like a JPEG, PNG, WebP, TIFF, JPEG 2000, GIF, BMP, HEIC or AVIF file",
        "6.jpg": "unreadable: it is empty",
        "7.jpg": "unreadable: it does not begin like a JPEG, PNG, WebP, TIFF, JPEG 2000, GIF, BMP, HEIC or AVIF file",
        "8.jpg": "no page image: it is no file",
        "9.jpg": "unreadable: No such file or directory",
        "10.jpg": "no page image: it is no file",
    }


def test_folders_that_are_no_documents_are_told_and_passed_over(tree: Path) -> None:
    put(tree, "CA/Lincoln/2023/1.jpg")
    put(tree, "readme.txt")
    put(tree, "CA/2.jpg")
    put(tree, "CA/Lin:coln/2023/3.jpg")
    put(tree, "CA/Lin\ncoln/2023/4.jpg")
    (tree / "TX").symlink_to("nowhere")
    (tree / "AL" / "empty").mkdir(parents=True)
    found = walk(tree)
    assert list(pages(found)) == ["CA:Lincoln:2023:1"]
    assert problems(found) == {
        "data/images/readme.txt": "a file where folders of 3 more levels are expected",
        "data/images/CA/2.jpg": "a file where folders of 2 more levels are expected",
        "data/images/CA/Lin:coln": "a field holds a ':', which separates fields",
        "data/images/CA/Lin\ncoln": "a field holds the control character '\\n'",
        "data/images/TX": "a file where folders of 3 more levels are expected",
    }


def test_links_to_folders_and_files_are_followed(tree: Path) -> None:
    real = put(tree.parent / "elsewhere", "2023/1.jpg")
    (tree / "CA" / "Adams").symlink_to(real.parent.parent, target_is_directory=True)
    (tree / "CA" / "Lincoln" / "2023" / "7.jpg").symlink_to(real)
    found = walk(tree)
    assert sorted(pages(found)) == ["CA:Adams:2023:1", "CA:Lincoln:2023:7"]
    assert found.problems == []


def test_a_folder_named_in_another_coding_is_the_same_field(tree: Path) -> None:
    put(tree, f"CA/{NFD}/2023/1.jpg")
    found = walk(tree)
    assert pages(found) == {f"CA:{NFC}:2023:1": f"data/images/CA/{NFD}/2023/1.jpg"}, "its key is NFC, its path is real"
    put(tree, f"CA/{NFC}/2023/2.jpg")
    both = walk(tree)
    assert len(both.images) == 1
    assert list(problems(both).values()) == ["the same name as another folder, but for how its letters are coded"]


def test_a_file_that_did_not_change_is_not_opened_again(tree: Path) -> None:
    path = put(tree, "CA/Lincoln/2023/1.jpg", PNG)
    [image] = walk(tree).images
    known = {(image.path, image.bytes, image.modified_ns): ImageHeader("image/png", ((60, 80),))}
    path.write_bytes(PNG[:8].ljust(len(PNG), b"0"))
    os.utime(path, ns=(1, image.modified_ns))
    assert walk(tree, known).images[0].mime_type == "image/png", "same size, same time: taken as it was known"
    os.utime(path, ns=(1, image.modified_ns + 1))
    assert [problem.reason for problem in walk(tree, known).problems] == [
        "unreadable: its PNG header is cut short or damaged"
    ]


def test_a_folder_that_is_not_there_is_an_empty_walk(tmp_path: Path) -> None:
    assert not (found := walk(tmp_path / "a" / "gone")).images
    assert not found.problems
    assert walk_allowed(tmp_path / "gone", root=tmp_path, depth=3) == (set(), [])


def test_a_tree_that_cannot_be_read_at_all_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    top = tmp_path / "page_images"
    top.symlink_to(top)
    told = f"{top}: unreadable folder: Too many levels of symbolic links; nothing goes on before it can be read"
    with pytest.raises(ManifestError) as error:
        walk(top)
    assert str(error.value) == told
    with pytest.raises(ManifestError, match="nothing goes on before it can be read"):
        walk_allowed(top, root=tmp_path, depth=3)


def test_what_cannot_be_read_is_told_and_the_walk_goes_on(tree: Path) -> None:
    put(tree, "CA/Lincoln/2023/1.jpg")
    for loop in ("AL", "CA/Adams", "CA/Lincoln/2022", "CA/Lincoln/2023/2.jpg"):
        (tree / loop).parent.mkdir(parents=True, exist_ok=True)
        (tree / loop).symlink_to((tree / loop).name)
    found = walk(tree)
    assert list(pages(found)) == ["CA:Lincoln:2023:1"]
    told = "unreadable: Too many levels of symbolic links"
    assert problems(found) == {
        f"data/images/{place}": told for place in ("AL", "CA/Adams", "CA/Lincoln/2022", "CA/Lincoln/2023/2.jpg")
    }
    assert walk_allowed(tree, root=tree, depth=2)[1][0].reason == told


def test_the_allow_list_names_pages_and_what_names_none_is_told(tree: Path) -> None:
    for name in ("4.json", "005.json", "6.JSON", "012r.json", "7", "notes.txt", ".json.json", "-.json"):
        put(tree, f"CA/Lincoln/2023/{name}", b"")
    allowed, told = walk_allowed(tree, root=tree, depth=3)
    assert allowed == {f"CA:Lincoln:2023:{label}" for label in ("4", "5", "6", "12r", "7")}
    assert [(problem.path, problem.reason) for problem in told] == [
        ("CA/Lincoln/2023/-.json", "allow list: the page label '-' begins with '-'"),
        ("CA/Lincoln/2023/notes.txt", "allow list: not a page's label and .json"),
    ]


def test_an_image_with_too_many_pixels_is_left_out_whether_it_is_known_or_not(tree: Path) -> None:
    put(tree, "CA/Lincoln/2023/1.png", png_of(1000, 1000))
    path = put(tree, "CA/Lincoln/2023/2.tif", tiff_of(40_000, 40_000))
    found = walk(tree)
    assert list(pages(found)) == ["CA:Lincoln:2023:1"]
    told = {"data/images/CA/Lincoln/2023/2.tif": "unreadable: 40000 x 40000 pixels, more than safety.max_image_pixels"}
    assert problems(found) == told
    stat = path.stat()
    known = {(next(iter(told)), stat.st_size, stat.st_mtime_ns): ImageHeader("image/tiff", ((40_000, 40_000),))}
    assert problems(walk(tree, known)) == told


def test_what_systems_leave_in_folders_is_passed_over(tree: Path) -> None:
    for name in (".DS_Store", "CA/.hidden.jpg", "CA/Lincoln/Thumbs.db", "CA/Lincoln/2023/desktop.ini"):
        put(tree, name)
    put(tree, "CA/Lincoln/2023/._1.jpg")
    put(tree, ".Trash-1000/files/2023/1.jpg")
    put(tree, "CA/Lincoln/2023/.jpg")
    assert not (found := walk(tree)).images
    assert not found.problems


def test_the_pattern_of_names_says_where_the_page_number_is(tree: Path) -> None:
    document = "CA/Lincoln/2023"
    for name in ("page-0012.jpg", "0013.jpg", "Page-14.jpg", "page-0.jpg", "page-.jpg", "page-15b.jpg"):
        put(tree, f"{document}/{name}")
    found = walk(tree, pattern="(page-)?(?P<page>[0-9]*)")
    assert sorted(pages(found)) == ["CA:Lincoln:2023:0", "CA:Lincoln:2023:12", "CA:Lincoln:2023:13"]
    assert {Path(path).name: reason for path, reason in problems(found).items()} == {
        "Page-14.jpg": "no page: its name does not match record.page_pattern",
        "page-15b.jpg": "no page: its name does not match record.page_pattern",
        "page-.jpg": "no page: the page has no label",
    }
    # A group that takes no part, and a digit that is none of ours.
    assert sorted(pages(walk(tree, pattern=r"page-(?P<page>\d+)?"))) == ["CA:Lincoln:2023:0", "CA:Lincoln:2023:12"]


def test_odd_names_are_pages_or_told_and_never_an_error(tree: Path) -> None:
    document = tree / "CA" / "Lincoln" / "2023"
    names = [
        "scan é 1",
        "scan\u3000頁 2",
        "scan\x1b[31m 3",
        "scan\n 4",
        os.fsdecode(b"scan \xff 5"),
        "scan 6",
        "scan\xa0 7",
    ]
    for name in names:
        (document / f"{name}.jpg").write_bytes(JPEG)
    (document / os.fsdecode(b"\xff.txt")).touch()
    found = walk(tree, pattern=r"(?s:scan.*) (?P<page>[0-9]+)")
    assert sorted(image.label for image in found.images) == ["1", "2", "6", "7"]
    told = problems(found)
    place = "data/images/CA/Lincoln/2023"
    odd = "no page: its name holds a control character, or is not in UTF-8"
    no_image = told.pop(f"{place}/\\udcff.txt")
    assert no_image.startswith("no page image: ")
    assert told == {
        f"{place}/scan\x1b[31m 3.jpg": odd,
        f"{place}/scan\n 4.jpg": odd,
        f"{place}/scan \\udcff 5.jpg": odd,
    }
    left_out(found.problems)


@pytest.mark.parametrize("marker", [".source.json", ".iiif/document.json"])
def test_what_was_made_or_fetched_bears_numbers_and_what_lies_beside_it_has_names_of_its_own(
    tree: Path, marker: str
) -> None:
    put(tree, f"CA/Lincoln/2023/{marker}", b"{}")
    for name in ("1.jpg", "0002.jpg", "page-7.jpg"):
        put(tree, f"CA/Lincoln/2023/{name}")
    put(tree, "CA/Lincoln/2024/1.jpg")
    found = walk(tree, pattern="page-(?P<page>[0-9]+)")
    assert set(pages(found)) == {f"CA:Lincoln:2023:{page}" for page in (1, 2, 7)}
    assert list(problems(found)) == ["data/images/CA/Lincoln/2024/1.jpg"]


def test_images_in_no_folder_are_one_document(tree: Path) -> None:
    put(tree, "0001.jpg")
    put(tree, "2.png", PNG)
    put(tree, "CA/3.jpg")
    put(tree, "results/minutes/1.json", b"{}")
    found = walk_images(
        tree,
        root=tree.parent.parent,
        depth=0,
        known=KnownFiles(),
        read_header=read_header,
        page_pattern=PATTERN,
        max_pixels=10**6,
        fixed=("minutes",),
        apart=[tree / "results"],
    )
    assert pages(found) == {"minutes:1": "data/images/0001.jpg", "minutes:2": "data/images/2.png"}
    too_deep = "a folder where images are expected: what lies in it is too deep for record.document_fields"
    assert problems(found) == {"data/images/CA": too_deep}
    put(tree, "allowed/2.json")
    allowed, odd = walk_allowed(tree / "allowed", root=tree, depth=0, fixed=("minutes",))
    assert (allowed, odd) == ({"minutes:2"}, [])


@pytest.mark.parametrize(
    ("path", "depth", "folder", "key"),
    [
        ("data/images/0003.jpg", 0, "data/images", "minutes:3"),
        ("3.jpg", 0, "", "minutes:3"),
        ("3", 0, "", "minutes:3"),
        ("data/images/CA/3.jpg", 0, "data/images", None),
        ("CA/3.jpg", 1, "", "CA:3"),
        ("3.jpg", 1, "", None),
    ],
)
def test_the_record_of_an_image_by_its_place_and_name(path: str, depth: int, folder: str, key: str | None) -> None:
    fixed = ("minutes",) if depth == 0 else ()
    found = keys_by_name(path, 0, folder=folder, depth=depth, page_pattern=re.compile(PATTERN), fixed=fixed)
    assert found == (set() if key is None else {key, f"{key}.1"})


def sides(pages: int) -> bytes:
    return tiff(*(gradient(60, 80 + at) for at in range(pages)))


def test_sheets_with_two_sides_are_pages_in_the_order_of_file_and_side(tree: Path) -> None:
    document = "CA/Lincoln/2023"
    for name in ("0001.tif", "0002.tif", "0003.tif"):
        put(tree, f"{document}/{name}", sides(2))
    put(tree, f"{document}/0004.tif", sides(1))
    found = walk(tree)
    assert found.problems == []
    labels = ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2", "4"]
    assert sorted(pages(found)) == [f"CA:Lincoln:2023:{label}" for label in labels]
    assert [(image.frame, image.height) for image in found.images if image.label == "2.2"] == [(1, 81)]


def test_what_nobody_wants_or_can_read_does_not_change_what_the_others_are_called(tree: Path) -> None:
    document = "CA/Lincoln/2023"
    for name, count in (("1.tif", 2), ("2.tif", 1), ("3.tif", 2), ("4.tif", 1)):
        put(tree, f"{document}/{name}", sides(count))
    whole = pages(walk(tree))
    assert sorted(whole) == [f"CA:Lincoln:2023:{label}" for label in ("1.1", "1.2", "2", "3.1", "3.2", "4")]
    for name in ("2.tif", "4.tif"):
        put(tree, f"{document}/{name}", b"II*\0 and no more")
    assert sorted(pages(walk(tree))) == [f"CA:Lincoln:2023:{label}" for label in ("1.1", "1.2", "3.1", "3.2")]


def test_where_an_image_lies_tells_which_pages_it_can_be(tree: Path) -> None:
    def keys(path: str, frame: int) -> set[str]:
        return keys_by_name(path, frame, folder="data/images", depth=3, page_pattern=re.compile(PATTERN))

    place, key = "data/images/CA/Lincoln/2023", "CA:Lincoln:2023"
    assert keys(f"{place}/0004.tif", 0) == {f"{key}:4", f"{key}:4.1"}
    assert keys(f"{place}/0004.tif", 2) == {f"{key}:6", f"{key}:4.3"}
    assert keys(f"{place}/cover.jpg", 0) == keys("elsewhere/CA/Lincoln/2023/1.jpg", 0) == set()
