"""What answers tell of their cost and of their model, and where a person sees it."""

import json
from datetime import datetime, timedelta

import pyarrow.parquet as pq
import pytest

from assets.plain_rows import plain_rows
from flows.questions.why import why_json, why_text
from flows.terminal.show import status_json, status_text
from tests.flows.recorded import Recorded
from tests.project import JOB_SECONDS, Project

LITE = "gemini-3.5-flash-lite"


async def settled(project: Project) -> None:
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()


async def test_another_model_is_priced_by_its_own_price_and_told_once_a_pass(project: Project) -> None:
    """From 2026-12-01 on Google routes gemini-2.5-flash to gemini-3.5-flash-lite."""
    project.configure(
        model={"name": "gemini-2.5-flash"},
        context={"mode": "none"},
        execution={"batch_size_limit": 1},
        prices={
            "gemini-2.5-flash": {"input_usd": 100, "output_usd": 100},
            LITE: {"input_usd": 2, "output_usd": 20, "batch_factor": 0.5},
        },
    )
    key, other = project.add_pages("CA:Lincoln:1901", [1, 2])
    project.gemini.advance(10 * 86_400)

    await settled(project)

    billed = project.gemini.books()["billed"]
    usd = (billed["promptTokens"] * 2 + billed["outputTokens"] * 20) / 2e6
    assert {row["model_version"] for row in project.outcomes()} == {LITE}
    status = json.loads(await status_json(str(project.config)))
    assert status["spent_usd"] == pytest.approx(usd)
    line = f"gemini-2.5-flash was asked for and {LITE} has answered: its price counts"
    assert [line in note for note in status["model_notes"]] == [True]
    assert line in await status_text(str(project.config))
    warnings = [text for text in await Recorded(project).texts("WARNING") if line in text]
    assert len(warnings) == 1, "two batches, one line"
    said = await why_text(str(project.config), key)
    assert f"by {LITE} (though gemini-2.5-flash was asked for), prompt" in said
    assert f"answered by {LITE}" in said
    why = json.loads(await why_json(str(project.config), other))
    assert (why["made_by"]["model"], why["made_by"]["model_version"]) == ("gemini-2.5-flash", LITE)
    assert why["history"][0]["usd"] == pytest.approx(usd / 2, rel=0.01)
    rows = plain_rows(pq.read_table(project.manifests / "results"))
    assert [(row["model"], row["model_version"]) for row in rows] == [("gemini-2.5-flash", LITE)] * 2


@pytest.mark.light
async def test_a_version_of_the_model_is_the_model(project: Project) -> None:
    [key] = project.add_pages("CA:Lincoln:1901", [1])
    name = "models/gemini-3.5-flash-001"
    project.configure(model={"name": "gemini-3.5-flash"})
    project.gemini.set_steps(key, {"kind": "auto", "model_version": name})
    await settled(project)
    assert "was asked for" not in await status_text(str(project.config))
    assert f"by {name}, asked for as gemini-3.5-flash, prompt" in await why_text(str(project.config), key)


async def test_an_end_that_is_near_is_told_by_status_and_log(project: Project) -> None:
    near, far = project.add_pages("CA:Lincoln:1901", [1, 2])
    # The product goes by the real clock: the emulator's starts there.
    end = datetime.fromisoformat(project.gemini.now()) + timedelta(days=30)
    project.gemini.set_steps(near, {"kind": "auto", "retirement_time": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    project.gemini.set_steps(far, {"kind": "auto", "retirement_time": "2100-01-01T00:00:00Z"})
    await settled(project)
    line = f"ends on {end:%Y-%m-%d}, in "
    assert line in await status_text(str(project.config))
    assert [text for text in await Recorded(project).texts("WARNING") if line in text]

    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()

    assert "ends on" not in await status_text(str(project.config)), "the newest answers speak of another end"


async def test_a_usage_that_does_not_add_up_counts_with_the_bound_and_is_told(project: Project) -> None:
    key, other = project.add_pages("CA:Lincoln:1901", [1, 2])
    project.configure(context={"mode": "none"}, model={"generation_config": {"max_output_tokens": 500}})
    project.gemini.set_steps(key, {"kind": "auto", "usage": {"totalTokenCount": 7}})
    await settled(project)

    rows = {row["record_key"]: row for row in project.outcomes()}
    assert [(rows[each]["kind"], rows[each]["unsure"]) for each in (key, other)] == [
        ("success", True),
        ("success", False),
    ]
    [batch] = [plain_rows(pq.read_table(path)) for path in (project.manifests / "batches").glob("*.parquet")]
    bound = next(row["max_usd"] for row in batch if row["record_key"] == key)
    status = json.loads(await status_json(str(project.config)))
    assert (status["unsure"], status["open_usd"]) == (1, 0)
    assert status["unsure_usd"] == pytest.approx(bound)
    assert 0 < status["spent_usd"] < bound
    assert "unsure: of 1 records nobody knows what they cost" in await status_text(str(project.config))
    assert "what it cost is not known: its usage does not add up" in await why_text(str(project.config), key)
    warnings = await Recorded(project).texts("WARNING")
    assert [text for text in warnings if "1 answers say nothing of their cost that adds up" in text]
    report = plain_rows(pq.read_table(project.manifests / "submissions"))
    assert [row["unsure"] for row in report] == [1]
