"""The reach of a fault is its page or its document, and what does not move says why: what status, why and the exit
status say. docs/operations.md has the table.
"""

import re
from pathlib import Path
from typing import Any

from flows.terminal.watch import said_of
from tests.detached import Detached, bare_project, detached
from tests.project import Project

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
        assert "/A/bad/1/1.json: Not a directory; look what is wrong there, then run again" in cause
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


async def test_what_does_not_move_says_why_and_what_to_do(bare_project: Project) -> None:
    configure(bare_project, execution={"batch_size_limit": 1})
    bare_project.configure(context={"mode": "previous_result"})
    async with detached(bare_project) as world:
        await _stand_still(world)
        report, status = world.reports[-1], await world.status_text()
        assert report.exit_status == 3
        assert report.message == (
            "1 of 6 pages done, 1 batch in flight; 1 dead letter, 2 batches that cannot be settled, 1 page that is "
            "kept back and 1 result that is no JSON need a person"
        )
        assert list(report.submit.kept_back) == [COMMA_BEHIND]
        [reason] = report.submit.kept_back.values()
        assert f"page {COMMA_BEHIND}: {reason}" in said_of(report).splitlines()
        rows = [
            ("the service answers its line with faults that pass", DOWN, "postponed by faults"),
            ("it failed in a way that cannot change", BLOCKED, f"dead letter {BLOCKED}"),
            ("its result cannot be written where it belongs", PLACE, _name(world, PLACE)),
            ("Gemini does not know its job", JOB, _name(world, JOB)),
            ("the result of the page before was edited, and is no JSON any more", COMMA_BEHIND, "kept back"),
        ]
        table = "| the page stands still because | `quire status` | `quire why` | exit status of `quire run` |\n"
        table += "|---|---|---|---|\n"
        for why_it_is, key, begins in rows:
            said = next(line for line in status.splitlines() if line.startswith(begins))
            why = (await world.why(key)).splitlines()[1]
            waits = key in report.submit.kept_back or key in (await world.status()).dead_letters
            waits = waits or _name(world, key) in report.poll.stuck
            table += f"| {why_it_is} | `{_plain(world, said)}` | `{_plain(world, why)}` | {3 if waits else 0} |\n"
        bare = world.project.result_path(COMMA)
        bare.write_text('{"blocks": []}')
        await world.step()
        assert "kept back" not in await world.status_text(), "it is corrected"

    in_docs = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert in_docs == table, f"docs/operations.md should have this table:\n{table}"


def _name(world: Detached, key: str) -> str:
    """Of the first batch of the record."""
    return str(world.project.gemini.record(key)["batches"][0])


def _plain(world: Detached, text: str) -> str:
    """Without what differs from run to run."""
    text = text.replace(str(world.project.root), "...")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-11-26 19:05 UTC", text)
    text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "...", text)
    return re.sub(r"batches/\w+", "batches/...", text)
