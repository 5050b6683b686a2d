"""How a collection stands, read once and kept in memory as arrays by number, so that each page that is shown asks only
for what it shows. When it is read again stands in `viewer.keeping`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import STATES, RecordState, States
from assets.corrections import CorrectionKind
from assets.documents import documents_table
from assets.domain.errors import ConfigError, ManifestError, PromptError, SchemaError
from assets.domain.ledger import Ledger
from assets.domain.outcome import ANSWERED_WELL
from assets.numbering import NOWHERE, IntArray, Pages, Records
from assets.outdated import Reason
from assets.pace import read_by_time
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.questions.estimate import estimate_of
from flows.questions.status import outdated_of, states_in_mode
from flows.tables.corrections import corrected_by_kind
from flows.tables.derived import history_table, placed_results, submissions_table
from flows.tables.edited import find_edited
from flows.tables.weighing import read_spent

BoolArray = npt.NDArray[np.bool_]
NONE = -1
FAILING = (RecordState.DEAD, RecordState.HELD)
WAITING = (RecordState.WAITING, RecordState.POSTPONED, RecordState.RUNNABLE)


@dataclass(frozen=True)
class Names:
    """A name for each record: ``codes``: its place in ``names``, NONE where there is none."""

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def mask(self, name: str) -> BoolArray:
        if name not in self.names:
            return np.zeros(len(self.codes), dtype=bool)
        found: BoolArray = self.codes == self.names.index(name)
        return found

    def of(self, number: int) -> str:
        code = int(self.codes[number])
        return "" if code == NONE else self.names[code]

    def counts(self, among: BoolArray) -> dict[str, int]:
        """Name -> how many of those that are ``among``, most first."""
        codes = self.codes[among & (self.codes != NONE)]
        counted = np.bincount(codes, minlength=len(self.names)).tolist()
        pairs = zip(self.names, counted, strict=True)
        return {name: count for name, count in sorted(pairs, key=lambda each: (-each[1], each[0])) if count}


@dataclass(frozen=True)
class Money:
    """In US dollars. ``left``: about what the rest will cost, None where no price is known; ``open``: the most that
    what is in flight can cost; ``unsure``: the most that answers can have cost of which nobody knows it."""

    spent: float
    open: float
    unsure: float
    left: float | None


@dataclass(frozen=True)
class Standing:
    """``problem``: why Prefect was not asked, so that the files alone tell; ``failed``: the kind of the last outcome of
    records that are not done, where it was a failure; ``failed_in``: its submission; ``edited``: whose result was
    edited by hand, ``vouched``: whose result a person has corrected, or checked; ``models``, ``prompts``: what made
    each result, the latter as name and version; ``outdated``: of each reason the records; ``documents``: columns
    document, pages, done, in_flight, failing, waiting, outdated, edited (corrected, too), checked, usd, in the order of
    the record manifest;
    ``points``: how many pages were read by when."""

    at: datetime
    problem: str | None
    ledger: Ledger
    states: States
    found: FoundResults
    edited: BoolArray
    vouched: dict[CorrectionKind, BoolArray]
    outdated: dict[Reason, BoolArray]
    failed: Names
    failed_in: Names
    models: Names
    prompts: Names
    documents: pa.Table
    points: Sequence[tuple[datetime, int]]
    money: Money

    def __len__(self) -> int:
        return len(self.states)

    @property
    def records(self) -> Records:
        return self.states.records

    def number_of(self, record_key: str) -> int | None:
        """None: there is no such record."""
        number = int(self.records.numbers_of_keys([record_key])[0])
        return None if number == NOWHERE else number

    def key_of(self, number: int) -> str:
        key: str = self.records.keys(np.array([number]))[0].as_py()
        return key

    def state_of(self, number: int) -> RecordState:
        return STATES[int(self.states.codes[number])]

    def span_of(self, document: str) -> tuple[int, int] | None:
        """Its first number, and the one behind its last; None: there is no such document."""
        place = self.place_of(document)
        return None if place is None else (int(self.records.starts[place]), int(self.records.starts[place + 1]))

    def place_of(self, document: str) -> int | None:
        place: int = pc.index(self.records.pages.documents, document).as_py()
        return None if place < 0 else place

    def document_of(self, number: int) -> str:
        name: str = self.records.pages.documents[int(self.records.pages.codes[number])].as_py()
        return name

    @cached_property
    def is_done(self) -> BoolArray:
        found: BoolArray = self.states.codes == STATES.index(RecordState.DONE)
        return found

    @cached_property
    def is_edited(self) -> BoolArray:
        """By hand, or corrected."""
        found: BoolArray = self.edited | self.vouched[CorrectionKind.CORRECTED]
        return found

    @cached_property
    def is_outdated(self) -> BoolArray:
        found: BoolArray = np.logical_or.reduce(list(self.outdated.values()))
        return found

    def after_saving(self, number: int, kind: CorrectionKind) -> "Standing":
        """The same, as far as is known, once a person has saved what is to be said of a page; counts of documents
        follow when all is read again."""
        codes, edited = self.states.codes.copy(), self.edited.copy()
        codes[number], edited[number] = STATES.index(RecordState.DONE), False
        vouched = {each: mask.copy() for each, mask in self.vouched.items()}
        for each, mask in vouched.items():
            mask[number] = each is kind
        return replace(self, states=replace(self.states, codes=codes), edited=edited, vouched=vouched)

    def count(self, *wanted: RecordState) -> int:
        return len(self.states.of(*wanted))


def read_standing(
    settings: Settings,
    storage: Storage,
    ledger: Ledger,
    found: FoundResults,
    problem: str | None = None,
    *,
    now: datetime,
) -> Standing:
    """Read everything. ``found``: all results; ``now``: UTC. Raises ManifestError, OSError."""
    if not storage.has_records():
        raise ManifestError(storage.records_path, "is not there yet: quire scan looks which pages there are")
    states = states_in_mode(settings, storage, ledger, found, now=now)(settings.context.mode)
    records, submissions = states.records, submissions_table(storage, write=False)
    history = history_table(storage, write=False)
    history = history.filter(pc.invert(pc.is_in(history["kind"], value_set=pa.array(sorted(ANSWERED_WELL)))))
    at_history = records.numbers_of(Pages.of_places(history))
    done = states.codes == STATES.index(RecordState.DONE)
    at_history[(at_history != NOWHERE) & done[at_history]] = NOWHERE
    made = placed_results(storage, ["record_key", "model", "prompt_name", "prompt_version", "submission_id"])
    at_made = records.numbers_of(Pages.of_places(made))
    prompts = pc.binary_join_element_wise(made["prompt_name"], made["prompt_version"], " ")
    stale = outdated_of(settings, storage, states)
    outdated = {reason: _mask(len(states), stale.of(reason)) for reason in Reason}
    vouched = _vouched(storage, records, found)
    edited = _mask(len(states), records.numbers_of_keys(find_edited(storage, found, look=True).edited))
    edited &= ~np.logical_or.reduce(list(vouched.values()))
    documents = documents_table(states, made.select(["record_key", "submission_id"]), submissions)
    return Standing(
        at=now,
        problem=problem,
        ledger=ledger,
        states=states,
        found=found,
        edited=edited,
        vouched=vouched,
        outdated=outdated,
        failed=_named(len(states), at_history, history["kind"]),
        failed_in=_named(len(states), at_history, history["submission_id"]),
        models=_named(len(states), at_made, made["model"]),
        prompts=_named(len(states), at_made, prompts),
        documents=_in_order(records, documents, outdated, edited, vouched),
        points=read_by_time(submissions),
        money=_money(settings, storage, ledger, states, now),
    )


def _vouched(storage: Storage, records: Records, found: FoundResults) -> dict[CorrectionKind, BoolArray]:
    kinds = corrected_by_kind(storage, found)
    return {
        kind: _mask(len(records), records.numbers_of_keys([key for key, its in kinds.items() if its is kind]))
        for kind in CorrectionKind
    }


def _mask(size: int, numbers: IntArray) -> BoolArray:
    mask = np.zeros(size, dtype=bool)
    mask[numbers[numbers != NOWHERE]] = True
    return mask


def _named(size: int, numbers: IntArray, values: pa.ChunkedArray) -> Names:
    codes = np.full(size, NONE, dtype=np.int32)
    encoded = values.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    known = numbers != NOWHERE
    codes[numbers[known]] = encoded.indices.to_numpy(zero_copy_only=False)[known]
    return Names(codes, tuple(encoded.dictionary.to_pylist()))


def _in_order(
    records: Records,
    documents: pa.Table,
    outdated: dict[Reason, BoolArray],
    edited: BoolArray,
    vouched: dict[CorrectionKind, BoolArray],
) -> pa.Table:
    """As the record manifest has them, with what is counted here."""
    names, codes = records.pages.documents, records.pages.codes
    table = documents.take(pc.index_in(names, value_set=documents["document"].combine_chunks()))
    waiting = pc.subtract(table["left"], table["in_flight"])
    masks = {"outdated": np.logical_or.reduce(list(outdated.values()))}
    masks |= {"edited": edited | vouched[CorrectionKind.CORRECTED], "checked": vouched[CorrectionKind.CHECKED]}
    table = table.append_column("waiting", waiting)
    for name, mask in masks.items():
        table = table.append_column(name, pa.array(np.bincount(codes[mask], minlength=len(names))))
    return table.drop_columns(["left"])


def _money(settings: Settings, storage: Storage, ledger: Ledger, states: States, now: datetime) -> Money:
    spent = read_spent(settings, storage, since=now)
    left: float | None = 0.0
    if len(states.of(*WAITING)):
        try:
            left = estimate_of(settings, storage, ledger, states=states).estimate.usd
        except (ConfigError, PromptError, SchemaError):
            # Whoever sends something is told why.
            left = None
    return Money(
        spent=sum(each.usd for each in spent),
        open=sum(each.open_usd for each in spent),
        unsure=sum(each.unsure_usd for each in spent),
        left=left,
    )
