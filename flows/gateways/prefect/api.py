"""Calls to Prefect's API: one client, a time-out for each try, a bounded number of tries, one clear error. What is
called stands in the gateways that use this: `ledger` and `locks`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.context import AsyncClientContext, SettingsContext, get_settings_context
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_RETRY_EXTRA_CODES, temporary_settings
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from assets.domain.errors import PrefectUnavailableError

T = TypeVar("T")

CALL_TIMEOUT_SECONDS = 10.0
"""For one try: it must not take longer than the margin that a lease leaves."""
ATTEMPTS = 8
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0
"""On SQLite a 503 comes whenever two writers meet, to be gone a moment later: so our repeats begin quickly, and with
as much chance in each pause as the first is long, lest the same two meet again."""

_UNAVAILABLE = 503
_TRIES = "quire_tries"
_QUICK_TRIES = 2

_WARN_AFTER = 4
"""So many failed tries are no two writers that met."""

Sleep = Callable[[float], Awaitable[None]]
_logger = logging.getLogger(__name__)
_EVENTS = logging.getLogger("prefect.events.utilities")


class PrefectApi:
    """One reused client, opened by the first call. It belongs to one event loop.

    ``client_factory``: opens the client; by default the one for ``PREFECT_API_URL``.
    """

    def __init__(
        self,
        client_factory: Callable[[], PrefectClient] | None = None,
        *,
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
        attempts: int = ATTEMPTS,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client_factory = client_factory or _own_client
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._sleep = sleep
        self._client: PrefectClient | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the client; the next call opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__(None, None, None)

    async def call(
        self,
        send: Callable[[PrefectClient], Awaitable[T]],
        *,
        before_each_try: Callable[[], None] | None = None,
        attempts: int | None = None,
    ) -> T:
        """Await ``send(client)``, again on time-outs, broken connections, 429 and 5xx. ``before_each_try`` is where a
        writer asks for its lease.

        Raises PrefectUnavailableError; passes on what Prefect's client makes of other answers.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts or self._attempts),
            wait=wait_exponential_jitter(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, jitter=_FIRST_WAIT_SECONDS),
            retry=retry_if_exception(_may_pass),
            before_sleep=_tell_of_trouble,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    client = await self._opened()
                    if before_each_try is not None:
                        before_each_try()
                    with self._without_repeats():
                        async with asyncio.timeout(self._timeout_seconds):
                            return await send(client)
        except json.JSONDecodeError as error:
            raise PrefectUnavailableError(_not_prefect("no JSON came")) from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
                raise PrefectUnavailableError(_no_address()) from error
            if _may_pass(error) or _is_denied(error):
                raise PrefectUnavailableError(_one_line(error)) from error
            if _is_no_route(error):
                raise PrefectUnavailableError(_not_prefect(f"status {status_of(error)}")) from error
            raise
        raise AssertionError("tenacity ends with a result or an error")

    def _without_repeats(self) -> SettingsContext:
        """Settings under which Prefect's client tries once. A context can be entered once only, so each call has its
        own; they are copied and not made anew by ``copy_with_update``, which reads the environment for 30 ms."""
        now = get_settings_context()
        client = now.settings.client.model_copy(update={"max_retries": 0})
        return SettingsContext(profile=now.profile, settings=now.settings.model_copy(update={"client": client}))

    async def _opened(self) -> PrefectClient:
        async with self._opening:
            if self._client is None:
                try:
                    client = self._client_factory()
                except ValueError as error:
                    raise PrefectUnavailableError(
                        "no Prefect server is named: set PREFECT_API_URL to its address, as in "
                        "http://127.0.0.1:4200/api"
                    ) from error
                self._client = await client.__aenter__()
            return self._client


@contextmanager
def engine_errors_told() -> Iterator[None]:
    """Around flows: what Prefect's engine asks for itself (a run, its state, a task) is tried again after a 500 and a
    504, too, as often as its client tries at all (3.9.1: five times, after 2, 4, 8 ... seconds), and what fails even
    then is a PrefectUnavailableError, in one line."""
    _EVENTS.addFilter(_lost_event_in_one_line)
    with temporary_settings({PREFECT_CLIENT_RETRY_EXTRA_CODES: {500, 504}}):
        try:
            yield
        except httpx.HTTPError as error:
            raise engine_error(error) from error
        finally:
            _EVENTS.removeFilter(_lost_event_in_one_line)


@asynccontextmanager
async def engine_client() -> AsyncIterator[None]:
    """The client that Prefect's engine uses within, for all flows one after the other: else each opens its own, with
    three calls. On SQLite, where two writers meet, its first two repeats come quickly, as ours do; then its pauses are
    its own (3.9.1: 8, 16, 32 seconds)."""
    async with AsyncClientContext(httpx_settings={"event_hooks": {"response": [_ask_for_short_pauses]}}):
        yield


async def _ask_for_short_pauses(response: httpx.Response) -> None:
    """The engine's client sends the same request again (3.9.1), so that one can count."""
    if response.status_code != _UNAVAILABLE or "Retry-After" in response.headers:
        return
    seen = response.request.extensions.get(_TRIES, 0) + 1
    response.request.extensions[_TRIES] = seen
    if seen <= _QUICK_TRIES:
        response.headers["Retry-After"] = str(_FIRST_WAIT_SECONDS)


def _lost_event_in_one_line(record: logging.LogRecord) -> bool:
    """Prefect logs a traceback for each event that it cannot send (3.9.1, ``prefect/events/utilities.py``). Nothing
    hangs on events: a line will do."""
    if record.exc_info:
        error = record.exc_info[1]
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = f"{record.getMessage()} ({error}): Prefect does not hear of it, all else goes on", ()
        record.exc_info = record.exc_text = None
    return True


def engine_error(error: httpx.HTTPError) -> PrefectUnavailableError:
    """What the engine raised, as one line. Raises ``error`` where it is no passing trouble of the server: a bug."""
    if not (_may_pass(error) or _is_denied(error)):
        raise error
    return PrefectUnavailableError(_one_line(error))


def status_of(error: BaseException) -> int | None:
    """The HTTP status that Prefect answered with, or None if there was no answer."""
    return error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None


def _own_client() -> PrefectClient:
    """A client of our own: with settings that differ from Prefect's default, ``get_client`` never hands out the one of
    the running flow, which would be closed under our hands when that flow ends (3.9.1, read in its source)."""
    return get_client(
        httpx_settings={
            "timeout": httpx.Timeout(CALL_TIMEOUT_SECONDS),
            "event_hooks": {"response": [_ask_for_no_pause]},
        }
    )


async def _ask_for_no_pause(response: httpx.Response) -> None:
    """Prefect's client pauses after each answer that it would ask again for, for 2 s if the server names no time, even
    when that was its last try (3.9.1, ``prefect/client/base.py:_send_with_retry``). The pauses are ours to make. An
    answer that tells of maintenance does not count as a try there, so it must not look like one."""
    if response.is_error:
        response.headers["Retry-After"] = "0"
        response.headers.pop("Prefect-Maintenance", None)


def _may_pass(error: BaseException) -> bool:
    status = status_of(error)
    if status is not None:
        # An expired CSRF token: the client has fetched a new one by now, but did not try again.
        return status in (408, 429) or status >= 500 or "Invalid CSRF token" in _answer(error)
    return isinstance(error, httpx.TransportError | TimeoutError) and not isinstance(error, httpx.UnsupportedProtocol)


def _tell_of_trouble(attempt: RetryCallState) -> None:
    """Once for a call that goes on failing: a pass that waits should not look as if it hung."""
    error = attempt.outcome.exception() if attempt.outcome is not None else None
    if attempt.attempt_number == _WARN_AFTER and error is not None:
        _logger.warning("Prefect at %s does not answer (%s): trying again", _address(), _reason(error))


def _answer(error: BaseException) -> str:
    return error.response.text if isinstance(error, httpx.HTTPStatusError) else ""


def _is_denied(error: BaseException) -> bool:
    return status_of(error) in (401, 403)


def _is_no_route(error: BaseException) -> bool:
    """Whether the server has no such path at all; a missing object is told in words of its own (3.9.1)."""
    status = status_of(error)
    if isinstance(error, httpx.HTTPStatusError) and status == 404:
        return error.response.text == '{"detail":"Not Found"}'
    return status == 405


def _not_prefect(why: str) -> str:
    """Prefect's UI, which is at the same address without ``/api``, answers like this."""
    return f"what answers at {_address()} is not Prefect's API ({why}): PREFECT_API_URL ends in /api"


def not_prefect(why: str) -> PrefectUnavailableError:
    """What answers is something else. ``why``: how that is seen."""
    return PrefectUnavailableError(_not_prefect(why))


def _no_address() -> str:
    return f"PREFECT_API_URL is {_address()}, which is no address: it looks like http://127.0.0.1:4200/api"


def _address() -> str:
    return PREFECT_API_URL.value() or "the address in PREFECT_API_URL"


def _one_line(error: BaseException) -> str:
    address = _address()
    if _is_denied(error):
        return (
            f"Prefect at {address} refuses us ({status_of(error)}): set PREFECT_API_AUTH_STRING to what its server has "
            "in PREFECT_SERVER_API_AUTH_STRING (for Prefect Cloud: PREFECT_API_KEY)"
        )
    return f"Prefect does not answer at {address} ({_reason(error)}): start its server, or correct PREFECT_API_URL"


def _reason(error: BaseException) -> str:
    status = status_of(error)
    return f"status {status}" if status is not None else " ".join(str(error).split()) or type(error).__name__
