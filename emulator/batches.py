"""The Batch API's store: creates jobs, moves them on by the clock, runs their work, publishes their results."""

import asyncio
import logging
import re
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from emulator.answering import Work, WorkResult, run
from emulator.books import Books
from emulator.clock import Clock
from emulator.engines.protocol import Engine
from emulator.errors import ServiceError
from emulator.files import FileStore
from emulator.ids import JOB_ID_LENGTH, IdSource
from emulator.inline import read_inlined_responses
from emulator.jobs import Job, State
from emulator.models import answering_model
from emulator.options import EmulatorOptions
from emulator.rules import JobRule, RuleBook

_LOGGER = logging.getLogger(__name__)
_MODEL = re.compile(r"gemini-[a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class NewJob:
    """A create call that was understood. ``inline_path``: the spooled lines of inline requests, and then no
    ``input_name``."""

    model: str
    display_name: str
    input_name: str
    inline_path: Path | None
    keys: list[str]


class JobStore:
    def __init__(
        self,
        options: EmulatorOptions,
        clock: Clock,
        ids: IdSource,
        files: FileStore,
        rules: RuleBook,
        books: Books,
        engine: Engine,
        executor: Executor,
    ) -> None:
        self._options, self._clock, self._ids, self._files = options, clock, ids, files
        self._rules, self._books, self._engine, self._executor = rules, books, engine, executor
        self._jobs: dict[str, Job] = {}
        self._work: dict[str, asyncio.Task[WorkResult]] = {}

    def all(self) -> list[Job]:
        """Every job ever created, oldest first, deleted ones too."""
        return list(self._jobs.values())

    def find(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def get(self, job_id: str) -> Job:
        """Raises ServiceError 404."""
        job = self._jobs.get(job_id)
        if job is None or job.deleted:
            raise ServiceError(404, "Requested entity was not found.")
        return job

    def check_room(self, model: str) -> None:
        """Raises ServiceError 404 for a model that is none, 429 when too many jobs are active."""
        if not _MODEL.fullmatch(model):
            raise ServiceError(404, f"models/{model} is not found for API version v1beta.")
        if sum(job.active for job in self._jobs.values()) >= self._options.max_concurrent_jobs:
            raise ServiceError(429, "You exceeded your current quota: too many concurrent batch jobs.")

    def create(self, new: NewJob) -> Job:
        now = self._clock.now()
        ordinal = len(self._jobs) + 1
        rule = self._rules.job_rule(new.display_name, ordinal, new.keys)
        pending_seconds, running_seconds = rule.job_seconds or self._options.job_seconds
        starts_at = now + timedelta(seconds=pending_seconds)
        job = Job(
            ordinal=ordinal,
            job_id=self._ids.new(JOB_ID_LENGTH),
            display_name=new.display_name,
            model=new.model,
            input_name=new.input_name,
            inline_path=new.inline_path,
            keys=new.keys,
            rule=rule,
            created_at=now,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(seconds=running_seconds),
            expires_at=now + timedelta(seconds=self._options.job_expiry_seconds),
        )
        self._jobs[job.job_id] = job
        self._books.created(job)
        return job

    def listed(self, *, first_page: bool) -> list[Job]:
        """The jobs that a list shows, newest first. A first page counts as one list call for the jobs that lag."""
        now = self._clock.now()
        shown = []
        for job in reversed(self._jobs.values()):
            job.list_calls += first_page
            late = now < job.created_at + timedelta(seconds=job.rule.list_lag_seconds)
            if not (job.deleted or late or job.list_calls <= job.rule.list_lag_calls):
                shown.append(job)
        return shown

    def cancel(self, job_id: str) -> None:
        """Raises ServiceError 404, and 400 for a job that has ended."""
        job = self.get(job_id)
        if not job.active:
            raise ServiceError(400, f"Batch is already in state {job.state}.", "FAILED_PRECONDITION")
        if job.rule.cancel == "takes_effect":
            self._end(job, "CANCELLED", self._clock.now(), published=False)

    def delete(self, job_id: str) -> None:
        """The job is no longer shown; one that is active still runs, and is billed. Raises ServiceError 404."""
        self.get(job_id).deleted = True

    async def force(self, job: Job, state: State, *, result_file: bool | None, message: str) -> None:
        """End an active job now. ``result_file``: None: as its rule says for that state. Raises ServiceError 400."""
        if not job.active:
            raise ServiceError(400, f"Batch is already in state {job.state}.", "FAILED_PRECONDITION")
        job.rule = job.rule.model_copy(
            update={"end": state, "stuck": None, "result_file": result_file, "message": message or job.rule.message}
        )
        now = self._clock.now()
        job.starts_at, job.ends_at = min(job.starts_at, now), now
        if job.state == "RUNNING" and job.job_id not in self._work:
            self._start_work(job)
        await self.settle(wait=True)

    async def settle(self, *, wait: bool) -> None:
        """Move every job to where the clock says it is. ``wait``: also finish the work of those that are due to end."""
        while True:
            now = self._clock.now()
            for job in list(self._jobs.values()):
                while job.active and self._step(job, now):
                    pass
            due = [self._work[job.job_id] for job in self._due(now)]
            if not wait or not due:
                return
            await asyncio.wait(due)

    def _due(self, now: datetime) -> Iterable[Job]:
        return (
            job
            for job in self._jobs.values()
            if job.state == "RUNNING" and job.job_id in self._work and _ends(job, now)
        )

    def _step(self, job: Job, now: datetime) -> bool:
        """One change of state, if one is due and its work is done."""
        if job.state == "PENDING" and job.rule.stuck != "PENDING" and job.starts_at <= min(now, job.expires_at):
            job.enter("RUNNING", job.starts_at)
            self._start_work(job)
            return True
        if job.state == "RUNNING" and _ends(job, now):
            task = self._work.get(job.job_id)
            if task is not None and not task.done():
                return False
            self._finish(job, task.result() if task else None)
            return True
        if job.expires_at <= now:
            self._end(job, "EXPIRED", job.expires_at, published=False)
            return True
        return False

    def _start_work(self, job: Job) -> None:
        if _needs_answers(job.rule):
            self._work[job.job_id] = asyncio.create_task(self._run(job))

    async def _run(self, job: Job) -> WorkResult:
        stored = self._files.find(job.input_name, job.starts_at)
        path = job.inline_path or (stored.path if stored else None)
        if path is None:
            return WorkResult(problem=f"the input file {job.input_name} is not there any more")
        work = Work(
            input_path=path,
            output_path=self._result_path(job),
            model=answering_model(job.model, job.starts_at),
            asked=job.model,
            moment=job.starts_at,
            engine=self._engine,
            files=self._files,
            attempts=self._books.attempts,
            check_images=self._options.check_images,
            result_lines=job.rule.result_lines,
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, run, work)
        except Exception as error:  # whatever it is, the job must not hang
            _LOGGER.exception("%s could not be run", job.name)
            return WorkResult(problem=f"internal error: {error}")

    def _finish(self, job: Job, result: WorkResult | None) -> None:
        if not _needs_answers(job.rule):
            result = None  # made before the job was forced into another end
        if result is not None and result.problem:
            job.error_message = result.problem
            self._end(job, "FAILED", job.ends_at, published=False)
            return
        if result is not None:
            self._books.answered(job, result.answers)
            job.counts.successful, job.counts.failed = result.successful_lines, result.failed_lines
        published = result is not None and job.rule.result_file is not False
        self._end(job, job.rule.end, job.ends_at, published=published)

    def _end(self, job: Job, state: State, moment: datetime, *, published: bool) -> None:
        self._work.pop(job.job_id, None)
        if published and job.inline_path is not None:
            job.inlined_responses = read_inlined_responses(job.inline_path, self._result_path(job))
        elif published:
            name = f"files/batch-{job.job_id}"
            path = self._result_path(job)
            digest = sha256(name.encode()).digest()
            self._files.add(
                name, display_name="", mime_type="application/jsonl", path=path, sha256=digest, generated=True
            )
            job.responses_file = name
        job.error_message = job.error_message or job.rule.message
        job.enter(state, moment)

    def _result_path(self, job: Job) -> Path:
        return self._files.spool / f"result-{job.job_id}.jsonl"


def _ends(job: Job, now: datetime) -> bool:
    return job.rule.stuck is None and job.ends_at <= min(now, job.expires_at)


def _needs_answers(rule: JobRule) -> bool:
    """A job that succeeds is answered and billed, also when its result file is withheld."""
    return rule.stuck is None and (rule.end == "SUCCEEDED" or bool(rule.result_file))
