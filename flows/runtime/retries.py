"""Calls that may be tried again, as Prefect tasks: their retries are seen in Prefect's UI.

Only calls that change nothing, or may be made twice: poll, list, download. A create never comes here.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from assets.domain.errors import QuireError
from config.failing import RetriesSection
from flows.runtime.one_line import failed_with

R = TypeVar("R")


async def retried(retries: RetriesSection, name: str, call: Callable[[], Awaitable[R]]) -> R:
    """Run ``call`` as the task ``name``. Raises what the last try raised."""
    # The value goes round Prefect, so that it is not stored.
    made: list[R] = []
    failed: list[OSError] = []

    async def run() -> State[Any] | None:
        try:
            made.append(await call())
        except OSError as error:
            failed.append(error)
            return failed_with(error)
        return None

    task: Task[[], Any] = Task(
        fn=run,
        name=name,
        retries=retries.attempts - 1,
        retry_delay_seconds=exponential_backoff(retries.backoff_seconds),
        retry_condition_fn=_helps,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    await task()
    for error in failed:
        raise error
    return made[-1]


async def _helps(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, QuireError) and error.retry_helps
