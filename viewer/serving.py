"""``quire view``: the application on a port of this machine, for whoever has the address. How pages are made stands in
`viewer.app`, who is let in, in `viewer.guard`.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable
from contextlib import closing
from functools import partial
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from assets.domain.errors import QuireError
from config.settings import Settings, load_settings
from flows.runtime.wiring import config_path, make_storage
from viewer.app import create_app
from viewer.editing import Editor
from viewer.guard import TOKEN
from viewer.room import Room

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 24


def serve(
    config: str | None,
    port: int,
    on_ready: Callable[[str], None],
    *,
    person: str | None,
    on_reading: Callable[[], None],
) -> None:
    """Serve until interrupted. ``port``: 0 for a free one; ``person``: who corrects pages, None where they are only
    shown; ``on_reading``: is called before the collection is read,
    which takes seconds where it is large; ``on_ready``: is given the address. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    with _bound(port) as bound, closing(Room.of(settings, make_storage(settings))) as room:
        number, token = bound.getsockname()[1], secrets.token_urlsafe(TOKEN_BYTES)
        editor = None if person is None else Editor.of(room, person)
        hosts, cookie = hosts_of(settings, number), f"quire_view_{number}"
        app = create_app(room, token=token, hosts=hosts, cookie=cookie, editor=editor)
        address = f"http://{LOOPBACK}:{number}/?{TOKEN}={token}"
        asyncio.run(_serve(app, room, bound, partial(on_ready, address), on_reading))


async def _serve(
    app: ASGIApp, room: Room, bound: socket.socket, on_ready: Callable[[], None], on_reading: Callable[[], None]
) -> None:
    on_reading()
    await room.keeper.refresh()
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        # The token stands in the first address.
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    on_ready()
    await uvicorn.Server(config).serve(sockets=[bound])


def hosts_of(settings: Settings, port: int) -> list[str]:
    """The names by which the viewer may be called: this machine's own, and that of ``view.url``."""
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost", "[::1]")]
    if settings.view.url is not None:
        hosts.append(urlsplit(settings.view.url).netloc.lower())
    return hosts


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
    except OSError as error:
        bound.close()
        raise QuireError(f"port {port} cannot be used ({error.strerror}): name another with --port") from None
    bound.listen(128)
    return bound
