"""``quire compare`` and ``quire second-read``: the same pages read with other settings, in batches of their own, paid
once, under the caps of the collection, and never among the results."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assets.domain.errors import QuireError
from config.settings import load_settings
from flows.pipeline import pipeline
from flows.questions.plan import plan_json
from flows.tables.corrections import Corrector
from flows.terminal.comparing import Asked, go_on_text, runs_text, start_text
from flows.terminal.show import read_status, status_text
from tests.command import run_quire
from tests.emulator_server import API_KEY
from tests.flows.questions.test_plan import answer
from tests.killing import HOLD_UP_SECONDS, free_locks
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project
from tests.standby import Standby

ROOT = Path(__file__).parents[2]
DOCUMENT = "CA:Adams:1901"
PAGES = range(1, 13)
GOOD, BAD = "gemini-3.5-flash", "gemini-3.1-flash-lite"
PRICES = {
    GOOD: {"input_usd": 4.0, "output_usd": 40.0, "batch_factor": 0.5},
    BAD: {"input_usd": 1.0, "output_usd": 10.0, "batch_factor": 0.5},
}
NOISE = {GOOD: 0.02, BAD: 0.10}


def truth(page: int) -> str:
    """Of 200 letters, another one for each page."""
    words = ["all", "men", "by", "these", "presents", "know", "that", "deed", "lot", "acre"]
    found = " ".join(words[(at * page) % 10 or at % 7] for at in range(90))
    letters = [at for at, each in enumerate(found) if each.isalpha()]
    return found[: letters[199] + 1]


def asked(*sides: str, **more: Any) -> Asked:
    given: dict[str, Any] = {"sample": "8", "name": "flash", "yes": True} | more
    return Asked(sides, **given)


@pytest.fixture
async def shelf(project: Project) -> Project:
    """Twelve pages that are read; a person has put eight of them right."""
    project.configure(context={"mode": "none"}, prices=PRICES)
    keys = project.add_pages(DOCUMENT, PAGES)
    rules = [
        {"key": key, "model": model, "steps": [answer(truth(page)) | {"noise": NOISE[model]}]}
        for key, page in zip(keys, PAGES, strict=True)
        for model in NOISE
    ]
    project.gemini.set_rules(records=rules)
    await project.run_until_idle()
    corrector = Corrector.of(load_settings(project.config))
    for key, page in zip(keys[:8], PAGES, strict=False):
        there = corrector.storage.result_file(key)
        assert there is not None
        corrector.correct(key, json.dumps(answer(truth(page))["json"]), seen=there.sha256, by="Ada")
    return project


def billed_usd(project: Project, before: dict[str, Any] | None = None) -> float:
    """What the emulator's books say, at the prices of the settings."""
    usd = 0.0
    for key, record in project.gemini.books()["records"].items():
        known = len(before["records"][key]["answers"]) if before is not None else 0
        for each in record["answers"][known:]:
            model = next(job["model"] for job in project.gemini.books()["jobs"] if job["name"] == each["batch"])
            price = PRICES[model.removeprefix("models/")]
            tokens = each["promptTokens"] * price["input_usd"], each["outputTokens"] * price["output_usd"]
            usd += sum(tokens) * price["batch_factor"] / 1e6
    return usd


def results(project: Project) -> dict[str, bytes]:
    folder = project.root / "dataset/output_results"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}


@pytest.mark.light
async def test_the_better_setting_is_told_and_what_it_costs_is_in_the_books(shelf: Project) -> None:
    config = str(shelf.config)
    before, spent, books = results(shelf), (await read_status(config)).spent_usd, shelf.gemini.books()
    priced = await start_text(config, asked("current", f"model={BAD}", yes=False))
    assert priced.splitlines()[0] == "run flash: 8 pages, drawn with seed 0, each read alone, without the page before"
    assert priced.endswith("nothing is sent; --yes sends it")
    assert shelf.gemini.books()["jobs"] == books["jobs"]
    assert not (shelf.manifests / "runs").exists()

    said = await start_text(config, asked("current", f"model={BAD}"))
    assert "the run flash is under way" in said
    under_way = "comparison flash is under way: quire compare flash goes on with it"
    assert under_way in await status_text(config)
    with pytest.raises(QuireError, match="there is a run flash already"):
        await start_text(config, asked("current", f"model={BAD}"))
    shelf.gemini.advance(JOB_SECONDS)
    await pipeline(config)
    said = await go_on_text(config, "flash")

    found = json.loads(await go_on_text(config, "flash", as_json=True))
    assert [side["read"] for side in found["sides"]] == [8, 8]
    # Each text has 200 letters, of which so many are wrong as the rules say; blanks count, too.
    for side, model in zip(found["accuracy"], (GOOD, BAD), strict=True):
        lengths = sum(len(truth(page)) for page in PAGES[:8])
        assert side["characters"]["rate"] == pytest.approx(8 * 200 * NOISE[model] / lengths, rel=0.05)
    assert found["is_significant"]
    usd = [side["usd"] for side in found["sides"]]
    assert sum(usd) == pytest.approx(billed_usd(shelf, books)), "the emulator's own books"
    assert (await read_status(config)).spent_usd == pytest.approx(spent + sum(usd)), "and the collection's"
    times = f"{usd[1] / usd[0]:.2f} times as much"
    assert re.search(
        rf"B costs {times} and makes [0-9.]+ more errors in 100 characters \(.*; significant at 8 pages\)", said
    )

    assert under_way not in await status_text(config)
    assert results(shelf) == before
    status = await read_status(config)
    assert (status.states["done"], status.failures, status.dead_letters) == (12, {}, {})
    assert len(shelf.outcomes()) == 12
    page = (shelf.manifests / "runs/flash/comparison.html").read_text(encoding="utf-8")
    assert "<ins>" in page
    assert "<del>" in page
    assert await runs_text(config) == f"flash  current / model={BAD}  8 pages  done"
    jobs = len(shelf.gemini.books()["jobs"])
    await go_on_text(config, "flash")
    await pipeline(config)
    assert len(shelf.gemini.books()["jobs"]) == jobs, "nothing is paid for twice"


@pytest.mark.light
async def test_a_run_that_is_killed_at_its_post_goes_on_with_the_job_that_was_made(
    shelf: Project, prefect_server: PrefectServer, standby: Standby
) -> None:
    config = str(shelf.config)
    fault = shelf.gemini.add_fault("create_batch", when="after", model=f"*{BAD}", delay_seconds=HOLD_UP_SECONDS)
    words = ("compare", "current", f"model={BAD}", "--sample", "8", "--name", "killed", "--yes")
    child = standby.quire(*words, "--config", config, server=prefect_server)
    await child.until_struck(shelf.gemini, fault)
    child.kill()
    shelf.gemini.clear_faults()
    await free_locks(shelf)

    await go_on_text(config, "killed")
    shelf.gemini.advance(JOB_SECONDS)
    await go_on_text(config, "killed")

    found = json.loads(await go_on_text(config, "killed", as_json=True))
    assert [side["read"] for side in found["sides"]] == [8, 8]
    assert len(shelf.gemini.books()["jobs"]) == 3, "that of the collection, and one of each side"


@pytest.mark.light
async def test_a_second_reading_agrees_as_far_as_it_does_and_a_cap_holds_for_it_too(shelf: Project) -> None:
    config = str(shelf.config)
    shelf.configure(budget={"max_usd_total": 0.0001})
    said = await start_text(config, asked(f"model={BAD}", name="second", sample="50%"))
    assert "side b: nothing more is sent: budget.max_usd_total is $0.0001" in said
    assert len(shelf.gemini.books()["jobs"]) == 1

    shelf.configure(budget={"max_usd_total": 100})
    await go_on_text(config, "second")
    shelf.gemini.advance(JOB_SECONDS)
    said = await go_on_text(config, "second")
    found = json.loads(await go_on_text(config, "second", as_json=True))
    assert [side["words"] for side in found["sides"]] == ["the results that stand", f"model={BAD}"]
    assert [side["read"] for side in found["sides"]] == [6, 6]
    assert 0.85 < found["agreement"]["characters"]["rate"] < 0.95
    assert "A and B agree in 9" in said or "A and B agree in 8" in said

    shelf.configure(model={"name": BAD})
    plan = json.loads(await plan_json(config))
    assert (plan["outdated"], plan["causes"][0]["what"]) == (4, f"model {GOOD} → {BAD}"), (
        "what a person vouched for is not"
    )


@pytest.mark.light
async def test_what_cannot_be_compared_is_refused_in_a_line_before_anything_is_made(project: Project) -> None:
    project.add_pages(DOCUMENT, [1])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    config = str(project.config)
    for words, reason in {
        "dpi=300": "dpi cannot be compared",
        "collection=other": "collection is no setting that can be compared",
        "nobody": "nobody: say current",
        "model=Gemini Pro": "model.name",
        "=x": "is no setting",
    }.items():
        with pytest.raises(QuireError, match=reason):
            await start_text(config, asked("current", words))
    for more, reason in ({"sample": "none"}, "--sample none"), ({"name": "../up"}, "cannot be a run's name"):
        with pytest.raises(QuireError, match=reason):
            await start_text(config, asked("current", "prompt=v1", **more))
    with pytest.raises(QuireError, match="there is no run nothing; there are: none yet"):
        await go_on_text(config, "nothing")
    assert (await runs_text(config)).startswith("no run yet")


@pytest.mark.light
async def test_each_command_of_the_page_on_comparing(shelf: Project, prefect_server: PrefectServer) -> None:
    page = (ROOT / "docs/compare.md").read_text(encoding="utf-8")
    lines = [line.partition(" #")[0].split() for line in re.findall(r"^    (quire .+)$", page, re.MULTILINE)]
    # What it says is tested with `quire plan`, after a new reading.
    lines.remove(["quire", "compare", "replaced"])
    environment = prefect_server.environment() | {"GEMINI_API_KEY": API_KEY, "COLUMNS": "200"}
    said = []
    for _, *words in lines:
        ended = await run_quire(*words, env=environment, cwd=shelf.root)
        assert ended.code == 0, f"{words}: {ended.out}{ended.err}"
        said.append(ended.out)
        shelf.gemini.advance(JOB_SECONDS)
    priced, sent, shown, second, runs, of_second = said
    assert "nothing is sent; --yes sends it" in priced
    assert "the run lite is under way" in sent
    of_page = page.partition("```text\n")[2].partition("```")[0]
    lines_of = [
        [re.sub("[0-9.]+", "0", line.split("  ")[0]) for line in each.splitlines()] for each in (of_page, shown)
    ]
    assert lines_of[0] == lines_of[1][: len(lines_of[0])]
    assert "the run second is under way" in second
    assert runs.splitlines()[0].startswith("lite  current / model=gemini-3.1-flash-lite  12 pages  done")
    assert json.loads(of_second)["sides"][1]["read"] == 1
