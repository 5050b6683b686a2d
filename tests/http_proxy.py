"""A proxy that counts: it notes each request's method and path, and passes every byte on as it came, so that it costs
next to nothing. For trouble on demand there is `prefect_proxy`; here thousands of requests go through in a test."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_HEAD_BYTES = 64 * 1024


@dataclass
class CountingProxy:
    """``url``: the upstream's address with the proxy's host and port. ``requests``: "METHOD path" without its query ->
    how often, repeats included."""

    url: str = ""
    requests: Counter[str] = field(default_factory=Counter)

    def take(self) -> Counter[str]:
        """What came in since the last take."""
        taken, self.requests = self.requests, Counter()
        return taken


@contextlib.contextmanager
def counting_proxy(upstream_url: str) -> Iterator[CountingProxy]:
    """Run a proxy to ``upstream_url`` (http, any path) on a free port of 127.0.0.1, in a thread of its own."""
    upstream = urlsplit(upstream_url)
    proxy = CountingProxy()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _relay(reader, writer, upstream.hostname or "127.0.0.1", upstream.port or 80, proxy)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            # The end of a connection, or of the test.
            pass
        finally:
            connections.discard(task)
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        port = server.sockets[0].getsockname()[1]
        proxy.url = upstream._replace(netloc=f"127.0.0.1:{port}").geturl()
        started.set()
        await stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        if connections:
            await asyncio.wait(connections)

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, proxy: CountingProxy
) -> None:
    """One connection of a client, request after request; answers are passed on without a look into them."""
    up_reader, up_writer = await asyncio.open_connection(host, port)
    answers = asyncio.create_task(_pump(up_reader, writer))
    try:
        while head := await _head(reader):
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            proxy.requests[f"{method} {urlsplit(target).path}"] += 1
            up_writer.write(head)
            headers = _headers(head)
            if "upgrade" in headers:
                await _pump(reader, up_writer)
                return
            if headers.get("transfer-encoding") == "chunked":
                await _pass_chunks(reader, up_writer)
            else:
                await _pass(reader, up_writer, int(headers.get("content-length", "0")))
            await up_writer.drain()
    finally:
        answers.cancel()
        await asyncio.wait([answers])
        up_writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    """A request's head, or nothing at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(":") for line in lines)}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
    while count:
        part = await reader.read(min(count, MAX_HEAD_BYTES))
        if not part:
            raise ConnectionError("the client is gone")
        writer.write(part)
        count -= len(part)


async def _pass_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        writer.write(line)
        size = int(line.split(b";")[0], 16)
        writer.write(await reader.readexactly(size + 2))
        if size == 0:
            return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(MAX_HEAD_BYTES):
            writer.write(part)
            await writer.drain()
    writer.close()
