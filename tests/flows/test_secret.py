"""One run with everything in it, then the API key is looked for in all that was printed, in every file of the project
and of Prefect's server, in what Prefect's API and its database tell: it is nowhere.

Each trouble that the service makes here says the key, after a word that nobody else says. Where that word is found the
search has looked at the right place, and the key was taken out there.
"""

import asyncio
import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pyarrow.parquet as pq
from prefect.blocks.system import Secret
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.orchestration.routes import ServerRoutes

from assets.plain_rows import plain_rows
from flows.runtime.wiring import SECRET_BLOCK
from tests.command import run_quire
from tests.emulator_server import EmulatorHandle
from tests.prefect_server import PrefectServer, new_collection, prefect_settings, running_prefect_server
from tests.project import JOB_SECONDS, Project, make_project
from tests.standby import standing_by

SECRET = "AIzaSy-a-key-that-must-not-be-seen-5f1c"
CODED = [base64.b64encode(b"\0" * shift + SECRET.encode())[4:-4].decode() for shift in range(3)]
"""What stands in the middle of its code in base64, wherever in a longer text it begins."""
WORD = "SaysTheService"
MESSAGE = f"{WORD} {SECRET} {SECRET}"
LOUD = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG"}
"""Whatever Prefect, the SDK and the clients of HTTP have to say."""
TELLS: tuple[ServerRoutes, ...] = (
    "/artifacts/filter",
    "/events/filter",
    "/flow_runs/filter",
    "/logs/filter",
    "/task_runs/filter",
)
"""Where Prefect's API must tell of the trouble."""
KEEPS: tuple[ServerRoutes, ...] = ("/block_documents/filter", "/variables/filter")
DEADLINE_SECONDS = 30
PAGE = 50


async def test_the_api_key_is_nowhere(tmp_path: Path, gemini: EmulatorHandle) -> None:
    with (
        running_prefect_server(tmp_path / "server", in_memory=False, keeps_events=True) as server,
        prefect_settings(server.api_url, server.home),
    ):
        project = make_project(tmp_path / "project", collection=new_collection(), gemini=gemini)
        found = {"terminal": await _everything(project, server, tmp_path), **await _told_by_prefect()}
        found |= dict(_rows(server.home / "prefect.db")) | dict(_files(tmp_path))

    # The search can fail: it is loud, and the places where the trouble is told have the word beside the key.
    assert "DEBUG   | httpcore2" in found["terminal"]
    assert "[API key]" in found["terminal"]
    said_in = {place for place, text in found.items() if WORD in text}
    assert said_in >= {"terminal", *TELLS, "table log", "table flow_run_state", "table artifact"}
    assert len([place for place in said_in if place.startswith("project/manifests/outcomes/")]) == 3
    assert said_in & {"server/prefect.db", "server/prefect.db-wal"}
    assert SECRET_BLOCK in found["/block_documents/filter"]
    empty = {"/variables/filter", "server/server.log", "project/quire.yaml", "table block_document"} - {
        place for place, text in found.items() if len(text) > 100
    }
    assert empty == set()

    has_key = [place for place, text in found.items() if any(each in text for each in (SECRET, *CODED))]
    assert has_key == [], f"the key stands in: {', '.join(has_key)}"


async def _everything(project: Project, server: PrefectServer, folder: Path) -> str:
    """Two passes and the commands, with a fault wherever there can be one. Returns what was printed."""
    project.configure(
        execution={"max_retries": 0, "batch_size_limit": 2},
        context={"mode": "none"},
        uploads={"upload_concurrency": 1, "upload_retry_attempts": 2},
    )
    late, bad, refused, _ = project.add_pages("CA:Lincoln:1901", [1, 2, 3, 4])
    gemini, config = project.gemini, ["--config", str(project.config)]
    printed = []
    (folder / "standby").mkdir()
    with standing_by(folder / "standby", GEMINI_API_KEY=SECRET, **LOUD) as standby:

        async def quire(*command: str, status: int = 0) -> None:
            child = standby.quire(*command, *config, server=server)
            assert await child.ended() == status, child.printed
            printed.append(child.printed)

        gemini.set_steps(bad, {"kind": "error", "code": 499, "message": MESSAGE})
        gemini.add_fault("upload_start", display_name="*-0-*", status=500, times=2, message=MESSAGE)
        gemini.add_fault("create_batch", key=refused, status=400, message=MESSAGE)
        gemini.add_fault("delete_file", status=500, message=MESSAGE)
        await quire("run")
        gemini.advance(JOB_SECONDS)
        gemini.add_fault("list_batches", status=500, message=MESSAGE)
        gemini.add_fault("list_files", status=500, message=MESSAGE)
        gemini.add_fault("download", status=503, message=MESSAGE)
        gemini.add_fault("create_batch", key=late, status=504, when="after", message=MESSAGE)
        gemini.add_fault("create_batch", key=refused, status=403, message=MESSAGE)
        await quire("run", status=1)
        for command in (["status"], ["why", bad], ["check", refused]):
            await quire(*command)
    # The last command has the key from Prefect, which keeps it encrypted.
    await Secret(value=SECRET).save(SECRET_BLOCK)
    gemini.add_fault("cancel_batch", status=500, message=MESSAGE)
    (batch_id,) = await project.variable("active_batch_ids")
    environment = {name: value for name, value in server.environment().items() if name != "GEMINI_API_KEY"} | LOUD
    released = await run_quire("release", batch_id, "--cancel", *config, env=environment, cwd=folder)
    assert released.code == 0, released.err
    assert [row for row in gemini.faults() if not row["struck"]] == []
    return "\n".join([*printed, released.out, released.err])


async def _told_by_prefect() -> dict[str, str]:
    """What its API tells, once all has arrived: it takes events, and makes task runs of them, in the background."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with get_client() as client:
        while True:
            found = {str(path): await _read(client, path) for path in (*TELLS, *KEEPS)}
            if all(WORD in found[path] for path in TELLS) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.2)


async def _read(client: PrefectClient, path: ServerRoutes) -> str:
    """All pages of a list."""
    pages: list[str] = []
    page = await client.request("POST", path, json={"limit": PAGE})
    while True:
        pages.append(page.raise_for_status().text)
        document = page.json()
        if isinstance(document, dict):  # events
            if document["next_page"] is None:
                return "\n".join(pages)
            page = await client.request(
                "GET", "/events/filter/next", params=dict(httpx.URL(document["next_page"]).params)
            )
        elif len(document) < PAGE:
            return "\n".join(pages)
        else:
            page = await client.request("POST", path, json={"limit": PAGE, "offset": PAGE * len(pages)})


def _rows(database: Path) -> Iterator[tuple[str, str]]:
    """The tables of a database. Its file may have a text in pieces."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own name
            yield f"table {table}", "\n".join(map(repr, rows))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file as it is, and a table as it is read, since its file is compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                table = pq.read_table(path)
                text += repr(plain_rows(table)) + repr(table.schema.metadata)
            yield path.relative_to(folder).as_posix(), text
