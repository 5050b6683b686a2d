"""Each command of docs/operations.md is typed, word for word, into a collection in which there is something for it to
do; batches have names of their own, which stand in the place of those of the page."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from tests.command import QUIRE, Ended, run_quire
from tests.emulator_server import API_KEY
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
PAGES = range(1, 9)
KEY = "CA:Lincoln:2023"
ELSEWHERE = {"quire --install-completion": "tests/unit/commands/test_completion.py"}
"""What changes the shell's own files."""


def sections() -> dict[str, list[str]]:
    """Heading -> the lines of its code blocks, without what is said of them."""
    found: dict[str, list[str]] = {}
    heading, before = "", ""
    for line in PAGE.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("    ") and not before.startswith(("-", "*")):
            found.setdefault(heading, []).append(line.partition(" #")[0].strip())
        before = line
    return found


@dataclass
class Shell:
    """``typed``: what was, until now."""

    project: Project
    environment: dict[str, str]
    typed: set[tuple[str, str]] = field(default_factory=set)

    async def type_section(self, heading: str, *, batch: str = "", fails: tuple[str, ...] = ()) -> dict[str, Ended]:
        """Each line of its blocks. ``batch``: what is typed for batches/abc123; ``fails``: those that end with 1."""
        ended = {}
        for line in sections()[heading]:
            self.typed.add((heading, line))
            if line in ELSEWHERE:
                continue
            ended[line] = await self.type_line(line.replace("batches/abc123", batch))
            said = f"{line}:\n{ended[line].out}\n{ended[line].err}"
            assert ended[line].code == (1 if line in fails else 0), said
            assert "Traceback" not in ended[line].err, said
        return ended

    async def type_line(self, line: str) -> Ended:
        words = line.split()
        if words[0] == "quire" and ">" not in words:
            return await run_quire(*words[1:], env=self.environment, cwd=self.project.root)
        path = f"{QUIRE.parent}:{self.environment['PATH']}"
        process = await asyncio.create_subprocess_shell(
            line,
            env=self.environment | {"PATH": path},
            cwd=self.project.root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def shell(project: Project, prefect_server: PrefectServer) -> Shell:
    """A collection of eight pages that are done."""
    project.configure(context={"mode": "none"}, execution={"max_retries": 0}, batch={"adoption_grace_seconds": 0})
    project.add_pages(KEY, PAGES)
    await project.run_until_idle()
    return Shell(project, prefect_server.environment() | {"GEMINI_API_KEY": API_KEY, "COLUMNS": "300"})


async def in_flight(project: Project, *steps: str) -> str:
    """A new page, which is answered so; the name of its batch, which runs."""
    page = 1 + max(int(path.stem) for path in (project.root / "dataset/page_images").rglob("*.jpg"))
    [key] = project.add_pages(KEY, [page])
    if steps:
        project.gemini.set_steps(key, *steps)
    await project.run_pass()
    return str(project.gemini.record(key)["batches"][-1])


async def test_each_command_of_the_page_does_what_it_says(shell: Shell) -> None:
    project = shell.project
    await shell.type_section("What can be done from Prefect")
    Image.new("RGB", (60, 80), "gray").save(project.root / "dataset/page_images/CA/Lincoln/2023/7.jpg")
    await project.run_pass()
    looked = await shell.type_section("A. What is going on")
    assert re.search(r"^done +8$", looked["quire status"].out, re.MULTILINE)
    assert f"{KEY}:4\ndone: result made on" in looked["quire why CA:Lincoln:2023:4"].out
    assert f"{KEY}:7" in looked["quire status --outdated"].out
    await project.run_until_idle()
    assert project.gemini.record(f"{KEY}:7")["submitted"] == 2, "read again, as its image is another"

    await shell.type_section("Is all that a pass needs there")
    project.add_pages(KEY, [9])
    await shell.type_line("quire scan")
    checked = await shell.type_section("What would be sent")
    assert f"{KEY}:9" in checked["quire check"].out
    await shell.type_section("The assets")
    assert (project.root / "assets.svg").read_text(encoding="utf-8").startswith("<svg")
    again = await shell.type_section("B. Have a page read again")
    assert "1 result" in "".join(each.out for each in again.values())
    assert not project.result_path(f"{KEY}:4").exists(), "the last line of the section deletes it"
    await project.run_until_idle()
    project.result_path(f"{KEY}:5").write_text(project.result_path(f"{KEY}:5").read_text() + "\n")
    await shell.type_section("Results that you edit", fails=("quire verify",))

    project.gemini.set_steps(f"{KEY}:10", "blocked_prompt")
    project.add_pages(KEY, [10])
    await project.run_until_idle()
    await shell.type_section("C. Try a dead letter again")
    await project.run_until_idle()

    batch = str(project.gemini.record(f"{KEY}:3")["batches"][0])
    await shell.type_section("Judge answers again, after a schema was corrected", batch=batch)
    await shell.type_section("When nothing is sent any more: the breaker")
    for line in list(sections()["D. Let go of a stuck batch"]):
        shell.typed.add(("D. Let go of a stuck batch", line))
        batch = await in_flight(project)
        released = await shell.type_line(line.replace("batches/abc123", batch))
        assert f"{batch} is released, 1 records are free" in released.out, released.err
    await project.run_pass()
    project.gemini.advance(JOB_SECONDS)
    await project.run_until_idle()
    exchanged = await shell.type_section("A folder or a database was exchanged")
    assert "0 active batches" in exchanged["quire recover"].out
    await _backup(shell)
    project.configure(alerts={"send_to": ["webhook/alarms"]})
    await shell.type_section("Alarms")
    await shell.type_section("A second collection")
    await _second_prompt(shell)

    assert shell.typed == {(heading, line) for heading, lines in sections().items() for line in lines}


async def _backup(shell: Shell) -> None:
    """The block of docs/deployment.md, with a folder of the test's."""
    where = shell.project.root.parent / f"{shell.project.root.name}-backups"
    where.mkdir()
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    [make, show, do] = re.findall(r"^    (quire (?:backup|restore) [^#\n]*?) *(?:#.*)?$", page, re.MULTILINE)
    assert (await shell.type_line(make.replace("/backups", str(where)))).code == 0
    [backup] = where.iterdir()
    for line in (show, do):
        ended = await shell.type_line(re.sub(r"/backups/\S+", str(backup), line))
        assert ended.code == 0, f"{line}:\n{ended.out}\n{ended.err}"


async def _second_prompt(shell: Shell) -> None:
    """Deeds of Kent, as the page has them, in the place of the schools."""
    project = shell.project
    prompt = project.root / "prompts/deeds/v1.jinja"
    prompt.parent.mkdir(parents=True)
    prompt.write_text("Read page {{ record.page }}.", encoding="utf-8")
    project.configure(
        paths={"prompts": "prompts", "page_images": "scans", "output_results": "deeds", "manifests": "manifests-2"},
        record={"document_fields": ["county", "volume"]},
        collection=f"{project.collection}_2",
        prompt={"name": "deeds", "version": "v1"},
    )
    for page in range(1, 7):
        path = project.root / f"scans/Kent/12/{page}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 80), "white").save(path)
    # `run --watch` waits by a clock that no test turns.
    project.gemini.set_rules(jobs=[{"job_seconds": [0, 0]}])
    await project.run_until_idle()
    heading = "A second prompt version"
    first, *others = sections()[heading]
    shell.typed.add((heading, first))
    assert (await shell.type_line(first)).code == 0
    project.configure(prompt={"version": "v2"})
    for line in others:
        shell.typed.add((heading, line))
        ended = await shell.type_line(line)
        assert ended.code == 0, f"{line}:\n{ended.out}\n{ended.err}"
