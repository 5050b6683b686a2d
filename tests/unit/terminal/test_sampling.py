"""``quire sample`` as it is typed."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assets.domain.home import HomeFile
from flows.cli import app
from tests.unit.exports.shelf import Shelf, block, transcript


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)
    for year in ("1849", "1851", "1858"):
        made.add(f"CA:Lincoln:{year}", {str(page): transcript(block("text")) for page in range(1, 9)} | {"9": None})
    made.add("=1+1:x:1849", {"1": transcript(block("τεχτ"), language="el"), "2": transcript()})
    made.storage.home.create(HomeFile("a" * 32, None))
    monkeypatch.chdir(tmp_path)
    return made


def quire(line: str) -> Result:
    return CliRunner().invoke(app, line.split()[1:])


def test_pages_are_drawn_over_strata_and_the_same_ones_again(shelf: Shelf) -> None:
    said = quire("quire sample 13 --by decade --seed 1").output.splitlines()
    assert len(said[:13]) == len(set(said[:13])) == 13
    assert said[13:] == [
        "",
        "13 of 26 pages with a result, drawn by decade; --seed 1 draws the same",
        "  1840s: 5 of 10",
        "  1850s: 8 of 16",
        "look at each beside its image (quire view --edit, or quire correct), then: quire quality",
    ]
    assert quire("quire sample 13 --by decade --seed 1").output.splitlines() == said
    assert quire("quire sample 13 --by decade --seed 2").output.splitlines()[:13] != said[:13]
    assert len(quire("quire sample 99").output.splitlines()) == 26 + 3


def test_a_file_has_a_row_for_each_and_what_a_spreadsheet_would_run_is_defused(shelf: Shelf) -> None:
    assert quire("quire correct CA:Lincoln:1849:1 --checked --as Ada").exit_code == 0
    said = quire("quire sample 26 --by script --by language --by kind --to check.csv").output
    assert said.startswith("26 pages are in check.csv\n")
    assert "  greek el prose: 1 of 1\n" in said
    assert "  empty en empty: 1 of 1\n" in said
    assert "1 of them are gold already" in said
    rows = list(csv.DictReader(Path("check.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 26
    assert rows[0]["record_key"] == "'=1+1:x:1849:1"
    assert rows[2] | {"result": ""} == {
        **{"record_key": "CA:Lincoln:1849:1", "script": "latin", "language": "en", "kind": "prose"},
        **{"image": "dataset/page_images/CA/Lincoln/1849/1.jpg", "result": "", "gold": "checked"},
    }
    assert Path(rows[2]["result"]).exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("quire sample 5 --by nonsense", "no result has a field 'nonsense'; say one of document, decade, script, kind"),
        ("quire sample 0", None),
    ],
)
def test_what_cannot_be_drawn_is_told(shelf: Shelf, line: str, problem: str | None) -> None:
    done = quire(line)
    assert done.exit_code == (2 if problem is None else 1)
    assert problem is None or problem in str(done.exception)


def test_without_results_there_is_nothing_to_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "run quire scan first" in str(quire("quire sample 5").exception)
    shelf.add("CA:Lincoln:1849", {"1": None})
    assert "no page has a result yet" in str(quire("quire sample 5").exception)
