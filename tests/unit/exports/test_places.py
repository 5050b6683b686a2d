"""Where exports lie: passed over, gone on with, made anew, refused; and under which names."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import QuireError
from assets.selection import Selection
from exports.names import label_names, names_of, safe_name
from exports.places import PART
from tests.unit.exports.shelf import Shelf, block, files_in, transcript

BOXES: dict[str, Any] = {"schema_options": {"boxes": True}}
FORMATS = ("jsonl", "csv", "parquet", "markdown", "tei", "iiif", "alto", "hocr")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path, **BOXES)
    shelf.add("CA:Lincoln:2023", {"1": boxed("one"), "2": boxed("two")})
    shelf.add("TX:Austin:2023", {"1": boxed("three")})
    return shelf


def boxed(text: str) -> dict[str, Any]:
    return transcript(block(text, box_2d=[10, 10, 900, 900]))


def exported(to: Path) -> dict[str, bytes]:
    return {"": to.read_bytes()} if to.is_file() else files_in(to)


@pytest.mark.parametrize("name", FORMATS)
class TestOnceMore:
    def test_the_same_pages_give_the_same_bytes_elsewhere_and_are_passed_over_here(
        self, shelf: Shelf, tmp_path: Path, name: str
    ) -> None:
        first = shelf.export(name, tmp_path / "a")
        before = exported(tmp_path / "a")

        shelf.export(name, tmp_path / "b")
        again = shelf.export(name, tmp_path / "a")

        assert exported(tmp_path / "b") == before == exported(tmp_path / "a")
        assert (first.files > 0, again.whole) == (True, first.files)
        assert again.pages == first.pages == 3

    def test_a_page_that_was_read_again_is_exported_again(self, shelf: Shelf, tmp_path: Path, name: str) -> None:
        shelf.export(name, tmp_path / "a")
        shelf.write("TX:Austin:2023:1", boxed("another"))

        again = shelf.export(name, tmp_path / "a")

        assert again.files == 1
        assert any(b"another" in content for content in exported(tmp_path / "a").values())

    def test_what_a_power_cut_has_shortened_is_made_again(self, shelf: Shelf, tmp_path: Path, name: str) -> None:
        shelf.export(name, tmp_path / "a")
        before = exported(tmp_path / "a")
        if (tmp_path / "a").is_file():
            (tmp_path / "a").unlink()
        else:
            (tmp_path / "a" / min(set(before) - {"README.md"})).write_bytes(b"")

        shelf.export(name, tmp_path / "a")

        assert exported(tmp_path / "a") == before

    def test_a_dry_run_writes_nothing_and_says_what_it_would(self, shelf: Shelf, tmp_path: Path, name: str) -> None:
        found = shelf.export(name, tmp_path / "a", dry_run=True)

        assert not (tmp_path / "a").exists()
        assert found.pages == 3
        assert found.files == {"jsonl": 1, "csv": 1, "alto": 3}.get(name, 2)
        assert "3 pages of 2 documents would be exported" in found.text()

    def test_a_result_that_cannot_be_read_is_named_and_all_others_are_exported(
        self, shelf: Shelf, tmp_path: Path, name: str
    ) -> None:
        shelf.write("CA:Lincoln:2023:1", b"{torn")

        found = shelf.export(name, tmp_path / "a")
        again = shelf.export(name, tmp_path / "a")

        assert [f"{shelf.storage.result_path('CA:Lincoln:2023:1')}" in line for line in found.faults] == [True]
        assert any(b"three" in content for content in exported(tmp_path / "a").values())
        assert again.faults == found.faults, "told until it is corrected"


class _CutOffError(Exception):
    pass


@pytest.mark.parametrize("name", FORMATS)
def test_one_that_was_cut_off_goes_on_where_it_was(shelf: Shelf, tmp_path: Path, name: str) -> None:
    shelf.export(name, tmp_path / "whole")
    wanted = exported(tmp_path / "whole")
    second = shelf.storage.result_path("TX:Austin:2023:1")
    second.rename(second.with_suffix(".away"))
    second.mkdir()  # the walk stops at it: nothing is begun
    with pytest.raises(QuireError, match="is a folder where a result belongs"):
        shelf.export(name, tmp_path / "a")
    second.rmdir()
    second.with_suffix(".away").rename(second)

    _cut_off(shelf, name, tmp_path / "a")
    found = shelf.export(name, tmp_path / "a")

    assert exported(tmp_path / "a") == wanted
    assert found.pages == 3
    assert not list((tmp_path).rglob(PART))


def _cut_off(shelf: Shelf, name: str, to: Path) -> None:
    """Have an export die at its second document, as by a signal, and tear what it noted last."""
    from flows.runtime.progress import telling

    def die(what: str, done: int, total: int) -> None:
        raise _CutOffError

    with telling(die), pytest.raises(_CutOffError):
        shelf.export(name, to)
    for notes in to.parent.rglob("*.jsonl"):
        if ".quire-export" in notes.as_posix():
            with notes.open("a") as file:
                file.write('{"torn')


class TestRefused:
    def test_a_folder_and_a_file_of_somebody_elses(self, shelf: Shelf, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "letter.txt").write_text("mine")

        with pytest.raises(QuireError, match="mine is not empty, and nothing was exported into it; name a new folder"):
            shelf.export("parquet", tmp_path / "mine")
        with pytest.raises(QuireError, match=r"letter.txt is there, and no export made it; name another file"):
            shelf.export("csv", tmp_path / "mine" / "letter.txt")
        with pytest.raises(QuireError, match="is a folder, and this format makes a single file"):
            shelf.export("csv", tmp_path / "mine")
        with pytest.raises(QuireError, match="is a file, and this format makes a folder"):
            shelf.export("parquet", tmp_path / "mine" / "letter.txt")
        assert files_in(tmp_path / "mine") == {"letter.txt": b"mine"}

    def test_a_folder_of_another_format(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.export("jsonl", tmp_path / "a")
        with pytest.raises(QuireError, match=r"holds an export of jsonl of .*, and not of csv of"):
            shelf.export("csv", tmp_path / "a")

    @pytest.mark.parametrize("folder", ["dataset/page_images", "dataset/output_results/x", "manifests/exports"])
    def test_the_collections_own_folders(self, shelf: Shelf, tmp_path: Path, folder: str) -> None:
        with pytest.raises(QuireError, match="which is the collection's own; name another place with --to"):
            shelf.export("parquet", tmp_path / folder)

    def test_a_link_that_leads_out(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.export("parquet", tmp_path / "a")
        (tmp_path / "elsewhere").mkdir()
        for path in (tmp_path / "a" / "data" / "CA").rglob("*.parquet"):
            path.unlink()
        (tmp_path / "a/data/CA/Lincoln/2023").rmdir()
        (tmp_path / "a/data/CA/Lincoln/2023").symlink_to(tmp_path / "elsewhere")

        found = shelf.export("parquet", tmp_path / "a")

        assert ["is a link that leads out of" in line for line in found.faults] == [True]
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_what_is_not_there(self, shelf: Shelf, tmp_path: Path) -> None:
        with pytest.raises(QuireError, match="'docx' is no format; there are alto, csv, "):
            shelf.export("docx", tmp_path / "a")
        with pytest.raises(QuireError, match=r"NV:Reno:1"):
            shelf.export("csv", tmp_path / "a", selection=Selection(("NV:Reno:1",)))
        shelf.storage.records_path.unlink()
        with pytest.raises(QuireError, match=r"records.parquet is not there yet: quire scan looks"):
            shelf.export("csv", tmp_path / "a")


class TestSelection:
    @pytest.mark.parametrize(
        ("asked", "pages"),
        [
            (Selection(("CA:Lincoln:2023",)), 2),
            (Selection(("CA:Lincoln:2023:2-9", "TX:Austin:2023:1")), 2),
            (Selection(prompt=("page_transcript", "v1")), 3),
        ],
        ids=str,
    )
    def test_what_is_named_is_exported(self, shelf: Shelf, tmp_path: Path, asked: Selection, pages: int) -> None:
        assert shelf.export("jsonl", tmp_path / "a", selection=asked).pages == pages
        assert len((tmp_path / "a").read_text().splitlines()) == pages

    def test_nothing_with_a_result_is_told(self, shelf: Shelf, tmp_path: Path) -> None:
        with pytest.raises(QuireError, match="no page that is meant has a result yet; nothing is exported"):
            shelf.export("jsonl", tmp_path / "a", selection=Selection(prompt=("page_transcript", "v2")))

    def test_results_of_pages_that_are_gone_are_counted(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.write("CA:Lincoln:1800:1", transcript())
        found = shelf.export("jsonl", tmp_path / "a")
        assert "1 result left out, as the record manifest has no such page" in found.text()


ODD = (
    ("Straße", "STRASSE", "strasse"),
    ("CON", "nul.txt", "com1"),
    ("_private", ".hidden", "ends.", " blank ", "a b"),
    ("=SUM(A1)", "100%", "a~b", "<script>", "a&b", 'quote"', "per%20cent"),
    ("é", "É", "ﬁn", "fin"),
    ("x" * 250, "x" * 251, "ü" * 120),
)


class TestNames:
    @pytest.mark.parametrize("texts", ODD, ids=lambda texts: texts[0][:10])
    def test_each_is_a_name_of_its_own_that_every_file_system_takes(self, texts: tuple[str, ...]) -> None:
        names = [name for (name,) in names_of((text,) for text in texts).values()]
        folded = {unicodedata.normalize("NFKC", name.casefold()).casefold() for name in names}

        assert len(folded) == len(texts)
        for name in names:
            assert len(name.encode()) < 200
            assert not set(name) & set('/\\:*?"<>|\0\n')
            assert name[0] not in "._ "
            assert name[-1] not in ". "
            assert name.split(".")[0].lower() not in ("con", "nul", "com1")

    def test_usual_ones_are_as_they_are(self) -> None:
        usual = ("2023", "Lincoln High", "Köln", "vol-3", "12r", "a.b", "東京")
        assert [safe_name(each) for each in usual] == list(usual)

    def test_what_meets_is_told_apart_at_its_own_level_and_whatever_is_exported(self) -> None:
        names = names_of([("CA", "1"), ("ca", "1"), ("TX", "1")])
        assert names[("TX", "1")] == ("TX", "1")
        assert names[("CA", "1")][0].startswith("CA~")
        assert names[("ca", "1")][0].startswith("ca~")

    def test_labels(self) -> None:
        names = label_names(["12r", "12R", "iv"])
        assert names["iv"] == "iv"
        assert len({name.lower() for name in names.values()}) == 3


def test_a_shelf_with_odd_names_is_exported_whole_and_never_outside(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, ("box",), **BOXES)
    boxes = [text for texts in ODD for text in texts if len(text.encode()) <= 250 and text.strip(" .") == text]
    for box in boxes:
        shelf.add(box, {"1": boxed(box), "iv": None})
    before: dict[str, Any] = {path.as_posix(): path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    for name in FORMATS:
        found = shelf.export(name, tmp_path / "out" / name)
        assert (found.pages, found.faults) == (len(boxes), [])
        assert json.loads(found.as_json())["documents"] == len(boxes)

    after = {path.as_posix() for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "out")}
    assert after == set(before)
