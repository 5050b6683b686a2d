"""``quire plan`` says what would be read anew, why and at what price; ``quire rerun --outdated`` sends just that, and
stops below a sum. Each result is the one of before until the new one is written."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from assets.domain.errors import QuireError
from assets.domain.money import dollars
from flows.questions.estimate import read_estimate
from flows.questions.plan import plan_json, plan_text
from flows.terminal.comparing import replaced_text
from flows.terminal.reruns import Words, rerun_text, undo_rerun_text
from tests.command import run_quire
from tests.emulator_server import API_KEY
from tests.flows.tables.test_prompts import write_prompt
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

ROOT = Path(__file__).parents[3]
FIRST, SECOND = "CA:Adams:1901", "CA:Boone:1901"
PRICE = {"input_usd": 1.0, "output_usd": 10.0, "batch_factor": 0.5}


def answer(text: str) -> dict[str, object]:
    page: dict[str, object] = {"printed_page_number": None, "language": "en", "headings": []}
    page |= {"continues_previous_page": False, "continues_on_next_page": False}
    return {"kind": "answer", "json": page | {"blocks": [{"kind": "paragraph", "text": text}]}}


def text_of(project: Project, key: str) -> str:
    result = project.result(key)
    assert result is not None
    return str(result["blocks"][0]["text"])


@pytest.fixture
async def shelf(project: Project) -> Project:
    """Two documents of three pages, read with v1; then v2 is the prompt, the image of a page is another one, and a
    person has corrected a result."""
    project.configure(context={"mode": "none"}, prices={"gemini-3.5-flash": PRICE})
    write_prompt(project, "Read. {{ record.key }}")
    for document in (FIRST, SECOND):
        project.add_pages(document, [1, 2, 3])
    project.gemini.set_steps("*", answer("of before"), answer("anew"))
    await project.run_until_idle()
    write_prompt(project, "Read well. {{ record.key }}", "v2")
    path = project.root / "dataset/page_images/CA/Boone/1901/2.jpg"
    Image.new("RGB", (90, 120), "gray").save(path)
    corrected = project.result_path(f"{FIRST}:3")
    corrected.write_text(corrected.read_text().replace("of before", "corrected"))
    project.add_pages(SECOND, [4])
    project.configure(execution={"dry_run": True})
    await project.run_pass()
    project.configure(execution={"dry_run": False})
    return project


@pytest.mark.light
async def test_each_command_of_the_page_on_reading_anew(shelf: Project, prefect_server: PrefectServer) -> None:
    page = (ROOT / "docs/rerun.md").read_text(encoding="utf-8").replace("CA:Lincoln:2023", FIRST)
    lines = [line.partition(" #")[0].split() for line in re.findall(r"^    (quire .+)$", page, re.MULTILINE)]
    assert len(lines) == 5
    environment = prefect_server.environment() | {"GEMINI_API_KEY": API_KEY, "COLUMNS": "200"}
    said = []
    for _, *words in lines:
        ended = await run_quire(*words, env=environment, cwd=shelf.root)
        assert ended.code == 0, f"{words}: {ended.out}{ended.err}"
        said.append(ended.out)
        if "--yes" in words:
            await undo_rerun_text(str(shelf.config), Words())
    plan, first, done, of_document, limited = said
    assert "prompt v1 → v2: 5 pages, about $" in plan
    assert "5 results would be given up for a new reading" in first
    assert re.search(rf"{FIRST}:3: .* by a person, and left as it is without --edited", first)
    assert "5 results are given up for a new reading" in done
    assert "2 results are given up for a new reading" in of_document
    assert "--limit-usd 20: 5 records for about $" in limited


@pytest.mark.light
async def test_the_plan_has_a_price_and_just_that_is_sent_up_to_a_sum(shelf: Project) -> None:
    config = str(shelf.config)
    found = json.loads(await plan_json(config))
    a_page = found["to_be_read_usd"]
    assert a_page == pytest.approx((await read_estimate(config)).estimate.usd, rel=1e-3), (
        "priced as quire estimate does"
    )
    assert {name: found[name] for name in ("results", "outdated", "edited", "to_be_read", "again")} == {
        "results": 6,
        "outdated": 5,
        "edited": 1,
        "to_be_read": 1,
        "again": 0,
    }
    assert found["outdated_usd"] == pytest.approx(5 * a_page)
    assert [(each["reason"], each["what"], each["pages"]) for each in found["causes"]] == [
        ("image", "image replaced", 1),
        ("prompt", "prompt v1 → v2", 5),
    ]
    assert [(each["document"], each["pages"], each["reasons"]) for each in found["documents"]] == [
        (FIRST, 2, {"prompt": 2}),
        (SECOND, 3, {"image": 1, "prompt": 3}),
    ]
    assert (await plan_text(config)).splitlines() == [
        f"1 page still to be read, about {dollars(a_page)}: quire run sends them",
        f"5 of 6 results would be made anew, about {dollars(5 * a_page)}:",
        f"  image replaced: 1 page, about {dollars(a_page)}",
        f"  prompt v1 → v2: 5 pages, about {dollars(5 * a_page)}",
        "in 2 documents:",
        f"  {FIRST}: 2 pages (prompt 2), about {dollars(2 * a_page)}",
        f"  {SECOND}: 3 pages (image 1, prompt 3), about {dollars(3 * a_page)}",
        "1 page besides whose result a person has made: quire rerun --edited sends them, too",
        "quire rerun --outdated image,prompt has them read anew; --limit-usd stops below a sum",
        "results stay until the new ones are written",
    ]
    assert (await plan_text(config, ["schema,model", FIRST])).splitlines() == [
        "nothing is left to be read",
        "none of 3 results would be made anew for schema, model",
    ]
    with pytest.raises(QuireError, match="no such record"):
        await plan_text(config, ["CA:Nobody:1901"])

    limit = 3.9 * a_page
    said = await rerun_text(config, Words(["prompt,image"], outdated=True), limit_usd=limit, yes=True)
    assert f"--limit-usd {limit:g}: 3 records for about {dollars(3 * a_page)}, 2 more are left" in said
    before = {f"{FIRST}:{page}": "corrected" if page == 3 else "of before" for page in (1, 2, 3)}
    before |= {f"{SECOND}:{page}": "of before" for page in (1, 2, 3)}
    assert {key: text_of(shelf, key) for key in before} == before
    await shelf.run_pass()
    assert {key: text_of(shelf, key) for key in before} == before, "in flight, and nothing is lost yet"
    shelf.gemini.advance(JOB_SECONDS)
    await shelf.run_pass()
    anew = dict.fromkeys((f"{FIRST}:1", f"{FIRST}:2", f"{SECOND}:1"), "anew")
    assert {key: text_of(shelf, key) for key in before} == before | anew, "just these, and their new answers"
    assert [shelf.gemini.record(key)["billed"] for key in before] == [2, 2, 1, 2, 1, 1]

    said = await replaced_text(config, "", seed=0, as_json=False)
    assert "3 of 3" in said
    assert "the results of before  the results that stand" in said
    assert "B costs what is not known beside A, and differs from A in 88.89% of the characters" in said
    page = (shelf.manifests / "runs/replaced/comparison.html").read_text(encoding="utf-8")
    assert "<ins>anew</ins>" in page

    found = json.loads(await plan_json(config))
    assert (found["outdated"], found["edited"], found["to_be_read"]) == (2, 1, 0)
    shelf.configure(prices={"gemini-3.5-flash": PRICE, "unheard-of": PRICE}, model={"name": "unknown-model"})
    assert "what it costs is not known: quire estimate tells why" in await plan_text(config)
    with pytest.raises(QuireError, match="what a page costs is not known"):
        await rerun_text(config, Words(["prompt"], outdated=True), limit_usd=1, yes=True)
