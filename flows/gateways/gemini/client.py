"""The real GeminiGateway, on google-genai: the only place that knows the SDK, with its neighbours
`gemini.errors` (its faults), `gemini.values` (its types) and `gemini.http` (its connections).

How the SDK is used, and why (google-genai 3.4, read in its source):
- The async client on an httpx2.AsyncClient of our own. With one given, the SDK never turns to aiohttp, with which it
  would POST a job again after a dropped connection; and calls run side by side without a thread each.
- ``HttpRetryOptions(attempts=1)`` and a time-out with every call: by default there is no time-out at all. Options are
  made anew each time, since an upload changes those that it is given.
- Whatever the environment holds for the SDK (GOOGLE_API_KEY, a base URL, Vertex AI, replays) is overruled.
- What is only looked at (a job, a list) is asked for by the same client without the SDK: it refuses a whole page of a
  list for one value of a type that it does not expect, takes an answer without a body for an empty list, and its pager
  ends with an error at an empty page that has a successor.
"""

import asyncio
import hashlib
import io
import json
import logging
import math
import re
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx2
from google import genai
from google.genai import errors, types
from google.genai.client import DebugConfig

from assets.domain.batch import BATCH_ID_PREFIX, RemoteFile, RemoteJob
from assets.domain.errors import ConfigError, GeminiAccessError, GeminiRefusedError, GeminiTransientError
from flows.gateways.gemini.errors import Translator
from flows.gateways.gemini.http import SteadyFile, http_client
from flows.gateways.gemini.values import (
    FILE_PREFIX,
    created_job,
    id_in,
    listed_file,
    listed_job,
    read_job,
    uploaded_file,
)

DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com/"
LONGEST_DELETABLE_ID = 40
"""``files.get`` and ``files.delete`` answer 400 to a longer id, as result files have."""
PAGE_SIZE = 100
PASSED_OVER_CHARS = 200
"""Of an entry that is told."""
FINGERPRINT_CHARS = 12
"""Of a SHA-256 in hex: 48 bits, of a key that has many more."""
_KEY = re.compile(r"[!-~]+")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. ``following``: the token of the next one, or ""."""

    entries: list[object]
    following: str


Item = TypeVar("Item", RemoteFile, RemoteJob)
Result = TypeVar("Result")


class GoogleGemini:
    """The File and Batch APIs of the service at ``base_url`` (None: Google's). Implements GeminiGateway.

    ``request_timeout_seconds``: for a whole control call, for each chunk of an upload and each read of a download;
    ``download_timeout_seconds``: for a whole download. ``max_concurrent_calls``: how many the caller means to
    make at once; more are not held up. Belongs to the event loop that it is first used on. Raises ConfigError for a key
    that cannot be one.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        api_version: str = "v1",
        request_timeout_seconds: float = 60,
        download_timeout_seconds: float = 300,
        max_concurrent_calls: int = 32,
    ) -> None:
        api_key = api_key.strip()
        if not _KEY.fullmatch(api_key):
            raise ConfigError("is no key: it is empty, or holds spaces", source="environment", key="GEMINI_API_KEY")
        _quieten()
        self._request_seconds = request_timeout_seconds
        self._download_seconds = download_timeout_seconds
        self._translate = Translator(api_key)
        self._told: set[str] = set()
        base = base_url or DEFAULT_BASE_URL
        self._address = f"{base.rstrip('/')}/{api_version}"
        self._key_header = {"x-goog-api-key": api_key}
        self._fingerprint = hashlib.sha256(f"quire {base} {api_key}".encode()).hexdigest()[:FINGERPRINT_CHARS]
        self._http = http_client(httpx2.URL(base).host, idle_connections=max_concurrent_calls)
        self._client = genai.Client(
            enterprise=False,
            api_key=api_key,
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=types.HttpOptions(
                base_url=base,
                api_version=api_version,
                httpx_async_client=self._http,
                timeout=_ms(self._request_seconds),
            ),
        )

    @property
    def key_fingerprint(self) -> str:
        return self._fingerprint

    async def upload(self, source: Path | IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile:
        """Upload a file, or a seekable stream from where it stands. Raises, beside the port's errors, OSError for a
        local file that cannot be read.

        A path is opened here: the SDK puts the names of files into a header, where only ASCII can stand.
        """
        if isinstance(source, Path):
            with SteadyFile(source) as stream:
                return await self.upload(stream, display_name=display_name, mime_type=mime_type)
        if not isinstance(source, io.IOBase):
            raise TypeError(f"an upload takes a Path or a stream of the io module, not {type(source).__name__}")
        config = types.UploadFileConfig(display_name=display_name, mime_type=mime_type, http_options=self._options())
        with self._translate.call(f"upload of {display_name}"):
            file = await self._client.aio.files.upload(file=source, config=config)
            remote = uploaded_file(file)
        if file.state is types.FileState.FAILED:
            raise GeminiRefusedError(f"upload of {display_name}: Gemini could not process the file")
        return remote

    async def list_files(self) -> list[RemoteFile]:
        return await self._all("list of files", "files", "files", listed_file)

    async def delete_file(self, name: str) -> None:
        """Delete a file. Gemini answers 403 both for a file that is not there (any more) and for a wrong key: so a 403
        counts as deleted only if the key can list files. A result file cannot be deleted: GeminiRefusedError."""
        file_id = id_in(name, FILE_PREFIX)
        if len(file_id) > LONGEST_DELETABLE_ID:
            raise GeminiRefusedError(f"delete of {name}: Gemini keeps its result files until they expire")
        config = types.DeleteFileConfig(http_options=self._options())
        try:
            await self._ask(f"delete of {name}", lambda: self._client.aio.files.delete(name=name, config=config))
        except GeminiAccessError as error:
            await self._tell_missing_from_forbidden(error)

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        """POST a job, once. GeminiTransientError only if no connection was made, so that nothing was sent."""
        doing = f"create of {display_name}"
        config = types.CreateBatchJobConfig(display_name=display_name, http_options=self._options())
        id_in(input_file, FILE_PREFIX)
        with self._translate.create(doing):
            async with asyncio.timeout(self._request_seconds):
                job = await self._client.aio.batches.create(model=model, src=input_file, config=config)
            return created_job(job)

    async def get_job(self, name: str) -> RemoteJob:
        path = BATCH_ID_PREFIX + id_in(name, BATCH_ID_PREFIX)
        return replace(read_job(await self._ask(f"look at {name}", lambda: self._get(path))), name=name)

    async def list_jobs(self) -> list[RemoteJob]:
        return await self._all("list of batches", "batches", "operations", listed_job)

    async def download(self, file_name: str, destination: Path) -> int:
        """Stream a file to ``destination``; what came is removed again when it ended early. Raises, beside the port's
        errors, OSError if it cannot be written."""
        id_in(file_name, FILE_PREFIX)
        options = self._options()
        # Else the SDK tells the server to end the whole answer within the time of one read.
        options.headers = {"X-Server-Timeout": str(math.ceil(self._download_seconds))}
        config = types.DownloadFileConfig(http_options=options)
        try:
            with destination.open("wb") as stream:
                with self._translate.download(f"download of {file_name}", stream.tell):
                    async with asyncio.timeout(self._download_seconds):
                        await self._client.aio.files.download(file=file_name, destination=stream, config=config)
                return stream.tell()
        except BaseException:
            destination.unlink(missing_ok=True)  # noqa: ASYNC240  (one quick call, on the way out)
            raise

    async def cancel_job(self, name: str) -> None:
        id_in(name, BATCH_ID_PREFIX)
        config = types.CancelBatchJobConfig(http_options=self._options())
        await self._ask(f"cancel of {name}", lambda: self._client.aio.batches.cancel(name=name, config=config))

    async def delete_job(self, name: str) -> None:
        """Delete a job; one that is not there (any more) is deleted already, as for files."""
        id_in(name, BATCH_ID_PREFIX)
        config = types.DeleteBatchJobConfig(http_options=self._options())
        try:
            await self._ask(f"delete of {name}", lambda: self._client.aio.batches.delete(name=name, config=config))
        except GeminiAccessError as error:
            await self._tell_missing_from_forbidden(error)

    async def generate(self, *, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One try. As it stands, without the SDK, so that it is the very request of a batch."""
        with self._translate.generate(f"generateContent of {model}"):
            async with asyncio.timeout(self._download_seconds):
                response = await self._http.post(
                    f"{self._address}/models/{model}:generateContent",
                    content=json.dumps(request, ensure_ascii=False).encode(errors="replace"),
                    headers={**self._key_header, "content-type": "application/json"},
                    timeout=self._download_seconds,
                )
                return await self._object_of(response)

    def redacted(self, text: str) -> str:
        return self._translate.redacted(text)

    async def close(self) -> None:
        await self._client.aio.aclose()
        self._client.close()
        await self._http.aclose()

    async def _tell_missing_from_forbidden(self, error: GeminiAccessError) -> None:
        """Return if ``error`` means that the thing is gone; raise it otherwise."""
        if error.status == 404:
            return
        if error.status != 403:
            raise error
        await self._ask("list of files, to see if the key is good", lambda: self._get("files", pageSize=1))

    async def _ask(self, doing: str, call: Callable[[], Awaitable[Result]]) -> Result:
        with self._translate.call(doing):
            async with asyncio.timeout(self._request_seconds):
                return await call()

    async def _get(self, path: str, **query: str | int) -> dict[str, Any]:
        """The answer as it stands. Raises errors.APIError, as the SDK does, and TypeError for what is no object."""
        response = await self._http.get(
            f"{self._address}/{path}", params=query, headers=self._key_header, timeout=self._request_seconds
        )
        return await self._object_of(response)

    @staticmethod
    async def _object_of(response: httpx2.Response) -> dict[str, Any]:
        """Raises as `_get`."""
        await errors.APIError.raise_for_async_response(response)
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError("no JSON object")
        return answer

    async def _all(self, doing: str, path: str, field: str, read: Callable[[object], Item | None]) -> list[Item]:
        """All pages, each name once: what is created meanwhile may push an item on to the next page. The entries stand
        in ``field`` of each answer; what ``read`` makes nothing of is no matter of ours."""
        found: dict[tuple[str, str], Item] = {}
        passed_over: list[object] = []
        seen: set[str] = set()
        token = ""
        while token not in seen:
            seen.add(token)
            page = await self._ask(doing, partial(self._page, path, field, token))
            for entry in page.entries:
                item = read(entry)
                if item is None:
                    passed_over.append(entry)
                else:
                    found.setdefault((item.name, item.display_name), item)
            token = page.following
            if not token:
                self._tell_passed_over(doing, passed_over)
                return list(found.values())
        raise GeminiTransientError(f"{doing}: Gemini gave the same page twice; trying again helps")

    async def _page(self, path: str, field: str, token: str) -> Page:
        """Raises TypeError for what is no page of such a list: what cannot be read is not empty."""
        answer = await self._get(path, pageSize=PAGE_SIZE, **({"pageToken": token} if token else {}))
        page = Page(answer.get(field, []), answer.get("nextPageToken", ""))
        is_of_list = not answer or field in answer or "nextPageToken" in answer
        if not (is_of_list and isinstance(page.entries, list) and isinstance(page.following, str)):
            raise TypeError(f"no list of {field}")
        return page

    def _tell_passed_over(self, doing: str, entries: list[object]) -> None:
        """Once in the life of a process."""
        if entries and doing not in self._told:
            self._told.add(doing)
            first = self.redacted(json.dumps(entries[0]))[:PASSED_OVER_CHARS]
            _logger.warning(
                "%s: %d entries without a name are passed over, none of ours; the first: %s", doing, len(entries), first
            )

    def _options(self) -> types.HttpOptions:
        """Made anew for each call: an upload changes those that it is given."""
        return types.HttpOptions(timeout=_ms(self._request_seconds), retry_options=types.HttpRetryOptions(attempts=1))


def _quieten() -> None:
    """The SDK talks of keys that it does not use, httpx2 of every request, and both would fill the logs of a pass."""
    logging.getLogger("google_genai").setLevel(logging.ERROR)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".* is not a valid (JobState|FileState|FileSource)")


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
