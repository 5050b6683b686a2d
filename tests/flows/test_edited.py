"""Results that a person has edited: counted, told, left alone by a rerun; and ``quire verify``."""

import json
import os
from typing import Any

import pytest

from flows.questions.why import why_text
from flows.terminal.correcting import check_text, correct_text
from flows.terminal.show import status_json, status_text
from tests.crash_matrix.light import run_light_passes
from tests.prefect_server import PrefectServer
from tests.project import Project
from tests.standby import Standby

DOCUMENT = "North:7:12"


async def test_edited_and_damaged_results_are_told_stay_and_are_verified(
    project: Project, prefect_server: PrefectServer, standby: Standby, caplog: pytest.LogCaptureFixture
) -> None:
    project.configure(context={"mode": "none"})
    whole, touched, edited, damaged, wrong, mine = keys = project.add_pages(DOCUMENT, range(1, 7))
    config = str(project.config)

    async def quire(*arguments: str, status: int = 0) -> str:
        child = standby.quire(*arguments, "--config", config, server=prefect_server)
        assert await child.ended() == status, child.printed
        return "\n".join(child.said)

    async def status() -> dict[str, Any]:
        found = json.loads(await status_json(config))
        return {name: found[name] for name in ("done", "edited", "no_json", "results_not_compared")}

    project.result_path(mine).parent.mkdir(parents=True)
    project.result_path(mine).write_text("{}")
    assert await run_light_passes(project, 4)
    project.result_path(mine).write_bytes(project.result_path(whole).read_bytes())
    said = f"{project.result_path(mine)}: edited by a person since it was written, or put there by one"
    assert await quire("verify", status=1) == f"{said}\n6 results: 1 edited"
    assert (await quire("verify", "--edited")).endswith("6 results: 1 edited")

    os.utime(project.result_path(touched), (1, 1))
    document = json.loads(project.result_path(edited).read_text())
    project.result_path(edited).write_text(json.dumps(document, indent=4))
    project.result_path(damaged).write_text(json.dumps(document)[:-1])
    project.result_path(wrong).write_text('{"nothing": "of it"}')
    assert await status() == {"done": 6, "edited": 0, "no_json": [], "results_not_compared": 5}
    assert await run_light_passes(project, 1), "nothing of it is sent again"
    assert await status() == {"done": 6, "edited": 4, "no_json": [damaged], "results_not_compared": 0}
    told = [record.getMessage() for record in caplog.records if "Counts as done" in record.getMessage()]
    assert told[0].startswith("Counts as done, though it is no JSON (")
    assert str(project.result_path(damaged)) in told[0]
    text = await status_text(config)
    assert "edited by a person 4: quire verify lists them" in text
    assert (
        f"no JSON: 1 results that count as done, such as {damaged}: correct them, or quire rerun --edited KEY" in text
    )
    assert "the result was edited by a person since, last on 20" in await why_text(config, edited)
    assert f"{project.result_path(damaged)} is no JSON (" in await why_text(config, damaged)
    assert "edited by a person" not in await why_text(config, touched)

    lines = (await quire("verify", "--edited", status=1)).splitlines()
    assert lines[-1] == "6 results: 1 against the schema, 4 edited, 1 no JSON"
    assert [line.partition(": ")[0] for line in lines[:2]] == [
        str(project.result_path(key)) for key in (damaged, wrong)
    ]
    refused = f"{DOCUMENT}:3-6: corrected, checked, edited or put there by a person, and left as it is without --edited"
    assert await quire("rerun", f"{DOCUMENT}:3-6", "--yes", status=1) == f"quire: {refused}"
    assert refused in await quire("rerun", DOCUMENT, "--dry-run")
    assert (await status())["done"] == 6
    said = await quire("rerun", "--edited", damaged)
    assert said.startswith("1 result is given up for a new reading: $")
    before = project.result_path(damaged).read_bytes()
    assert await run_light_passes(project, 4)
    assert project.result(damaged) is not None
    assert [path.read_bytes() for path in (project.manifests / "replaced").rglob("*.json")] == [before]
    assert [project.gemini.record(key)["billed"] for key in keys[:-1]] == [1, 1, 1, 2, 1]
    assert mine not in project.gemini.books()["records"], "nobody has sent it"
    assert await status() == {"done": 6, "edited": 3, "no_json": [], "results_not_compared": 0}

    # Of what is corrected or checked by word, it is known who did it, and no selection gives it up.
    right = {**json.loads(project.result_path(whole).read_text()), "language": "la"}
    (project.root / "right.json").write_text(json.dumps(right))
    correct_text(config, whole, project.root / "right.json", by="Ada", dry_run=False)
    check_text(config, touched, by="Bob", dry_run=False)
    found = json.loads(await status_json(config))
    assert {name: found[name] for name in ("done", "edited", "corrected", "checked", "outdated")} == {
        **{"done": 6, "edited": 3, "corrected": 1, "checked": 1, "outdated": 0}
    }
    assert "corrected by people 1, checked and good 1: these stay as they are" in await status_text(config)
    told = (await why_text(config, whole)).splitlines()
    assert any(line.startswith("the result was corrected by Ada on 20") for line in told)
    assert any(line.startswith("what the model had answered: ") for line in told)
    assert told[-1].endswith("a person: corrected, by Ada")
    assert "was edited" not in "".join(told)
    assert (await quire("verify", status=1)).endswith("6 results: 1 against the schema, 3 edited")
    assert "corrected, checked, edited or put there" in await quire("rerun", DOCUMENT, "--dry-run")
    assert (await quire("rerun", touched, status=1)).startswith(f"quire: {touched}: corrected, checked, edited or put")
    assert await run_light_passes(project, 2), "nothing of it is sent again"
    assert json.loads(project.result_path(whole).read_text())["language"] == "la"
    assert (await quire("rerun", "--edited", touched)).startswith("1 result is given up for a new reading")
    assert await run_light_passes(project, 4)
    found = json.loads(await status_json(config))
    assert (found["corrected"], found["checked"]) == (1, 0), "it is the model's again"
    assert [project.gemini.record(key)["billed"] for key in keys[:-1]] == [1, 2, 1, 2, 1]
