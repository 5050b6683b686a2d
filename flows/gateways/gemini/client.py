"""The real GeminiGateway, on google-genai: the only place that knows the SDK, with its neighbours
`gemini.errors` (its faults), `gemini.values` (its types) and `gemini.http` (its connections).

How the SDK is used, and why (google-genai 3.4, read in its source):
- The async client on an httpx2.AsyncClient of our own. With one given, the SDK never turns to aiohttp, with which it
  would POST a job again after a dropped connection; and calls run side by side without a thread each.
- ``HttpRetryOptions(attempts=1)`` and a time-out with every call: by default there is no time-out at all. Options are
  made anew each time, since an upload changes those that it is given.
- Whatever the environment holds for the SDK (GOOGLE_API_KEY, a base URL, Vertex AI, replays) is overruled.
- Pages are asked for one by one: the SDK's pager ends with an error at an empty page that has a successor.
"""

import asyncio
import hashlib
import io
import logging
import math
import re
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import httpx2
from google import genai
from google.genai import types
from google.genai.client import DebugConfig

from assets.domain.batch import BATCH_ID_PREFIX, RemoteFile, RemoteJob
from assets.domain.errors import ConfigError, GeminiAccessError, GeminiRefusedError, GeminiTransientError
from flows.gateways.gemini.errors import Translator
from flows.gateways.gemini.http import SteadyFile, http_client
from flows.gateways.gemini.values import id_in, listed_file, listed_job, to_remote_file, to_remote_job

DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com/"
FILE_PREFIX = "files/"
LONGEST_DELETABLE_ID = 40
"""``files.get`` and ``files.delete`` answer 400 to a longer id, as result files have."""
PAGE_SIZE = 100
FINGERPRINT_CHARS = 12
"""Of a SHA-256 in hex: 48 bits, of a key that has many more."""
_KEY = re.compile(r"[!-~]+")
_logger = logging.getLogger(__name__)


class Page(Protocol):
    """What we use of the SDK's pagers."""

    @property
    def page(self) -> list[Any]: ...
    @property
    def config(self) -> dict[str, Any]: ...


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
            remote = to_remote_file(file)
        if file.state is types.FileState.FAILED:
            raise GeminiRefusedError(f"upload of {display_name}: Gemini could not process the file")
        return remote

    async def list_files(self) -> list[RemoteFile]:
        async def page(token: str | None) -> Page:
            config = types.ListFilesConfig(page_size=PAGE_SIZE, page_token=token, http_options=self._options())
            return await self._client.aio.files.list(config=config)

        return await self._all("list of files", page, listed_file)

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
            return to_remote_job(job)

    async def get_job(self, name: str) -> RemoteJob:
        id_in(name, BATCH_ID_PREFIX)
        config = types.GetBatchJobConfig(http_options=self._options())

        async def get() -> RemoteJob:
            return to_remote_job(await self._client.aio.batches.get(name=name, config=config))

        return await self._ask(f"look at {name}", get)

    async def list_jobs(self) -> list[RemoteJob]:
        async def page(token: str | None) -> Page:
            config = types.ListBatchJobsConfig(page_size=PAGE_SIZE, page_token=token, http_options=self._options())
            return await self._client.aio.batches.list(config=config)

        return await self._all("list of batches", page, listed_job)

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
        config = types.ListFilesConfig(page_size=1, http_options=self._options())
        await self._ask("list of files, to see if the key is good", lambda: self._client.aio.files.list(config=config))

    async def _ask(self, doing: str, call: Callable[[], Awaitable[Result]]) -> Result:
        with self._translate.call(doing):
            async with asyncio.timeout(self._request_seconds):
                return await call()

    async def _all(
        self, doing: str, page: Callable[[str | None], Awaitable[Page]], convert: Callable[[Any], Item | None]
    ) -> list[Item]:
        """All pages, each name once: what is created meanwhile may push an item on to the next page. What ``convert``
        makes nothing of is no matter of ours, and is told once in the life of a process."""
        found: dict[tuple[str, str], Item] = {}
        passed_over = 0
        seen: set[str | None] = set()
        token: str | None = None
        while token not in seen:
            seen.add(token)
            answer = await self._ask(doing, lambda token=token: page(token))  # type: ignore[misc]  # binds the loop's value
            for item in answer.page:
                with self._translate.call(doing):
                    converted = convert(item)
                if converted is None:
                    passed_over += 1
                else:
                    found.setdefault((converted.name, converted.display_name), converted)
            token = answer.config.get("page_token") or None
            if token is None:
                if passed_over and doing not in self._told:
                    self._told.add(doing)
                    _logger.warning("%s: %d entries without a name are passed over: none of ours", doing, passed_over)
                return list(found.values())
        raise GeminiTransientError(f"{doing}: Gemini gave the same page twice; trying again helps")

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
