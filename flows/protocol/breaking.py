"""The breaker as a pass meets it: looked at before anything is sent, told once in an artifact, let go of by a person,
or by itself where the service answers again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from assets.breaker import CLOSED_COLUMNS, BreakerRules, Open, Reset, open_breaker
from assets.domain.outcome import ANSWERED_WELL, OutcomeKind
from assets.reports import escape
from config.settings import Settings
from flows.gateways.files.decisions import Breaker
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger
from flows.runtime.passes import Pass
from flows.tables.derived import last_submissions, submissions_table
from flows.tables.from_files import open_submissions


@dataclass(frozen=True, slots=True)
class Tripped:
    """``reason``: why nothing is to be sent, in a line, with when it tries again by itself, if it does; ``may_try``:
    one small batch may go now, to try; ``needs_person``: it will not try again by itself; ``newest``: the submission
    that was made last of those that opened it."""

    reason: str
    may_try: bool
    needs_person: bool
    newest: str

    @property
    def of(self) -> str:
        """What it is open for, in which it differs from when it was open before: while it waits for a person nothing
        is sent. Where it tries by itself, each try is part of the same trouble."""
        return f"lasting, {self.newest}" if self.needs_person else "passing"


async def trip(p: Pass, *, records: int) -> Tripped | None:
    """Whether nothing is to be sent. ``records``: of the collection. Raises ManifestError, OSError."""
    storage = p.services.storage
    opened = await asyncio.to_thread(find_open, p.services.settings, storage, records=records, write=True)
    if opened is None:
        return None
    tripped = tripped_now(p.services.settings, storage, opened, now=p.services.now())
    log = logger()
    if tripped.may_try:
        log.warning("Breaker half open: %s", tripped.reason)
    else:
        (log.error if tripped.needs_person else log.warning)("Breaker open, nothing is sent: %s", tripped.reason)
    breaker = storage.read_breaker()
    if breaker.told_of != opened.reason:
        p.lease.check()
        markdown = f"### Nothing is sent\n\n{escape(opened.reason)}\n"
        await p.services.teller.publish("breaker", markdown, description="The breaker is open")
        storage.write_breaker(replace(breaker, told_of=opened.reason))
    return tripped


def find_open(settings: Settings, storage: Storage, *, records: int, write: bool = False) -> Open | None:
    """``write``: see `flows.tables.derived`."""
    safety = settings.safety
    rules = BreakerRules(safety.max_failed_batches_in_a_row, safety.max_failure_rate, safety.window_records, records)
    closed = submissions_table(storage, CLOSED_COLUMNS, write=write)
    return open_breaker(closed, partial(_answers_of, storage), rules, reset=storage.read_breaker().reset)


def _answers_of(storage: Storage, submission_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """See `assets.breaker.AnswersOf`. Raises ManifestError, OSError."""
    keys = {
        key for each in submission_ids for key in storage.read_outcomes(each, ["record_key"])["record_key"].to_pylist()
    }
    found = dict.fromkeys(submission_ids, (0, 0))
    for submission_id, kind in last_submissions(storage, keys).values():
        if submission_id in found and kind != OutcomeKind.SERVICE_ERROR:
            records, failed = found[submission_id]
            found[submission_id] = records + 1, failed + (kind not in ANSWERED_WELL)
    return found


def tripped_now(settings: Settings, storage: Storage, opened: Open, *, now: datetime) -> Tripped:
    """What an open breaker means now. ``now``: UTC. Raises ManifestError, OSError."""
    if not opened.passes:
        return Tripped(opened.reason, may_try=False, needs_person=True, newest=opened.newest)
    at = opened.tries_at(backoff_seconds=settings.retries.service_backoff_seconds, at=now)
    if at is not None:
        said = f"{opened.reason}; it tries again by itself with one small batch at {at:%Y-%m-%d %H:%M} UTC"
        return Tripped(said, may_try=False, needs_person=False, newest=opened.newest)
    if _is_tried(storage, opened, now=now):
        said = f"{opened.reason}; a batch is on its way to try whether it answers again"
        return Tripped(said, may_try=False, needs_person=False, newest=opened.newest)
    said = f"{opened.reason}; one small batch goes now, to try whether it answers again"
    return Tripped(said, may_try=True, needs_person=False, newest=opened.newest)


def _is_tried(storage: Storage, opened: Open, *, now: datetime) -> bool:
    """Whether something was sent since the last fault was noted that has not ended. By the order in which submissions
    were made where the time of day was set back since: else each pass would find that nothing was, and try again."""
    if now < opened.noted_at:
        return any(each > opened.newest for each in open_submissions(storage))
    sent = (storage.read_batch_manifest(each)[1].created_at for each in open_submissions(storage))
    return any(created_at > opened.noted_at for created_at in sent)


def breaker_reason(settings: Settings, storage: Storage, *, records: int, now: datetime) -> str | None:
    """Why the breaker is open, or None. For looking only."""
    opened = find_open(settings, storage, records=records)
    return None if opened is None else tripped_now(settings, storage, opened, now=now).reason


def reset_breaker(storage: Storage, now: datetime) -> None:
    """What failed until ``now`` does not count any more."""
    storage.write_breaker(Breaker(Reset(now, storage.settlements())))
