"""A Prefect server with a password, as docs/deployment.md has it."""

import re
from pathlib import Path

import pytest

from tests.command import run_quire
from tests.emulator_server import API_KEY, EmulatorHandle
from tests.prefect_server import running_prefect_server
from tests.project import make_project

PAGE = (Path(__file__).parents[3] / "docs/deployment.md").read_text(encoding="utf-8")


async def test_a_server_with_a_password_lets_in_who_has_it_and_tells_others(
    tmp_path: Path, gemini: EmulatorHandle, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(server_says, password)] = re.findall(
        r"^    PREFECT_SERVER_(API_AUTH_STRING)=(\S+) prefect server start", PAGE, re.M
    )
    [(client_says, command)] = re.findall(rf"^    PREFECT_(\S+)={password} quire (.*)$", PAGE, re.M)
    assert server_says == client_says
    (tmp_path / "project").mkdir()
    project = make_project(tmp_path / "project", collection=collection, gemini=gemini, context={"mode": "none"})
    project.add_pages("CA:Lincoln:1901", [1])
    with running_prefect_server(tmp_path / "prefect", in_memory=True, password=password) as server:
        stranger = server.environment() | {"GEMINI_API_KEY": API_KEY}
        known = stranger | {"PREFECT_API_AUTH_STRING": password}
        refused = [
            await run_quire(*words, env=environment, cwd=project.root)
            for environment in (stranger, stranger | {"PREFECT_API_AUTH_STRING": "admin:another-one"})
            for words in (command.split(), ["run"])
        ]
        ran = await run_quire("run", env=known, cwd=project.root)
        status = await run_quire(*command.split(), env=known, cwd=project.root)
        log = server.log.read_text(errors="replace")

    for ended in refused:
        assert ended.code == 1
        assert re.fullmatch(
            r"quire: Prefect at \S+ refuses us \(401\).*PREFECT_API_AUTH_STRING.*", ended.err.strip()
        ), ended.err
    assert ran.code == 0, ran.err
    assert "1 batches with 1 records sent" in ran.out
    assert re.search(r"^inflight +1$", status.out, re.MULTILINE)
    said = "".join(each.out + each.err for each in (*refused, ran, status)) + log
    files = b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())
    assert password.partition(":")[2] not in said
    assert password.partition(":")[2].encode() not in files
