"""The real GeminiGateway. Its neighbours: `gemini.sending` (uploads), `gemini.sdk` (the few calls that google-genai
makes), `gemini.errors` (what goes wrong), `gemini.values` (what Gemini says), `gemini.http` (its connections).

What is made for each page, an upload and a delete, is made without the SDK, which reads files in the event loop.
So is what is only looked at (a job, a list): the SDK refuses a whole page of a list for one value of a type that it
does not expect, takes an answer without a body for an empty list, and its pager ends with an error at an empty page
that has a successor (google-genai 3.4, read in its source). All calls but those for each page go
through one httpx2.AsyncClient.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import httpx2

from assets.domain.batch import BATCH_ID_PREFIX, RemoteFile, RemoteJob
from assets.domain.errors import ConfigError, GeminiAccessError, GeminiRefusedError, GeminiTransientError
from flows.gateways.gemini.answers import check_answer, object_of
from flows.gateways.gemini.errors import Translator
from flows.gateways.gemini.http import SteadyFile, answer_of, http_client
from flows.gateways.gemini.page_calls import PageCalls
from flows.gateways.gemini.sending import Sender
from flows.gateways.gemini.values import FILE_PREFIX, id_in, listed_file, listed_job, read_job

if TYPE_CHECKING:
    from flows.gateways.gemini.sdk import Sdk

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
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it talks of every request
        self._request_seconds = request_timeout_seconds
        self._download_seconds = download_timeout_seconds
        self._translate = Translator(api_key)
        self._told: set[str] = set()
        base = base_url or DEFAULT_BASE_URL
        self._address = f"{base.rstrip('/')}/{api_version}"
        self._key_header = {"x-goog-api-key": api_key}
        self._fingerprint = hashlib.sha256(f"quire {base} {api_key}".encode()).hexdigest()[:FINGERPRINT_CHARS]
        self._http = http_client(httpx2.URL(base).host, idle_connections=max_concurrent_calls)
        self._page_calls = PageCalls(base)
        self._sender = Sender(
            self._page_calls,
            address=base,
            api_version=api_version,
            key_header=self._key_header,
            request_seconds=request_timeout_seconds,
        )
        self._make_sdk = partial(
            _sdk,
            self._http,
            api_key=api_key,
            base_url=base,
            api_version=api_version,
            request_seconds=self._request_seconds,
        )
        self._the_sdk: Sdk | None = None
        self._making_sdk = asyncio.Lock()

    @property
    def key_fingerprint(self) -> str:
        return self._fingerprint

    async def upload(self, source: Path | IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile:
        """Upload a file, or a seekable stream from where it stands. Raises, beside the port's errors, OSError for a
        local file that cannot be read."""
        if isinstance(source, Path):
            with await asyncio.to_thread(SteadyFile, source) as stream:
                return await self.upload(stream, display_name=display_name, mime_type=mime_type)
        with self._translate.call(f"upload of {display_name}"):
            return await self._sender.send(source, display_name=display_name, mime_type=mime_type)

    async def list_files(self) -> list[RemoteFile]:
        return await self._all("list of files", "files", "files", listed_file)

    async def delete_file(self, name: str) -> None:
        """Delete a file. Gemini answers 403 both for a file that is not there (any more) and for a wrong key: so a 403
        counts as deleted only if the key can list files. A result file cannot be deleted: GeminiRefusedError."""
        file_id = id_in(name, FILE_PREFIX)
        if len(file_id) > LONGEST_DELETABLE_ID:
            raise GeminiRefusedError(f"delete of {name}: Gemini keeps its result files until they expire")
        try:
            await self._ask(f"delete of {name}", lambda: self._delete(FILE_PREFIX + file_id))
        except GeminiAccessError as error:
            await self._tell_missing_from_forbidden(error)

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        """POST a job, once. GeminiTransientError only if no connection was made, so that nothing was sent."""
        doing = f"create of {display_name}"
        id_in(input_file, FILE_PREFIX)
        sdk = await self._sdk()
        with self._translate.create(doing):
            async with asyncio.timeout(self._request_seconds):
                return await sdk.create_job(model=model, display_name=display_name, input_file=input_file)

    async def get_job(self, name: str) -> RemoteJob:
        path = BATCH_ID_PREFIX + id_in(name, BATCH_ID_PREFIX)
        return replace(read_job(await self._ask(f"look at {name}", lambda: self._get(path))), name=name)

    async def list_jobs(self) -> list[RemoteJob]:
        return await self._all("list of batches", "batches", "operations", listed_job)

    async def download(self, file_name: str, destination: Path) -> int:
        """Stream a file to ``destination``; what came is removed again when it ended early. Raises, beside the port's
        errors, OSError if it cannot be written."""
        id_in(file_name, FILE_PREFIX)
        sdk = await self._sdk()
        try:
            with destination.open("wb") as stream:
                with self._translate.download(f"download of {file_name}", stream.tell):
                    async with asyncio.timeout(self._download_seconds):
                        await sdk.download(file_name, stream, seconds=self._download_seconds)
                return stream.tell()
        except BaseException:
            destination.unlink(missing_ok=True)  # noqa: ASYNC240  (one quick call, on the way out)
            raise

    async def cancel_job(self, name: str) -> None:
        id_in(name, BATCH_ID_PREFIX)
        sdk = await self._sdk()
        await self._ask(f"cancel of {name}", lambda: sdk.cancel_job(name))

    async def delete_job(self, name: str) -> None:
        """Delete a job; one that is not there (any more) is deleted already, as for files."""
        id_in(name, BATCH_ID_PREFIX)
        sdk = await self._sdk()
        try:
            await self._ask(f"delete of {name}", lambda: sdk.delete_job(name))
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
                return object_of(answer_of(response))

    def redacted(self, text: str) -> str:
        return self._translate.redacted(text)

    async def close(self) -> None:
        if self._the_sdk is not None:
            await self._the_sdk.close()
        await self._page_calls.close()
        await self._http.aclose()

    async def _sdk(self) -> "Sdk":
        """Google's library, imported and made with the first call that needs it: aside, as it takes a second."""
        async with self._making_sdk:
            if self._the_sdk is None:
                self._the_sdk = await asyncio.to_thread(self._make_sdk)
        return self._the_sdk

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
        """The answer as it stands. Raises AnsweredError, and TypeError for what is no object."""
        response = await self._http.get(
            f"{self._address}/{path}", params=query, headers=self._key_header, timeout=self._request_seconds
        )
        return object_of(answer_of(response))

    async def _delete(self, path: str) -> None:
        url, seconds = f"{self._address}/{path}", self._request_seconds
        check_answer(await self._page_calls.call("DELETE", url, headers=self._key_header, seconds=seconds))

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


def _sdk(http: httpx2.AsyncClient, *, api_key: str, base_url: str, api_version: str, request_seconds: float) -> "Sdk":
    from flows.gateways.gemini.sdk import Sdk

    return Sdk(http, api_key=api_key, base_url=base_url, api_version=api_version, request_seconds=request_seconds)
