"""Faults of the service that pass: nothing is counted, everybody waits, and a collection goes on by itself however long
they last. Light passes, by a clock that the test turns; the witnesses are the emulator's books and the files.
"""

from datetime import timedelta
from typing import Any

from assets.breaker import TRY_RECORDS
from flows.terminal.watch import said_of
from tests.detached import bare_project, detached
from tests.project import Project

__all__ = ["bare_project"]

OVERLOADED: dict[str, Any] = {"kind": "error", "code": 503, "message": "The model is overloaded"}
CAUSE = "last: service_error (503: The model is overloaded)"
BACKOFF = 300


def is_down(project: Project, step: Any = OVERLOADED) -> None:
    project.gemini.set_rules(records=[{"key": "*", "steps": [step]}])


def shelf(project: Project, count: int, **sections: Any) -> list[str]:
    """Pages that do not wait for each other, in one batch."""
    project.configure(context={"mode": "none"}, retries={"service_backoff_seconds": BACKOFF}, **sections)
    return project.add_pages("CA:Lincoln:1901", range(1, count + 1))


async def test_thirty_pages_come_out_of_three_bad_rounds_without_a_count(bare_project: Project) -> None:
    keys = shelf(bare_project, 30)
    is_down(bare_project)

    async with detached(bare_project) as world:
        await world.step(minutes=1)
        opened = await world.step(minutes=4)
        assert opened.submit.sent == 0
        assert (opened.submit.stopped or "").startswith(
            "the service answers with faults that pass: 30 of the last 30 records, most often "
            "service_error (503: The model is overloaded); it tries again by itself with one small batch at "
        )
        assert not opened.is_idle, "a watched run goes on"
        assert opened.needs_person == []
        for minutes in (3, 1, 11, 1):
            await world.step(minutes=minutes)
        assert world.batches() == [30, TRY_RECORDS, TRY_RECORDS], "an open breaker tries with one small batch"
        bare_project.gemini.set_rules()
        await world.to_the_end(minutes=30)
        assert world.counts == {}

    assert all(bare_project.result(key) is not None for key in keys)
    assert world.batches()[3:] == [TRY_RECORDS, 25], "the service answers again: all others at once"
    assert {row["kind"] for row in bare_project.outcomes()} == {"service_error", "success"}
    assert max(bare_project.gemini.record(key)["submitted"] for key in keys) <= 3, "others are tried with each time"


async def test_a_service_that_is_down_for_two_hours_and_a_day_leaves_a_collection_that_goes_on_by_itself(
    bare_project: Project,
) -> None:
    keys = shelf(bare_project, 20)
    is_down(bare_project)

    async with detached(bare_project) as world:
        for _ in range(13):
            assert not (await world.step(minutes=120)).is_idle
        down = world.batches()
        bare_project.gemini.set_rules()
        await world.to_the_end(minutes=600)
        assert world.counts == {}

    assert down[0] == 20
    assert set(down[1:]) == {TRY_RECORDS}
    assert len(down) <= 9, "it waits twice as long after each of them"
    assert all(bare_project.result(key) is not None for key in keys)


async def test_a_clock_that_is_set_back_by_days_does_not_make_an_open_breaker_try_in_each_pass(
    bare_project: Project,
) -> None:
    shelf(bare_project, 30)
    is_down(bare_project)

    async with detached(bare_project) as world:
        await world.step()
        await world.step()
        world.clock[0] -= timedelta(days=3)
        sent = []
        for _ in range(4):
            # No job ends meanwhile.
            sent.append((await world.passes.run()).submit.sent)
            world.clock[0] += timedelta(minutes=1)

    assert sent == [TRY_RECORDS, 0, 0, 0], "one small batch is on its way"


async def test_a_page_that_meets_fault_after_fault_waits_longer_each_time_and_is_held_for_a_person(
    bare_project: Project,
) -> None:
    good, bad = shelf(bare_project, 2)
    bare_project.configure(retries={"max_service_errors": 3})
    bare_project.gemini.set_steps(bad, OVERLOADED)

    async with detached(bare_project) as world:
        await world.step(minutes=2)
        waits = await world.step(minutes=4)
        assert (waits.submit.states["postponed"], waits.submit.states["done"], waits.submit.sent) == (1, 1, 0)
        assert not waits.is_idle
        assert said_of(waits).startswith(
            "1 batches settled (1 service_error, 1 success; most often service_error (503: The model is overloaded)), "
            "0 running"
        )
        status = await world.status_text()
        assert "\npostponed         1\n" in status
        assert "postponed by faults of the service: the first goes by itself at " in status
        why = await world.why(bad)
        assert "postponed: the service had a fault that passes; it goes by itself at " in why
        assert CAUSE in why
        sent = [(await world.step(minutes=minutes)).submit.sent for minutes in (2, 1, 9, 2, 1)]
        assert sent == [0, 1, 0, 0, 1], "after five minutes, then after ten"
        last = await world.step()
        assert last.submit.states["held"] == 1
        assert last.is_idle
        assert world.counts == {}

        said = await world.status_text()
        assert f"held {bad}: batch after batch came back without an answer, {CAUSE}" in said
        why = await world.why(bad)
        assert f"held: it waits for a person; quire unblock {bad} tries it again; {CAUSE}" in why
        assert await world.unblock(bad) == (0, 1)
        bare_project.gemini.set_rules()
        await world.to_the_end()

    assert bare_project.result(good) is not None
    assert bare_project.result(bad) is not None


async def test_an_image_that_gemini_does_not_have_any_more_is_sent_again_and_not_counted(bare_project: Project) -> None:
    [key] = shelf(bare_project, 1, execution={"max_retries": 1})
    said = "You do not have permission to access the File x or it may not exist."
    bare_project.gemini.set_steps(key, {"kind": "error", "code": 403, "message": said}, "auto")

    async with detached(bare_project) as world:
        await world.to_the_end()
        assert world.counts == {}

    assert [row["kind"] for row in bare_project.outcomes()] == ["upload_gone", "success"]
    assert bare_project.result(key) is not None
