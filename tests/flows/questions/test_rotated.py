"""``quire rotated``: which pages lie sideways or upside down, as their results say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from config.schemas.page_transcript import PageTranscript
from flows.questions.rotated import rotated_json, rotated_text
from tests.project import Project

PAGE = Path(__file__).parents[3] / "docs/shipped-schemas.md"
ANSWER: dict[str, Any] = {
    "printed_page_number": None,
    "language": "en",
    "continues_previous_page": False,
    "continues_on_next_page": False,
    "headings": [],
    "blocks": [],
}

pytestmark = pytest.mark.detached


async def test_pages_that_have_to_be_turned_are_listed_as_the_page_says(project: Project) -> None:
    project.configure(schema_options={"rotation": True}, context={"mode": "none"})
    keys = project.add_pages("CA:Lincoln:1901", [1, 2, 3, 4])
    for key, degrees in zip(keys, ("0", "90", None, "180"), strict=True):
        project.gemini.set_steps(key, {"kind": "answer", "json": {**ANSWER, "rotation_degrees": degrees}})
    await project.run_until_idle()

    shown = re.search(r"```\n(CA:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert await rotated_text(str(project.config)) == shown.group(1).rstrip()
    found = json.loads(await rotated_json(str(project.config)))
    assert (found["told"], found["results"]) == (3, 4)
    assert [(page["record_key"], page["degrees"]) for page in found["pages"]] == [(keys[1], 90), (keys[3], 180)]


async def test_results_that_do_not_tell_it_are_no_upright_pages(project: Project) -> None:
    project.configure(context={"mode": "none"})
    [key, broken] = project.add_pages("CA:Lincoln:1901", [1, 2])
    await project.run_until_idle()
    PageTranscript.model_validate(project.result(key))
    project.result_path(broken).write_text("{", encoding="utf-8")
    said = await rotated_text(str(project.config))
    assert said.startswith("none of 2 results tells how its page lies; 1 could not be read: quire verify names them. ")
    assert "schema_options: {rotation: true}" in said


async def test_an_option_that_is_switched_on_later_outdates_and_sends_nothing(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_until_idle()
    jobs = len(project.gemini.books()["jobs"])
    before = project.result(key)
    project.configure(schema_options={"rotation": True})
    reports = await project.run_until_idle()
    assert len(project.gemini.books()["jobs"]) == jobs
    assert project.result(key) == before
    assert reports[-1].for_a_person == []


async def test_what_is_in_flight_is_judged_by_what_was_sent(project: Project) -> None:
    project.configure(schema_options={"boxes": True})
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.configure(schema_options={"boxes": False})
    await project.run_until_idle()
    result: Any = project.result(key)
    assert all("box_2d" in block for block in result["blocks"])
    assert len(project.gemini.books()["jobs"]) == 1
