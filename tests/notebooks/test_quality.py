"""The notebooks on quality and on reading results, executed as a person would, on one collection that was read over two
days; what is committed of them was made in the same way (`python -m tests.notebooks.test_quality` makes it anew)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode

from config.settings import Settings, load_settings
from config.variants import frozen_sections
from exports.run import Asked, export
from flows.compare import advance, create_run
from flows.gateways.files.runs import Run, Side
from flows.runtime.passes import OperatorsLease, Pass
from flows.runtime.wiring import Services, open_services, utc_now
from tests.crash_matrix.light import without_prefect
from tests.detached import detached
from tests.flows.questions.test_plan import answer
from tests.notebooks.running import NOTEBOOKS, executed, read
from tests.project import JOB_SECONDS, Project
from tests.twins.ledger import InMemoryVariables

BOOKS = {"CA:Adams:1901": "en", "CA:Boone:1902": "de", "TX:Clark:1901": "en"}
SECOND = "gemini-3.1-flash-lite"
LONG, SHORT, FOREIGN = "CA:Adams:1901:4", "CA:Boone:1902:2", "TX:Clark:1901:5"


def page_of(key: str, language: str) -> dict[str, Any]:
    chance = np.random.default_rng(len(key) + int(key[-1]))
    words = int(chance.integers(90, 130)) * (6 if key == LONG else 1)
    text = " ".join(chance.choice(["all", "men", "by", "these", "presents", "lot"], words))
    found = answer("" if key == SHORT else text)
    found["json"]["language"] = "fr" if key == FOREIGN else language  # type: ignore[index]
    return found


async def read_books(project: Project) -> None:
    """Three books, of which one is read a day later; some pages fail at first; a sample is read twice."""
    project.configure(context={"mode": "none"})
    rules: list[dict[str, Any]] = []
    async with detached(project) as world:
        for number, (document, language) in enumerate(BOOKS.items()):
            for key in project.add_pages(document, range(1, 9)):
                good = page_of(key, language)
                first = {"CA:Adams:1901:1": ["blocked_answer"], "TX:Clark:1901:1": ["not_json"]}.get(key, [])
                rules.append({"key": key, "model": SECOND, "steps": [good | {"noise": 0.1}]})
                rules.append({"key": key, "steps": [*first, good]})
            project.gemini.set_rules(records=rules)
            if number:
                await world.to_the_end()
                await world.wait(minutes=24 * 60)
        services, variables = world.passes.services, InMemoryVariables()
        settings, storage = services.settings, services.storage

        @asynccontextmanager
        async def opened(of_side: Settings) -> AsyncIterator[Services]:
            async with open_services(of_side) as made:
                yield without_prefect(made, of_side, variables)

        sections = frozen_sections(f"model={SECOND}", project.config, os.environ)
        run = Run("second", utc_now(), 0, 12, (Side("b", f"model={SECOND}", sections, None),))
        create_run(settings, storage, run, np.arange(0, 24, 2))
        p = Pass(services, OperatorsLease(), utc_now())
        await advance(p, run, opened)
        project.gemini.advance(JOB_SECONDS)
        await advance(p, run, opened)


async def both(project: Project) -> tuple[NotebookNode, NotebookNode]:
    """The notebooks, executed on the books."""
    pages = project.root / "pages"
    await asyncio.to_thread(export, str(project.config), Asked("parquet", pages))
    quality = await executed(NOTEBOOKS / "quality.ipynb", {"QUIRE_CONFIG": str(project.config)})
    return quality, await executed(NOTEBOOKS / "read_results.ipynb", {"QUIRE_PAGES": str(pages)})


def shown(notebook: NotebookNode, cell_id: str) -> str:
    [cell] = [cell for cell in notebook.cells if cell.id == cell_id]
    return "".join(output.data["text/plain"] for output in cell.outputs if "data" in output)


def pictures(notebook: NotebookNode) -> list[str]:
    return [
        cell.id
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


@pytest.mark.detached
async def test_both_notebooks_show_what_was_read(project: Project) -> None:
    await read_books(project)
    quality, results = await both(project)

    assert shown(quality, "look") == "24 results of 3 documents; 2 outcomes without one"
    errors = shown(quality, "errors").splitlines()
    assert [len([line for line in errors if line.endswith(end)]) for end in ("1         0", "0         1")] == [1, 1], (
        errors
    )
    assert shown(quality, "costs").count("CA:") == 2
    far = shown(quality, "outliers")
    assert LONG in far
    assert SHORT in far
    assert "TX:" not in far
    assert "fr" in shown(quality, "languages").splitlines()[0]
    assert "second     12" in shown(quality, "agreement")
    assert shown(quality, "disagreement").count("second") == 10
    assert pictures(quality) == ["draw-errors", "draw-words", "draw-agreement"]

    assert "TX    Clark  1901     8" in shown(results, "pandas")
    assert "fr              ┆ 1 " in shown(results, "polars")
    assert "gemini-3.5-flash" in shown(results, "duckdb")
    assert pictures(results) == ["picture"]
    assert load_settings(project.config).collection == project.collection


@pytest.mark.parametrize("name", ["quality", "read_results"])
def test_what_is_committed_has_its_pictures_and_says_nothing_of_the_machine(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = read(NOTEBOOKS / f"{name}.ipynb")
    assert pictures(notebook)
    assert all(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.id != "where")
    assert "/tmp" not in text  # noqa: S108
    assert not [
        output
        for cell in json.loads(text)["cells"]
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]


def _write(notebook: NotebookNode, name: str) -> None:
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    Path(NOTEBOOKS / name).write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]


async def _make_anew(folder: Path) -> None:
    from tests.detached import DetachedProject
    from tests.emulator_server import API_KEY, emulator
    from tests.project import make_project

    os.environ["GEMINI_API_KEY"] = API_KEY
    with emulator() as gemini:
        project = make_project(folder, collection="books", gemini=gemini, kind=DetachedProject)
        await read_books(project)
        for name, notebook in zip(("quality.ipynb", "read_results.ipynb"), await both(project), strict=True):
            _write(notebook, name)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_make_anew(Path(folder)))
