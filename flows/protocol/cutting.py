"""The next batch: which of the records that wait go into it. What it is cut by stands in `tables.weighing`, in which
order they wait in `choosing`."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.candidates import States
from assets.history import batch_size
from flows.gateways.files.storage import Storage
from flows.protocol.queue import Queue
from flows.tables.kept_back import kept_back
from flows.tables.weighing import Scales, explain


@dataclass(frozen=True, slots=True)
class Cut:
    """The next batch: its ``rows`` and their ``estimates``. Without rows: ``held``: why; ``is_for_a_person``: no pass
    will ever change that; ``cap``: the one that is reached, if it is one."""

    rows: pa.Table
    estimates: pa.Table
    held: str = ""
    is_for_a_person: bool = False
    cap: str = ""


def next_batch(storage: Storage, scales: Scales, queue: Queue) -> Cut:
    """Cut the first records of ``queue`` off that fit one batch. Raises PromptError, ManifestError."""
    head = _head(scales, queue)
    estimates, weights = scales.weigh(storage, head)
    count, held_by = scales.room().first_of(weights)
    if count:
        return Cut(head.slice(0, count), estimates.slice(0, count))
    cap = held_by if held_by.startswith("budget.") and not scales.unpriced else ""
    is_for_a_person = bool(cap)
    if is_for_a_person and held_by == "budget.max_usd_per_day":
        # Tomorrow it goes on, unless a single record can cost more than a day may.
        is_for_a_person = any(cap.name == held_by and cap.usd < weights.max_usd[0] for cap in scales.caps)
    return Cut(head.slice(0, 0), estimates.slice(0, 0), explain(scales, held_by, weights), is_for_a_person, cap)


def _head(scales: Scales, queue: Queue) -> pa.Table:
    """The first records, as many as a batch may have."""
    failed_jobs = int(queue.failed_jobs[0])
    alike = int(np.searchsorted(queue.failed_jobs, failed_jobs, side="right"))
    return queue.rows(min(alike, batch_size(scales.settings.execution.batch_size_limit, failed_jobs)))


def without_kept_back(storage: Storage, scales: Scales, queue: Queue) -> tuple[Queue, dict[str, str]]:
    """``queue`` with a head of which each record can go, and the reasons of those that it had before and cannot."""
    reasons: dict[str, str] = {}
    while len(queue):
        head = _head(scales, queue)
        found = kept_back(storage, head, scales.template)
        if not found:
            break
        reasons |= found
        queue = queue.without(np.flatnonzero([key in found for key in head["record_key"].to_pylist()]))
    return queue, reasons


def context_rows(states: States, rows: pa.Table) -> pa.Table:
    """The rows of the pages before that go along as images and are not in the batch themselves."""
    before = rows["predecessor"].filter(rows["takes_image"])
    others = before.filter(pc.invert(pc.is_in(before, value_set=rows["record_key"].combine_chunks())))
    return states.rows_of_keys(others)
