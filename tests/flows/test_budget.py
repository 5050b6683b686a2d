"""No cap is passed by a cent, whatever happens in between. The witness is the emulator's books: what was billed, by the
tokens that they counted, at the price of the settings."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from assets.domain.errors import ConfigError
from flows.pipeline import PassReport
from flows.submit import DRY_RUN
from flows.terminal.show import status_text
from flows.terminal.watch import run_once, run_watch
from tests.emulator_server import EmulatorHandle
from tests.flows.recorded import Recorded
from tests.killing import killed_at
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

DOCUMENTS = [f"CA:Lincoln:{year}" for year in range(1900, 1906)]
LONGEST_ANSWER = 2000


def add_corpus(project: Project, **sections: Any) -> list[str]:
    """Thirty pages that do not wait for each other, in batches of four."""
    project.configure(
        context={"mode": "none"},
        model={"generation_config": {"max_output_tokens": LONGEST_ANSWER}},
        execution={"batch_size_limit": 4},
        **sections,
    )
    return [key for document in DOCUMENTS for key in project.add_pages(document, range(1, 6))]


def usd(tokens: dict[str, int]) -> float:
    """At the shipped price of gemini-3.5-flash, half of it as a batch."""
    return (tokens["promptTokens"] * 1.5 + (tokens["outputTokens"] + tokens["thoughtsTokens"]) * 9) / 2e6


def billed(gemini: EmulatorHandle) -> float:
    return usd(gemini.books()["billed"])


async def passes(project: Project, *, look: Callable[[], None], at_most: int = 60) -> PassReport:
    """Passes until another would do nothing, with a look at the books after each job time."""
    for _ in range(at_most):
        report = await project.run_pass()
        look()
        if report.is_idle:
            return report
        await asyncio.to_thread(project.gemini.advance, JOB_SECONDS)
        look()
    raise AssertionError(f"not idle: {report}")


@pytest.mark.light
async def test_a_total_is_not_passed_by_failures_and_retries_and_is_used_up_to_the_last_record(
    project: Project,
) -> None:
    keys = add_corpus(project)
    steps = [{"kind": "answer", "text": "x" * 4 * LONGEST_ANSWER}, "cut_short", "auto"]
    project.gemini.set_rules(
        records=[{"key": key, "steps": steps} for key in keys[::3]]
        + [{"key": key, "steps": [{"kind": "auto", "thoughts_tokens": 900}]} for key in keys]
    )
    cap = 0.11
    project.configure(budget={"max_usd_total": cap}, execution={"batch_size_limit": 8})

    report = await passes(project, look=lambda: _not_more_than(project.gemini, cap))

    assert report.submit.states["runnable"] > 0, "the cap is what ended it"
    assert report.needs_person == [report.submit.stopped]
    assert (report.submit.stopped or "").startswith("budget.max_usd_total is $0.1100: $")
    one_more = (1120 + 10_000) * 1.5 / 2e6 + LONGEST_ANSWER * 9 / 2e6
    assert billed(project.gemini) > cap - one_more, "what is left would not do for a record that can cost the most"
    assert "; the rest needs a person:" in await run_watch(str(project.config))
    assert f"spent ${billed(project.gemini):.4f}, in flight at most $0.00" in await status_text(str(project.config))
    warnings = await Recorded(project).texts("WARNING")
    assert [text for text in warnings if text.startswith("Held back: budget.max_usd_total")]

    project.configure(budget={"max_usd_total": 10})
    assert (await passes(project, look=lambda: None)).submit.states["runnable"] == 0
    assert project.gemini.existing_files() == []


def _not_more_than(gemini: EmulatorHandle, cap: float) -> None:
    assert billed(gemini) <= cap


@pytest.mark.detached
async def test_what_is_in_flight_counts_with_the_most_that_it_can_cost(project: Project) -> None:
    keys = add_corpus(project)
    project.gemini.set_rules(records=[{"key": "*", "steps": [{"kind": "answer", "text": "x" * 4 * LONGEST_ANSWER}]}])
    project.configure(budget={"max_usd_total": 0.1}, execution={"max_retries": 0})

    report = await project.run_pass()

    assert 1 < report.submit.submitted < len(keys) / 4, "several batches, and then no more"
    assert 0 < report.submit.sent < len(keys)
    project.gemini.advance(JOB_SECONDS)
    assert 0.07 < billed(project.gemini) <= 0.1, "every answer was as long as it may be"


@pytest.mark.detached
async def test_a_cap_of_a_run_counts_that_run_alone_and_one_of_a_day_that_day(project: Project) -> None:
    add_corpus(project, budget={"max_usd_per_run": 0.05})
    first = await project.run_pass()
    assert 0 < first.submit.sent < 30
    assert first.submit.is_held
    second = await project.run_pass()
    assert second.submit.sent > 0, "another run has a cap of its own"

    project.configure(budget={"max_usd_per_run": None, "max_usd_per_day": 0.11})
    third = await project.run_pass()
    assert third.submit.sent < 4, "what is open counts for the day"
    assert "budget.max_usd_per_day" in (third.submit.stopped or "")
    assert not third.is_idle, "tomorrow it goes on"
    project.configure(budget={"max_usd_per_day": 0.0001})
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    fourth = await project.run_pass()
    assert fourth.is_idle, "no day will ever be enough for a record"


@pytest.mark.slow
async def test_a_watched_run_is_one_run(project: Project) -> None:
    add_corpus(project, budget={"max_usd_per_run": 0.05})
    project.configure(execution={"batch_size_limit": 8})
    # Answers that cost much less than they may: room comes back, so that a watched run sends again and again.
    project.gemini.set_rules(jobs=[{"job_seconds": [0, 0]}])

    async def at_once(_: float) -> None:
        return None

    said = await run_watch(str(project.config), sleep=at_once)

    assert "budget.max_usd_per_run is $0.0500" in said
    assert 0.03 < billed(project.gemini) <= 0.05
    assert len(project.submissions()) > 3


async def test_a_cap_that_stands_between_holds_after_a_pass_was_killed(
    project: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    keys = add_corpus(project, budget={"max_usd_total": 0.1})
    project.gemini.set_rules(records=[{"key": "*", "steps": [{"kind": "answer", "text": "x" * 4 * LONGEST_ANSWER}]}])
    async with killed_at(project, prefect_server, standby, "create_batch", when="after", skip=1):
        assert len(project.gemini.books()["jobs"]) == 2, "the second one is there, and nobody was told"

    report = await project.run_pass()

    assert "budget.max_usd_total" in (report.submit.stopped or "")
    assert report.submit.sent < len(keys) - 7
    project.gemini.advance(JOB_SECONDS)
    _not_more_than(project.gemini, 0.1)
    assert billed(project.gemini) > 0.07


@pytest.mark.detached
async def test_a_cap_without_a_price_stops_before_anything_is_sent(project: Project) -> None:
    add_corpus(project, budget={"max_usd_per_day": 3})
    project.configure(model={"name": "gemini-9-flash"})
    with pytest.raises(
        ConfigError, match=r"quire.yaml: budget.max_usd_per_day: is set, but the price of gemini-9-flash"
    ):
        await project.run_pass()
    assert project.gemini.requests().get("upload_start", 0) == 0

    project.configure(budget={"max_usd_per_day": None}, execution={"max_concurrent_batches": 3})
    assert (await project.run_pass()).submit.sent == 12, "without a cap no price is needed"
    project.configure(
        budget={"max_usd_per_day": 3},
        prices={"gemini-9-flash": {"input_usd": 1, "output_usd": 1}},
        execution={"max_concurrent_batches": 5},
    )
    report = await project.run_pass()
    assert report.submit.sent == 0
    assert "3 batches in flight were sent without a known price" in (report.submit.stopped or "")
    assert not report.is_idle
    project.gemini.advance(JOB_SECONDS)
    assert (await project.run_pass()).submit.sent > 0, "they have ended"


@pytest.mark.light
async def test_a_price_past_its_day_stops_a_cap_and_is_told_once_a_run_without_one(project: Project) -> None:
    keys = add_corpus(project, budget={"max_usd_per_day": 3})
    price = {"input_usd": 1, "output_usd": 1, "valid_until": "2026-01-31"}
    project.configure(
        model={"name": "gemini-9-flash", "generation_config": {"temperature": 0.2}},
        prices={"gemini-9-flash": price},
        execution={"batch_size_limit": 5, "max_concurrent_batches": 3},
    )
    with pytest.raises(
        ConfigError, match=r"budget.max_usd_per_day: is set, but the price of gemini-9-flash was good until 2026-01-31"
    ):
        await project.run_pass()
    assert project.gemini.requests().get("upload_start", 0) == 0

    project.configure(budget={"max_usd_per_day": None})
    project.gemini.set_rules(jobs=[{"job_seconds": [0, 0]}])

    async def at_once(_: float) -> None:
        return None

    await run_watch(str(project.config), sleep=at_once)
    assert all(project.result(key) for key in keys)
    warnings = [text for text in await Recorded(project).texts("WARNING") if "gemini-9-flash" in text]
    assert [text.partition(" and ")[0].partition(":")[0] for text in warnings] == [
        "model.generation_config.temperature is not sent to gemini-9-flash",
        "the price of gemini-9-flash was good until 2026-01-31",
    ]
    assert len(project.submissions()) == 6, "over more than one pass"

    project.configure(
        budget={"max_usd_per_day": 3},
        prices={"gemini-9-flash": price | {"afterwards": {"input_usd": 2, "output_usd": 2}}},
    )
    assert (await project.run_pass()).is_idle, "what holds afterwards is known"


async def test_a_dry_run_does_everything_but_send(project: Project) -> None:
    add_corpus(project, budget={"max_usd_total": 0.1})
    project.configure(execution={"dry_run": True})
    report = await project.run_pass()
    assert (report.submit.stopped, report.submit.sent) == (DRY_RUN, 0)
    told = [text for text in await Recorded(project).texts("INFO") if text.startswith("Dry run")]
    assert told[0].startswith("Dry run: batch 1: 4 records, about ")
    assert "about $0.0" in told[0]
    assert "at most $0.0" in told[0]
    assert told[-2].startswith("Dry run: then held back: budget.max_usd_total is $0.1000: $0.00 are spent")
    assert told[-1] == f"Dry run: 30 records could be sent, now {len(told) - 2} batches of them; nothing is"
    assert project.gemini.requests() == {}
    assert project.submissions() == []


async def test_the_report_of_a_pass_says_what_holds_it_back(project: Project) -> None:
    add_corpus(project, budget={"max_usd_total": 0})
    said = await run_once(str(project.config))
    assert "0 batches with 0 records sent; budget.max_usd_total is $0.00: $0.00 are spent" in said
