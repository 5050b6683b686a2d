"""Answers that are there, paid for, and cannot be used now: they are kept, and nothing is sent for them again."""

import errno
import json
import sys
from collections.abc import Iterator

import pytest

from assets.domain.errors import DiskError
from flows.terminal.show import status_text, unblock_text
from tests.errno_matrix.faults import Fault, faults_in
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


async def broken_off(project: Project, key: str) -> None:
    """A batch is done, and its settlement cannot write the result of ``key``."""
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    folder = "/".join(key.split(":")[:-1])
    fault = Fault("write", errno.ENOSPC, f"write /dataset/output_results/{folder}/.tmp-*")
    with faults_in(project.root, fault) as calls, pytest.raises(DiskError, match="No space left on device"):
        await project.run_pass()
    assert calls.struck


async def test_a_settlement_that_was_broken_off_goes_on_after_gemini_has_forgotten_job_and_file(
    project: Project,
) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1, 2])
    project.configure(context={"mode": "none"})
    await broken_off(project, keys[0])
    (submission_id,) = project.submissions()
    assert project.outcomes() == []
    project.gemini.reset()

    await project.run_pass()

    assert [project.result(key) is not None for key in keys] == [True, True]
    assert {row["kind"] for row in project.outcomes()} == {"success"}
    assert project.gemini.books()["jobs"] == [], "nothing is sent again"
    kept = project.manifests / "raw" / f"{submission_id}.jsonl.zst"
    assert kept.exists(), "for keep_raw_days, should the answers be judged again"
    assert list((project.manifests / "work").iterdir()) == []


async def test_a_result_file_that_was_damaged_here_is_downloaded_again(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await broken_off(project, key)
    (kept,) = (project.manifests / "raw").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])

    await project.run_pass()

    assert project.result(key) is not None
    assert project.gemini.requests()["download"] == 2
    assert project.gemini.record(key)["billed"] == 1


async def test_without_room_for_the_result_file_nothing_is_judged(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    fault = Fault("write", errno.ENOSPC, "write /manifests/raw/.tmp-*")
    with (
        faults_in(project.root, fault),
        pytest.raises(DiskError, match=r"raw/[0-9a-z]{26}\.jsonl\.zst: No space left on device; make room"),
    ):
        await project.run_pass()
    assert project.result(key) is None
    assert list((project.manifests / "raw").iterdir()) == []

    await project.run_until_idle()
    assert project.gemini.record(key)["billed"] == 1


async def test_old_result_files_go_and_nothing_else_does(project: Project) -> None:
    keys = project.add_pages("CA:Lincoln:1901", [1, 2])
    project.configure(context={"mode": "none"}, execution={"batch_size_limit": 1})
    await broken_off(project, keys[0])
    raw = project.manifests / "raw"
    foreign = [raw / name for name in ("notes.jsonl.zst", "01k9v3x5c7e9g1j3m5p7r9t1v3.jsonl.zst", "a.txt")]
    for path in foreign:
        path.touch()
    project.configure(safety={"keep_raw_days": 0})

    await project.run_pass()

    assert [project.result(key) is not None for key in keys] == [True, True]
    assert sorted(raw.iterdir()) == sorted(foreign)
