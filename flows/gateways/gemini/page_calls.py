"""The HTTP of what is called for each page, uploads and deletes, made with aiohttp: a call takes it a sixth of httpx2's
CPU (0.1 ms against 0.7, 16 at once), which is most of what a large run computes. All other calls are made in
`gemini.client`.
"""

import asyncio
import io
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from flows.gateways.gemini.answers import OFFSET_HEADER, Answer

if TYPE_CHECKING:
    import aiohttp


STREAMED_FROM_BYTES = 1024 * 1024


class CallError(Exception):
    """No whole answer came: what aiohttp says of it."""


class PageCalls:
    """As many connections as there are calls at once, kept for the next ones, to the service at ``address``. Belongs to
    the event loop of its first call."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opened: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        seconds: float,
        content: bytes | None = None,
        json: Any = None,
    ) -> Answer:
        """One call, and its whole answer, within so many ``seconds``. A redirect is not followed: what that would do
        with a POST is not known for Gemini, and the key would go along. A POST is made once; a DELETE, which may be
        made twice, again if the server has closed a kept connection meanwhile (aiohttp 3.14, read in its source).
        Raises CallError, TimeoutError."""
        session = await self._session()
        errors = import_module("aiohttp").ClientError
        # Of a stream it writes a piece at a time, of bytes all at once, while all other calls wait.
        data = io.BytesIO(content) if content is not None and len(content) > STREAMED_FROM_BYTES else content
        try:
            async with (
                asyncio.timeout(seconds),
                session.request(method, url, data=data, json=json, headers=headers, allow_redirects=False) as response,
            ):
                body = await response.read()
        except errors as error:
            if isinstance(error, TimeoutError):
                raise
            raise CallError(str(error) or type(error).__name__) from None
        return Answer(response.status, response.reason or "", body, response.headers, OFFSET_HEADER in headers)

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def _session(self) -> "aiohttp.ClientSession":
        """aiohttp is imported with the first call, aside, as it takes a fifth of a second."""
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    http = await asyncio.to_thread(import_module, "aiohttp")
                    self._opened = http.ClientSession(
                        connector=http.TCPConnector(limit=0),
                        cookie_jar=http.DummyCookieJar(),
                        timeout=http.ClientTimeout(total=None),
                        # aiohttp itself would ask for it in a thread, with each call.
                        proxy=_proxy_for(self._address),
                    )
        return self._opened


def _proxy_for(address: str) -> str | None:
    """The proxy that the environment names, as for the other calls."""
    parts = urlsplit(address)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
