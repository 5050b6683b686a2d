"""`quire demo`, as a user types it, with a corpus of two pages: what it says, what it leaves, and what it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

DEADLINE_SECONDS = 600
DEMO = [sys.executable, "-c", "from flows.cli import main; main()", "demo", "--documents", "1", "--pages", "2"]
HOSTILE = {
    "GEMINI_API_KEY": "the user's own, which must not be used",
    "QUIRE__GEMINI__BASE_URL": "http://127.0.0.1:9",
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
"""What a user may have set; the demo is to be untouched by it."""


def start_demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "QUIRE_"))}
    return subprocess.Popen(
        [*DEMO, "--folder", str(folder), *options],
        env={**environment, **HOSTILE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_demo(folder: Path, *options: str) -> str:
    """What it prints, without its line ends; it must succeed."""
    process = start_demo(folder, *options)
    output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, errors
    assert errors == "", "log lines go to a file"
    return " ".join(output.split())


def pids_of(folder: Path) -> list[int]:
    record = json.loads((folder / "servers.json").read_text(encoding="utf-8"))
    return [record[name]["pid"] for name in ("prefect", "emulator")]


def is_alive(pid: int) -> bool:
    # A process that has ended may be left as a zombie where nobody collects the orphans.
    state = Path(f"/proc/{pid}/stat")
    return pid > 0 and state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"{alive} are still running"
        time.sleep(0.1)


def test_the_demo_reads_checks_and_says_it_and_a_second_one_has_nothing_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    flaky, dead = "CT:Thornbury:1849:1", "CT:Thornbury:1849:2"

    said = run_demo(folder, "--keep")

    assert "Done in " in said
    assert "1 of 2 pages are read, 1 is a dead letter." in said
    assert f"{dead}: failed 2 times" in said
    assert f"{flaky}: failed 1 time" in said
    assert "4 lines sent for 2 pages: each once, and 2 retries that were provoked; nothing uploaded is left" in said
    [(scanned, undegraded)] = re.findall(r"([\d.]+)% as scanned, ([\d.]+)% undegraded \(on 1 page", said)
    assert float(scanned) < 10
    assert float(undegraded) < 10
    result = json.loads((folder / "output_results/CT/Thornbury/1849/1.json").read_text(encoding="utf-8"))
    assert result["blocks"][0]["text"].splitlines()[0] in said
    assert "page_images/CT/Thornbury/1849/0001.jpg" in said
    assert (folder / "manifests" / "records.parquet").exists()

    assert "exports csv, iiif, jsonl, markdown, parquet, pdf, tei, text, in " in said
    assert "alto: PageTranscript has no boxes" in said
    assert (folder / "exports/pages.csv").read_text(encoding="utf-8").count(flaky) == 1
    assert {path.name for path in (folder / "exports").iterdir() if not path.name.startswith(".")} == {
        *("pages.csv", "pages.jsonl"),
        *("iiif", "markdown", "parquet", "pdf", "tei", "text"),
    }
    [address] = re.findall(r"viewer (http://127\.0\.0\.1:\d+/\S+)", said)
    for name in ("viewer.json", "logs/viewer.log"):
        assert (folder / name).stat().st_mode & 0o077 == 0, "the address is for the user alone"
    with urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()).open(
        address
    ) as answer:
        assert "Thornbury" in answer.read().decode()

    pids = pids_of(folder)
    viewer = json.loads((folder / "viewer.json").read_text(encoding="utf-8"))["pid"]
    assert all(is_alive(pid) for pid in [*pids, viewer]), "--keep leaves them"
    try:
        again = run_demo(folder)
        assert "Nothing to do: 1 of 2 pages were read before, and nothing was sent, 1 is a dead letter." in again
        assert pids_of(folder) == pids, "the servers are used again"
        assert f"kill {pids[0]} {pids[1]} {viewer} " in again
        assert address in again
    finally:
        for pid in [*pids, viewer]:
            os.kill(pid, signal.SIGTERM)
    wait_for_end([*pids, viewer])


def test_an_interrupted_demo_takes_its_servers_along(tmp_path: Path) -> None:
    process = start_demo(tmp_path)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (tmp_path / "servers.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = pids_of(tmp_path)

    process.send_signal(signal.SIGINT)

    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130
    assert errors == "quire: interrupted; nothing is lost, the next pass goes on\n"
    wait_for_end(pids)


def test_a_demo_of_another_size_is_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text('{"size": [4, 6], "pages": {}}', encoding="utf-8")
    process = start_demo(tmp_path)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert errors == (
        f"quire: {tmp_path} holds a demo of 4 documents with 6 pages each: ask for the same "
        "(--documents 4 --pages 6), or give another --folder\n"
    )
    assert not (tmp_path / "servers.json").exists(), "nothing was started"
