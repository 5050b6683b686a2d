"""Answers that are there, paid for, and cannot be used now: they are kept, and nothing is sent for them again."""

import errno
import json
import sys
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from assets.domain.errors import DiskError, QuireError
from assets.plain_rows import plain_rows
from config.settings import load_settings
from flows.questions.inspect import look
from flows.questions.why import find_why, why_text
from flows.resettle import resettle
from flows.runtime.wiring import make_storage
from flows.tables.from_files import last_counts
from flows.terminal.reruns import Words, unblock_text
from flows.terminal.show import status_json, status_text
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

    assert await unblock_text(str(project.config), Words([bad])) == "0 counts reset, 1 held records let go of"
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


@pytest.mark.detached
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


@pytest.mark.detached
async def test_a_result_file_that_was_damaged_here_is_downloaded_again(project: Project) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await broken_off(project, key)
    (kept,) = (project.manifests / "raw").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])

    await project.run_pass()

    assert project.result(key) is not None
    assert project.gemini.requests()["download"] == 2
    assert project.gemini.record(key)["billed"] == 1


@pytest.mark.detached
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


@pytest.mark.detached
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


STRICT = """from pydantic import BaseModel


class Deed(BaseModel):
    year: int
    parish: str
"""


@pytest.mark.light
async def test_after_a_schema_was_corrected_its_answers_are_judged_again_and_nothing_is_sent(project: Project) -> None:
    config = str(project.config)
    use_schema(project, "own_strict", STRICT)
    project.configure(context={"mode": "none"}, execution={"max_retries": 0})
    good, bad, edited = project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    answer(project, good, year=1901, parish="Kent")
    for key in (bad, edited):
        answer(project, key, year="1901 or 1902", parish="Kent")
    await settled(project)
    assert await project.variable("record_failure_counts") == {bad: 1, edited: 1}
    spent = json.loads(await status_json(config))["spent_usd"]
    (submission_id,) = project.submissions()
    batch_id = project.gemini.books()["jobs"][0]["name"]
    await project.edit_variable("record_failure_counts", {bad: 1, edited: 7})
    before = project.result_path(good).read_bytes()

    assert "of 3 answers 0 would be written" in await resettle(config, batch=batch_id, dry_run=True)
    use_schema(project, "own_mended", STRICT.replace("year: int", "year: str | int"))
    line = f"{submission_id}: of 3 answers 2 %s that were not before: CA:Lincoln:1901:2-3"
    assert await resettle(config, batch=batch_id, dry_run=True) == line % "would be written"
    assert project.result(bad) is None
    assert await resettle(config, batch=submission_id, dry_run=False) == line % "are written"

    assert [project.result(key) for key in (bad, edited)] == [{"year": "1901 or 1902", "parish": "Kent"}] * 2
    assert project.result_path(good).read_bytes() == before
    assert await project.variable("record_failure_counts") == {edited: 7}, "a person's count stays"
    assert last_counts(make_storage(load_settings(project.config))) == {}, "recover brings back no failure of theirs"
    assert "of 3 answers 0 are written" in await resettle(config, batch=batch_id, dry_run=False)
    report = await project.run_pass()
    assert (report.submit.submitted, report.submit.states["done"]) == (0, 3)
    assert [project.gemini.record(key)["billed"] for key in (good, bad, edited)] == [1, 1, 1]
    status = json.loads(await status_json(config))
    assert status["spent_usd"] == pytest.approx(spent), "they were paid once"
    why = await why_text(config, bad)
    assert "success (judged again)" in why
    told = (await find_why(config, bad)).history
    seen = (await look(config)).outcomes
    seen = seen[seen["record_key"] == bad]
    assert list(seen["kind"]) == [each.kind for each in told] == ["schema_mismatch", "success"]
    assert list(seen["outcomes"]) == [each.outcomes for each in told], "the notebook shows what quire why tells"
    rows = {row["record_key"]: row for row in plain_rows(pq.read_table(project.manifests / "results"))}
    assert rows[good]["response_schema_hash"] != rows[bad]["response_schema_hash"]
    assert {row["submission_id"] for row in rows.values()} == {submission_id}


@pytest.mark.light
async def test_a_mended_validator_lets_go_of_what_it_held(project: Project) -> None:
    use_schema(project, "own_failing", VALIDATOR.replace("PARISHES", "'Kent': 'Kent'"))
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    answer(project, key, year=1901, parish="Surrey")
    await settled(project)
    use_schema(project, "own_whole", VALIDATOR.replace("PARISHES", "'Surrey': 'Surrey'"))

    await resettle(str(project.config), batch=project.submissions()[0], dry_run=False)

    assert project.result(key) == {"year": 1901, "parish": "Surrey"}
    report = await project.run_pass()
    assert (report.submit.submitted, report.submit.states["held"], report.submit.states["done"]) == (0, 0, 1)


@pytest.mark.light
async def test_what_cannot_be_judged_again_is_one_line(project: Project) -> None:
    config = str(project.config)
    project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    (submission_id,) = project.submissions()
    for name in (submission_id, "batches/other"):
        with pytest.raises(QuireError, match=f"{name}: no settled batch has that name"):
            await resettle(config, batch=name, dry_run=False)
    project.gemini.advance(JOB_SECONDS)
    project.configure(safety={"keep_raw_days": 0})
    await project.run_pass()
    with pytest.raises(QuireError, match=r"is not kept any more \(safety\.keep_raw_days\)"):
        await resettle(config, batch=submission_id, dry_run=False)
