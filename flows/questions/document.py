"""``quire assets --document``: what of one document is fresh, stale or missing at each asset, page by page, and why.

Each asset is judged by what it is made from: the images by the scan that has seen them, a result by today's image,
prompt, schema and model. What nobody could look at, or has compared yet, is unknown. How it is put together to lines
stands in `assets.freshness`.
"""

import asyncio
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.candidates import RecordState, States
from assets.catalog import CATALOG
from assets.domain.batch import SubmissionState
from assets.domain.errors import QuireError, RecordKeyError
from assets.domain.ledger import Ledger
from assets.domain.record import SEPARATOR, check_field
from assets.edited import edited_by_content
from assets.freshness import AssetOfDocument, Finding, Freshness, asset_of_document, of_pages
from assets.numbering import IntArray
from assets.outdated import ANOTHER
from assets.planning import SubmissionFacts
from config.settings import Settings, load_settings
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.gateways.files.walking import Tree
from flows.gateways.pdf.rendering import not_current
from flows.gateways.pdf.tree import walk_pdfs
from flows.protocol.active import ActiveSubmission, resolve
from flows.questions.status import read_ledger_or_files, states_now
from flows.runtime.sources import page_reader, render_settings, source_tree
from flows.runtime.wiring import config_path, make_storage, utc_now
from flows.tables.corrections import corrections_of
from flows.tables.derived import last_submissions, results_table
from flows.tables.outdated import find_outdated, making

FRESH, STALE, MISSING, NOTHING = Freshness.FRESH, Freshness.STALE, Freshness.MISSING, Freshness.NONE
Page = tuple[str, Freshness, str]


@dataclass(frozen=True, slots=True)
class DocumentStanding:
    """``pages``: in the record manifest; ``assets``: in data-flow order; ``prefect_problem``: why the files alone were
    asked, or None."""

    document: str
    pages: int
    assets: tuple[AssetOfDocument, ...]
    prefect_problem: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def read_document(config: str | None, document: str) -> DocumentStanding:
    """Raises RecordKeyError, ConfigError, ManifestError."""
    settings = load_settings(config_path(config))
    fields = document_fields(document, len(settings.record.document_fields))
    storage = make_storage(settings)
    ledger, problem = await read_ledger_or_files(settings, storage)
    return await asyncio.to_thread(_standing, settings, storage, ledger, problem, fields)


def document_fields(document: str, field_count: int) -> tuple[str, ...]:
    """The fields of ``CA:Lincoln:2023``. Raises RecordKeyError."""
    fields = document.split(SEPARATOR)
    if len(fields) != field_count:
        raise RecordKeyError(document, f"it has {len(fields)} fields, a document of this collection has {field_count}")
    try:
        return tuple(check_field(each) for each in fields)
    except RecordKeyError as error:
        raise RecordKeyError(document, error.reason) from None


def _standing(
    settings: Settings, storage: Storage, ledger: Ledger, problem: str | None, fields: tuple[str, ...]
) -> DocumentStanding:
    look = _Look(settings, storage, ledger, fields)
    assets = []
    for name in CATALOG:
        if name in _READERS:
            try:
                findings = list(_READERS[name](look))
            except (QuireError, OSError) as error:
                findings = [Finding(Freshness.UNKNOWN, str(error))]
            assets.append(asset_of_document(name, findings))
    return DocumentStanding(SEPARATOR.join(fields), len(look.states), tuple(assets), problem)


@dataclass
class _Look:
    """What the readers share, of this document alone. Everything raises ManifestError, OSError."""

    settings: Settings
    storage: Storage
    ledger: Ledger
    fields: tuple[str, ...]

    @cached_property
    def everyone(self) -> States:
        return states_now(self.settings, self.storage, self.ledger, now=utc_now())

    @cached_property
    def numbers(self) -> IntArray:
        records = self.everyone.records
        return records.known(records.keys_of_document(SEPARATOR.join(self.fields)))

    @cached_property
    def states(self) -> pa.Table:
        return self.everyone.rows(self.numbers)

    @cached_property
    def state(self) -> dict[str, str]:
        """Record key -> its RecordState."""
        names = self.states["state"].cast(pa.string()).to_pylist()
        return dict(zip(self.states["record_key"].to_pylist(), names, strict=True))

    @cached_property
    def images(self) -> dict[str, tuple[Freshness, str]]:
        """Record key -> whether its image is the one that the last scan has seen."""
        found: dict[str, tuple[Freshness, str]] = {}
        columns = ["record_key", "image_path", "image_bytes"]
        times = self.states["image_modified_at"].cast(pa.int64()).to_pylist()
        for row, modified_ns in zip(self.states.select(columns).to_pylist(), times, strict=True):
            found[row["record_key"]] = self._image(row["image_path"], row["image_bytes"], modified_ns)
        return found

    def _image(self, path: str, size: int, modified_ns: int) -> tuple[Freshness, str]:
        try:
            there = found_at(self.storage.root / path)
        except OSError as error:
            return Freshness.UNKNOWN, f"its image cannot be looked at: {error.strerror}"
        if there is None:
            return MISSING, "its image file is gone"
        is_same = (there.st_size, there.st_mtime_ns) == (size, modified_ns)
        return (FRESH, "") if is_same else (STALE, "its image file was changed since the last scan")

    @cached_property
    def flying(self) -> dict[str, tuple[ActiveSubmission | None, str, SubmissionFacts]]:
        """Record key -> the batch that it is in (None: one that was taken out of the active list), its submission, and
        what that was sent with."""
        standing = resolve(self.storage, self.ledger)
        active = {each.submission_id: each for each in standing.active if each.state is not SubmissionState.SETTLED}
        found: dict[str, tuple[ActiveSubmission | None, str, SubmissionFacts]] = {}
        for submission_id in [*active, *standing.unclaimed]:
            mine = [key for key in self.storage.batch_keys(submission_id) if key in self.state]
            if mine:
                facts = self.storage.read_batch_manifest(submission_id)[1]
                found |= dict.fromkeys(mine, (active.get(submission_id), submission_id, facts))
        return found

    @cached_property
    def last_kind(self) -> dict[str, str]:
        """Record key -> the kind of its last outcome."""
        return {key: kind for key, (_, kind) in last_submissions(self.storage, list(self.state)).items()}


def _source_documents(look: _Look) -> Iterator[Finding]:
    paths = look.settings.paths
    if found_at(paths.source_documents) is not None:
        tree = source_tree(paths.source_documents, apart=(*look.settings.own_paths, paths.page_images))
        pdfs, _ = walk_pdfs(tree, depth=len(look.fields))
        for pdf in pdfs:
            if pdf.fields == look.fields:
                reason = not_current(
                    pdf, paths.page_images, render_settings(look.settings), page_of=page_reader(look.settings)
                )
                yield Finding(STALE if reason else FRESH, reason or "its images were made of it as it is")
                return
    yield Finding(NOTHING, "no PDF of it: its page images lie there by themselves")


def _page_images(look: _Look) -> Iterator[Finding]:
    yield from of_pages((key, *found) for key, found in look.images.items())
    if not look.images:
        yield Finding(MISSING, "no scan has found a page of it; quire scan looks")


def _record_manifest(look: _Look) -> Iterator[Finding]:
    pages = ((key, FRESH if found[0] is FRESH else STALE, found[1]) for key, found in look.images.items())
    unreadable = Freshness.UNKNOWN
    yield from of_pages(
        (key, unreadable if look.images[key][0] is unreadable else each, why) for key, each, why in pages
    )
    try:
        unseen = _unseen_files(look)
    except (QuireError, OSError) as error:
        yield Finding(unreadable, f"whether all that lies there was seen is not known: {error}")
        unseen = []
    if unseen:
        yield Finding(STALE, f"{len(unseen)} files lie there that no scan has seen, such as {unseen[0]}: quire scan")
    if not look.state:
        yield Finding(MISSING, "none of its pages is in it")


def _unseen_files(look: _Look) -> list[str]:
    """Files beside its images that are neither pages nor listed as left out."""
    storage, tree = look.storage, Tree(look.settings.paths.page_images, root=look.storage.root, strict=True)
    folders = {Path(path).parent for path in look.states["image_path"].unique().to_pylist()}
    folders = {storage.root / each for each in folders} or {look.settings.paths.page_images.joinpath(*look.fields)}
    known = {*look.states["image_path"].to_pylist(), *storage.read_left_out()["path"].to_pylist()}
    seen = {unicodedata.normalize("NFC", path) for path in known}
    found = [f"{tree.place(str(each))}/{entry.name}" for each in folders for entry in tree.entries(str(each))]
    return sorted(path for path in found if unicodedata.normalize("NFC", path) not in seen)


def _runnable_records(look: _Look) -> Iterator[Finding]:
    kept_back = look.storage.stuck.pages()
    for finding in of_pages((key, NOTHING, _why_not(look, key, kept_back)) for key in look.state):
        is_free = finding.reason == _CAN_BE_SENT
        yield Finding(FRESH if is_free else NOTHING, "" if is_free else finding.reason, finding.keys)


_CAN_BE_SENT = "can be sent: the next pass that has a free place sends it"


def _why_not(look: _Look, key: str, kept_back: Mapping[str, str]) -> str:
    """Why a page has no result, or need not be sent, in a few words."""
    last = f", last: {look.last_kind[key]}" if key in look.last_kind else ""
    match look.state[key]:
        case RecordState.DONE:
            return "done"
        case RecordState.INFLIGHT:
            return f"in flight in {_name(look, key)}"
        case RecordState.DEAD:
            return f"dead letter{last}; quire unblock tries it again"
        case RecordState.HELD:
            return f"held for a person{last}; quire unblock tries it again"
        case RecordState.WAITING:
            return "waits for the page before"
        case RecordState.POSTPONED:
            return "waits for the service, and goes by itself"
    return f"kept back: {kept_back[key]}" if key in kept_back else _CAN_BE_SENT


def _name(look: _Look, key: str) -> str:
    batch, submission_id, _ = look.flying[key]
    return batch.name if batch is not None else f"{submission_id}, which was taken out of the active list"


def _batch_manifest(look: _Look) -> Iterator[Finding]:
    now = making(look.settings)
    pages = list[Page]()
    for key, (_, submission_id, facts) in look.flying.items():
        others = [
            what
            for what, then, today in (
                ("prompt", facts.prompt_hash, now.prompt_hash),
                ("schema", facts.response_schema_hash, now.response_schema_hash),
                ("model", facts.model, now.model),
            )
            if today is not None and then != today
        ]
        said = f"in flight as submission {submission_id}, made {facts.created_at:%Y-%m-%d %H:%M} UTC"
        pages.append((key, STALE if others else FRESH, said + (f", with another {', '.join(others)}" * bool(others))))
    yield from of_pages(pages) or [Finding(NOTHING, "nothing of it is in flight")]


def _batch_requests(look: _Look) -> Iterator[Finding]:
    pages = list[Page]()
    for key, (batch, submission_id, _) in look.flying.items():
        job = batch.job if batch is not None else look.storage.read_job(submission_id)
        is_posted = job is not None and job.batch_id is not None
        said = f"posted as {job.batch_id}" if job is not None and is_posted else "no job is known of it yet"
        pages.append((key, FRESH if is_posted else MISSING, said))
    yield from of_pages(pages) or [Finding(NOTHING, "nothing of it is in flight")]


def _batch_results(look: _Look) -> Iterator[Finding]:
    stuck = look.storage.stuck.read()
    pages = list[Page]()
    for key, (batch, submission_id, _) in look.flying.items():
        name = batch.name if batch is not None else submission_id
        said = f"{name} cannot be settled: {stuck[name]}" if name in stuck else f"{name} is not settled yet"
        pages.append((key, MISSING, said))
    yield from of_pages(pages) or [Finding(NOTHING, "nothing of it is in flight")]


def _record_outcomes(look: _Look) -> Iterator[Finding]:
    known = look.last_kind
    yield from of_pages(
        (key, FRESH, f"the last one is {known[key]}") if key in known else (key, MISSING, "was in no settled batch yet")
        for key in look.state
    )


def _output_results(look: _Look) -> Iterator[Finding]:
    keys, storage = list(look.state), look.storage
    present = storage.present_among(keys)
    again = set(storage.to_be_replaced(list(present))["record_key"].to_pylist()) if present else set()
    found = find_outdated(look.settings, storage, look.everyone, look.numbers)
    outdated = {key: [ANOTHER[each] for each in reasons] for key, reasons in found.reasons_of().items()}
    doubtful, vouched = set(found.records.keys(found.unknown).to_pylist()), _vouched(storage, keys)
    edited, kept_back = _edited(look, present), storage.stuck.pages()
    pages = list[Page]()
    for key in keys:
        if key not in present:
            pages.append((key, MISSING, _why_not(look, key, kept_back)))
        elif key in again:
            pages.append((key, STALE, f"a person wants it read again; {_why_not(look, key, kept_back)}"))
        elif key in outdated:
            pages.append((key, STALE, ", ".join(outdated[key])))
        elif key in doubtful:
            pages.append((key, Freshness.UNKNOWN, "its image has another time; the next scans compare the content"))
        elif look.images[key][0] is not FRESH and look.images[key][0] is not MISSING:
            pages.append((key, Freshness.UNKNOWN, look.images[key][1]))
        else:
            pages.append((key, FRESH, vouched.get(key, "edited, or put there, by a person" if key in edited else "")))
    yield from of_pages(pages)


def _vouched(storage: Storage, keys: list[str]) -> dict[str, str]:
    """Record key -> what a person has done with its result, in words."""
    rows = corrections_of(storage, keys)
    said = zip(*(rows[name].to_pylist() for name in ("record_key", "kind", "corrected_by")), strict=True)
    return {key: f"{kind} by {who}" for key, kind, who in said}


def _edited(look: _Look, present: set[str]) -> set[str]:
    """Those whose result is another than was written: each is read, as they are few."""
    files = {key: found for key in sorted(present) if (found := look.storage.result_file(key)) is not None}
    table = pa.table(
        {
            "record_key": pa.array(list(files), pa.string()),
            "result_sha256": pa.array([each.sha256 for each in files.values()], pa.string()),
        }
    )
    is_edited = edited_by_content(table, results_table(look.storage, keys=list(files), write=False))
    return set(table.filter(is_edited)["record_key"].to_pylist())


_READERS = {
    "source_documents": _source_documents,
    "page_images": _page_images,
    "record_manifest": _record_manifest,
    "runnable_records": _runnable_records,
    "batch_manifest": _batch_manifest,
    "batch_requests": _batch_requests,
    "batch_results": _batch_results,
    "record_outcomes": _record_outcomes,
    "output_results": _output_results,
}
