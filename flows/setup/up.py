"""``quire up``: Prefect's server, and with a trial the local Gemini, for the collection here, until Ctrl-C."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from assets.domain.errors import QuireError
from flows.runtime.extras import READER, require_extra
from flows.setup.servers import (
    USUAL_PORTS,
    Name,
    Servers,
    ServersFolder,
    alone_on_this_machine,
    running_servers,
)
from flows.setup.trial import API_VARIABLE, Places

LOOK_SECONDS = 1.0


async def keep_up(places: Places, environ: Mapping[str, str], *, trial: bool, say: Callable[[str], None]) -> None:
    """Start them, say where they are, and stay until cancelled. Raises QuireError."""
    folder = places.trial if trial else places.server
    if running_servers(folder):
        raise QuireError(
            f"the servers of {folder.path} are running already: {', '.join(running_servers(folder).values())}; "
            "commands here find them"
        )
    if not trial and running_servers(places.trial):
        raise QuireError(f"a trial is running in {places.trial.path}: end it first, with Ctrl-C in its terminal")
    say(f"Starting; the first time takes half a minute. Logs: {folder.logs}")
    async with servers_up(folder, environ, trial=trial) as servers:
        for line in _addresses(places, servers, trial=trial):
            say(line)
        if not trial and environ.get(API_VARIABLE):
            say(f"PREFECT_API_URL is set to {environ[API_VARIABLE]}, and commands go there: unset it for this server")
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            servers.ensure_alive()


@contextlib.asynccontextmanager
async def servers_up(folder: ServersFolder, environ: Mapping[str, str], *, trial: bool) -> AsyncIterator[Servers]:
    """Both servers, or Prefect's alone, for the length of the block. Raises QuireError."""
    if trial:
        require_extra("emulator", *READER)
    names: tuple[Name, ...] = ("prefect", "emulator") if trial else ("prefect",)
    # Settings of a client, or of another server, would end up in this one.
    kept = {name: value for name, value in environ.items() if not name.startswith(("PREFECT_", "QUIRE_", "GEMINI_"))}
    servers = Servers(folder, kept | alone_on_this_machine(environ, folder), names, usual_ports=USUAL_PORTS)
    try:
        servers.launch()
        await servers.wait_until_ready()
        yield servers
    finally:
        await asyncio.to_thread(servers.end)


def _addresses(places: Places, servers: Servers, *, trial: bool) -> list[str]:
    lines = [f"Prefect: {servers.prefect_url}   (open it in a browser; its database: {_database(places, trial)})"]
    if trial:
        lines += [
            f"local Gemini: {servers.emulator_url}",
            f"This is a trial of {places.config}: while it runs, every command here works with the local Gemini, pays "
            f"nothing, and writes to {places.trial.path}",
        ]
    else:
        lines.append(f"Commands that use {places.config} find it. Keep its database: it knows what is in flight")
    return [*lines, "Ctrl-C ends it"]


def _database(places: Places, trial: bool) -> Path:
    return (places.trial if trial else places.server).prefect_home
