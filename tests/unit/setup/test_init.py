"""``quire init``: what is guessed from what lies there, the file that comes of it, and what is said."""

from pathlib import Path

import pytest
from PIL import Image

from assets.domain.errors import QuireError
from config.settings import check_folders, load_settings
from flows.gateways.files.trees import KnownFiles, walk_images
from flows.gateways.images.headers import read_header
from flows.gateways.pdf.tree import walk_pdfs
from flows.runtime.sources import source_tree
from flows.setup.guess import collection_name
from flows.setup.starter import start_collection

SHELVES = {
    "scans and PDFs in trees of their own": (
        ["scans/Kent/12/1.jpg", "scans/Kent/12/02.png", "scans/Kent/13/1.tif", "pdfs/Kent/14.pdf"],
        ("series", "volume"),
        {"Kent:12:1", "Kent:12:2", "Kent:13:1"},
        {("Kent", "14")},
    ),
    "one book": (["book/1.jpg", "book/2.jpg"], ("volume",), {"book:1", "book:2"}, set()),
    "documents in the folder itself": (
        ["north/7/1.jpg", "south/8/1.jpg", "south/8/2.jpg"],
        ("series", "volume"),
        {"north:7:1", "south:8:1", "south:8:2"},
        set(),
    ),
    "years": (
        ["scans/AL/Ada/1901/0001.jpg", "scans/CA/Lincoln/1902/0001.jpg"],
        ("archive", "series", "year"),
        {"AL:Ada:1901:1", "CA:Lincoln:1902:1"},
        set(),
    ),
    "names with a front": (
        ["scans/a/page-0001.jpg", "scans/a/page-0002.jpg", "scans/b/page-0001.jpg"],
        ("volume",),
        {"a:1", "a:2", "b:1"},
        set(),
    ),
    "names with several numbers": (
        ["scans/a/box7_0001.jpg", "scans/a/box7_0002.jpg", "scans/b/box8_0001.jpg"],
        ("volume",),
        {"a:1", "a:2", "b:1"},
        set(),
    ),
    "names with a back": (["a/1_left.jpg", "a/2_right.jpg"], ("volume",), {"a:1", "a:2"}, set()),
    "masters and access copies": (
        ["scans/a/1.tif", "scans/a/1.jpg", "scans/a/2.tif", "scans/a/2.jpg"],
        ("volume",),
        {"a:1", "a:2"},
        set(),
    ),
    "leaves and spreads": (
        ["scans/a/012r.jpg", "scans/a/012v.jpg", "scans/a/013-014.jpg", "scans/a/iv.jpg"],
        ("volume",),
        {"a:12r", "a:12v", "a:13-14", "a:iv"},
        set(),
    ),
    "leaves with a front": (
        ["scans/a/fol_012r.jpg", "scans/a/fol_012v.jpg"],
        ("volume",),
        {"a:12r", "a:12v"},
        set(),
    ),
    "PDFs alone": (["Kent/12.pdf", "Lee/13.pdf"], ("series", "volume"), set(), {("Kent", "12"), ("Lee", "13")}),
    "PDFs in the folder itself, beside scans": (["one.pdf", "scans/a/1.jpg"], ("volume",), {"a:1"}, {("one",)}),
    "names that YAML would take for something else": (
        ["12/no/1.jpg", "12/yes it's/1.jpg", '12/a "b" # c/1.jpg'],
        ("volume",),
        {"no:1", "yes it's:1", 'a "b" # c:1'},
        set(),
    ),
}


@pytest.mark.parametrize("name", SHELVES)
def test_what_lies_there_is_what_a_scan_then_finds(tmp_path: Path, name: str) -> None:
    files, fields, keys, documents = SHELVES[name]
    folder = make(tmp_path / "My Shelf", files)

    said = start_collection(folder)

    assert "left out" not in said
    settings = load_settings(folder / "quire.yaml", environ={})
    assert (settings.collection, settings.record.document_fields) == ("my_shelf", fields)
    assert f"Written: {folder / 'quire.yaml'}" in said
    # As after a first trial and a first run.
    make(folder, ["results/a/b/1.json", "manifests/batches/x.parquet", "trial/results/a/1.json", "server/logs/p.log"])
    check_folders(settings)
    walk = walk_images(
        settings.paths.page_images,
        root=settings.root,
        depth=len(fields),
        known=KnownFiles(),
        read_header=read_header,
        page_pattern=settings.record.page_pattern,
        max_pixels=10**6,
        apart=(*settings.own_paths, settings.paths.source_documents),
    )
    assert {":".join([*image.fields, image.label]) for image in walk.images} == keys
    apart = [*settings.own_paths, settings.paths.page_images]
    pdfs, problems = walk_pdfs(source_tree(settings.paths.source_documents, apart=apart), depth=len(fields))
    assert {pdf.fields for pdf in pdfs} == documents
    assert problems == []
    if name != "PDFs in the folder itself, beside scans":
        assert walk.problems == []


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    folder = make(
        tmp_path, ["scans/a/1.jpg", "scans/b/1.jpg", "stray.jpg", "pdfs/c.pdf", "pdfs/deeper/d.pdf", "m/manifest.json"]
    )
    (folder / "m/manifest.json").write_text('{"@context": "http://iiif.io/api/presentation/3/context.json"}')

    said = start_collection(folder, dry_run=True)

    assert "2 page images of 2 documents in scans/: scans/a/1.jpg is taken for the record a:1" in said
    assert "1 PDF in pdfs/: pdfs/c.pdf is taken for the document c; quire scan makes its page images" in said
    assert "stray.jpg: left out: an image lies in a folder for its document, scans/*/" in said
    assert "pdfs/deeper/d.pdf: left out: with 1 field to a document a PDF lies in pdfs/" in said
    assert "m/manifest.json: looks like a IIIF manifest: quire fetch, with its path, fetches the images" in said
    assert f"{folder / 'quire.yaml'} would be:" in said
    assert not (folder / "quire.yaml").exists()


def test_mixed_trees_are_told(tmp_path: Path) -> None:
    said = start_collection(make(tmp_path, ["scans/a/1.jpg", "scans/b.pdf"]))
    assert "PDFs and images lie in one tree, scans/" in said


def test_nothing_is_overwritten_and_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    empty, done = tmp_path / "empty", tmp_path / "done"
    make(empty, [])
    make(done, ["a/1.jpg"])
    (done / "quire.yaml").write_text("collection: mine")

    with pytest.raises(QuireError, match=r"empty: no image and no PDF lies here or below\. Put scans into a folder"):
        start_collection(empty)
    with pytest.raises(QuireError, match=r"quire\.yaml is there already and stays as it is"):
        start_collection(done)
    with pytest.raises(QuireError, match=r"gone is no folder"):
        start_collection(tmp_path / "gone")

    assert list(empty.iterdir()) == []
    assert (done / "quire.yaml").read_text() == "collection: mine"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Übungen & Briefe", "ubungen_briefe"), ("deeds-12", "deeds-12"), ("文書", "scans"), ("--", "scans")],
)
def test_a_collection_is_named_like_its_folder(folder: str, name: str) -> None:
    assert collection_name(folder) == name


def make(folder: Path, files: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".jpg", ".png", ".tif"):
            Image.new("RGB", (8, 8), "white").save(path)
        else:
            path.write_bytes(b"x")
    return folder


def test_images_in_no_folder_are_one_document(tmp_path: Path) -> None:
    folder = make(tmp_path / "minutes", ["page-0001.jpg", "page-0002.png", "page-0012.jpg", "cover.jpg"])

    said = start_collection(folder)

    assert "3 page images of 1 document in this folder: page-0001.jpg is taken for the record document:1" in said
    assert "the images lie in no folder, so they are one document; record.document is its name" in said
    assert "cover.jpg: left out: its name is no page's, or another's, too; record.page_pattern says which are" in said
    settings = load_settings(folder / "quire.yaml", environ={})
    assert (settings.record.fixed, settings.record.depth, settings.paths.page_images) == (("document",), 0, folder)
    make(folder, ["results/document/1.json", "manifests/batches/x.parquet", "trial/results/a/1.json"])
    walk = walk_images(
        settings.paths.page_images,
        root=settings.root,
        depth=0,
        known=KnownFiles(),
        read_header=read_header,
        page_pattern=settings.record.page_pattern,
        max_pixels=10**6,
        apart=(*settings.own_paths, settings.paths.source_documents),
        fixed=settings.record.fixed,
    )
    assert sorted(image.label for image in walk.images) == ["1", "12", "2"]
    assert [Path(problem.path).name for problem in walk.problems] == ["cover.jpg"]
