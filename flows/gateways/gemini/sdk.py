"""The few calls that are made with google-genai: a create, a download, a cancellation, the delete of a job. It takes a
second to import, so `gemini.client` imports this module with the first of them.

How the SDK is used, and why (google-genai 3.4, read in its source):
- The async client on an httpx2.AsyncClient of our own. With one given, the SDK never turns to aiohttp, with which it
  would POST a job again after a dropped connection.
- ``HttpRetryOptions(attempts=1)`` and a time-out with every call: by default there is no time-out at all.
- Whatever the environment holds for the SDK (GOOGLE_API_KEY, a base URL, Vertex AI, replays) is overruled.
"""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter

import httpx2
from google import genai
from google.genai import errors, types
from google.genai.client import DebugConfig

from assets.domain.batch import RemoteJob
from flows.gateways.gemini.answers import OFFSET_HEADER, AnsweredError
from flows.gateways.gemini.values import job_state, told_state


class Sdk:
    """Every method raises AnsweredError, and what httpx2 raises. ``request_seconds``: for each try."""

    def __init__(
        self, http: httpx2.AsyncClient, *, api_key: str, base_url: str, api_version: str, request_seconds: float
    ) -> None:
        _quieten()
        self._request_seconds = request_seconds
        self._client = genai.Client(
            enterprise=False,
            api_key=api_key,
            debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
            http_options=types.HttpOptions(
                base_url=base_url,
                api_version=api_version,
                httpx_async_client=http,
                timeout=_ms(request_seconds),
            ),
        )

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        """One POST. Raises ValueError for an answer without a name."""
        config = types.CreateBatchJobConfig(display_name=display_name, http_options=self._options())
        with _answers():
            job = await self._client.aio.batches.create(model=model, src=input_file, config=config)
        return _created(job)

    async def download(self, file_name: str, stream: BufferedWriter, *, seconds: float) -> None:
        """``seconds``: how long the whole answer may take."""
        options = self._options()
        # Else the SDK tells the server to end the whole answer within the time of one read.
        options.headers = {"X-Server-Timeout": str(math.ceil(seconds))}
        config = types.DownloadFileConfig(http_options=options)
        with _answers():
            await self._client.aio.files.download(file=file_name, destination=stream, config=config)

    async def cancel_job(self, name: str) -> None:
        config = types.CancelBatchJobConfig(http_options=self._options())
        with _answers():
            await self._client.aio.batches.cancel(name=name, config=config)

    async def delete_job(self, name: str) -> None:
        config = types.DeleteBatchJobConfig(http_options=self._options())
        with _answers():
            await self._client.aio.batches.delete(name=name, config=config)

    async def close(self) -> None:
        await self._client.aio.aclose()
        self._client.close()

    def _options(self) -> types.HttpOptions:
        """Made anew for each call: some calls change those that they are given."""
        return types.HttpOptions(timeout=_ms(self._request_seconds), retry_options=types.HttpRetryOptions(attempts=1))


@contextmanager
def _answers() -> Iterator[None]:
    """The SDK's error as ours: what is known of answers stands in one place."""
    try:
        yield
    except errors.APIError as error:
        request = getattr(error.response, "request", None)
        of_chunk = request is not None and OFFSET_HEADER in request.headers
        # Not "from error": the key stands in the headers of the request that hangs on it.
        raise AnsweredError(error.code, error.details, is_of_chunk=of_chunk) from None


def _created(job: types.BatchJob) -> RemoteJob:
    """What the SDK says of a create: there is no result yet."""
    if not job.name:
        raise ValueError("a job without a name")
    raw_state = told_state(job.state.value if job.state else "")
    return RemoteJob(
        name=job.name,
        display_name=job.display_name or "",
        state=job_state(raw_state),
        raw_state=raw_state,
        model=job.model or "",
        result_file=None,
        created_at=job.create_time,
    )


def _quieten() -> None:
    """The SDK talks of keys that it does not use, which would fill the logs of a pass."""
    logging.getLogger("google_genai").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=r".* is not a valid (JobState|FileState|FileSource)")


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
