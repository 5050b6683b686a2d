"""The command line as a user meets it: exit status 0, 1 and 2, one line that says what is wrong. That the API key is
never in it stands in test_secret.py."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.gateways.prefect.locks import PrefectLock
from flows.terminal.show import status_text
from tests.command import QUIRE, Ended, run_quire
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_server import PrefectServer
from tests.project import JOB_SECONDS, Project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(prefect_server: PrefectServer) -> dict[str, str]:
    return prefect_server.environment() | {"GEMINI_API_KEY": API_KEY}


def test_help_and_usage_do_not_wait_for_prefect(tmp_path: Path) -> None:
    code = (
        "import sys; from flows.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "heavy = {'prefect', 'google', 'pyarrow'} & set(sys.modules); sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    passes, looks = ("run", "scan", "submit", "poll", "prune", "serve"), ("status", "why", "check", "prompts")
    for command in (*passes, *looks, "rerun", "undo-rerun", "unblock", "release"):
        assert f" {command} " in shown.stdout

    for arguments in (
        ["nonsense"],
        ["why"],
        ["rerun"],
        ["unblock"],
        ["undo-rerun"],
        ["release"],
        ["run", "--nonsense"],
    ):
        wrong = subprocess.run([QUIRE, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (wrong.returncode, wrong.stdout) == (2, ""), arguments
        assert "Usage: quire" in wrong.stderr


async def test_a_command_that_cannot_start_says_why_in_one_line(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    without_server = {name: value for name, value in environment.items() if name != "PREFECT_API_URL"}
    nobody_there = environment | {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    config = ["--config", str(project.config)]

    missing, unnamed, dead = await asyncio.gather(
        run_quire("run", "--config", "nope.yaml", env=environment, cwd=tmp_path),
        run_quire("run", *config, env=without_server, cwd=tmp_path),
        run_quire("status", *config, env=nobody_there, cwd=tmp_path),
    )

    _failed(missing, f"{tmp_path / 'nope.yaml'}: there is no such file; give one with --config or QUIRE_CONFIG")
    _failed(unnamed, "no Prefect server is named, and none of quire up runs here: start one with quire up")
    _failed(dead, "Prefect does not answer at http://127.0.0.1:9/api")
    assert missing.err.count("\n") == unnamed.err.count("\n") == dead.err.count("\n") == 1


async def test_without_a_good_key_nothing_is_claimed(
    project: Project, environment: dict[str, str], tmp_path: Path, gemini: EmulatorHandle
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    keyless = {name: value for name, value in environment.items() if name != "GEMINI_API_KEY"}

    none = await run_quire("run", "--config", str(project.config), env=keyless, cwd=tmp_path)
    wrong = await run_quire(
        "run", "--config", str(project.config), env=environment | {"GEMINI_API_KEY": "wrong-key"}, cwd=tmp_path
    )

    _failed(none, "GEMINI_API_KEY: no API key: set GEMINI_API_KEY")
    _failed(wrong, "check GEMINI_API_KEY")
    assert "wrong-key" not in wrong.err + wrong.out
    assert await project.variable("active_batch_ids") == []
    assert project.submissions() == []
    assert gemini.existing_files() == []


async def test_broken_state_is_one_line_without_a_traceback(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    (key,) = project.add_pages("CA:Lincoln:1901", [1])
    await project.run_pass()
    await project.edit_variable("record_failure_counts", {key: "two"})
    config = ["--config", str(project.config)]

    ran = await run_quire("run", *config, env=environment, cwd=tmp_path)
    home = project.manifests / "home.json"
    home.rename(home.with_name("elsewhere.json"))
    exchanged = await run_quire("status", *config, env=environment, cwd=tmp_path)

    _failed(ran, f"record_failure_counts, entry '{key}': the count 'two' is no whole number")
    _failed(exchanged, f"quire_home is there but {home} is not: is the folder mounted")


async def test_a_second_pass_says_that_one_is_running(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    async with PrefectLock(f"{project.collection}_quire_pass").hold(wait=False):
        ended = await run_quire("run", "--config", str(project.config), env=environment, cwd=tmp_path)

    assert (ended.code, ended.out) == (0, "another pass is running; nothing to do here\n")
    assert ended.said == []


async def test_the_playbook_from_the_command_line(
    project: Project, environment: dict[str, str], prefect_server: PrefectServer, tmp_path: Path
) -> None:
    project.configure(execution={"max_retries": 0})
    good, waiting, bad = project.add_pages("CA:Lincoln:1901", [1, 2]) + project.add_pages("TX:Austin:1901", [1])
    project.gemini.set_steps(bad, "empty")
    loud = environment | {"PREFECT_LOGGING_LEVEL": "DEBUG"}
    config = ["--config", str(project.config)]
    ended = [await run_quire("run", "--verbose", *config, env=loud, cwd=tmp_path)]
    ui = prefect_server.ui_url
    where = f"to be seen in Prefect at {ui}/artifacts/key/{project.collection}-status\n"
    assert ended[-1].out == f"0 batches settled, 0 running; 3 records; 1 batches with 2 records sent\n{where}"
    project.gemini.advance(JOB_SECONDS)
    ended.append(await run_quire("run", "--verbose", *config, env=loud, cwd=tmp_path))
    assert ended[-1].out == (
        "1 batches settled (1 empty, 1 success; most often empty (the answer has no text)), 0 running; "
        f"3 records; 1 batches with 1 records sent\n{where}"
    )
    (batch_id,) = await project.variable("active_batch_ids")

    would = [["unblock", "--dry-run", bad], ["release", "--dry-run", batch_id], ["reset-breaker", "--dry-run"]]
    for command in (*would, ["status", "--json"], ["status"], ["unblock", bad], ["rerun", good], ["release", batch_id]):
        ended += [await run_quire(*command, *config, env=environment, cwd=tmp_path)]

    assert [each.code for each in ended] == [0, 3] + [0] * (len(ended) - 2), "the dead letter waits for a person"
    assert [each.out for each in ended[2:5]] == [
        f"{bad}: would be tried again; nothing is done\n",
        f"{batch_id} (active) would be released, and its 1 records be free; nothing is done\n",
        "the breaker is not open; nothing is done\n",
    ]
    as_json, status, unblocked, rerun, released = ended[5:]
    assert re.search(
        rf"^{batch_id}  active  1 records  since 20..-..-.. ..:.. UTC \(\d+ min\)$", status.out, re.MULTILINE
    )
    shown = json.loads(as_json.out)
    numbers = {"records": 3, "done": 1, "runnable": 0, "inflight": 1, "waiting": 0, "held": 0, "dead": 1}
    assert {name: shown[name] for name in numbers} == numbers
    assert unblocked.out == "1 counts reset\n"
    assert rerun.out.startswith("1 result is given up for a new reading: $")
    assert rerun.out.endswith("\n0 counts reset\n")
    assert f"{batch_id} is released, 1 records are free" in released.out
    assert f"Skipping page 2 (Dependency missing): {waiting} waits for {good}" in ended[0].err
    assert "Batch Submitted: " in ended[0].err
    assert "Batch Complete: " in ended[1].err


def test_an_interrupted_watch_says_that_nothing_is_lost(
    project: Project, environment: dict[str, str], tmp_path: Path
) -> None:
    project.add_pages("CA:Lincoln:1901", [1])
    process = subprocess.Popen(
        [QUIRE, "run", "--watch", "--verbose", "--config", str(project.config)],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    emergency = threading.Timer(300, process.kill)
    emergency.start()
    lines, pass_name = [], None
    for line in process.stderr:
        lines.append(line)
        # The first that begins is the pass, the others are its parts.
        begun = re.search(r"Beginning flow run '(.+?)'", line)
        pass_name = pass_name or (begun and begun[1])
        # The pass has ended: what follows is the pause before the next one.
        if f"Flow run '{pass_name}'" in line and "Finished in state Completed" in line:
            os.kill(process.pid, signal.SIGINT)
            break
    lines += process.stderr.readlines()
    process.stderr.close()
    emergency.cancel()

    assert process.wait(60) == 130, "".join(lines)
    assert lines[-1] == "quire: interrupted; nothing is lost, the next pass goes on\n"
    assert "Traceback" not in "".join(lines)


async def test_status_of_a_collection_that_was_never_run(project: Project) -> None:
    assert "records" in await status_text(str(project.config))
    assert await project.variables() == {}


def _failed(ended: Ended, said: str) -> None:
    """Exit status 1, nothing on standard output, one line of our own, no traceback."""
    assert (ended.code, ended.out) == (1, ""), ended.err
    (line,) = ended.said
    assert line.startswith("quire: ")
    assert said in line
    assert "Traceback" not in ended.err
