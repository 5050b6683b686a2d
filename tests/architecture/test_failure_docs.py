"""Each row of the tables in docs/failures.md and docs/security.md names tests, and they are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADS = {
    "failures": "| what happens | what Quire does | what you see | test |",
    "security": "| threat | what Quire does | test |",
}
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


def text_of(page: str) -> str:
    return (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")


def rows(page: str) -> list[list[str]]:
    tables = [block for block in text_of(page).split("\n\n") if block.startswith(HEADS[page])]
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize(("page", "at_least"), [("failures", 25), ("security", 15)])
def test_there_are_rows(page: str, at_least: int) -> None:
    assert HEADS[page] in text_of(page)
    assert len(rows(page)) > at_least
    assert {len(row) for row in rows(page)} == {HEADS[page].count(" | ") + 1}


@pytest.mark.parametrize("row", [row for page in HEADS for row in rows(page)], ids=lambda row: row[0])
def test_each_row_names_tests_that_are_there(row: list[str]) -> None:
    named = re.findall(r"`(\w+)`", row[-1])

    assert named
    assert set(named) - TESTS == set()


@pytest.mark.parametrize("page", HEADS)
def test_what_the_text_calls_a_test_is_one(page: str) -> None:
    assert set(re.findall(r"`(test_\w+)`", text_of(page))) - TESTS == set()
