"""Answers that are there, paid for, and cannot be used now: they are kept, and nothing is sent for them again."""

import json
import sys
from collections.abc import Iterator

import pytest

from flows.terminal.show import status_text, unblock_text
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

VALIDATOR = """from pydantic import BaseModel, field_validator


class Deed(BaseModel):
    year: int
    parish: str

    @field_validator("parish")
    @classmethod
    def look_up(cls, parish: str) -> str:
        return {PARISHES}[parish]
"""


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """Schemas of a test are modules of this process; another test has others by the same names."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def use_schema(project: Project, name: str, source: str) -> None:
    """The settings name ``Deed`` of a module of this name from now on."""
    (project.root / f"{name}.py").write_text(source, encoding="utf-8")
    project.configure(paths={"schemas": str(project.root)}, schema=f"{name}:Deed")


def answer(project: Project, key: str, **fields: object) -> None:
    project.gemini.set_steps(key, {"kind": "answer", "json": fields})


async def settled(project: Project) -> None:
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()


async def test_a_validator_that_fails_at_one_answer_holds_that_record_and_the_others_are_written(
    project: Project,
) -> None:
    use_schema(project, "own_failing", VALIDATOR.replace("PARISHES", "'Kent': 'Kent'"))
    project.configure(context={"mode": "none"})
    good, bad, other = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    for key, parish in ((good, "Kent"), (bad, "Secretshire"), (other, "Kent")):
        answer(project, key, year=1901, parish=parish)

    await settled(project)

    assert (project.result(good), project.result(bad)) == ({"year": 1901, "parish": "Kent"}, None)
    assert project.result(other) is not None
    (row,) = [row for row in project.outcomes() if row["record_key"] == bad]
    assert (row["kind"], row["message"]) == ("validator_error", "a validator of Deed failed itself: KeyError")
    assert json.loads(row["raw_text"]) == {"year": 1901, "parish": "Secretshire"}
    assert await project.variable("record_failure_counts") == {}
    logged = await Recorded(project).texts("ERROR")
    assert [bad in line and "KeyError" in line for line in logged] == [True]
    assert "Traceback" not in logged[0]
    assert "Secretshire" not in logged[0]

    report = await project.run_pass()

    assert (report.submit.submitted, report.submit.states["held"]) == (0, 1), "nothing is paid a second time"
    assert f"held {bad}: a validator of the schema failed at its answer" in await status_text(str(project.config))

    assert await unblock_text(str(project.config), [bad]) == "0 counts reset, 1 held records let go of"
    answer(project, bad, year=1901, parish="Kent")
    await settled(project)
    assert project.result(bad) is not None, "a person may have it asked for again"
