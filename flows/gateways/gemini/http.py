"""The HTTP client of all calls, google-genai's among them, and the files that go up: what they leave to chance is made
certain here. Which calls there are stands in `gemini.client`."""

import io
import os
from pathlib import Path

import httpx2

from flows.gateways.gemini.answers import Answer


def http_client(home: str, *, idle_connections: int) -> httpx2.AsyncClient:
    """A client that gives the API key to ``home`` (a host) alone, follows redirects of GET only, and takes no answer
    for whole of which it cannot know the end. ``idle_connections``: kept open for the next calls; any number may be
    open at once."""

    async def keep_the_key_at_home(request: httpx2.Request) -> None:
        if request.url.host != home:  # a redirect: httpx2 takes only Authorization away
            request.headers.pop("x-goog-api-key", None)

    return httpx2.AsyncClient(
        follow_redirects=True,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=idle_connections),
        event_hooks={
            "request": [keep_the_key_at_home],
            "response": [_refuse_redirected_post, _refuse_endless_body],
        },
    )


def answer_of(response: httpx2.Response) -> Answer:
    """An answer that is read to its end."""
    return Answer(response.status_code, response.reason_phrase, response.content, response.headers)


class SteadyFile(io.BufferedReader):
    """A file as it was when it was opened: of one that grows meanwhile no more is read, one that is cut off is an
    OSError."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._bytes = os.fstat(self.fileno()).st_size
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._bytes - self.tell())
        data = super().read(left if size is None or size < 0 else min(size, left))
        if left and not data:
            raise OSError(f"{self._path} became shorter while it was uploaded")
        return data


async def _refuse_redirected_post(response: httpx2.Response) -> None:
    """A POST is made once, here. What a redirect would do with it (303: done, look there) is not known for Gemini."""
    if response.has_redirect_location and response.request.method != "GET":
        raise httpx2.RemoteProtocolError(f"redirected with {response.status_code}", request=response.request)


async def _refuse_endless_body(response: httpx2.Response) -> None:
    """Without length and chunks a cut body looks like a whole one."""
    framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
    if response.status_code == 200 and response.request.url.path.endswith(":download") and not framed:
        raise httpx2.RemoteProtocolError("the answer does not say where it ends", request=response.request)
