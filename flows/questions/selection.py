"""Which records a person means, read off the tables; what the words mean is decided in `assets.selection`. Writes
nothing.
"""

import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import RecordState
from assets.domain.ledger import Ledger
from assets.domain.outcome import OutcomeKind
from assets.numbering import Numbering
from assets.selection import Selection, among, named, pages_among, parse_entry
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.questions.status import outdated_of, states_now
from flows.runtime.wiring import utc_now
from flows.tables.derived import attempts_table, history_table, last_rows, results_table


def select_records(settings: Settings, storage: Storage, ledger: Ledger, selection: Selection) -> list[str]:
    """The records that are meant, each once. Raises RecordKeyError, QuireError for a name that there is not,
    ManifestError, OSError."""
    keys = _named(settings, storage, ledger, selection.entries) if selection.entries else None
    return among(keys, *_conditions(settings, storage, ledger, selection))


def select_to_be_replaced(settings: Settings, storage: Storage, ledger: Ledger, selection: Selection) -> list[str]:
    """Likewise, of the records whose result a person wants replaced."""
    pending = storage.find_results().to_be_replaced["record_key"]
    keys = pending.unique().to_pylist()
    if selection.entries:
        fields = len(settings.record.document_fields)
        missing = "nothing of it is to be read again"
        keys = named(pages_among(pending), selection.entries, field_count=fields, missing=missing)
    return among(keys, *_conditions(settings, storage, ledger, selection))


def _named(settings: Settings, storage: Storage, ledger: Ledger, entries: tuple[str, ...]) -> list[str]:
    """What entries name among the records that should exist, those that have a result and those that ever had an
    outcome. An entry may also name nothing but counts, which a person can type."""
    fields = len(settings.record.document_fields)
    records, tried = storage.records(), attempts_table(storage, ["record_key"], write=False)
    others = pages_among(tried["record_key"])
    numberings = [Numbering(storage.find_results().pages)] + ([records] if records is not None else [])

    def pages_of(document: str) -> list[str]:
        found = [key for each in numberings for key in each.keys_of_document(document)]
        return list(dict.fromkeys(found + others(document)))

    counted = {each for each in entries if ledger.counts.within(parse_entry(each, field_count=fields))}
    return named(pages_of, entries, field_count=fields, may_name_nothing=counted)


def _conditions(settings: Settings, storage: Storage, ledger: Ledger, selection: Selection) -> list[list[str]]:
    found = list[list[str]]()
    if selection.dead or selection.outdated:
        states = states_now(settings, storage, ledger, now=utc_now())
        if selection.dead:
            found.append(states.keys(RecordState.DEAD))
        if selection.outdated:
            found.append(outdated_of(settings, storage, states).keys(*selection.outdated))
    if selection.kind is not None:
        made, been = last_rows(storage, ["record_key"])
        keys = been.filter(pc.equal(been["kind"], selection.kind.value))["record_key"].to_pylist()
        found.append(keys + (made["record_key"].to_pylist() if selection.kind is OutcomeKind.SUCCESS else []))
    if selection.prompt is not None:
        found.append(_of_prompt(storage, *selection.prompt))
    return found


def _of_prompt(storage: Storage, name: str, version: str) -> list[str]:
    """The records whose result a prompt made; of those without one, that it was tried with last."""
    results, history = results_table(storage, write=False), history_table(storage, write=False)
    is_its = pc.and_(pc.equal(results["prompt_name"], name), pc.equal(results["prompt_version"], version))
    has_none = pc.invert(pc.is_in(history["record_key"], value_set=results["record_key"].combine_chunks()))
    tried = history.filter(has_none)
    its = [each for each in tried["submission_id"].unique().to_pylist() if _prompt_of(storage, each) == (name, version)]
    tried = tried.filter(pc.is_in(tried["submission_id"], value_set=pa.array(its, pa.string())))
    keys: list[str] = results.filter(is_its)["record_key"].to_pylist() + tried["record_key"].to_pylist()
    return keys


def _prompt_of(storage: Storage, submission_id: str) -> tuple[str, str]:
    row = storage.read_outcomes(submission_id, ["prompt_name", "prompt_version"]).slice(0, 1).to_pylist()[0]
    return row["prompt_name"], row["prompt_version"]
