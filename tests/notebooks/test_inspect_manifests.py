"""The inspection notebook, executed as a person would, on projects that ran, that are empty, and without Prefect."""

import base64
import json
import re
from collections.abc import Mapping
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from nbformat import NotebookNode
from PIL import Image

from flows.terminal.show import status_json
from tests.notebooks.running import NOTEBOOKS, executed
from tests.prefect_server import PrefectServer, free_port
from tests.project import Project

NOTEBOOK = NOTEBOOKS / "inspect_manifests.ipynb"
NO_MESSAGE = "no failure in the outcomes: the count was set by hand"


async def test_a_project_with_everything_in_it(project: Project, prefect_server: PrefectServer) -> None:
    project.configure(execution={"max_retries": 1})
    finished = project.add_pages("TX:Peñón High:1901", [1])
    [dead, behind] = project.add_pages("CA:$Lincoln$:1901", [1, 2])
    [flaky] = project.add_pages("CA:Lincoln:1903", [1])
    [edited] = project.add_pages("CA:Lincoln:1904", [1])
    project.gemini.set_steps(dead, "not_json")
    project.gemini.set_steps(flaky, "blocked_answer", "auto")
    await project.run_until_idle()
    [inflight, waiting] = project.add_pages("CA:Lincoln:1905", [1, 2])
    project.result_path(edited).unlink()
    await project.edit_variable("record_failure_counts", {dead: 2, flaky: 1, edited: 7})
    await project.run_pass()

    notebook = await _execute(prefect_server.environment(), project.config)

    assert f"collection {project.collection}" in _shown(notebook, "look")
    assert "could not be read" not in _shown(notebook, "look")
    assert "7 records; 2 waves are left" in _shown(notebook, "look")
    states = {row[0]: int(row[1]) for row in _rows(notebook, "summary")}
    assert states == {"done": 2, "inflight": 1, "runnable": 0, "waiting": 2, "postponed": 0, "held": 0, "dead": 2}
    counted = json.loads(await status_json(str(project.config)))
    assert states == {name: counted[name] for name in states}, "quire status says the same"
    progress = {row[0]: row[1:] for row in _rows(notebook, "progress")}
    assert progress["TX:Peñón High:1901"] == ["1", "0", "0", "0", "0", "0", "0", "1"]
    assert progress["CA:$Lincoln$:1901"] == ["0", "0", "0", "1", "0", "0", "1", "2"]
    assert [row[0] for row in _rows(notebook, "progress")][-1] == finished[0].rpartition(":")[0], "least finished first"
    [batch] = _rows(notebook, "batches")
    assert batch[0].startswith("batches/")
    assert batch[1:3] == ["active", "1"]
    assert {row[0]: row[1:] for row in _rows(notebook, "failures")} == {
        "not_json": ["2", "1", "True"],
        "blocked": ["1", "1", "True"],
    }
    letters = {row[0]: row[1:] for row in _rows(notebook, "dead-letters")}
    assert letters.keys() == {dead, edited}
    assert letters[dead][:3] == ["2", "1", "not_json"], "failures, records behind it, kind"
    assert "JSON" in letters[dead][3]
    assert letters[edited][0] == "7"
    assert letters[edited][3] == NO_MESSAGE
    [tokens] = _rows(notebook, "tokens")
    outcomes = [row for row in project.outcomes() if row["total_tokens"] is not None]
    assert tokens[:2] == ["gemini-3.5-flash", str(len(outcomes))]
    assert int(tokens[-1]) == sum(row["total_tokens"] for row in outcomes)
    picture = _picture(notebook)
    for colour in ("#009e73", "#0072b2", "#cccccc", "#d55e00"):
        assert _pixels(picture, colour) > 500, f"a bar in {colour}"
    assert _pixels(picture, "#f0e442") == 0, "nothing is held"
    assert {inflight, waiting, behind}.isdisjoint(letters)


async def test_without_prefect_it_says_so_and_shows_what_the_files_tell(
    project: Project, prefect_server: PrefectServer
) -> None:
    project.configure(execution={"max_retries": 0})
    [good, dead] = project.add_pages("CA:Lincoln:1901", [1, 4])
    project.gemini.set_steps(dead, "cut_short")
    await project.run_until_idle()
    project.add_pages("CA:Lincoln:1902", [1])
    await project.run_pass()
    nobody = f"http://127.0.0.1:{free_port()}/api"

    notebook = await _execute({**prefect_server.environment(), "PREFECT_API_URL": nobody}, project.config)

    assert f"The Variables could not be read: Prefect does not answer at {nobody}" in _shown(notebook, "look")
    states = {row[0]: int(row[1]) for row in _rows(notebook, "summary")}
    assert states == {"done": 1, "inflight": 1, "runnable": 0, "waiting": 0, "postponed": 0, "held": 0, "dead": 1}
    assert [row[0] for row in _rows(notebook, "dead-letters")] == [dead]
    assert project.result(good) is not None


async def test_an_empty_project_is_shown_and_left_as_it_is(project: Project, prefect_server: PrefectServer) -> None:
    notebook = await _execute(prefect_server.environment(), project.config)

    images = project.root / "dataset" / "page_images"
    assert f"There are no records yet. Images belong into {images}" in _shown(notebook, "look")
    assert "0 records; 0 waves are left" in _shown(notebook, "look")
    assert _picture(notebook).width > 100
    assert not project.manifests.exists()
    assert await project.variables() == {}


def test_no_outputs_are_committed() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


async def _execute(environment: Mapping[str, str], config: Path) -> NotebookNode:
    return await executed(NOTEBOOK, {**environment, "QUIRE_CONFIG": str(config)})


def _outputs(notebook: NotebookNode, cell_id: str) -> list[Any]:
    [cell] = [cell for cell in notebook.cells if cell.id == cell_id]
    assert not [output for output in cell.outputs if output.get("name") == "stderr"], cell.outputs
    return list(cell.outputs)


def _shown(notebook: NotebookNode, cell_id: str) -> str:
    """The text that the cell shows."""
    [text] = [output.data["text/plain"] for output in _outputs(notebook, cell_id) if "data" in output]
    return str(text)


def _rows(notebook: NotebookNode, cell_id: str) -> list[list[str]]:
    """The rows of the table that the cell shows, as text."""
    [html] = [output.data["text/html"] for output in _outputs(notebook, cell_id) if "data" in output]
    body = html.partition("<tbody>")[2]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def _picture(notebook: NotebookNode) -> Image.Image:
    [png] = [output.data["image/png"] for output in _outputs(notebook, "picture")]
    return Image.open(BytesIO(base64.b64decode(png))).convert("RGB")


def _pixels(picture: Image.Image, colour: str) -> int:
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.asarray(picture) == wanted).all(axis=-1).sum())
