"""The prompts that were sent are kept, each text once; another text under an old name is told."""

import hashlib
from pathlib import Path

import pytest

from tests.command import run_quire
from tests.flows.recorded import Recorded
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project


def write_prompt(project: Project, text: str, version: str = "v1") -> str:
    """Write a prompt of the project's own and choose it; returns the first 12 of its hash."""
    path = project.root / "prompts" / "own" / f"{version}.jinja"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    project.configure(paths={"prompts": "prompts"}, prompt={"name": "own", "version": version})
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def kept(project: Project) -> dict[str, str]:
    folder = project.manifests / "prompts"
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.glob("*/*")}


async def told(project: Project) -> list[str]:
    return [text for text in await Recorded(project).texts("WARNING") if text.startswith("prompt own")]


async def test_each_text_is_kept_and_another_one_of_the_same_name_is_told_once_a_pass(project: Project) -> None:
    project.configure(execution={"batch_size_limit": 1})
    first = write_prompt(project, "Read.\n{{ record.key }}\n")
    project.add_pages("CA:Adams:1901", [1, 2])
    project.add_pages("CA:Boone:1901", [1, 2])
    await project.run_pass()
    assert kept(project) == {f"own/v1-{first}.jinja": "Read.\n{{ record.key }}\n"}
    assert await told(project) == []

    second = write_prompt(project, "Read well. {{ record.key }}")
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_pass()

    assert set(kept(project)) == {f"own/v1-{first}.jinja", f"own/v1-{second}.jinja"}
    assert await told(project) == [
        f"prompt own v1 is not the text that was sent as v1 before (manifests/prompts/own/v1-{first}.jinja): save it "
        "as a new version, so that results can be told apart"
    ], "two batches went in that pass, none in the next"


async def test_a_new_version_is_what_is_asked_for(project: Project) -> None:
    write_prompt(project, "Read. {{ record.key }}")
    project.add_pages("CA:Adams:1901", [1])
    await project.run_until_idle()
    write_prompt(project, "Read well. {{ record.key }}", "v2")
    project.add_pages("CA:Adams:1901", [2])

    await project.run_until_idle()

    assert len(kept(project)) == 2
    assert await told(project) == []


@pytest.mark.light
async def test_the_prompts_are_listed(project: Project, prefect_server: PrefectServer, tmp_path: Path) -> None:
    first = write_prompt(project, "Read. {{ record.key }}")
    project.add_pages("CA:Adams:1901", [1])
    await project.run_until_idle()
    second = write_prompt(project, "Read well. {{ record.key }}", "v2")
    folder = project.root / "prompts"
    (folder / "own" / "v3.jinja").write_bytes(b"\xff\xfe")
    (folder / "own" / "no\x1b[2Jname.jinja").write_text("x", encoding="utf-8")
    (project.manifests / "prompts" / "own" / "notes.jinja").write_text("x", encoding="utf-8")
    config = ["--config", str(project.config)]
    without_server = {n: v for n, v in prefect_server.environment().items() if n != "PREFECT_API_URL"}

    ended = await run_quire("prompts", *config, env=without_server, cwd=tmp_path)
    project.configure(prompt={"version": "v9"})
    gone = await run_quire("prompts", *config, env=without_server, cwd=tmp_path)

    assert (ended.code, gone.code) == (0, 0), ended.err + gone.err
    lines = ended.out.splitlines()
    assert lines[:3] == [
        f"can be chosen, in {folder}:",
        f"  own v1  {first}  {folder}/own/v1.jinja",
        f"  own v2  {second}  {folder}/own/v2.jinja  (the settings choose this one)",
    ]
    assert "v3.jinja is not UTF-8 text" in lines[3]
    assert lines[4:] == [
        "were sent, each text as it was:",
        f"  own v1  {first}  {project.manifests}/prompts/own/v1-{first}.jinja",
    ]
    assert "  the settings choose own v9, which is not there" in gone.out
