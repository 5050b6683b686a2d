"""``quire view`` as a person starts it, and docs/view.md."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.unit.exports.shelf import Shelf, block, transcript
from viewer.rendering import FOLDER

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "view.md").read_text(encoding="utf-8")


def test_the_command_serves_what_its_page_says(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("CA:Lincoln:2023", {"1": transcript(block("The School"))})
    commands = re.findall(r"^    (quire view.*)$", PAGE, re.MULTILINE)
    assert commands[:3] == ["quire view", "quire view --port 8600 --no-browser", "quire view --edit --as Ada"]
    words = [sys.executable, "-c", "from flows.cli import main; main()", "view", "--edit", "--as", "Ada"]
    words += ["--no-browser", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PREFECT_HOME": str(tmp_path / "prefect")}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", address)
            with httpx.Client(follow_redirects=True) as browser:
                assert browser.get(address.partition("?")[0]).status_code == 403
                html = browser.get(address).text
                assert "1</strong> of 1 page read" in html
                assert "corrections by <bdi>Ada</bdi>" in html
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read() if process.stdout else None
        assert process.wait(30) == 0


def test_the_copies_of_its_page_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("CA:Lincoln:2023", {"1": transcript(block("The School"))})
    shelf.add("TX:Austin:2023", {"1": None})
    monkeypatch.chdir(tmp_path)
    for line in re.findall(r"^    (quire view --static.*)$", PAGE, re.MULTILINE):
        done = CliRunner().invoke(app, line.split()[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "index.html" in done.output
    assert len(list((tmp_path / "copy/pages").iterdir())) == 1
    assert len(list((tmp_path / "copy-of-all/pages").iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["CA:Lincoln:2023"], "it goes with --static"),
        (["--as", "Ada"], "it goes with --edit"),
        (["--edit", "--static", "out"], "a copy in files cannot be corrected"),
    ],
)
def test_what_does_not_go_together_is_told(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["view", *words], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("key", sorted(set(re.findall(r"`([a-zA-Z/?+-]|Enter)`", PAGE.partition("## Keys")[2]))))
def test_each_key_of_the_page_does_something(key: str) -> None:
    script = (FOLDER / "front" / "view.js").read_text(encoding="utf-8")
    assert f'"{key}":' in script or f" {key}:" in script
