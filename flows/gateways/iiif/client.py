"""HTTP to IIIF servers: one request at a time, at most so many a second, each body bounded, and what passes by itself
is tried again. What the answers mean stands in `manifest` and `images`, who may be asked in `addresses`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from assets.domain.errors import FetchError, FetchStopError, FetchTransientError
from flows.gateways.iiif.addresses import check_address, transport

REQUEST_TIMEOUT_SECONDS = 60.0
"""Without a byte for so long a request has failed."""
WHOLE_TIMEOUT_SECONDS = 900.0
"""However slowly the bytes come."""
MAX_REDIRECTS = 5
MAX_WAIT_SECONDS = 600.0
"""What asks to be left alone for longer is asked by the next run."""
_PASSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_WORDS = {
    401: "the server wants a login, which Quire has not",
    403: "the server does not give it to us",
    404: "the server does not have it",
    410: "the server does not have it any more",
    429: "too many requests; a lower iiif.requests_per_second may be what it wants",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """``content``: the whole body, b"" where ``is_same``: what is there is still what was told of by ``etag`` or
    ``last_modified``; ``address``: after redirects; ``kind``: what the server calls it."""

    content: bytes
    address: str
    kind: str
    etag: str
    last_modified: str
    is_same: bool = False


@dataclass(slots=True)
class IiifClient:
    """``sleep``, ``now`` (UTC), ``monotonic`` (seconds): the time, passed in."""

    client: httpx.AsyncClient
    requests_per_second: float
    attempts: int
    backoff_seconds: float
    allow_private: bool
    sleep: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    _free_at: float = 0.0
    _stopped: set[str] = field(default_factory=set)

    async def get(
        self,
        address: str,
        *,
        accept: str,
        most_bytes: int,
        etag: str = "",
        last_modified: str = "",
        check: Callable[[bytes], None] = lambda content: None,
    ) -> Answer:
        """What lies at the address. ``etag``, ``last_modified``: of what is there already; ``check`` raises
        FetchTransientError for content that is worth another try. Raises FetchError; FetchStopError where the server is
        not asked any more, now and from now on."""
        if not self.is_asked(address):
            raise FetchStopError(address, f"{urlsplit(address).netloc} is not asked any more in this run")
        try:
            return await self._tried(address, accept, most_bytes, etag, last_modified, check)
        except FetchStopError:
            self._stopped.add(urlsplit(address).netloc)
            raise

    def is_asked(self, address: str) -> bool:
        """Whether this server was not given up."""
        return urlsplit(address).netloc not in self._stopped

    async def _tried(
        self,
        address: str,
        accept: str,
        most_bytes: int,
        etag: str,
        last_modified: str,
        check: Callable[[bytes], None],
    ) -> Answer:
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if "json" in accept else "identity"}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": last_modified} if last_modified and not etag else {}
        for attempt in range(1, self.attempts + 1):
            try:
                answer = await self._once(address, headers, most_bytes)
                if not answer.is_same:
                    check(answer.content)
                return answer
            except FetchTransientError as error:
                if (error.wait_seconds or 0) > MAX_WAIT_SECONDS:
                    wait = round((error.wait_seconds or 0) / 60)
                    raise FetchStopError(address, f"the server asks to be left alone for {wait:,} minutes") from None
                if attempt == self.attempts:
                    if error.status is None and isinstance(
                        error.__cause__, httpx.ConnectError | httpx.TimeoutException
                    ):
                        raise FetchStopError(address, error.problem) from None
                    raise
                await self.sleep(max(error.wait_seconds or 0, self.backoff_seconds * 2 ** (attempt - 1)))
        raise AssertionError("an attempt returns or raises")

    async def _once(self, address: str, headers: dict[str, str], most_bytes: int) -> Answer:
        check_address(address, allow_private=self.allow_private)
        await self._wait_for_turn()
        try:
            async with (
                asyncio.timeout(WHOLE_TIMEOUT_SECONDS),
                self.client.stream("GET", address, headers=headers) as got,
            ):
                return Answer(
                    b"" if got.status_code == httpx.codes.NOT_MODIFIED else await self._body(address, got, most_bytes),
                    str(got.url),
                    got.headers.get("Content-Type", "")[:100],
                    got.headers.get("ETag", ""),
                    got.headers.get("Last-Modified", ""),
                    is_same=got.status_code == httpx.codes.NOT_MODIFIED,
                )
        except httpx.TooManyRedirects:
            raise FetchError(address, f"is redirected more than {MAX_REDIRECTS} times") from None
        except httpx.UnsupportedProtocol:
            raise FetchError(address, "leads to something that is neither http:// nor https://") from None
        except (httpx.TransportError, TimeoutError) as error:
            raise FetchTransientError(address, f"no whole answer: {str(error) or type(error).__name__}") from error
        except (httpx.InvalidURL, httpx.DecodingError, UnicodeError) as error:
            raise FetchError(address, f"cannot be asked or understood: {error}") from None

    async def _body(self, address: str, got: httpx.Response, most_bytes: int) -> bytes:
        if got.status_code in _PASSES:
            words = _WORDS.get(got.status_code, f"the server answers {got.status_code}")
            wait = self._asked_to_wait(got.headers.get("Retry-After", ""))
            raise FetchTransientError(address, words, status=got.status_code, wait_seconds=wait)
        if got.status_code != httpx.codes.OK:
            words = _WORDS.get(got.status_code, "the server refuses")
            raise FetchError(address, f"{words} ({got.status_code})", status=got.status_code)
        if got.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", "gzip"):
            raise FetchError(address, "comes in a compression that was not asked for")
        body = bytearray()
        async for part in got.aiter_bytes():
            body += part
            if len(body) > most_bytes:
                raise FetchError(address, f"has more than {most_bytes:,} bytes, which none of its kind has")
        return bytes(body)

    async def _wait_for_turn(self) -> None:
        pause = self._free_at - self.monotonic()
        self._free_at = max(self._free_at, self.monotonic()) + 1 / self.requests_per_second
        if pause > 0:
            await self.sleep(pause)

    def _asked_to_wait(self, text: str) -> float | None:
        """Seconds by the header Retry-After, which has a number of them or a date; None where it says nothing."""
        if text.strip().isascii() and text.strip().isdigit():
            return float(text.strip()[:9])
        try:
            return max(0.0, (parsedate_to_datetime(text) - self.now()).total_seconds())
        except (ValueError, TypeError, OverflowError):
            return None


@asynccontextmanager
async def open_iiif(
    *,
    requests_per_second: float,
    attempts: int,
    backoff_seconds: float,
    allow_private: bool,
    version: str,
    sleep: Callable[[float], Awaitable[None]],
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> AsyncIterator[IiifClient]:
    """``version``: of Quire, which tells servers who asks."""

    async def check(request: httpx.Request) -> None:
        check_address(str(request.url), allow_private=allow_private)  # of each redirect, too

    async with httpx.AsyncClient(
        transport=transport(allow_private=allow_private),
        timeout=REQUEST_TIMEOUT_SECONDS,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        headers={"User-Agent": f"quire/{version}"},
        event_hooks={"request": [check]},
    ) as client:
        yield IiifClient(client, requests_per_second, attempts, backoff_seconds, allow_private, sleep, now, monotonic)
