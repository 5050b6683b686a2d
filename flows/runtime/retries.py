"""Calls to Gemini that may be tried again. No task of Prefect's: one that succeeds at once would leave rows in its
database in each pass and tell nobody anything; a try that fails is a line of the run's log.

Only calls that change nothing, or may be made twice: poll, list, download. A create never comes here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import tenacity

from assets.domain.errors import QuireError
from config.failing import RetriesSection
from flows.runtime.logs import logger

R = TypeVar("R")


async def retried(retries: RetriesSection, name: str, call: Callable[[], Awaitable[R]]) -> R:
    """``call``, again where that helps, with pauses that double. ``name``: for the log. Raises what the last try
    raised."""
    tries = tenacity.AsyncRetrying(
        sleep=asyncio.sleep,
        stop=tenacity.stop_after_attempt(retries.attempts),
        wait=tenacity.wait_exponential(multiplier=retries.backoff_seconds),
        retry=tenacity.retry_if_exception(_helps),
        before_sleep=partial(_tell, name),
        reraise=True,
    )
    async for attempt in tries:
        with attempt:
            return await call()
    raise AssertionError("tenacity returns or raises")


def _tell(name: str, attempt: tenacity.RetryCallState) -> None:
    error = attempt.outcome.exception() if attempt.outcome is not None else None
    logger().warning("%s failed, try %d: %s", name, attempt.attempt_number, error)


def _helps(error: BaseException) -> bool:
    return isinstance(error, QuireError) and error.retry_helps
