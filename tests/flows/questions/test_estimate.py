"""``quire estimate`` against the emulator's books, which count by the published rules and know nothing of the
product."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flows.questions.estimate import estimate_text, read_estimate
from flows.scan import scan
from flows.terminal.show import status_json
from tests.command import run_quire
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import PrefectServer
from tests.project import Project

SIZES = [(300, 380), (700, 1000), (1200, 1700), (1700, 2300), (2500, 3400)]
"""Pixels: from a card that is one tile for the older models to a page of twenty."""
PAGES = 500
IN_A_DOCUMENT = 50
USD = {
    "gemini-2.5-flash-lite": (0.1, 0.4),
    "gemini-3.5-flash": (1.5, 9.0),
    "gemini-3.8-flash": (0.75, 3.75),
    "gemini-4-hydrogen": (1.5, 7.5),
}
"""A million tokens in and out."""


def add_corpus(project: Project, *, pages: int) -> list[str]:
    """Documents of 50 pages. Sizes differ from document to document, so that the first batch is like none of the
    others, and change within each, so that a page and the one before it are not always alike."""
    made = {}
    for size in SIZES:
        made[size] = project.root / f"{size[0]}.png"
        Image.new("1", size, 1).save(made[size])
    keys = []
    for number in range(pages // IN_A_DOCUMENT):
        folder = project.root / f"dataset/page_images/CA/Lincoln/{1900 + number}"
        folder.mkdir(parents=True)
        for page in range(1, IN_A_DOCUMENT + 1):
            (folder / f"{page}.png").hardlink_to(made[SIZES[(number + page // 40) % len(SIZES)]])
            keys.append(f"CA:Lincoln:{1900 + number}:{page}")
    return keys


def set_answers(gemini: EmulatorHandle, keys: list[str]) -> None:
    """Answers of 700 to 1,300 tokens, 200 to 400 more of thinking."""
    chance = random.Random(1)
    rules = []
    for key in keys:
        text = "word " * (chance.randint(700, 1300) * 4 // 5)
        answer = {
            "printed_page_number": None,
            "language": "en",
            "continues_previous_page": False,
            "continues_on_next_page": False,
            "headings": [],
            "blocks": [{"kind": "paragraph", "text": text}],
        }
        step = {"kind": "answer", "json": answer, "thoughts_tokens": chance.randint(200, 400)}
        rules.append({"key": key, "steps": [step]})
    gemini.set_rules(records=rules, jobs=[{"job_seconds": [0, 0]}])


def billed_usd(billed: dict[str, int], model: str) -> float:
    """By the books' own sums, at half the price."""
    usd_in, usd_out = USD[model]
    output = billed["outputTokens"] + billed["thoughtsTokens"]
    return (billed["promptTokens"] * usd_in + output * usd_out) / 2e6


@pytest.mark.parametrize(
    ("model", "mode", "resolution"),
    [
        ("gemini-2.5-flash-lite", "previous_image", None),
        ("gemini-3.8-flash", "previous_image", None),
        ("gemini-4-hydrogen", "none", "ultra_high"),
    ],
)
@pytest.mark.light
async def test_within_ten_percent_before_anything_is_sent_and_three_after_the_first_batch(
    project: Project, model: str, mode: str, resolution: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    usd_in, usd_out = USD[model]
    project.configure(
        model={"name": model, "generation_config": {"media_resolution": resolution} if resolution else {}},
        context={"mode": mode},
        prices={model: {"input_usd": usd_in, "output_usd": usd_out}},
        execution={"batch_size_limit": 100, "max_concurrent_batches": 1},
    )
    keys = add_corpus(project, pages=PAGES)
    set_answers(project.gemini, keys)
    await scan(str(project.config))

    before = (await read_estimate(str(project.config))).estimate
    assert project.gemini.books()["records"] == {}
    await project.run_pass()
    await project.run_pass()
    # The second batch is in flight now; the first one was answered.
    after = (await read_estimate(str(project.config))).estimate
    second = set(_keys_of_newest_batch(project))
    project.configure(execution={"max_concurrent_batches": 20})
    await project.run_until_idle()

    books = project.gemini.books()
    assert {record["billed"] for record in books["records"].values()} == {1}
    whole = billed_usd(books["billed"], model)
    later = _sum(books, [key for key in keys[100:] if key not in second])
    rest = billed_usd(later, model)
    with capsys.disabled():
        print(
            f"\n{model}, {mode}: estimated ${before.usd:.4f} for all, billed ${whole:.4f}; "
            f"after a batch ${after.usd:.4f} for the rest, billed ${rest:.4f}"
        )
    assert (before.records, after.records) == (PAGES, PAGES - 200)
    assert before.usd == pytest.approx(whole, rel=0.10)
    assert after.usd == pytest.approx(rest, rel=0.03)
    assert after.rates.answers == 100
    # Images count by their sizes alone, so that there is nothing to be measured.
    assert before.image_tokens == sum(record["imageTokens"] for record in books["records"].values())


def _keys_of_newest_batch(project: Project) -> list[str]:
    keys: list[str] = project.gemini.books()["jobs"][-1]["keys"]
    return keys


def _sum(books: dict[str, Any], keys: list[str]) -> dict[str, int]:
    names = ("promptTokens", "outputTokens", "thoughtsTokens")
    return {name: sum(books["records"][key][name] for key in keys) for name in names}


async def test_the_estimate_tells_how_each_number_was_reached(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", [1, 2, 3])
    project.configure(budget={"max_usd_total": 5, "max_usd_per_day": 1})
    await scan(str(project.config))
    said = (await estimate_text(str(project.config))).splitlines()
    assert said[0] == "3 pages are to be sent, 0 done, 0 inflight, 0 dead, 0 held"
    assert [line[:34].split() for line in said[1:7:3]] == [
        ["images", "3,360"],
        ["input", "together", said[4].split()[2]],
    ]
    assert said[1].endswith("by the rules of gemini-3.5-flash, resolution high")
    assert said[3].endswith("the result of the page before, for 2 pages")
    assert "1,000 a page, as the settings expect" in said[5]
    assert said[6].endswith("300 a page, as the settings expect; thinking_config thinking_level LOW")
    assert said[7].startswith("about $0.")
    assert "$1.5 a million tokens in, $9 out, times 0.5 as a batch; Google's price list" in said[7]
    assert "good until" not in said[7]
    assert "budget.max_usd_per_day is $1.00, $1.00 of it are left" in said
    assert project.gemini.requests() == {}


async def test_it_needs_neither_prefect_nor_a_key_and_says_so(
    project: Project, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    config = ["--config", str(project.config)]
    environment = {
        name: value
        for name, value in prefect_server.environment().items()
        if name not in ("GEMINI_API_KEY", "PREFECT_API_URL")
    }
    unscanned = await run_quire("estimate", *config, env=environment, cwd=tmp_path)
    await scan(str(project.config))
    project.configure(model={"name": "gemini-9"})
    text, document = await asyncio.gather(
        run_quire("estimate", *config, env=environment, cwd=tmp_path),
        run_quire("estimate", "--json", *config, env=environment, cwd=tmp_path),
    )
    assert (unscanned.code, unscanned.err.strip()) == (
        1,
        f"quire: {project.manifests / 'records.parquet'}: is missing; run quire scan first",
    )
    assert (text.code, document.code) == (0, 0), text.err
    assert "no price of gemini-9 is known: add it as prices.gemini-9" in text.out
    assert "From the files alone, Prefect was not asked: no Prefect server is named" in text.out
    found = json.loads(document.out)
    assert (found["records"], found["usd"], found["model"]) == (1, None, "gemini-9")


@pytest.mark.light
async def test_status_tells_the_waves_of_every_mode_and_what_was_spent(project: Project) -> None:
    project.add_pages("CA:Lincoln:1901", range(1, 8))
    project.add_pages("CA:Lincoln:1902", range(1, 4))
    await project.run_pass()
    found = json.loads(await status_json(str(project.config)))
    assert (found["waves_left"], found["waves_by_mode"]) == (
        7,
        {"previous_result": 7, "previous_image": 1, "none": 1},
    )
    assert found["spent_usd"] == 0
    assert found["open_usd"] > 0.01
    project.gemini.advance(31)
    await project.run_pass()
    found = json.loads(await status_json(str(project.config)))
    assert found["spent_usd"] == pytest.approx(billed_usd(project.gemini.books()["billed"], "gemini-3.5-flash"))
