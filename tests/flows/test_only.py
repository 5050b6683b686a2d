"""``quire run --only KEY...``: one pass that sends no more than these."""

import pytest
from typer.testing import CliRunner

from assets.domain.errors import QuireError
from flows.cli import app
from flows.terminal.watch import run_once
from tests.project import Project


async def test_nothing_is_sent_but_what_is_named_and_the_others_that_are_named_say_why(project: Project) -> None:
    project.configure(context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", range(1, 6))

    said = await run_once(str(project.config), only=[keys[1], "CA:Lincoln:1901:4-5"])

    assert "1 batches with 3 records sent" in said
    assert project.gemini.books()["jobs"][0]["keys"] == [keys[1], keys[3], keys[4]]
    assert len(project.gemini.books()["jobs"]) == 1

    again = await run_once(str(project.config), only=[keys[1]])
    assert "0 batches with 0 records sent" in again
    assert again.splitlines()[-1] == f"{keys[1]} is not sent: it is in flight"
    assert len(project.gemini.books()["jobs"]) == 1


async def test_a_page_that_waits_is_not_sent_for_being_named(project: Project) -> None:
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    said = await run_once(str(project.config), only=[second])
    assert said.splitlines()[-1] == f"{second} is not sent: it waits for the page before"
    assert project.submissions() == []
    assert (await run_once(str(project.config), only=["CA:Lincoln:1901"])).splitlines()[1:] == [
        f"{second} is not sent: it waits for the page before"
    ]
    assert [row["record_key"] for row in project.requests(project.submissions()[0])] == [first]


async def test_a_name_that_no_page_has_sends_nothing(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    with pytest.raises(QuireError, match="CA:Lincoln:1901:7: there is no such page in the record manifest; nothing is"):
        await run_once(str(project.config), only=[key, "CA:Lincoln:1901:7"])
    with pytest.raises(QuireError, match="Lincoln"):
        await run_once(str(project.config), only=["Lincoln:1901:7"])
    assert project.submissions() == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--only"], "name pages with --only"),
        (["CA:Lincoln:1901:1"], "name pages with --only"),
        (["--only", "CA:Lincoln:1901:1", "--watch"], "--only is one pass: leave out --watch and --trial"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(typed: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["run", *typed], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 2
    assert said in result.output
