"""Starts the emulator: as an ASGI application, as a server that blocks, or in a thread for the length of a block."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from emulator.batch_calls import BatchCalls
from emulator.control import Control
from emulator.errors import ServiceError
from emulator.file_calls import FileCalls
from emulator.generate_calls import GenerateCalls
from emulator.options import EmulatorOptions
from emulator.state import EmulatorState
from emulator.wire import CuttableProtocol, Wire, error_response

__all__ = ["EmulatorOptions", "create_app", "running", "serve"]

API_VERSIONS = ("v1", "v1beta")
TICK_SECONDS = 0.05
START_SECONDS = 30

_LOGGER = logging.getLogger(__name__)


def create_app(options: EmulatorOptions) -> ASGIApp:
    """The application. Raises ValueError for a rules file that cannot be used, ImportError for a missing engine."""
    state = EmulatorState(options)
    wire, files, batches, generate = Wire(state), FileCalls(state), BatchCalls(state), GenerateCalls(state)
    routes: list[BaseRoute] = Control(state).routes()
    for version in API_VERSIONS:
        routes += files.routes(wire, version) + batches.routes(wire, version) + generate.routes(wire, version)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(state))
        try:
            yield
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            await asyncio.to_thread(state.close)

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _not_found, 405: _not_found})


def serve(options: EmulatorOptions, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until interrupted. ``on_ready``: is given the base URL once calls are answered.

    Raises ValueError for a rules file that cannot be used, OSError if the port is taken, ImportError for an engine
    whose packages are not installed.
    """
    app = create_app(options)
    with _bound(options) as bound:
        server = _server(app)
        if on_ready is not None:
            threading.Thread(target=_call_when_started, args=(server, on_ready, _url(bound)), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[bound])


@contextlib.contextmanager
def running(options: EmulatorOptions) -> Iterator[str]:
    """The emulator in a thread of this process, as long as the block lasts; gives its base URL. Raises as `serve`."""
    app = create_app(options)
    with _bound(options) as bound:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="gemini-emulator")
        thread.start()
        try:
            if not _started(server, thread):
                raise RuntimeError("the emulator did not start")
            yield _url(bound)
        finally:
            server.should_exit = True
            thread.join()


async def _tick(state: EmulatorState) -> None:
    """Lets jobs go on also while nobody asks for them."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await state.jobs.settle(wait=False)
        except Exception:  # a fault of the emulator must be seen, and must not stop its clock
            _LOGGER.exception("a job could not be moved on")


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,  # the logging of this process is its owner's
        log_level="warning",
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def _bound(options: EmulatorOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it a call takes 40 ms more.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((options.host, options.port))
    except OSError:
        bound.close()
        raise
    return bound


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _started(server: uvicorn.Server, thread: threading.Thread) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.started


def _call_when_started(server: uvicorn.Server, on_ready: Callable[[str], None], url: str) -> None:
    if _started(server, threading.current_thread()):
        on_ready(url)


async def _not_found(_: Request, __: Exception) -> Response:
    return error_response(ServiceError(404, "Requested entity was not found."))
