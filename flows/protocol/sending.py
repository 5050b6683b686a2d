"""Batches, one after the other: while one is posted, the images of the next go up. Its records are chosen when those of
the one before are claimed, so that limits and caps count what is on its way, and claimed when that one is posted: one
change of the active list confirms the one and claims the other. The steps of one stand in `claiming` and `posting`; who
can be sent, and until when, is for `submit` to say.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa

from assets.candidates import RecordState, States, count_states
from assets.domain.errors import GeminiSpendingError, QuireError
from flows.protocol.adoption import Unconfirmed, confirm
from flows.protocol.claiming import (
    Uploads,
    claim,
    delete_unclaimed,
    next_submission_id,
    record_refusals,
    upload_images,
)
from flows.protocol.closing import refresh_views
from flows.protocol.cutting import Cut, context_rows, next_batch, without_kept_back
from flows.protocol.places import check_room
from flows.protocol.posting import Posted, post
from flows.protocol.queue import Queue
from flows.runtime.logs import logger, warn_of_each
from flows.runtime.passes import Pass
from flows.tables.weighing import Scales

SPENDING_LIMIT = "Google's spending limit"
CONFIRM_WITHIN_SECONDS = 20.0
"""For so long a job waits for the images of the next batch, so that one change of the Variables confirms it and claims
that one. Meanwhile its jobs file knows it."""
VIEWS_AT_LEAST_EVERY = timedelta(minutes=1)
"""The views are for people, and nothing hangs on them: while batch after batch goes out they may be so old."""


@dataclass(slots=True)
class Sent:
    """What a pass has sent: see `flows.submit.SubmitReport`, whose ``kept_back`` is ``kept`` here."""

    batches: int = 0
    records: int = 0
    stop: str | None = None
    is_held: bool = False
    is_limited: bool = False
    cap: str = ""
    unreadable: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)


async def send_all(
    p: Pass, states: States, queue: Queue, scales: Scales, *, places: int, most: int | None, most_each: int
) -> Sent:
    """Batches while there is something in the ``queue`` and free ``places``. ``most``: how many records the run may
    still send; ``most_each``: how many may be in one batch, whatever else it is cut by."""
    sending = _Sending(p, states, queue, scales, places, most, most_each, views_at=p.services.now())
    await sending.run()
    return sending.sent


@dataclass(slots=True)
class _GoingUp:
    """A submission whose images go up. ``enough``: is set when no further one shall."""

    submission_id: str
    cut: Cut
    uploading: asyncio.Task[Uploads]
    enough: asyncio.Event

    async def give_up(self, p: Pass) -> None:
        """Delete what went up, once what is on its way has arrived. What cannot be deleted, or is not known, is found
        by the submission's mark."""
        self.enough.set()
        await asyncio.wait([self.uploading])
        try:
            await delete_unclaimed(p, self.submission_id, self.uploading.result())
        except (QuireError, OSError) as error:
            logger().warning("Uploads of %s are left for a later pass: %s", self.submission_id, error)


@asynccontextmanager
async def _given_up_on_error(p: Pass, going: _GoingUp | None) -> AsyncIterator[None]:
    """No image goes up any more once something else has gone wrong."""
    try:
        yield
    except Exception:
        if going is not None:
            await going.give_up(p)
        raise
    except BaseException:  # the run is to end now: the next pass finds what went up by its mark
        if going is not None:
            going.uploading.cancel()
            await asyncio.gather(going.uploading, return_exceptions=True)
        raise


@dataclass(frozen=True, slots=True)
class _Posted:
    """A job that is posted and not confirmed yet, with as many records."""

    job: Unconfirmed
    records: int


@dataclass(frozen=True, slots=True)
class _Claimed:
    """``records``: how many are claimed; ``table``: their batch manifest, if there are any; ``stop``: why nothing more
    should be submitted in this pass."""

    records: int
    table: pa.Table | None
    stop: str | None


@dataclass(slots=True)
class _Sending:
    """See `send_all`."""

    p: Pass
    states: States
    queue: Queue
    scales: Scales
    places: int
    most: int | None
    most_each: int
    views_at: datetime
    sent: Sent = field(default_factory=Sent)
    posted: _Posted | None = None

    async def run(self) -> None:
        """Raises what a step raises; by then nothing goes up any more, and all that is posted is confirmed if that can
        be done."""
        try:
            await self._send_all()
        except (QuireError, OSError):
            with suppress(QuireError, OSError):  # otherwise the next pass does it
                await self._end()
            raise
        await self._end()

    async def _end(self) -> None:
        await self._confirm()
        if self.sent.batches:
            await refresh_views(self.p)

    async def _send_all(self) -> None:
        sent, going = self.sent, await self._begin_next()
        while going is not None:
            claimed = await self._claim(going)
            if claimed.stop is not None:
                sent.stop = claimed.stop
                return
            if claimed.table is None:
                going = await self._begin_next()
                continue
            self.scales = self.scales.with_batch(claimed.table)
            posted, going = await self._post(going.submission_id, claimed)
            if posted.in_flight:
                sent.batches, sent.records = sent.batches + 1, sent.records + claimed.records
            if posted.unconfirmed is not None:
                self.posted = _Posted(posted.unconfirmed, claimed.records)
            if posted.stop is not None:
                self._stop(posted.stop, needs_person=posted.needs_person)
                return
            if going is None:
                going = await self._begin_next()

    async def _confirm(self) -> None:
        """Confirm the job that is posted, if that is not done yet."""
        posted = self.posted
        if posted is not None:
            self._confirmed(posted, await confirm(self.p, posted.job))

    def _confirmed(self, posted: _Posted, is_ours: bool) -> None:
        """``is_ours``: False if a person had let go of it."""
        self.posted, job = None, posted.job
        if is_ours:
            logger().info("Batch Submitted: %s as %s, %d records", job.submission_id, job.job.name, posted.records)
        else:
            self.sent.batches, self.sent.records = self.sent.batches - 1, self.sent.records - posted.records

    async def _refresh_old_views(self) -> None:
        now = self.p.services.now()
        if now - self.views_at >= VIEWS_AT_LEAST_EVERY:
            await refresh_views(self.p)
            self.views_at = now

    def _stop(self, why: str, *, needs_person: bool) -> None:
        self.sent.stop, self.sent.is_held = why, needs_person
        self.sent.cap = SPENDING_LIMIT if needs_person else ""

    async def _post(self, submission_id: str, claimed: _Claimed) -> tuple[Posted, _GoingUp | None]:
        """Post what is claimed, while the images of the next go up: that one is returned, unless it is given up."""
        ahead = await self._begin_ahead(claimed.records)
        async with _given_up_on_error(self.p, ahead):
            posted = await post(self.p, submission_id)
        if posted.stop is not None and ahead is not None:
            await ahead.give_up(self.p)
            ahead = None
        return posted, ahead

    async def _begin_next(self) -> _GoingUp | None:
        """Have the images of the next batch go up; None: nothing more can be sent, `sent` says why."""
        sent, settings = self.sent, self.p.services.settings
        if sent.batches >= self.places or not await self._has_next():
            return None
        if self.most is not None and sent.records >= self.most:
            sent.stop = f"{settings.execution.max_records_per_run} pages are sent, the most of one run"
            sent.is_limited = True
            return None
        cut = await self._cut(0)
        if not len(cut.rows):
            sent.stop, sent.is_held, sent.cap = cut.held, cut.is_for_a_person, cut.cap
            logger().warning("Held back: %s", sent.stop)
            return None
        return await self._begin(cut, 0)

    async def _begin_ahead(self, on_its_way: int) -> _GoingUp | None:
        """The same beside a batch of so many records that is about to be posted. None also where only its end can tell
        whether there is another."""
        sent = self.sent
        if sent.batches + 1 >= self.places or (self.most is not None and sent.records + on_its_way >= self.most):
            return None
        try:
            if not await self._has_next():
                return None
            cut = await self._cut(on_its_way)
            return await self._begin(cut, on_its_way) if len(cut.rows) else None
        except (QuireError, OSError):
            return None  # it is told after that batch, which must not wait for it

    async def _has_next(self) -> bool:
        storage = self.p.services.storage
        self.queue, kept = await asyncio.to_thread(without_kept_back, storage, self.scales, self.queue)
        self.sent.kept |= kept
        return len(self.queue) > 0

    async def _cut(self, on_its_way: int) -> Cut:
        left = self.most_each
        if self.most is not None:
            left = min(left, self.most - self.sent.records - on_its_way)
        return await asyncio.to_thread(next_batch, self.p.services.storage, self.scales, self.queue.slice(0, left))

    async def _begin(self, cut: Cut, on_its_way: int) -> _GoingUp:
        p = self.p
        in_flight = count_states(self.states)[RecordState.INFLIGHT] + self.sent.records + on_its_way
        await asyncio.to_thread(check_room, p.services.storage, in_flight + len(cut.rows))
        submission_id, enough = next_submission_id(p), asyncio.Event()
        context = context_rows(self.states, cut.rows)
        uploading = asyncio.create_task(upload_images(p, submission_id, cut.rows, context, enough=enough))
        self.queue = self.queue.slice(len(cut.rows))
        return _GoingUp(submission_id, cut, uploading, enough)

    async def _claim(self, going: _GoingUp) -> _Claimed:
        """Claim the records of a submission once its images are up."""
        p, submission_id = self.p, going.submission_id
        async with _given_up_on_error(p, going):
            await asyncio.wait([going.uploading], timeout=CONFIRM_WITHIN_SECONDS)
            if not going.uploading.done():
                await self._confirm()
            await self._refresh_old_views()
        try:
            uploads = await going.uploading
        except GeminiSpendingError as error:
            logger().warning("Nothing more is sent: %s", error)
            self._stop(str(error), needs_person=error.needs_person)
            return _Claimed(0, None, str(error))
        await self._tell(going, uploads)
        if not uploads.images:
            await delete_unclaimed(p, submission_id, uploads)
            is_away = uploads.left_out.keys() - uploads.unreadable
            return _Claimed(0, None, "not one image could be uploaded" if is_away else None)
        try:
            keys = await self._claim_and_confirm(going, uploads)
        except QuireError:
            if not p.services.storage.has_batch_manifest(submission_id):
                await delete_unclaimed(p, submission_id, uploads)
            raise
        if not keys:
            await delete_unclaimed(p, submission_id, uploads)
            return _Claimed(0, None, None)
        table, _ = p.services.storage.read_batch_manifest(submission_id)
        return _Claimed(len(keys), table, None)

    async def _tell(self, going: _GoingUp, uploads: Uploads) -> None:
        """Of the images that did not go up."""
        self.sent.unreadable |= uploads.unreadable
        self.sent.unfit |= uploads.unfit.keys()
        warn_of_each(uploads.left_out, "Upload failed for good, page left out of this cycle")
        if uploads.refused:
            await record_refusals(self.p, going.cut.rows, going.cut.estimates, uploads)

    async def _claim_and_confirm(self, going: _GoingUp, uploads: Uploads) -> list[str]:
        """The claimed keys; the batch before is confirmed in the same change."""
        rows, estimates = going.cut.rows, going.cut.estimates
        posted = self.posted
        before = posted.job if posted is not None else None
        claimed = await claim(self.p, going.submission_id, rows, estimates, uploads, confirming=before)
        if posted is not None:
            self._confirmed(posted, claimed.has_confirmed)
        return claimed.keys
