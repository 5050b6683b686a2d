"""`home.json` and the marks: made once, looked for, and never taken for another's."""

import json
import shutil
from pathlib import Path

import pytest

from assets.domain.errors import HomeMismatchError, ManifestError
from assets.domain.home import HomeFile
from flows.gateways.files.home import MARK, HomeFiles, read_mark

SETTINGS = {"collection": "ca", "record.document_fields": ["box", "folder"]}


@pytest.fixture
def home(tmp_path: Path) -> HomeFiles:
    return HomeFiles(tmp_path / "manifests", tmp_path / "results")


def test_it_is_created_once(home: HomeFiles) -> None:
    assert home.read() is None
    assert [home.create(HomeFile(each, SETTINGS)) for each in "ab"] == [True, False]
    assert home.read() == HomeFile("a", SETTINGS)


def test_one_of_before_has_an_id_and_no_settings(home: HomeFiles) -> None:
    home.path.parent.mkdir()
    home.path.write_text('{"id": "a"}')
    assert home.read() == HomeFile("a", None)
    home.check_marks()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"id": 3}', '{"id": ""}', "\ufeff{", '{"id"', '{"id": "a", "settings": 1}']
)
def test_a_broken_one_is_named_with_the_way_out(home: HomeFiles, content: str) -> None:
    home.path.parent.mkdir()
    home.path.write_text(content)
    with pytest.raises(ManifestError, match=r"home\.json: is not .*; restore it, or "):
        home.read()


def test_one_of_a_newer_quire_says_to_upgrade(home: HomeFiles) -> None:
    home.path.parent.mkdir()
    home.path.write_text('{"id": "a", "format": 2}')
    with pytest.raises(ManifestError, match=r"home\.json: was written by a newer Quire \(format 2, .*: upgrade Quire$"):
        home.read()


def test_each_folder_gets_its_mark_and_one_that_lost_it_is_told(home: HomeFiles, tmp_path: Path) -> None:
    home.create(HomeFile("a", SETTINGS))
    home.mark("a")
    home.check_marks()
    marked = sorted(path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(MARK))
    assert marked == [
        *(f"manifests/{each}" for each in ("batches", "jobs", "outcomes", "prompts", "uploads")),
        "results",
    ]

    for folder in marked:
        path = tmp_path / folder / MARK
        kept = path.read_text()
        path.unlink()
        with pytest.raises(HomeMismatchError, match=rf"{folder} does not carry the mark \({MARK}\) .*--accept-folders"):
            home.check_marks()
        path.write_text(json.dumps({"id": "b"}))
        with pytest.raises(
            HomeMismatchError, match=f"{folder} carries the mark .* of another collection: is it mounted"
        ):
            home.check_marks()
        shutil.rmtree(path.parent)
        setting = "paths.output_results" if folder == "results" else "paths.manifests"
        with pytest.raises(HomeMismatchError, match=f"{folder} is gone: is it mounted, is {setting} right"):
            home.check_marks()
        path.parent.mkdir()
        path.write_text(kept)


def test_what_carries_another_mark_gets_none(home: HomeFiles, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / MARK).write_text('{"id": "b"}')
    with pytest.raises(
        HomeMismatchError, match=r"two collections cannot share a folder; change paths\.output_results, or"
    ):
        home.mark("a")
    assert read_mark(tmp_path / "results") == "b"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": 3}', '{"id": "a", "format": "1"}', "\xff"])
def test_a_broken_mark_is_named(home: HomeFiles, content: str, tmp_path: Path) -> None:
    home.create(HomeFile("a", SETTINGS))
    home.mark("a")
    (tmp_path / "results" / MARK).write_text(content, encoding="latin-1")
    with pytest.raises(ManifestError, match=rf"results/\{MARK}: is not .*; restore it, or "):
        home.check_marks()
