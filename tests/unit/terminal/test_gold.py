"""``quire gold``: which gold there is, and what was brought from elsewhere for which page."""

import json
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner, Result

from assets.domain.home import HomeFile
from flows.cli import app
from flows.tables.gold import measurable, read_gold
from tests.unit.exports.shelf import Shelf, block, transcript

PAGE = Path(__file__).parents[3] / "docs" / "quality.md"
DOCUMENT = "CA:Lincoln:2023"
READ = transcript(block("7", "page_number"), block("Tne fox"))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)
    made.add(DOCUMENT, {"1": READ, "2": READ, "3": None, "iv": READ, "scan_9": READ})
    made.add("TX:Austin:2023", {"1": READ, "5": READ})
    made.storage.home.create(HomeFile("a" * 32, None))
    monkeypatch.chdir(tmp_path)
    return made


def quire(line: str) -> Result:
    return CliRunner().invoke(app, line.split()[1:])


def put(name: str, text: str) -> None:
    path = Path("truth") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_truth_from_elsewhere_is_gold_of_the_page_that_it_is_of(shelf: Shelf) -> None:
    put("CA/Lincoln/2023/0001.txt", "The fox")
    put("CA/Lincoln/2023/3.txt", "unread")
    put("scan_9.txt", "The nine")
    put("deep/er/5.txt", "of an image that is called so once")
    put("1.txt", "of two pages")
    put("nobody.txt", "of none")
    put("CA/Lincoln/2023/iv.xml", "<alto")
    put("TX/Austin/2023/5.txt", "twice")
    put("notes.md", "")

    would = quire("quire gold import truth --as Ada --dry-run")
    assert would.output.splitlines()[0] == "4 of 8 files would be brought; nothing is done"
    assert quire("quire gold").output.startswith("no gold yet")
    done = quire("quire gold import truth --as Ada")

    lines = done.output.splitlines()
    assert lines[0].startswith(f"4 of 8 files are gold now: {shelf.storage.imported_gold.folder}/")
    assert [line.partition(" (")[0] for line in lines[1:]] == [
        "  left out 1.txt: 2 pages have an image of that name",
        "  left out CA/Lincoln/2023/iv.xml: is no XML",
        "  left out deep/er/5.txt: TX/Austin/2023/5.txt is of that page, too",
        "  left out nobody.txt: no page is called so",
    ]
    said = quire("quire gold").output
    assert said.startswith("4 pages are gold: 4 imported\n  imported by Ada: ")
    assert f"{DOCUMENT}:1, {DOCUMENT}:3" in said
    found = json.loads(quire("quire gold --json").output)
    assert found["pages"] == 4
    assert found["gold"][0]["source"] == "truth/CA/Lincoln/2023/0001.txt"


def test_a_correction_is_gold_before_what_comes_from_elsewhere_and_the_models_answer_is_what_is_measured(
    shelf: Shelf,
) -> None:
    for page in ("1", "2", "3"):
        put(f"CA/Lincoln/2023/{page}.txt", "from elsewhere")
    assert quire("quire gold import truth").exit_code == 0
    put("CA/Lincoln/2023/1.txt", "newer")
    put("CA/Lincoln/2023/2.txt", "newer")
    assert quire("quire gold import truth").exit_code == 0
    Path("right.json").write_text(json.dumps(transcript(block("7", "page_number"), block("The fox"))))
    assert quire(f"quire correct {DOCUMENT}:2 --file right.json --as Ada").exit_code == 0
    assert quire(f"quire correct {DOCUMENT}:iv --checked --as Bob").exit_code == 0
    shelf.write("TX:Austin:2023:1", transcript(block("edited by hand")))
    put("TX/Austin/2023/1.txt", "from elsewhere")
    assert quire("quire gold import truth").exit_code == 0

    found = measurable(shelf.storage, read_gold(shelf.storage))

    measured = {page.record_key: (page.kind, page.gold.text, page.reading.text) for page in found.pages}
    assert measured == {
        f"{DOCUMENT}:1": ("imported", "newer", "7\n\nTne fox"),
        f"{DOCUMENT}:2": ("corrected", "7\n\nThe fox", "7\n\nTne fox"),
        f"{DOCUMENT}:iv": ("checked", "7\n\nTne fox", "7\n\nTne fox"),
    }
    assert found.pages[1].gold.body == "The fox"
    assert (found.unread, found.answer_lost) == ([f"{DOCUMENT}:3"], ["TX:Austin:2023:1"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("quire gold import nowhere", "nowhere is no folder"),
        ("quire gold import dataset", "holds no file that ends in .txt or .xml"),
        ("quire gold import truth", "0 of 1 files are gold now; left out nobody.txt: no page is called so"),
    ],
)
def test_what_cannot_be_brought_is_told_in_a_line(shelf: Shelf, line: str, problem: str) -> None:
    put("nobody.txt", "")
    done = quire(line)
    assert done.exit_code == 1
    assert problem in str(done.exception)


def test_each_command_of_the_page_does_what_it_says(shelf: Shelf) -> None:
    Path("transcriptions").mkdir()
    Path("transcriptions/scan_9.txt").write_text("nine")
    blocks = [token.content for token in MarkdownIt("commonmark").parse(PAGE.read_text()) if token.type == "code_block"]
    said = {line: quire(line) for text in blocks for line in text.splitlines()}
    assert {line: done.output for line, done in said.items() if done.exit_code} == {}
    assert said["quire gold import transcriptions --as Ada"].output.startswith("1 of 1 files are gold now")
    assert said["quire quality"].output.startswith("against 1 gold page (1 imported); Unicode NFC")


def test_import_takes_a_folder(shelf: Shelf) -> None:
    assert quire("quire gold import").exit_code == 2
