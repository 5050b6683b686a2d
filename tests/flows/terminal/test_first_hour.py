"""What a newcomer types, from README.md and docs/own-schema.md, word for word: servers, scans and results of its own,
and nothing in the environment but the path of the commands."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw, ImageFont

from tests.command import QUIRE, run_quire

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN_SCHEMA = (ROOT / "docs/own-schema.md").read_text(encoding="utf-8")
DEADLINE_SECONDS = 900
UP = "quire up --trial"


async def test_readmes_own_scans(tmp_path: Path) -> None:
    section = README.partition("## Your own scans\n")[2].partition("\n## ")[0]
    commands = [line.partition("#")[0].strip() for line in re.findall(r"^ {4}(quire .*)$", section, re.MULTILINE)]
    assert [command.split()[1] for command in commands] == ["init", "up", "scan", "check", "estimate", "run"]
    assert UP in commands
    shelf = tmp_path / "my-scans"
    for volume in ("12", "13"):
        for page in range(1, 7):
            scan(f"Volume {volume}, page {page}").save(made(shelf / f"scans/Kent/{volume}/{page:04}.jpg"))
    for volume in ("14", "15"):
        one, two = scan(f"Volume {volume}, the first page"), scan("and the second")
        one.save(made(shelf / f"pdfs/Kent/{volume}.pdf"), save_all=True, append_images=[two])

    said = await typed(commands[0], shelf)
    assert "12 page images of 2 documents in scans/" in said
    # What is said there is what README has.
    assert [line.partition("#")[0].strip() for line in said.splitlines() if line.startswith("  quire")] == commands[1:]
    with up(shelf) as addresses:
        assert re.search(r"^Prefect: http://127\.0\.0\.1:\d+ ", addresses, re.MULTILINE)
        assert re.search(r"^local Gemini: http://127\.0\.0\.1:\d+$", addresses, re.MULTILINE)
        scanned, checked, estimated, ran = [await typed(command, shelf) for command in commands[2:]]
        for each in (scanned, checked, estimated, ran):
            assert "TRIAL: the local Gemini answers" in each
        again = await run_quire(*shlex.split(UP)[1:], env=environment(), cwd=shelf)
    assert "16 records, 16 new" in scanned
    assert "Kent:12:1" in checked
    assert "16 pages are to be sent" in estimated
    assert "16 of 16 records are done, nothing is left" in ran
    assert again.code == 1
    assert "are running already" in again.err

    text = (shelf / "trial/results/Kent/13/6.json").read_text(encoding="utf-8")
    assert "page 6" in text
    assert (shelf / "trial/results/Kent/15/2.json").exists()
    # Nothing of it can be taken for a real result, and a real run does not begin by itself.
    assert {path.name for path in shelf.iterdir()} == {"scans", "pdfs", "quire.yaml", "trial"}
    alone = await run_quire("run", env=environment(), cwd=shelf)
    assert (alone.code, alone.out) == (1, "")
    assert "no Prefect server is named, and none of quire up runs here" in alone.err


async def test_the_page_on_a_schema_of_ones_own(tmp_path: Path) -> None:
    land = tmp_path / "land"
    blocks = dict(re.findall(r"^## `([^`\n]+)`\n+```\w+\n(.*?)^```", OWN_SCHEMA, re.MULTILINE | re.DOTALL))
    assert set(blocks) == {"quire.yaml", "my_schemas/deeds.py", "prompts/deeds/v1.jinja"}
    for name, text in {**blocks, "my_schemas/__init__.py": ""}.items():
        made(land / name).write_text(text, encoding="utf-8")
    for page in ("0001", "0002"):
        scan("Josiah Webb, grantor").save(made(land / f"scans/Kent/12/{page}.jpg"))
    commands = re.findall(r"^\$ (quire .*)$", OWN_SCHEMA, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["up", "scan", "check", "run", "why"]

    assert commands[0] == UP
    with up(land):
        scanned, checked, ran, why = [await typed(command, land) for command in commands[1:]]

    assert "2 records, 2 new" in scanned
    assert "This is page 1 of volume 12 of the deeds of Kent county.\nRead the deed on it." in checked
    assert "my_schemas.deeds:Deed" in checked
    schema = json.loads(checked.partition("--- responseSchema ---\n")[2].partition("\nTRIAL")[0])
    assert schema["propertyOrdering"] == ["number", "date", "people", "parcels", "is_continued"]
    person = schema["properties"]["people"]["items"]
    assert person["properties"]["role"]["enum"] == ["grantor", "grantee", "witness"]
    assert person["required"] == ["name", "role"]
    assert person["properties"]["residence"]["nullable"] is True
    assert "2 of 2 records are done, nothing is left" in ran
    results = [json.loads((land / f"trial/results/Kent/12/{page}.json").read_text("utf-8")) for page in (1, 2)]
    (shown,) = re.findall(r"```json\n(.*?)^```", OWN_SCHEMA, re.MULTILINE | re.DOTALL)
    assert all(set(result) == set(json.loads(shown)) for result in results)
    deeds: dict[str, Any] = {}
    exec(compile(blocks["my_schemas/deeds.py"], "deeds.py", "exec"), deeds)  # noqa: S102 - from our own page
    deeds["Deed"].model_validate_json(shown)
    assert "done: result made on " in why
    assert "prompt deeds v1 (" in why
    assert yaml.safe_load(blocks["quire.yaml"])["collection"] == "land"


def scan(text: str) -> Image.Image:
    image = Image.new("RGB", (800, 400), "white")
    ImageDraw.Draw(image).text((60, 80), text, font=ImageFont.load_default(40), fill="black")
    return image


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def environment() -> dict[str, str]:
    """A shell's, with Quire's commands in the path."""
    theirs = ("PREFECT_", "QUIRE_", "GEMINI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return {**kept, "PATH": f"{QUIRE.parent}:{kept['PATH']}", "PYTHONPATH": str(ROOT)}


async def typed(command: str, folder: Path) -> str:
    """All that it prints; it must succeed."""
    quire, *arguments = shlex.split(command, comments=True)
    assert quire == "quire"
    ended = await run_quire(*arguments, env=environment(), cwd=folder)
    assert ended.code == 0, f"{command}:\n{ended.out}{ended.err}"
    return ended.out + ended.err


def _takes_ctrl_c() -> None:
    """A shell that starts something in its background has it ignore Ctrl-C, and so whatever that starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def up(folder: Path) -> Iterator[str]:
    """`quire up --trial` in a terminal of its own, until Ctrl-C; what it says once its servers are there."""
    log = folder.parent / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            UP.split(),
            env=environment(),
            cwd=folder,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            preexec_fn=_takes_ctrl_c,
        )
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while "Ctrl-C ends it" not in (said := log.read_text("utf-8")):
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_SECONDS)
    assert process.returncode == 130
    told = "quire: interrupted; the servers are ended; quire up starts them again, with all that they know\n"
    assert log.read_text("utf-8").endswith(told)
    record = json.loads((folder / "trial/servers.json").read_text("utf-8"))
    assert [record[name]["pid"] for name in ("prefect", "emulator")] == [0, 0]
