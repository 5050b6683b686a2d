"""A standing of some records alone, for the pages of a selection: the same arrays, of those. Pure."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import STATES, RecordState, States
from assets.corrections import CorrectionKind
from assets.numbering import IntArray, Pages, Records
from viewer.standing import FAILING, BoolArray, Money, Names, Standing


def narrowed(standing: Standing, numbers: IntArray, usd: float | None) -> Standing:
    """``numbers``: of the records that are meant, in their order; ``usd``: what their results have cost. What the rest
    will cost is not told."""
    records, states = _records(standing.records, numbers), standing.states
    part = replace(states, records=records, codes=states.codes[numbers], failures=states.failures[numbers])
    outdated = {reason: mask[numbers] for reason, mask in standing.outdated.items()}
    edited = standing.edited[numbers]
    vouched = {kind: mask[numbers] for kind, mask in standing.vouched.items()}
    return replace(
        standing,
        states=part,
        edited=edited,
        vouched=vouched,
        outdated=outdated,
        failed=_names(standing.failed, numbers),
        failed_in=_names(standing.failed_in, numbers),
        models=_names(standing.models, numbers),
        prompts=_names(standing.prompts, numbers),
        documents=_documents(
            standing,
            part,
            outdated=np.logical_or.reduce(list(outdated.values())),
            edited=edited | vouched[CorrectionKind.CORRECTED],
            checked=vouched[CorrectionKind.CHECKED],
        ),
        points=(),
        money=Money(spent=usd or 0.0, open=0.0, unsure=0.0, left=None),
    )


def _names(names: Names, numbers: IntArray) -> Names:
    return Names(names.codes[numbers], names.names)


def _records(records: Records, numbers: IntArray) -> Records:
    """Without the documents of which none is meant."""
    pages = records.pages.take(numbers)
    used, codes = np.unique(pages.codes, return_inverse=True)
    kept = Pages(pages.documents.take(pa.array(used)), codes.astype(np.int32), pages.numbers, pages.odd)
    follows = records.follows[numbers].copy()
    follows[1:] &= numbers[1:] == numbers[:-1] + 1
    follows[:1] = False
    return Records(kept, follows, lambda wanted: records.read(numbers[wanted]))


def _documents(standing: Standing, part: States, **masks: BoolArray) -> pa.Table:
    """As `Standing.documents`, with a count of each of ``masks``. A cost is told only where all of a document is
    meant."""
    names, codes = part.records.pages.documents, part.records.pages.codes

    def count(mask: BoolArray) -> pa.Array:
        return pa.array(np.bincount(codes[mask], minlength=len(names)))

    def in_state(*wanted: RecordState) -> BoolArray:
        return np.isin(part.codes, [STATES.index(state) for state in wanted])

    done, flying, failing = in_state(RecordState.DONE), in_state(RecordState.INFLIGHT), in_state(*FAILING)
    whole = standing.documents.take(pc.index_in(names, value_set=standing.documents["document"].combine_chunks()))
    pages = count(np.ones(len(part), dtype=bool))
    is_whole = pc.equal(pages, whole["pages"].combine_chunks())
    columns = {"document": names, "pages": pages, "done": count(done), "in_flight": count(flying)}
    columns |= {"failing": count(failing), "waiting": count(~(done | flying | failing))}
    columns |= {name: count(mask) for name, mask in masks.items()}
    columns["usd"] = pc.if_else(is_whole, whole["usd"].combine_chunks(), pa.scalar(None, pa.float64()))
    return pa.table(columns)
