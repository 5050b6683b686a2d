"""docs/export.md: its commands and its code run, and its table of formats is that of the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from assets.domain.errors import QuireError
from exports.registry import RowFormat, format_names, format_of
from flows.cli import app
from tests.unit.exports.shelf import Shelf, block, transcript

PAGE = Path(__file__).parents[3] / "docs" / "export.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf(tmp_path, schema_options={"boxes": True})
    school = transcript(block("The School", "heading", level=1, box_2d=[0, 0, 100, 1000]), block("of Lincoln"))
    shelf.add("CA:Lincoln:2023", {"1": school, "2": None, "3": transcript(block("three"))})
    shelf.add("TX:Austin:2023", {"iv": transcript(block("four"))})
    monkeypatch.chdir(tmp_path)
    return shelf


def blocks(language: str) -> Iterator[str]:
    for token in MarkdownIt("commonmark").parse(TEXT):
        if token.type == ("fence" if language else "code_block") and token.info.strip() == language:
            yield token.content


def quire(line: str) -> str:
    done = CliRunner().invoke(app, line.split()[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_each_command_of_the_page_exports_the_shelf(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for text in blocks("") for line in text.splitlines()]
    said = {line: quire(line) for line in commands}

    made = {path.name for path in shelf.root.iterdir()}
    wanted = {line.split("--to ")[1].split()[0] for line in commands if "--to " in line and "--dry-run" not in line}
    assert wanted <= made
    for text in blocks("python"):
        exec(compile(text, str(PAGE), "exec"), {})  # noqa: S102 - the page's own
    (text,) = blocks("text")
    assert (shelf.root / "text/CA/Lincoln/2023.txt").read_text().startswith(text)
    printed = capsys.readouterr().out
    assert "CA" in printed
    assert "The School" in printed
    assert all("exported as" in text or "nothing is done" in text or "jsonl" in text for text in said.values())


def test_what_is_outdated_or_had_an_outcome_of_a_kind_is_exported_alone(shelf: Shelf) -> None:
    assert json.loads(quire("quire export csv --outdated --to a.csv --dry-run --json"))["pages"] == 3
    assert json.loads(quire("quire export csv --outdated prompt TX:Austin:2023 --to b.csv --json"))["pages"] == 1
    assert json.loads(quire("quire export csv --kind success --to c.csv --dry-run --json"))["pages"] == 3
    for words, reason in {
        "--dead": "no page that is meant has a result yet",
        "--kind ink": "is no kind of outcome",
    }.items():
        with pytest.raises(QuireError, match=reason):
            quire(f"quire export csv {words} --to none.csv")


def test_the_table_of_formats_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (a file|a folder) \|$", TEXT, re.MULTILINE)
    found = [
        (name, format_of(name).what, "a file" if isinstance(format_of(name), RowFormat) else "a folder")
        for name in format_names()
    ]
    assert rows == found
