"""Starting the emulator: as a process that serves until it is interrupted, and what it refuses to start with."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.server import EmulatorOptions, running, serve
from tests.contracts.emulator.sdk import answer_line, client_of, picture, upload
from tests.emulator_server import EmulatorHandle, emulator

SERVE = """
from emulator.server import EmulatorOptions, serve
serve(EmulatorOptions(), on_ready=lambda url: print(url, flush=True))
"""


def test_serve_says_where_it_is_and_ends_on_an_interrupt() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with client_of(EmulatorHandle(url)) as client:
            assert upload(client, picture()).name is not None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            serve(EmulatorOptions(port=other.getsockname()[1]))


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_rules_are_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rules{suffix}"
    if suffix == ".json":
        path.write_text('{"records": [{"key": "CA:*", "steps": [{"kind": "error", "code": 418}]}]}')
    else:
        path.write_text("records:\n- key: 'CA:*'\n  steps:\n  - {kind: error, code: 418}\n")
    with emulator(rules_file=path) as handle, client_of(handle) as client:
        assert answer_line(handle, client, "CA:Lincoln:2023:1")["error"]["code"] == 418
        handle.set_rules()
        handle.reset()
        assert answer_line(handle, client, "CA:Lincoln:2023:1")["error"]["code"] == 418


def test_an_unusable_rules_file_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    for text in ("records: [{key: a}]", "records: [", "[]"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"rules\.yaml: "), running(EmulatorOptions(rules_file=path)):
            pass
    with pytest.raises(ValueError, match=r"gone\.yaml: "), running(EmulatorOptions(rules_file=tmp_path / "gone.yaml")):
        pass


def test_the_spool_folder_is_left_empty(tmp_path: Path) -> None:
    with emulator(spool=tmp_path) as handle, client_of(handle) as client:
        upload(client, picture())
        assert list(tmp_path.rglob("upload-*"))
        handle.reset()
        assert not list(tmp_path.rglob("upload-*"))
        upload(client, picture())
    assert list(tmp_path.iterdir()) == []
