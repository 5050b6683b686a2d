"""``quire poll --dry-run``: what a poll would do with each batch in the active list, by what Gemini says of it now.
Writes nothing, and takes no lock; what is done stands in the flow of that name.
"""

from collections.abc import Sequence

from assets.domain.batch import STATES_WITH_RESULTS, RemoteJob, SubmissionState
from assets.domain.errors import GeminiError
from config.settings import load_settings
from flows.protocol.active import ActiveSubmission, resolve
from flows.questions.status import read_ledger
from flows.runtime.wiring import Services, config_path, open_services

MAX_LISTED = 50


async def would_poll_text(config: str | None) -> str:
    """A line for each batch, MAX_LISTED at most. Raises QuireError, OSError."""
    settings = load_settings(config_path(config))
    async with open_services(settings) as services:
        ledger = await read_ledger(settings, services.storage, services.ledger)
        standing = resolve(services.storage, ledger)
        jobs = await services.gemini.list_jobs() if standing.active else []
        lines = [await _would(services, each, jobs) for each in standing.active[:MAX_LISTED]]
    lines += [f"{name}: no file here knows its records: a pass would stop at it" for name in standing.unknown]
    lines += [
        f"{each}: was taken out of active_batch_ids; while it is young it would be put back, else released"
        for each in standing.unclaimed
    ]
    if (more := len(standing.active) + len(standing.unknown) + len(standing.unclaimed) - MAX_LISTED) > 0:
        lines = [*lines[:MAX_LISTED], f"... and {more} more"]
    return "\n".join([*(lines or ["no batch is active"]), "nothing is done"])


async def _would(services: Services, each: ActiveSubmission, jobs: Sequence[RemoteJob]) -> str:
    records = f"{len(services.storage.batch_keys(each.submission_id)):,} records"
    if each.state is SubmissionState.SETTLED:
        return f"{each.name}: is settled; the last steps of it would be done, and it would leave the active list"
    if each.state is not SubmissionState.ACTIVE:
        found = next((job.name for job in jobs if job.display_name == each.submission_id), None)
        if found is not None:
            return f"{each.name}: would be taken for the job {found}, with {records}"
        if each.job is None:
            return f"{each.name}: nothing of it was posted; it would be released, and its {records} be free"
        return f"{each.name}: no job bears its name yet; it would be looked for again"
    kept = services.storage.raw.job(each.submission_id)
    job = kept if kept is not None and kept.name == each.name else None
    try:
        job = job or next((job for job in jobs if job.name == each.name), None)
        job = job or await services.gemini.get_job(each.name)
    except GeminiError as error:
        return f"{each.name}: would be tried again by the next pass: {error}"
    state = job.raw_state or job.state.value
    if not job.is_terminal:
        return f"{each.name}: {state}; it would be waited for, with {records}"
    if job.state in STATES_WITH_RESULTS and job.result_file is None and kept is None:
        return f"{each.name}: {state}; it would be asked for its result file by itself, and settled if it names one"
    return f"{each.name}: {state}; it would be settled, with {records}"
