"""One pass of the pipeline: poll, scan, submit, under the pass lock. Short, and meant to run every few minutes."""

from dataclasses import dataclass, replace
from datetime import datetime

from prefect import flow

from flows.poll import PollReport, poll
from flows.prune import prune_if_crowded
from flows.runtime.one_line import one_line
from flows.runtime.passes import open_pass
from flows.scan import ScanReport, scan
from flows.submit import DRY_RUN, SubmitReport, submit


@dataclass(frozen=True, slots=True)
class PassReport:
    """What a pass did."""

    poll: PollReport
    scan: ScanReport
    submit: SubmitReport

    @property
    def needs_person(self) -> list[str]:
        """Batches and pages that no further pass will help, a line each."""
        batches = [f"batch {name} cannot be settled: {cause}" for name, cause in self.poll.stuck.items()]
        pages = [f"page {key}: its image cannot be read" for key in self.submit.unreadable]
        pages += [f"page {key}: {reason}" for key, reason in self.submit.kept_back.items()]
        return batches + pages + ([self.submit.stopped] if self.submit.stopped and self.submit.is_held else [])

    @property
    def exit_status(self) -> int:
        """Of the command that ends with this pass: 1 where a batch cannot be settled."""
        return 1 if self.poll.stuck else 0

    @property
    def only_tries_again(self) -> bool:
        """Nothing was sent, nothing can be run, and what is said to run are batches whose results cannot be written."""
        return replace(self, poll=replace(self.poll, running=self.poll.running - self.poll.unwritten)).is_idle

    @property
    def is_idle(self) -> bool:
        """Nothing was sent, nothing runs, nothing can be run: another pass would do nothing either. What is left, if
        anything, needs a person."""
        is_waiting = self.submit.stopped == DRY_RUN or self.submit.is_held or self.submit.is_limited
        for_a_person = len(self.submit.unreadable) + len(self.submit.kept_back)
        by_itself = self.submit.states["runnable"] + self.submit.states["postponed"]
        can_send = by_itself > for_a_person and not is_waiting
        return not (self.submit.sent or self.poll.running or can_send)


@flow(name="pipeline", persist_result=False)
@one_line
async def pipeline(
    config: str | None = None,
    wait_for_turn: bool = False,
    accept_vanished: bool = False,
    run_started_at: datetime | None = None,
) -> PassReport | None:
    """Settle what has finished, refresh the manifest, send what can be sent.

    ``config``: path of the configuration file. ``wait_for_turn``: wait while another pass runs, instead of raising
    PassBusyError. ``accept_vanished``: go on although many finished records have no result any more.
    ``run_started_at``: when the run began that this pass is a part of (UTC), for ``budget.max_usd_per_run``; None: now.
    """
    async with open_pass(
        config, wait=wait_for_turn, run_started_at=run_started_at, accept_vanished=accept_vanished
    ) as p:
        # A dry run changes nothing that costs or that a person would miss: it only looks at what could be sent.
        polled = PollReport() if p.services.settings.execution.dry_run else await poll(config)
        scanned = await scan(config)
        submitted = await submit(config)
        if not p.services.settings.execution.dry_run:
            await prune_if_crowded(p)
        return PassReport(polled, scanned, submitted)
