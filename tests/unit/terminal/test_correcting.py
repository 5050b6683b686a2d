"""``quire correct`` as it is typed, and docs/correct.md: each of its commands does what the page says."""

import json
import os
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner, Result

from assets.domain.home import HomeFile
from flows.cli import app
from tests.unit.exports.shelf import Shelf, block, transcript

PAGE = Path(__file__).parents[3] / "docs" / "correct.md"
KEY = "CA:Lincoln:2023:4"
READ, RIGHT = transcript(block("Tne fox \u202e")), transcript(block("The fox"))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)
    made.add("CA:Lincoln:2023", {"4": READ})
    made.storage.home.create(HomeFile("a" * 32, None))
    (tmp_path / "4.json").write_text(json.dumps(RIGHT))
    monkeypatch.chdir(tmp_path)
    return made


def quire(line: str) -> Result:
    return CliRunner().invoke(app, line.split()[1:], catch_exceptions=True)


def text_there(shelf: Shelf) -> str:
    return str(json.loads(shelf.storage.result_path(KEY).read_text())["blocks"][0]["text"])


def test_each_command_of_the_page_corrects_the_shelf(shelf: Shelf) -> None:
    blocks = [token.content for token in MarkdownIt("commonmark").parse(PAGE.read_text()) if token.type == "code_block"]
    lines = [line for text in blocks for line in text.splitlines()]
    said = []
    for line in lines:
        command, _, to = line.partition(" > ")
        done = quire(command)
        assert done.exit_code == 0, done.output
        said.append(done.output)
        if to:
            Path(to).write_bytes(done.stdout_bytes)

    assert said[0].startswith(f"{KEY} is corrected: its result stays as it is now; quire correct {KEY} --answer shows")
    assert said[1] == f"{KEY} is checked: it stays as it is\n"
    assert '"text": "Tne fox ' in said[2]
    assert text_there(shelf) == "Tne fox \u202e", "what the model had answered is put back"


def test_what_it_would_do_is_asked_first(shelf: Shelf) -> None:
    assert (
        quire(f"quire correct {KEY} --file 4.json --dry-run").output == f"{KEY} would be corrected; nothing is done\n"
    )
    said = quire(f"quire correct {KEY} --checked --dry-run").output
    assert said == f"{KEY} would be noted as checked; nothing is done\n"
    assert text_there(shelf).startswith("Tne")
    assert not shelf.storage.corrections.path.exists()


@pytest.mark.parametrize(
    ("line", "content", "problem"),
    [
        (f"quire correct {KEY} --file 4.json", b'{"language": "en"}', "Field required"),
        (f"quire correct {KEY} --file 4.json", b"\xff", "4.json is no text in UTF-8"),
        (f"quire correct {KEY} --answer", b"", "no other answer of the model is kept"),
        ("quire correct CA:Lincoln:2023:5 --checked", b"", "has no result that could be checked"),
        ("quire correct CA:Lincoln:2023:5 --file 4.json", json.dumps(RIGHT).encode(), "is no page of this collection"),
    ],
)
def test_what_cannot_be_saved_is_told_in_a_line(shelf: Shelf, line: str, content: bytes, problem: str) -> None:
    Path("4.json").write_bytes(content)
    done = quire(line)
    assert done.exit_code != 0
    assert problem in str(done.exception)
    assert text_there(shelf).startswith("Tne")


def test_a_result_that_was_written_after_the_file_is_not_overwritten(shelf: Shelf) -> None:
    os.utime("4.json", (1, 1))
    done = quire(f"quire correct {KEY} --file 4.json")
    assert "look whether somebody has corrected it meanwhile" in str(done.exception)
    assert text_there(shelf).startswith("Tne")


def test_it_is_one_thing_at_a_time() -> None:
    assert quire(f"quire correct {KEY} --checked --answer").exit_code == 2
    assert quire(f"quire correct {KEY}").exit_code == 2
