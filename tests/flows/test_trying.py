"""``quire try KEY``: one page read at once. The answer is shown, its cost is booked, and no result is written."""

import asyncio
import json
from typing import Any

import pytest

from assets.domain.errors import GeminiAmbiguousError, GeminiQuotaError, QuireError
from config.settings import load_settings
from flows.questions.why import why_text
from flows.runtime.wiring import open_pass_lock
from flows.terminal.show import read_status
from flows.terminal.trying import try_text
from tests.command import run_quire
from tests.prefect_server import PrefectServer
from tests.project import Project

KEY = "CA:Lincoln:1901:1"
PRICE = {"input_usd": 1.0, "output_usd": 10.0, "batch_factor": 0.5}


@pytest.fixture
def page(project: Project) -> Project:
    """One page, that was scanned and not sent, at a price that is easily reckoned."""
    project.add_pages("CA:Lincoln:1901", [1])
    project.configure(prices={"gemini-3.5-flash": PRICE}, execution={"dry_run": True})
    return project


async def scanned(project: Project) -> Project:
    await project.run_pass()
    project.configure(execution={"dry_run": False})
    return project


def booked(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((project.manifests / "tries").glob("*"))]


async def test_the_answer_is_shown_and_booked_and_nothing_is_written(page: Project) -> None:
    await scanned(page)
    said = await try_text(str(page.config), KEY)

    [noted] = booked(page)
    [billed] = page.gemini.books()["generated"]
    usd = (billed["promptTokens"] * 1.0 + billed["outputTokens"] * 10.0) / 1e6
    assert said.fits
    assert noted["answer"]["usd"] == pytest.approx(usd)
    lines = said.text.splitlines()
    assert lines[0].split(maxsplit=1) == ["record", f"{KEY} (runnable)"]
    answer = json.loads(said.text.partition("--- answer ---\n")[2].partition("\n\nit fits the schema")[0])
    assert "blocks" in answer
    assert lines[-2] == (
        f"{billed['promptTokens']:,} tokens in, {billed['outputTokens']:,} out, 0 thought: ${usd:.4f} at the standard "
        f"price, ${usd / 2:.4f} in a batch"
    )
    assert lines[-1].startswith("booked in ")
    assert page.result(KEY) is None
    assert page.submissions() == []
    assert page.gemini.existing_files() == []
    assert (await read_status(str(page.config))).spent_usd == pytest.approx(usd)
    why = await why_text(str(page.config), KEY)
    assert "a person: quire try with gemini-3.5-flash, page_transcript v1: success, $0.0" in why
    assert why.startswith(f"{KEY}\nrunnable: ")

    await page.run_until_idle()
    assert page.result(KEY) is not None, "it is read as if nothing had been"


async def test_the_request_is_that_of_a_batch(project: Project) -> None:
    project.configure(context={"mode": "previous_image"})
    first, second = project.add_pages("CA:Lincoln:1901", [1, 2])
    await project.run_until_idle()
    result = project.result(second)

    said = await try_text(str(project.config), second)

    [tried] = project.gemini.books()["generated"]
    in_batch = project.gemini.record(second)["answers"][0]
    same = ("promptTokens", "imageTokens")
    assert [tried[name] for name in same] == [in_batch[name] for name in same]
    assert len(tried["files"]) == 2, "the page before goes along"
    assert "(done)" in said.text
    assert project.result(second) == result
    assert project.gemini.existing_files() == []
    assert first in said.text


async def test_an_answer_that_does_not_fit_is_told_and_counts_for_nothing(page: Project) -> None:
    await scanned(page)
    page.gemini.set_steps("generate/1", {"kind": "answer", "json": {"language": "en"}})
    page.gemini.set_steps("generate/2", {"kind": "blocked_answer", "reason": "RECITATION"})

    said = await try_text(str(page.config), KEY)
    assert not said.fits
    assert '{"language": "en"}' in said.text
    assert "it does not fit the schema: printed_page_number: Field required (and 4 more)" in said.text

    blocked = await try_text(str(page.config), KEY)
    assert "it is no result (recitation): the answer was blocked: RECITATION" in blocked.text
    status = await read_status(str(page.config))
    assert (status.states["runnable"], status.failures) == (1, {})
    assert status.spent_usd == pytest.approx(sum(each["answer"]["usd"] for each in booked(page)))


async def test_a_cap_without_room_sends_nothing(page: Project) -> None:
    await scanned(page)
    page.configure(budget={"max_usd_total": 0.05})
    with pytest.raises(QuireError, match=r"budget.max_usd_total is \$0.0500: \$0.00 are spent, .* nothing is sent"):
        await try_text(str(page.config), KEY)
    assert page.gemini.books()["generated"] == []
    assert booked(page) == []


async def test_of_what_nobody_knows_whether_it_was_answered_the_most_that_it_can_cost_counts(page: Project) -> None:
    await scanned(page)
    page.gemini.add_fault("generate", cut="connection", when="after")
    with pytest.raises(GeminiAmbiguousError, match="it may have been answered, and be billed"):
        await try_text(str(page.config), KEY)

    assert len(page.gemini.books()["generated"]) == 1
    [noted] = booked(page)
    assert noted["answer"] is None
    status = await read_status(str(page.config))
    assert (status.spent_usd, status.unsure, status.unsure_usd) == (0, 1, noted["max_usd"])
    assert "no answer is known" in await why_text(str(page.config), KEY)
    page.configure(budget={"max_usd_total": noted["max_usd"] * 1.5})
    with pytest.raises(QuireError, match="nothing is sent"):
        await try_text(str(page.config), KEY)


async def test_what_is_refused_costs_nothing(page: Project) -> None:
    await scanned(page)
    page.gemini.add_fault("generate", status=429, message="Too many requests.")
    with pytest.raises(GeminiQuotaError, match="HTTP 429, Too many requests; nothing was answered"):
        await try_text(str(page.config), KEY)
    [noted] = booked(page)
    assert (noted["answer"]["kind"], noted["answer"]["usd"]) == ("service_error", 0)
    assert page.gemini.existing_files() == []


@pytest.mark.light
async def test_an_image_that_is_not_whole_is_told_and_costs_nothing(page: Project) -> None:
    await scanned(page)
    path = page.root / "dataset/page_images/CA/Lincoln/1901/1.jpg"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        QuireError, match=r"its image did not go up, so nothing is sent: .*1\.jpg cannot be read: cut off"
    ):
        await try_text(str(page.config), KEY)
    assert (booked(page), page.gemini.existing_files()) == ([], [])


async def test_another_prompt_and_the_status_of_the_command(page: Project, prefect_server: PrefectServer) -> None:
    await scanned(page)
    prompts = page.root / "prompts/mine"
    prompts.mkdir(parents=True)
    (prompts / "v1.jinja").write_text("Read.", encoding="utf-8")
    (prompts / "v2.jinja").write_text("Read it well.", encoding="utf-8")
    page.configure(paths={"prompts": "prompts"}, prompt={"name": "mine", "version": "v1"})
    env = {**prefect_server.environment(), "GEMINI_API_KEY": "test-key"}

    dry = await run_quire(
        "try", KEY, "--prompt", "v2", "--dry-run", "--config", str(page.config), env=env, cwd=page.root
    )
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "dry run: nothing is sent")
    assert page.gemini.books()["generated"] == []

    page.gemini.set_steps("generate/1", {"kind": "not_json"})
    ended = await run_quire("try", KEY, "--prompt", "mine:v2", "--config", str(page.config), env=env, cwd=page.root)
    assert ended.code == 1
    assert "prompt    mine v2, hash " in ended.out
    assert "it is no result (not_json): the answer is not JSON" in ended.out
    [noted] = booked(page)
    assert noted["prompt"] == "mine v2"


async def test_it_waits_for_the_pass_that_runs(page: Project) -> None:
    await scanned(page)
    told = asyncio.Event()
    async with open_pass_lock(load_settings(page.config)) as (_, pass_lock):
        async with pass_lock.hold(wait=False):
            trying = asyncio.create_task(try_text(str(page.config), KEY, tell=lambda _: told.set()))
            async with asyncio.timeout(60):
                await told.wait()
            assert page.gemini.books()["generated"] == []
        assert (await trying).fits
    assert len(page.gemini.books()["generated"]) == 1
