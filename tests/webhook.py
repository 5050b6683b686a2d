"""A real HTTP server that is told things, as whoever a webhook belongs to runs one."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEADLINE_SECONDS = 90.0
"""What Prefect tells comes from a queue, and what it finds missing is looked for every 5 s."""


@dataclass
class Heard:
    """``url``: where it listens; ``posted``: the body of each POST, oldest first, as JSON or as it is."""

    url: str = ""
    posted: list[Any] = field(default_factory=list)

    async def until(self, is_there: Callable[[list[Any]], bool]) -> list[Any]:
        """What was posted, once ``is_there`` holds of it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_there(self.posted):
            assert time.monotonic() < deadline, f"it did not come; what came is {self.posted}"
            await asyncio.sleep(0.1)
        return list(self.posted)


@contextlib.contextmanager
def hearing() -> Iterator[Heard]:
    """Listen on a free port of 127.0.0.1."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            try:
                heard.posted.append(json.loads(body))
            except ValueError:
                heard.posted.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
