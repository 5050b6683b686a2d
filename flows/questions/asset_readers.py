"""What stands there of each asset, read off files and Variables: a reader for each. What is made of it stands in
`catalogue`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState, Runnable, States, count_states
from assets.corrections import CorrectionKind
from assets.domain.batch import is_resettled, submission_of
from assets.domain.ledger import Ledger
from assets.sources import existing_results
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.gateways.pdf.tree import walk_pdfs
from flows.questions.status import Status, outdated_of, states_in_mode
from flows.runtime.sources import source_tree
from flows.tables.corrections import corrected_by_kind
from flows.tables.derived import kinds_table, results_table, submissions_table
from flows.tables.edited import find_edited
from flows.tables.left_out import count_left_out

STANDS, OBSERVED, NOTHING_YET, NOT_KEPT, UNKNOWN = "stands", "observed", "nothing yet", "not kept", "unknown"


@dataclass(frozen=True, slots=True)
class Known:
    """What whoever asks has read already, all of one moment: the results, the states, the status."""

    results: FoundResults
    states: States
    status: Status


@dataclass
class Look:
    """What the readers below share. Everything raises ManifestError, OSError."""

    settings: Settings
    storage: Storage
    ledger: Ledger
    problem: str | None
    known: Known | None
    now: datetime

    @cached_property
    def results(self) -> FoundResults:
        return self.known.results if self.known is not None else self.storage.find_results()

    @cached_property
    def records(self) -> pa.Table | None:
        return self.storage.read_records()

    @cached_property
    def states(self) -> States:
        if self.known is not None:
            return self.known.states
        mode = self.settings.context.mode
        return states_in_mode(self.settings, self.storage, self.ledger, self.results, now=self.now)(mode)

    @cached_property
    def last_closed(self) -> dict[str, Any] | None:
        """The row of the submission that was settled last, of `assets.spending`."""
        return _last(submissions_table(self.storage, write=False))

    def judged(self) -> dict[str, int]:
        """How many results are not what they were made to be."""
        if self.known is not None:
            status = self.known.status
            return {
                "outdated": status.outdated,
                "corrected by people": status.corrected,
                "edited by a person": status.edited,
                "no JSON": len(status.no_json),
            }
        comparison = find_edited(self.storage, self.results)
        vouched = corrected_by_kind(self.storage, self.results)
        stale = outdated_of(self.settings, self.storage, self.states) if self.records is not None else None
        return {
            "outdated": len(stale) if stale is not None else 0,
            "corrected by people": sum(kind == CorrectionKind.CORRECTED for kind in vouched.values()),
            "edited by a person": len(set(comparison.edited).difference(vouched)),
            "no JSON": len(comparison.problems),
        }


def _last(submissions: pa.Table) -> dict[str, Any] | None:
    """The row that was settled last; those without a number are of earlier versions, and come first."""
    order = [("settlement", "descending"), ("closed_at", "descending"), ("submission_id", "descending")]
    at = pc.sort_indices(submissions.select([name for name, _ in order]), sort_keys=order).slice(0, 1)
    rows: list[dict[str, Any]] = submissions.take(at).to_pylist()
    return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class Seen:
    """``value``: what the asset's checks look at, or None where nothing of it is kept; the rest as in AssetStanding."""

    state: str = STANDS
    said: str = ""
    version: str | None = None
    made_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    value: Any = None


def _source_documents(look: Look) -> Seen:
    paths = look.settings.paths
    if found_at(paths.source_documents) is None:
        return Seen(OBSERVED, "there is no folder of PDFs: page images lie there by themselves")
    tree = source_tree(paths.source_documents, apart=(*look.settings.own_paths, paths.page_images))
    pdfs, _ = walk_pdfs(tree, depth=len(look.settings.record.document_fields))
    return Seen(OBSERVED, counts={"PDFs": len(pdfs)})


def _page_images(look: Look) -> Seen:
    if look.records is None:
        return Seen(NOTHING_YET, "no scan has looked yet: quire scan")
    files = len(look.records["image_path"].unique())
    counts = {"pages": len(look.records), "files": files, "left out": count_left_out(look.storage.read_left_out())}
    return Seen(said="as the last scan found them", made_at=_scanned_at(look), counts=counts)


def _record_manifest(look: Look) -> Seen:
    if look.records is None:
        return Seen(NOTHING_YET, "no scan has written it yet: quire scan")
    return Seen(made_at=_scanned_at(look), counts={"records": len(look.records)}, value=look.records)


def _scanned_at(look: Look) -> datetime | None:
    found = found_at(look.storage.records_path)
    return datetime.fromtimestamp(found.st_mtime, UTC) if found is not None else None


def _existing_results(look: Look) -> Seen:
    pages = existing_results.function(pages=look.results.done_pages)
    return Seen(OBSERVED, counts={"done": len(pages)}, value=pages)


def _ledger(look: Look) -> Seen:
    if look.problem is not None:
        return Seen(UNKNOWN, f"Prefect was not read: {look.problem}")
    counts = {"active batches": len(look.ledger.active), "records with failures": len(look.ledger.counts)}
    return Seen(OBSERVED, counts=counts)


def _runnable_records(look: Look) -> Seen:
    if look.records is None:
        return Seen(NOTHING_YET, "there is no record manifest yet: quire scan")
    states = count_states(look.states)
    by_files = "by what the files tell alone" if look.problem is not None else "worked out now, and anew by each pass"
    runnable = Runnable(look.states, look.states.of(RecordState.RUNNABLE))
    return Seen(NOT_KEPT, by_files, counts={"runnable": states[RecordState.RUNNABLE]}, value=runnable)


def _batch_manifest(look: Look) -> Seen:
    newest = max(look.storage.submissions(), default=None)
    if newest is None:
        return Seen(NOTHING_YET, "no batch was made yet")
    table, facts = look.storage.read_batch_manifest(newest)
    counts = {"records": len(table), "batches in all": len(look.storage.submissions())}
    return Seen(version=newest, made_at=facts.created_at, counts=counts, value=table)


def _batch_requests(look: Look) -> Seen:
    newest = max(look.storage.job_submissions(), default=None)
    if newest is None:
        return Seen(NOTHING_YET, "nothing was posted yet")
    found = found_at(look.storage.job_path(newest))
    posted_at = datetime.fromtimestamp(found.st_mtime, UTC) if found is not None else None
    counts = {"lines": len(look.storage.batch_keys(newest))}
    return Seen(NOT_KEPT, "each stands in its batch manifest", newest, posted_at, counts)


def _batch_results(look: Look) -> Seen:
    submissions = submissions_table(look.storage, write=False)
    last = _last(submissions.filter(pc.greater(submissions["answers"], 0)))
    if last is None:
        return Seen(NOTHING_YET, "no batch was answered yet")
    days = look.settings.safety.keep_raw_days
    said = f"its result file is kept for {days} days"
    return Seen(NOT_KEPT, said, last["submission_id"], last["closed_at"], {"answers": last["answers"]})


def _record_outcomes(look: Look) -> Seen:
    last = look.last_closed
    if last is None:
        return Seen(NOTHING_YET, "no batch was settled yet")
    name = last["submission_id"]
    table = look.storage.read_outcomes(name)
    kinds = kinds_table(look.storage, write=False)
    counts = {row["kind"]: row["records"] for row in kinds.filter(pc.equal(kinds["submission_id"], name)).to_pylist()}
    counts["settled batches in all"] = sum(not is_resettled(each) for each in look.storage.outcome_files())
    return Seen(version=submission_of(name), made_at=last["closed_at"], counts=counts, value=table)


def _output_results(look: Look) -> Seen:
    counts = {"results": len(look.results.files), "to be read again": len(look.results.to_be_replaced)} | look.judged()
    made = results_table(look.storage, write=False)
    if not len(made):
        said = "no batch has made one yet" + (": those that lie there were put there" if counts["results"] else "")
        return Seen(NOTHING_YET if not counts["results"] else STANDS, said, counts=counts)
    at = pc.index(made["settled_at"], pc.max(made["settled_at"])).as_py()
    [newest] = made.select(["settled_at", "submission_id"]).slice(at, 1).to_pylist()
    return Seen(STANDS, "", newest["submission_id"], newest["settled_at"], counts)


def _batch_report(look: Look) -> Seen:
    last = look.last_closed
    if last is None:
        return Seen(NOTHING_YET, "no batch was settled yet")
    said = "it stands in Prefect alone, as the artifact batch-report, until its run is removed there"
    return Seen(NOT_KEPT, said, submission_of(last["submission_id"]), last["closed_at"], {"records": last["records"]})


READERS: Mapping[str, Callable[[Look], Seen]] = {
    "source_documents": _source_documents,
    "page_images": _page_images,
    "record_manifest": _record_manifest,
    "existing_results": _existing_results,
    "ledger": _ledger,
    "runnable_records": _runnable_records,
    "batch_manifest": _batch_manifest,
    "batch_requests": _batch_requests,
    "batch_results": _batch_results,
    "record_outcomes": _record_outcomes,
    "output_results": _output_results,
    "batch_report": _batch_report,
}
