"""A proxy in front of a Prefect server, which counts requests and makes trouble on demand."""

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

ALWAYS = 10**6
"""As often as any test asks."""

Trouble = Literal["status", "cut_before", "cut_after", "hang"]


@dataclass
class Fault:
    """The next ``times`` requests whose "METHOD path" holds ``match`` go wrong. ``status``: answered with that status
    and ``headers`` (none name a pause, as Prefect's own 503 has none); ``cut_before`` and ``cut_after``: the connection
    is cut before the server has seen the request, or after it has done it; ``hang``: nothing comes for
    ``hang_seconds``."""

    kind: Trouble
    match: str = ""
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    hang_seconds: float = 1.0


@dataclass
class PrefectProxy:
    """``api_url``: for PREFECT_API_URL. ``requests``: how often each "METHOD path" came in, repeats included."""

    api_url: str
    faults: list[Fault] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: str) -> Fault | None:
        """Count the request, and the fault that it meets."""
        with self._lock:
            self.requests[request] += 1
            for fault in self.faults:
                if fault.times > 0 and fault.match in request:
                    fault.times -= 1
                    return fault
        return None


@contextlib.contextmanager
def running_proxy(upstream_api_url: str) -> Iterator[PrefectProxy]:
    """Start a proxy to ``upstream_api_url`` on a free port."""
    upstream = urlsplit(upstream_api_url)
    host, port = upstream.hostname or "127.0.0.1", upstream.port or 80

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.take(f"{self.command} {self.path.removeprefix('/api')}")
            if fault is not None and fault.kind == "status":
                self._answer(fault.status, b"{}", fault.headers)
                return
            if fault is not None and fault.kind == "hang":
                time.sleep(fault.hang_seconds)
            if fault is not None and fault.kind in ("hang", "cut_before"):
                self.close_connection = True
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection = http.client.HTTPConnection(host, port, timeout=30)
            connection.request(self.command, self.path, body=body, headers=headers | {"Connection": "close"})
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if fault is not None and fault.kind == "cut_after":
                self.close_connection = True
                return
            kept = {
                name: answer.headers[name]
                for name in ("Content-Type", "Content-Encoding", "Retry-After")
                if name in answer.headers
            }
            self._answer(answer.status, content, kept)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _relay  # noqa: N815 - names that http.server looks up

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing: the tests print what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = PrefectProxy(api_url=f"http://127.0.0.1:{server.server_port}/api")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
