"""One pass of the pipeline: poll, scan, submit, under the pass lock. Short, and meant to run every few minutes."""

import asyncio
from dataclasses import dataclass, replace

from prefect import flow

from assets.domain.errors import QuireError
from assets.domain.ledger import Ledger
from flows.alarms.telling import Seen, tell
from flows.compare import advance_open_runs
from flows.poll import PollReport, poll_batches
from flows.prune import prune_if_crowded
from flows.questions.asset_readers import Known
from flows.questions.catalogue import Catalogue, read_standings, with_runs
from flows.questions.catalogue_report import catalogue_markdown
from flows.questions.glance import document_rows, read_glance, status_markdown
from flows.runtime.logs import logger
from flows.runtime.one_line import one_line
from flows.runtime.passes import Pass, open_pass
from flows.runtime.runs import counted, ended, named
from flows.scan import ScanReport, scan_records
from flows.submit import DRY_RUN, SubmitReport, submit_batches

NO_PAGE_STATUS = 1
NEEDS_PERSON_STATUS = 3
"""The exit status of a command that has done its work and leaves something to a person."""


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
    def for_a_person(self) -> list[str]:
        """What waits for a person, counted, in a few words each: for as long as it is so, each pass says it."""
        return [words for words, _ in self.waits]

    @property
    def waits(self) -> list[tuple[str, str]]:
        """The same, each with its kind: the words without the number."""
        states, kept, unreadable = self.submit.states, len(self.submit.kept_back), len(self.submit.unreadable)
        found = [
            (states["dead"], "dead letter", "dead letters"),
            (states["held"], "held page", "held pages"),
            (len(self.poll.stuck), "batch that cannot be settled", "batches that cannot be settled"),
            (unreadable, "image that cannot be read", "images that cannot be read"),
            (kept, "page that is kept back", "pages that are kept back"),
            (self.submit.no_json, "result that is no JSON", "results that are no JSON"),
        ]
        is_held = self.submit.stopped is not None and self.submit.is_held
        held = "what stops the sending"
        return [(counted(count, one, many), one) for count, one, many in found if count] + [(held, held)] * is_held

    @property
    def exit_status(self) -> int:
        """Of the command that ends with this pass: 3 where something waits for a person, 1 where there is no page."""
        if self.for_a_person:
            return NEEDS_PERSON_STATUS
        return 0 if self.scan.records else NO_PAGE_STATUS

    @property
    def message(self) -> str:
        """How the collection stands after this pass, in words."""
        states, in_flight = self.submit.states, self.poll.running + self.submit.submitted
        said = f"{states['done']:,} of {counted(sum(states.values()), 'page')} done, "
        said += f"{counted(in_flight, 'batch', 'batches')} in flight"
        if self.submit.stopped:
            said += f"; nothing more is sent: {self.submit.stopped}"
        if waits := self.for_a_person:
            verb = "needs" if len(waits) == 1 and waits[0].startswith(("1 ", "what ")) else "need"
            said += f"; {' and '.join([', '.join(waits[:-1]), waits[-1]] if waits[1:] else waits)} {verb} a person"
        return said

    @property
    def only_tries_again(self) -> bool:
        """Nothing was sent, nothing can be run, and what is said to run are batches whose results cannot be written."""
        return replace(self, poll=replace(self.poll, running=self.poll.running - self.poll.unwritten)).is_idle

    @property
    def has_done_something(self) -> bool:
        """Whether it has settled or sent a batch, or found other pages, or other batches that are stuck, than the pass
        before."""
        return bool(self.poll.settled or self.submit.submitted or self.scan.changed or self.poll.is_stuck_anew)

    @property
    def did(self) -> str:
        """What it has done, in words."""
        poll, scan, submit = self.poll, self.scan, self.submit
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in poll.outcomes.items())
        said = [f"{counted(poll.settled, 'batch', 'batches')} settled ({kinds})" if kinds else ""]
        if submit.submitted:
            said.append(f"{counted(submit.submitted, 'batch', 'batches')} with {counted(submit.sent, 'page')} sent")
        said.append(f"{counted(scan.added, 'page')} new, {scan.removed:,} gone" if scan.changed else "")
        said.append("other batches than before cannot be settled" if poll.is_stuck_anew else "")
        return "; ".join(each for each in said if each) or "nothing new"

    @property
    def seen(self) -> Seen:
        """For the alarms."""
        of, states = self.submit, self.submit.states
        done, pages = states["done"], sum(states.values())
        return Seen(pages, done, of.blocked, of.breaker, of.cap, of.stopped or "", self.waits)

    @property
    def is_idle(self) -> bool:
        """Nothing was sent, nothing runs, nothing can be run: another pass would do nothing either. What is left, if
        anything, needs a person."""
        is_waiting = self.submit.stopped == DRY_RUN or self.submit.is_held or self.submit.is_limited
        for_a_person = len(self.submit.unreadable) + len(self.submit.kept_back)
        by_itself = self.submit.states["runnable"] + self.submit.states["postponed"]
        can_send = by_itself > for_a_person and not is_waiting
        # What waited behind a page that is none any more can go now.
        return not (self.submit.sent or self.poll.running or can_send or self.submit.unfit)


@flow(name="pipeline", flow_run_name=named("pipeline"), persist_result=False)
@one_line
async def pipeline(config: str | None = None, accept_vanished: bool = False) -> PassReport | None:
    """One pass: settle what has finished, refresh the list of pages, send what can be sent. The artifact of the status
    shows how the collection stands; docs/operations.md says what to do. Like `quire run`.

    Args:
        config: Path of the configuration file, as the run sees it. Empty: what QUIRE_CONFIG names there.
        accept_vanished: Go on although many finished pages have no result any more: they are read, and paid for, again.
    """
    async with open_pass(config, accept_vanished=accept_vanished) as p:
        is_dry_run = p.services.settings.execution.dry_run
        # A dry run changes nothing that costs or that a person would miss: it only looks at what could be sent.
        polled = PollReport() if is_dry_run else await poll_batches(p)
        if not is_dry_run:
            await advance_open_runs(p)
        report = await scan_and_submit(p, polled)
        if not is_dry_run:
            await prune_if_crowded(p)
        did = "nothing new"
        if report.has_done_something:
            did = f"{polled.settled} settled, {report.submit.submitted} sent"
            await _tell_status(p, report)
        if not is_dry_run:
            await tell(p, report.seen)
        return await ended(p.services.teller, did, report.message, report, needs_person=bool(report.for_a_person))


async def scan_and_submit(p: Pass, polled: PollReport) -> PassReport:
    """What comes in a pass after its poll, of which ``polled`` tells."""
    report = PassReport(polled, await scan_records(p), await submit_batches(p))
    if report.submit.unfit:
        # From now on they are no pages: what is told of the collection is told without them.
        report = replace(report, scan=report.scan.followed_by(await scan_records(p)))
    return report


async def _tell_status(p: Pass, report: PassReport) -> None:
    """Renew the artifacts that show the collection at a glance. Nothing hangs on them."""
    services, found = p.services, report.submit.results
    if found is None:
        return
    try:
        ledger = await services.ledger.recall()
        glance = await read_glance(
            services.settings,
            services.storage,
            ledger,
            found,
            run_started_at=p.run_started_at,
            now=services.now(),
        )
    except (QuireError, OSError) as error:
        logger().warning("The artifact of the status is behind, a later pass makes it anew: %s", error)
        return
    place = str(services.settings.paths.manifests)
    documents = services.teller.key("documents")
    markdown = status_markdown(glance, report.did, place, documents=documents)
    await services.teller.publish("status", markdown, description=report.message)
    if rows := document_rows(glance):
        of = f"{len(glance.documents):,} documents; every page is in {place}/records.parquet"
        await services.teller.publish_table("documents", rows, description=f"{len(rows):,} of {of}")
    await _tell_assets(p, ledger, Known(found, glance.states, glance.status))


async def _tell_assets(p: Pass, ledger: Ledger, known: Known) -> None:
    """Likewise the artifact of the assets. What of them cannot be read stands in it."""
    services, now = p.services, p.services.now()
    settings, storage = services.settings, services.storage
    standings = await asyncio.to_thread(read_standings, settings, storage, ledger, None, known, now=now)
    standings, problem = await with_runs(standings, services.teller, settings, services.mirror.made)
    catalogue = Catalogue(settings.collection, now, tuple(standings), problem)
    description = "The graph of the assets, with what was made of each last"
    await services.teller.publish("assets", catalogue_markdown(catalogue), description=description)
