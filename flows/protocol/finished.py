"""Jobs as Gemini tells them, and the result files of those that have ended: several are fetched while one is settled,
and the first that is there is settled first. What is made of it stands in `settlement`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from assets.domain.batch import STATES_WITH_RESULTS, RemoteJob
from flows.protocol.active import ActiveSubmission
from flows.protocol.answers import keep_result
from flows.runtime.passes import Pass

AT_ONCE = 3
"""Result files that are fetched at once: each may lie here for a moment as it came, with 2 GB."""


@dataclass(frozen=True, slots=True)
class Found:
    """``is_kept``: whether it has answers, which are kept then; None: it has not ended."""

    job: RemoteJob
    is_kept: bool | None


async def fetched(
    p: Pass, active: Sequence[ActiveSubmission], jobs: Sequence[RemoteJob]
) -> AsyncGenerator[tuple[ActiveSubmission, asyncio.Task[Found]], None]:
    """Each of the ``active`` ones, all of which have a job, as soon as it is found and its answers are kept. The tasks
    are done, and raise what `keep_result` raises, or GeminiError. ``jobs``: as Gemini lists them."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def find(each: ActiveSubmission) -> Found:
        async with limit:
            job = await _find_job(p, each, jobs)
            has_ended = job.is_terminal and not lacks_results(job)
            return Found(job, await keep_result(p, each.submission_id, job) if has_ended else None)

    tasks = {asyncio.create_task(find(each)): each for each in active}
    left = list(tasks)
    try:
        while left:
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in [each for each in left if each.done()]:
                left.remove(task)
                yield tasks[task], task
    finally:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def with_result_file(p: Pass, job: RemoteJob) -> RemoteJob:
    """``job``, as a list gave it, or what Gemini says to a question of its own where that names no result file though
    the job has answered: whether lists carry that name is not documented. Raises GeminiError."""
    if job.result_file is not None or job.state not in STATES_WITH_RESULTS:
        return job
    return await look_at_job(p, job.name)


async def look_at_job(p: Pass, batch_id: str) -> RemoteJob:
    """Raises GeminiError."""

    async def get() -> RemoteJob:
        return await p.services.gemini.get_job(batch_id)

    return await p.services.mirror.retried("get_batch", get)


async def _find_job(p: Pass, each: ActiveSubmission, jobs: Sequence[RemoteJob]) -> RemoteJob:
    """The job in the list, or by a question of its own: never call a job dead because a list lacks it. Whose answers
    are kept here, that one has ended, and needs no asking: Gemini may have forgotten it."""
    kept = p.services.storage.raw.job(each.submission_id)
    if kept is not None and kept.name == each.name:
        return kept
    found = next((job for job in jobs if job.name == each.name), None)
    return await (look_at_job(p, each.name) if found is None else with_result_file(p, found))


def lacks_results(job: RemoteJob) -> bool:
    """It has answered, and is paid for, but nobody tells where its answers are."""
    return job.state in STATES_WITH_RESULTS and job.result_file is None
