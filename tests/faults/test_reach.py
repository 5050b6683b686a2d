"""The reach of a fault is its page or its document, and what does not move says why: what status, why and the exit
status say. docs/operations.md has the table.
"""

import errno
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.terminal.watch import said_of
from tests.contracts.pdf.shelf import typeset
from tests.detached import Detached, bare_project, detached
from tests.errno_matrix.faults import Fault, faults_in
from tests.faults.test_repair_shelf import VALIDATOR, use_schema
from tests.project import Project, make_project

__all__ = ["bare_project"]

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"


def configure(project: Project, **sections: Any) -> None:
    project.configure(context={"mode": "none"}, retries={"service_backoff_seconds": 3600}, **sections)


def results(project: Project) -> Path:
    return project.root / "dataset" / "output_results"


async def test_a_document_whose_results_cannot_be_written_keeps_back_its_own_and_nothing_else(
    bare_project: Project,
) -> None:
    configure(bare_project)
    bad = bare_project.add_pages("A:bad:1", [1, 2])
    good = bare_project.add_pages("A:good:1", [1, 2])
    async with detached(bare_project) as world:
        await world.step()
        (results(bare_project) / "A").mkdir()
        (results(bare_project) / "A" / "bad").write_text("a file in the place of a folder")
        more = bare_project.add_pages("A:good:2", [1])
        behind = bare_project.add_pages("A:bad:2", [1])

        report = await world.step()

        assert all(bare_project.result(key) is not None for key in good), "the rest of the batch is written"
        assert report.submit.sent == 1, "the pass goes on, but for what could not be written either"
        assert list(report.submit.kept_back) == behind
        [cause] = report.poll.stuck.values()
        assert cause.startswith(f"the result of {bad[0]}, like 1 more, cannot be written, all others are: ")
        assert "/A/bad/1: Not a directory; look what is wrong there, then run again" in cause
        assert not report.is_idle
        [batch, _] = (await world.status()).batches
        assert (batch.state, batch.cause) == ("stuck", cause)
        assert f"it cannot be settled: {cause}" in await world.why(bad[0])

        (results(bare_project) / "A" / "bad").unlink()
        await world.to_the_end()
        assert not (await world.status()).batches

    assert all(bare_project.result(key) is not None for key in bad + more + behind)
    assert {bare_project.gemini.record(key)["submitted"] for key in bad + good + more + behind} == {1}
    assert world.counts == {}


BEGIN, END = "<!-- what stands still, by its test -->\n", "<!-- end of what stands still -->"
COMMA_BEHIND = "A:comma:1:2"
BLOCKED, DOWN, PLACE, JOB, COMMA = (f"A:{name}:1:1" for name in ("blocked", "down", "place", "job", "comma"))


async def _stand_still(world: Detached) -> None:
    """Pages of which each has a trouble of its own, each in a batch of its own."""
    project, gemini = world.project, world.project.gemini
    for key in (BLOCKED, DOWN, PLACE, JOB):
        project.add_pages(key.rpartition(":")[0], [1])
    project.add_pages("A:comma:1", [1, 2])
    edited = project.result_path(COMMA)
    edited.parent.mkdir(parents=True)
    edited.write_text('{"blocks": [],}')
    gemini.set_rules(
        records=[
            {"key": BLOCKED, "steps": ["blocked_prompt"]},
            {"key": DOWN, "steps": [{"kind": "error", "code": 503, "message": "The model is overloaded"}]},
        ],
        jobs=[{"contains_key": JOB, "list_lag_calls": 99}],
    )
    first = await world.step()
    assert (first.exit_status, first.submit.sent) == (3, 4), "the edited result waits for a person from the beginning"
    gemini.add_fault("get_batch", key=JOB, status=404, times=None)
    (results(project) / "A" / "place").write_text("a file in the place of a folder")
    await world.step()
    await world.step()


@dataclass(frozen=True)
class Row:
    """What is said of ``key``: by a line of `quire status` that begins so, by `quire why`, by the exit status."""

    why_it_is: str
    key: str
    begins: str


HEAD = """| the page stands still because | `quire status` | `quire why` | exit status of `quire run` |
|---|---|---|---|
"""


async def _told(world: Detached, row: Row, exit_status: int) -> str:
    said = next(line for line in (await world.status_text()).splitlines() if line.startswith(row.begins))
    why = "; ".join((await world.why(row.key)).split("\n\n")[0].splitlines()[1:])
    return f"| {row.why_it_is} | `{_plain(world, said)}` | `{_plain(world, why)}` | {exit_status} |\n"


async def _together(project: Project) -> str:
    """Each in a batch of its own, beside each other."""
    configure(project, execution={"batch_size_limit": 1})
    project.configure(context={"mode": "previous_result"})
    async with detached(project) as world:
        await _stand_still(world)
        report = world.reports[-1]
        assert report.exit_status == 3
        assert report.message == (
            "1 of 6 pages done, 1 batch in flight; 1 dead letter, 2 batches that cannot be settled, 1 page that is "
            "kept back and 1 result that is no JSON need a person"
        )
        assert list(report.submit.kept_back) == [COMMA_BEHIND]
        [reason] = report.submit.kept_back.values()
        assert f"page {COMMA_BEHIND}: {reason}" in said_of(report).splitlines()
        rows = [
            Row("the service answers its line with faults that pass", DOWN, "postponed by faults"),
            Row("it failed in a way that cannot change", BLOCKED, f"dead letter {BLOCKED}"),
            Row("its result cannot be written where it belongs", PLACE, _name(world, PLACE)),
            Row("Gemini does not know its job", JOB, _name(world, JOB)),
            Row("the result of the page before was edited, and is no JSON any more", COMMA_BEHIND, "kept back"),
        ]
        table = ""
        for row in rows:
            waits = row.key in report.submit.kept_back or row.key in (await world.status()).dead_letters
            waits = waits or _name(world, row.key) in report.poll.stuck
            table += await _told(world, row, 3 if waits else 0)
        world.project.result_path(COMMA).write_text('{"blocks": []}')
        await world.step()
        assert "kept back" not in await world.status_text(), "it is corrected"
    return table


OVERLOADED = {"kind": "error", "code": 503, "message": "The model is overloaded"}
ALONE, BEHIND = "A:alone:1:1", "A:behind:1:1"


async def _held_by_the_service(project: Project) -> Row:
    project.configure(retries={"max_service_errors": 2}, safety={"max_failed_batches_in_a_row": 9})
    project.gemini.set_steps(ALONE, OVERLOADED)
    return Row("the service has answered it so again and again", ALONE, f"held {ALONE}")


async def _behind_the_breaker(project: Project) -> Row:
    project.configure(safety={"max_failed_batches_in_a_row": 1}, execution={"batch_size_limit": 1, "max_retries": 9})
    project.add_pages("A:behind:1", [1])
    for key in (ALONE, BEHIND):
        project.gemini.set_steps(key, "empty")
    return Row("nothing succeeds any more, and the breaker is open", BEHIND, "nothing is sent")


async def _held_by_a_validator(project: Project) -> Row:
    source = VALIDATOR.replace('text.startswith("odd")', "text")
    use_schema(project, "reach", source)
    project.gemini.set_steps(ALONE, {"kind": "answer", "json": {"text": "odd"}})
    return Row("a validator of the schema failed itself at its answer", ALONE, f"held {ALONE}")


async def _cut_short(project: Project) -> Row:
    project.gemini.set_steps(ALONE, {"kind": "cut_short", "fills_limit": True})
    return Row("it was cut short with all the output that the model gives", ALONE, f"dead letter {ALONE}")


ALONE_BY_ITSELF = (_held_by_the_service, _behind_the_breaker, _held_by_a_validator, _cut_short)


async def _not_rendered(project: Project) -> str:
    images = project.root / "dataset" / "page_images"
    project.configure(paths={"source_documents": str(project.root / "pdfs")})
    (project.root / "pdfs" / "A" / "alone").mkdir(parents=True)
    typeset(project.root / "pdfs" / "A" / "alone" / "1.pdf", 1)
    async with detached(project) as world:
        with faults_in(images, Fault("fsync", errno.ENOSPC)):
            report = await world.step()
        row = Row("the disk was full when its PDF was to be rendered", ALONE, "left out")
        told = await _told(world, row, report.exit_status)
        assert (await world.step()).submit.sent == 1, "there is room again"
    return told


async def _edited(project: Project, said: str, begins: str, text: str) -> str:
    async with detached(project) as world:
        project.add_pages(ALONE.rpartition(":")[0], [1])
        await world.to_the_end()
        project.result_path(ALONE).write_text(text)
        await world.step()
        return await _told(world, Row(said, ALONE, begins), world.reports[-1].exit_status)


async def test_what_does_not_move_says_why_and_what_to_do(bare_project: Project, tmp_path: Path) -> None:
    table = HEAD + await _together(bare_project)

    def another(name: str) -> Project:
        bare_project.gemini.reset()
        (tmp_path / name).mkdir()
        project = make_project(tmp_path / name, collection="bare", gemini=bare_project.gemini)
        configure(project)
        return project

    for make in ALONE_BY_ITSELF:
        project = another(make.__name__)
        project.add_pages(ALONE.rpartition(":")[0], [1])
        row = await make(project)
        async with detached(project) as world:
            await world.to_the_end(minutes=24 * 60)
            table += await _told(world, row, world.reports[-1].exit_status)
    table += await _not_rendered(another("full_disk"))
    table += await _edited(another("no_json"), "its result was edited, and is no JSON any more", "no JSON", "{,}")
    table += await _edited(another("edited"), "its result was edited, so no pass reads it again", "edited", "{}")

    in_docs = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert in_docs == table, f"docs/operations.md should have this table:\n{table}"


def _name(world: Detached, key: str) -> str:
    """Of the first batch of the record."""
    return str(world.project.gemini.record(key)["batches"][0])


def _plain(world: Detached, text: str) -> str:
    """Without what differs from run to run."""
    text = text.replace(str(world.project.root), "...")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-11-26 19:05 UTC", text)
    text = re.sub(r"result made on .*?(; |$)", "result made on ...; ", text)
    text = re.sub(r"\.tmp-pdf-\w+", "...", text)
    text = re.sub(r"; the prompt's text: [^;]*", "", text)
    text = re.sub(r"last on \d{4}-\d\d-\d\d", "last on 2026-11-26", text)
    text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "...", text)
    return re.sub(r"batches/\w+", "batches/...", text)
