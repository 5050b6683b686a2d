"""Counts what a process does to the world, and ends it with SIGKILL just before or just after one of these effects.
Laid around the process from outside: the product knows nothing of it.

An effect is a request to Gemini, a request to Prefect's Variables or locks, or a rename, link, unlink, fsync or syncfs
of a file of the project. Renewals of leases go by the clock and are none; flow runs, logs, events and artifacts are
Prefect's own.
"""

import os
import re
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import httpx2

from flows.gateways.files import syncing

_PREFECT = re.compile(r"/api/(variables|v2/concurrency_limits)\b(?!.*/renew$)")
_UNSTABLE = re.compile(
    r"[0-9a-hjkmnp-tv-z]{26}|[0-9a-f]{8}-[0-9a-f-]{27}|\.tmp-[0-9a-f]+|(batches|files)/[^/:]+|t[0-9a-f]{12}_"
)
"""What differs from run to run in a path."""


class _Effects:
    def __init__(self, log: str, kill_at: int | str, when: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._kill_at, self._when, self._number = kill_at, when, 0

    def begin(self, what: str) -> int:
        """Before an effect. Returns its number, from 1."""
        self._number += 1
        number = self._number
        os.write(self._log, f"{number} {_UNSTABLE.sub('*', what)}\n".encode())
        if isinstance(self._kill_at, str) and self._kill_at in what:
            self._kill_at = number
        if (number, self._when) == (self._kill_at, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    def end(self, number: int) -> None:
        if (number, self._when) == (self._kill_at, "after"):
            os.kill(os.getpid(), signal.SIGKILL)


def install(*, log: str, root: str, gemini: str, kill_at: int | str = 0, when: str = "before") -> None:
    """Count the effects of this process from now on. ``log``: a file that gets a line for each; ``root``: the project's
    folder; ``gemini``: host and port of the service; ``kill_at``: the number of the effect to end at, 0 for none, or a
    part of the first such one's line."""
    effects = _Effects(log, kill_at, when)
    for name in ("replace", "rename", "link", "unlink"):
        setattr(os, name, _counted_file(effects, name, getattr(os, name), root))
    os.fsync = _counted_sync(effects, "fsync", os.fsync, root)
    syncing.syncfs = _counted_sync(effects, "syncfs", syncing.syncfs, root)
    # So that the few results of a short run are synced as hundreds are.
    syncing.FEWEST = 2
    for transport in (httpx.AsyncHTTPTransport, httpx2.AsyncHTTPTransport):
        transport.handle_async_request = _counted_request(effects, transport.handle_async_request, gemini)  # type: ignore[method-assign]
    aiohttp.ClientSession._request = _counted_page_call(effects, aiohttp.ClientSession._request, gemini)  # type: ignore[method-assign]


def _counted_file(effects: _Effects, name: str, call: Callable[..., Any], root: str) -> Callable[..., Any]:
    @wraps(call)
    def counted(path: Any, *arguments: Any, **options: Any) -> Any:
        target = str(Path(os.fsdecode(arguments[0] if arguments else path)))
        if not target.startswith(root):
            return call(path, *arguments, **options)
        number = effects.begin(f"{name} {target.removeprefix(root)}")
        try:
            return call(path, *arguments, **options)
        finally:
            effects.end(number)

    return counted


def _counted_sync(effects: _Effects, name: str, call: Callable[..., Any], root: str) -> Callable[..., Any]:
    @wraps(call)
    def counted(descriptor: Any) -> None:
        target = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if not target.startswith(root):
            call(descriptor)
            return
        number = effects.begin(f"{name} {target.removeprefix(root)}")
        call(descriptor)
        effects.end(number)

    return counted


def _counted_request(effects: _Effects, call: Callable[..., Any], gemini: str) -> Callable[..., Any]:
    @wraps(call)
    async def counted(self: Any, request: Any) -> Any:
        url = urlsplit(str(request.url))
        to_gemini = url.netloc == gemini
        if not to_gemini and not _PREFECT.search(url.path):
            return await call(self, request)
        number = effects.begin(f"{'gemini' if to_gemini else 'prefect'} {request.method} {url.path}")
        answer = await call(self, request)
        effects.end(number)
        return answer

    return counted


def _counted_page_call(effects: _Effects, call: Callable[..., Any], gemini: str) -> Callable[..., Any]:
    @wraps(call)
    async def counted(self: Any, method: str, url: Any, **options: Any) -> Any:
        parts = urlsplit(str(url))
        if parts.netloc != gemini:
            return await call(self, method, url, **options)
        number = effects.begin(f"gemini {method} {parts.path}")
        answer = await call(self, method, url, **options)
        effects.end(number)
        return answer

    return counted
