"""What a user can cause is one line and an exit status, whichever library would have raised it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from assets.domain.errors import ConfigError
from flows.setup.surroundings import check_surroundings

ROOT = Path(__file__).parents[3]
QUIRE = [sys.executable, "-c", "from flows.cli import main; main()"]


def quire(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    theirs = ("PREFECT_", "QUIRE_", "GEMINI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    environment = {**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), **variables}
    return subprocess.run(
        [*QUIRE, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = quire("emulator", "--engine", "script", "--port", str(port), folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    told = f"quire: 127.0.0.1:{port} cannot be listened at: Address already in use; give another port with --port"
    assert ended.stderr == f"{told}, or --port 0 for any\n"


def test_rules_that_cannot_be_used(tmp_path: Path) -> None:
    ended = quire("emulator", "--engine", "script", "--port", "0", "--rules", "gone.yaml", folder=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("quire: rules file gone.yaml: ")
    assert ended.stderr.count("\n") == 1


def test_an_emulator_says_where_it_listens(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*QUIRE, "emulator", "--engine", "script", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert line.startswith("the local Gemini listens at http://127.0.0.1:")
    assert process.returncode == 0


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_dotenv_that_prefect_would_stumble_over(tmp_path: Path, coding: str) -> None:
    (tmp_path / ".env").write_text("GEMINI_API_KEY=schlüssel\n", encoding=coding)
    (tmp_path / "quire.yaml").write_text("{}")
    ended = quire("status", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"quire: {tmp_path / '.env'}: it is not UTF-8 text; save it as UTF-8\n"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"ALL_PROXY": "socks5://127.0.0.1:1080"},
            "environment: ALL_PROXY: a SOCKS proxy needs the package",
        ),
        ({"https_proxy": "socks5h://h:1"}, "environment: https_proxy: a SOCKS proxy needs the package socksio"),
        ({"HTTP_PROXY": "socks4://h:1"}, "environment: HTTP_PROXY: a proxy of the kind socks4:// is not known; http"),
    ],
)
def test_a_proxy_that_the_clients_cannot_use(tmp_path: Path, environ: Mapping[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_surroundings(environ, tmp_path)
    assert str(refused.value).startswith(said)
    check_surroundings({"HTTP_PROXY": "http://h:1", "ALL_PROXY": "", "https_proxy": "h:1"}, tmp_path)


SLEEPER = """
import asyncio
from flows.terminal.running import run_to_end

async def command():
    try:
        print("begun", flush=True)
        await asyncio.sleep(600)
    finally:
        print("tidied up", flush=True)

import typer
app = typer.Typer()
app.command()(lambda: run_to_end(command()))
app()
"""


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
        (signal.SIGINT, 130, "interr"),
    ],
)
def test_a_signal_ends_a_command_in_order(tmp_path: Path, number: signal.Signals, status: int, name: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out) == (status, "tidied up\n")
    assert errors.startswith(f"quire: {name}")
    assert errors.endswith("; nothing is lost, the next pass goes on\n")
    assert errors.count("\n") == 1
